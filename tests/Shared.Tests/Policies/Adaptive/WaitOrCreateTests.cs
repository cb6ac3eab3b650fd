using FuncScaler.Policies.Adaptive;
using FuncScaler.Policies.Adaptive.Demand;

namespace FuncScaler.Tests.Policies.Adaptive;

public class WaitOrCreateTests
{
    /// <summary>One instance, executions of 2 s, a price of 0.5 GB·s per s: two late requests take 4 s to drain, which is worth 2 GB·s.</summary>
    private static readonly WaitOrCreate.Queue Example = new(
        Places: 1, PlacesPerInstance: 1, HasWaiting: true, Late: 2, DurationUs: 2_000_000, PriceGbs: 0.5, CreateGbs: 1.9, WorthGbs: 0);

    [Fact]
    public void An_instance_is_created_when_it_saves_more_than_it_costs()
    {
        Assert.Equal(1, Count(Example, out var savedGbs));
        Assert.Equal(2, savedGbs, 9);
        Assert.Equal(0, Count(Example with { CreateGbs = 2 }, out _));
    }

    [Fact]
    public void What_an_instance_is_worth_afterwards_counts_for_the_first_one_alone()
    {
        Assert.Equal(1, Count(Example with { CreateGbs = 5, WorthGbs = 4 }, out _));
    }

    [Fact]
    public void Without_any_instance_one_is_created_whatever_it_costs()
    {
        Assert.Equal(1, Count(Example with { Places = 0, CreateGbs = 1e9 }, out var savedGbs));
        Assert.Equal(double.NaN, savedGbs);
        Assert.Equal(0, Count(Example with { Places = 0, HasWaiting = false, Late = 0, CreateGbs = 1e9 }, out _));
    }

    [Fact]
    public void A_long_queue_gets_no_more_than_64_instances_at_one_time() =>
        Assert.Equal(WaitOrCreate.MostAtOnce, Count(Example with { Late = 1e6 }, out _));

    /// <summary>One request after the other or four at a time: the same queue, but one instance more serves four of it at once.</summary>
    [Fact]
    public void An_instance_that_four_requests_share_counts_as_four_places()
    {
        var shared = Example with { Places = 4, PlacesPerInstance = 4, Late = 8 };
        Assert.Equal(1, WaitOrCreate.Count(shared, new ExpectedArrivals().Start(0), out var savedGbs, placesAtOnce: 4));

        // Eight requests take 4 s to drain with four places. They wait 16 s in all, and four more places save more than half of it.
        Assert.Equal(0.5 * (16.0 / 7) * 4, savedGbs, 9);
        Assert.Equal(2, WaitOrCreate.Count(shared with { Late = 16 }, new ExpectedArrivals().Start(0), out _, placesAtOnce: 4));
    }

    /// <summary>Where a backend starts at once, rates per cold start would be divided by 0, and what is no number counted as a gain.</summary>
    [Fact]
    public void A_backend_that_starts_at_once_is_not_asked_for_more_than_requests_need()
    {
        var bench = new PolicyBench("adaptive") { CreateSeconds = 0, InitSeconds = _ => 0 };
        var function = PolicyBench.Function();
        bench.Advance(1);
        bench.Release(Served(), durationSeconds: 0);
        bench.Advance(60);

        Served();
        bench.Advance(0.3);
        Served();

        Assert.InRange(bench.Creates(function).Count(), 2, 3);

        RequestId Served()
        {
            var request = bench.Assign(function);
            bench.Advance(0);
            return request;
        }
    }

    private static int Count(in WaitOrCreate.Queue queue, out double savedGbs) => WaitOrCreate.Count(queue, new ExpectedArrivals().Start(0), out savedGbs);
}
