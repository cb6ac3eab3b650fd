using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;
using FuncScaler.Tests.Platform;

namespace FuncScaler.Tests.Virtual;

/// <summary>What `adaptive` is for, seen from outside: by what it pays on traces whose best plan is known.</summary>
public sealed class AdaptivePolicyTests
{
    private const long Second = 1_000_000;

    private static readonly VirtualOptions Options = new();

    [Fact]
    public void A_timer_is_served_by_release_and_prewarm_just_in_time()
    {
        var timer = Trace(ListTrace.Function("timer", 512, 50), Enumerable.Range(0, 200).Select(i => i * 30 * Second));

        var result = Play(timer, "adaptive");

        // Held all the time it would pay 30 s x 0.5 GB for each request; made just in time about 0.15 s x 0.5 GB, once the period is found.
        var yardstick = new Yardstick(timer, 4, Options);
        yardstick.AssertWithinClairvoyant(result, 4);
        yardstick.AssertWithinBestFixed(result, 0.5);
    }

    [Fact]
    public void Rare_requests_are_not_held_for()
    {
        var random = new Random(1);
        long atUs = 0;
        var rare = Trace(
            ListTrace.Function("rare", 1024, 50),
            Enumerable.Range(0, 200).Select(_ => atUs += (long)((200 + (3600 * random.NextDouble())) * Second)));

        var result = Play(rare, "adaptive");

        new Yardstick(rare, 0.5, Options).AssertWithinClairvoyant(result, 2);
    }

    [Fact]
    public void The_dearer_waiting_is_the_fewer_cold_starts_are_paid_for_with_the_more_memory()
    {
        var random = new Random(2);
        long atUs = 0;
        var trace = Trace(
            ListTrace.Function("f", 512, 400),
            Enumerable.Range(0, 2000).Select(_ => atUs += (long)(-Math.Log(1 - random.NextDouble()) * 5 * Second)));

        var cheap = Play(trace, "adaptive:price=0.01");
        var dear = Play(trace, "adaptive:price=100");

        Assert.True(cheap.ColdStarts > 2 * dear.ColdStarts, $"{cheap.ColdStarts} and {dear.ColdStarts} cold starts");
        Assert.True(cheap.Score.SlotGbSeconds < dear.Score.SlotGbSeconds);
        new Yardstick(trace, 0.01, Options).AssertWithinBestFixed(cheap, 1);
        new Yardstick(trace, 100, Options).AssertWithinBestFixed(dear, 1);
    }

    private static VirtualResult Play(ITrace trace, string policy) =>
        VirtualContest.Run(trace, PolicyCatalog.Parse(policy), Options);

    private static ListTrace Trace(TraceFunction function, IEnumerable<long> arrivalsUs) =>
        new([function], [.. arrivalsUs.Select(atUs => new TraceRequest(0, atUs, 30_000, 200))]);
}
