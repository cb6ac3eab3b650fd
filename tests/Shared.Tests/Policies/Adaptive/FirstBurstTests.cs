using FuncScaler.Policies;

namespace FuncScaler.Tests.Policies.Adaptive;

/// <summary>What is known of a function that has had one burst, or one request, and no gap yet.</summary>
public class FirstBurstTests
{
    private static readonly FunctionMeta F = PolicyBench.Function();

    /// <summary>
    /// Plans were made when the burst came. Nobody knew then how long an execution takes, so all instances but one were given back at once,
    /// although each costs 20 s of waiting at 100 GB·s a second.
    /// </summary>
    [Fact]
    public void At_a_given_price_the_instances_of_the_first_burst_wait_for_a_second_one()
    {
        var bench = Bench("adaptive:price=100");

        bench.RunTogether(F, 10, 25);
        bench.Advance(30);
        var created = bench.Creates(F).Count();
        Assert.True(created - bench.Destroys(F).Count() >= 10);

        bench.RunTogether(F, 10, 25);
        Assert.Equal(created, bench.Creates(F).Count());
    }

    /// <summary>A time of a function's own takes the place of the price that the contest's score leads to, and its plans follow at once likewise.</summary>
    [Fact]
    public void So_they_do_for_a_function_with_a_time_of_its_own()
    {
        var bench = Bench("adaptive");
        bench.Limit(F, new FunctionLimits { Slo = TimeSpan.FromMilliseconds(100) });

        bench.RunTogether(F, 10, 25);
        bench.Advance(30);

        Assert.True(bench.Creates(F).Count() - bench.Destroys(F).Count() >= 10);
    }

    /// <summary>Before the first cold start has ended it is taken for half a second, which is worth holding for a few seconds only.</summary>
    [Theory]
    [InlineData("adaptive")]
    [InlineData("adaptive:price=2")]
    public void A_lone_instance_is_held_for_what_its_cold_start_cost(string policy)
    {
        var bench = Bench(policy);

        Assert.True(bench.Run(F, 0.05));
        bench.Advance(40);

        Assert.False(bench.Run(F, 0.05));
    }

    private static PolicyBench Bench(string policy) => new(PolicyCatalog.Parse(policy)) { CreateSeconds = 1, InitSeconds = _ => 19 };
}
