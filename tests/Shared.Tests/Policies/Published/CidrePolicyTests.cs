namespace FuncScaler.Tests.Policies.Published;

public class CidrePolicyTests
{
    // Priority = clock + uses x cold start (s) / (size (GB) x warm instances), in a cache of 1 GB.
    //   a: 256 MB, 1 s, 2 uses on 2 instances: 2 x 1 / (0.25 x 2) = 4, for greedy-dual 8
    //   b: 512 MB, 1 s, 3 uses on 1 instance:  3 x 1 / 0.5        = 6
    //   c comes (256 MB): 256 MB too many. One of a goes; greedy-dual would let b go.
    [Theory]
    [InlineData("cidre:1", "a")]
    [InlineData("greedy-dual:1", "b")]
    public void A_functions_worth_is_shared_by_its_warm_instances(string policy, string victim)
    {
        var bench = new PolicyBench(policy) { CreateSeconds = 0.1, InitSeconds = _ => 0.9 };
        bench.RunTogether(PolicyBench.Function("a", 256), 2, 2);
        for (var i = 0; i < 3; i++)
        {
            bench.Run(PolicyBench.Function("b"), 1);
        }

        Assert.Empty(bench.DestroyOrder);
        bench.Run(PolicyBench.Function("c", 256), 1);

        Assert.Equal([victim], bench.DestroyOrder);
    }

    // Executions of 0.1 s, a cold start of 0.5 s. The second request finds the instance busy: one is created, but the release comes first. What
    // was created idles to 5 s, longer than an execution lasts: creating beside busy instances stops.
    // At 5 s two requests take both instances, a third waits. After a cold start's time it has waited too long: creating goes on.
    [Fact]
    public void Creating_beside_busy_instances_stops_when_it_was_for_nothing_and_goes_on_when_a_request_waits_long()
    {
        var bench = new PolicyBench("cidre:100");
        var function = PolicyBench.Function();
        bench.Run(function, 0.1);
        bench.AdvanceTo(1);
        var first = bench.Assign(function);
        var second = bench.Assign(function);
        Assert.Equal([0.0, 1.0], bench.Creates(function));
        bench.AdvanceTo(1.1);
        bench.Release(first, 0.1);
        bench.AdvanceTo(1.2);
        bench.Release(second, 0.1);
        bench.AdvanceTo(5);

        bench.Assign(function);
        bench.Assign(function);
        bench.Assign(function);
        bench.AdvanceTo(5.49);
        Assert.Equal([0.0, 1.0], bench.Creates(function));
        bench.AdvanceTo(5.51);

        Assert.Equal(3, bench.Creates(function).Count());
        Assert.Equal(5.5, bench.Creates(function).Last(), 0.001);
    }

    [Fact]
    public void What_was_created_and_used_soon_speaks_for_creating_on()
    {
        var bench = new PolicyBench("cidre:100");
        var function = PolicyBench.Function();
        bench.Run(function, 1);
        bench.AdvanceTo(2);
        var first = bench.Assign(function);
        bench.Assign(function);
        bench.AdvanceTo(2.4);
        bench.Release(first, 1);

        // Ready at 2.5 s, and used 0.1 s later.
        bench.AdvanceTo(2.6);
        bench.Assign(function);
        bench.Assign(function);

        Assert.Equal([0.0, 2.0, 2.6], bench.Creates(function));
    }
}
