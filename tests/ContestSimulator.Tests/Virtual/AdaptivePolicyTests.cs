using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;
using FuncScaler.Tests.Platform;

namespace FuncScaler.Tests.Virtual;

/// <summary>What `adaptive` is for, seen from outside: by what it pays on traces whose best plan is known.</summary>
public sealed class AdaptivePolicyTests
{
    private const long Second = 1_000_000;

    [Fact]
    public void A_timer_is_served_by_release_and_prewarm_just_in_time()
    {
        var timer = Trace(ListTrace.Function("timer", 512, 50), Enumerable.Range(0, 200).Select(i => i * 30 * Second));

        var result = Play(timer, "adaptive");

        // Held all the time it would pay 30 s x 0.5 GB for each request; made just in time about 0.15 s x 0.5 GB.
        Assert.InRange(result.ColdStarts, 1, 20);
        Assert.True(result.Score.SlotGbSeconds < 200 * 0.5 * 1.5, $"{result.Score.SlotGbSeconds} GBs");
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

        Assert.True(result.Score.Total > Play(rare, "ttl:300").Score.Total);
        Assert.True(result.WastedGbSeconds < 200 * 20, $"{result.WastedGbSeconds} GBs");
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
    }

    private static VirtualResult Play(ITrace trace, string policy) =>
        VirtualContest.Run(trace, PolicyCatalog.Parse(policy), new VirtualOptions());

    private static ListTrace Trace(TraceFunction function, IEnumerable<long> arrivalsUs) =>
        new([function], [.. arrivalsUs.Select(atUs => new TraceRequest(0, atUs, 30_000, 200))]);
}
