using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;
using FuncScaler.Tests.Platform;

namespace FuncScaler.Tests.Virtual;

/// <summary>How `adaptive` learns, and learns anew, seen from outside: by what it pays.</summary>
public sealed class AdaptiveLearningTests
{
    private const long Second = 1_000_000;
    private const double Price = 4;

    /// <summary>Nothing of the wire, so that what is waited is waited for instances.</summary>
    private static readonly VirtualOptions Options = new() { PlatformRpcUs = 0, AssignRpcUs = 0, IdleRpcUs = 0 };

    [Fact]
    public void A_timer_that_is_late_or_early_by_milliseconds_is_served_mostly_warm_and_not_by_holding()
    {
        var random = new Random(4);
        var timer = Trace(
            [ListTrace.Function("timer", 512, 400)],
            Enumerable.Range(0, 1000).Select(i => (0, (i * 30 * Second) + (long)(10_000 * ((2 * random.NextDouble()) - 1)))));

        var result = Play(timer, "adaptive");
        var held = Play(timer, "ttl:60");

        Assert.InRange(result.ColdStarts, 1, 100);
        Assert.True(result.Score.SlotGbSeconds * 6 < held.Score.SlotGbSeconds, $"{result.Score.SlotGbSeconds} and {held.Score.SlotGbSeconds} GBs");
    }

    [Fact]
    public void A_function_whose_gaps_change_is_soon_served_like_a_new_one()
    {
        TraceFunction[] functions = [ListTrace.Function("f", 512, 400)];
        var often = Gaps(5, 1000, 2);
        var seldom = Gaps(6, 500, 60);
        var lastUs = often[^1];

        var options = Options with { TailUs = 0 };
        var before = Cost(Play(Trace(functions, often.Select(atUs => (0, atUs))), $"adaptive:price={Price}", options));
        var whole = Cost(Play(Trace(functions, often.Concat(seldom.Select(atUs => lastUs + atUs)).Select(atUs => (0, atUs))), $"adaptive:price={Price}", options));
        var fresh = Cost(Play(Trace(functions, seldom.Select(atUs => (0, atUs))), $"adaptive:price={Price}", options));

        Assert.InRange(whole - before, 0.8 * fresh, 1.25 * fresh);
    }

    [Fact]
    public void A_function_without_a_history_is_served_like_those_of_its_memory()
    {
        // Each function comes only three times, 20 s apart: what holding is worth can be learned from others alone.
        const int Count = 200;
        var functions = Enumerable.Range(0, Count).Select(i => ListTrace.Function($"f{i}", 512, 400)).ToArray();
        var requests = Enumerable.Range(0, Count).SelectMany(i => Enumerable.Range(0, 3).Select(n => (i, ((i * 7) + (n * 20)) * Second)));
        var trace = Trace(functions, requests);

        var together = Play(trace, $"adaptive:price={Price}");
        var alone = Play(trace, $"adaptive:price={Price},prior=0");

        Assert.True(Cost(together) < 0.9 * Cost(alone), $"{Cost(together)} and {Cost(alone)} GBs");
    }

    [Fact]
    public void A_burst_is_met_by_several_instances_at_once()
    {
        // Twenty requests of 2 s each, every ten minutes: one after the other would take 40 s.
        var bursts = Trace(
            [ListTrace.Function("burst", 512, 400)],
            Enumerable.Range(0, 30).SelectMany(i => Enumerable.Range(0, 20).Select(n => (0, (i * 600 * Second) + (n * 1000)))),
            durationUs: 2 * Second);

        var result = Play(bursts, $"adaptive:price={Price}");

        Assert.True(result.Score.AssignSeconds / result.Score.Requests < 1, $"{result.Score.AssignSeconds / result.Score.Requests} s of waiting");
        Assert.InRange(result.PeakInstances, 10, 40);
        Assert.True(result.WastedGbSeconds < 30 * 20 * 0.5 * 20, $"{result.WastedGbSeconds} GBs");
    }

    [Theory]
    [InlineData("adaptive")]
    [InlineData("adaptive:price=4")]
    public void When_load_stops_capacity_goes_back(string policy)
    {
        // Twenty at a time for half an hour, then nothing: what the tail of an hour costs besides.
        var load = Trace(
            [ListTrace.Function("f", 512, 400)],
            Enumerable.Range(0, 1800).SelectMany(i => Enumerable.Range(0, 20).Select(n => (0, (i * Second) + (n * 1000)))),
            durationUs: Second / 2);

        var to = Play(load, policy, Options with { TailUs = 0 });
        var beyond = Play(load, policy, Options with { TailUs = 3600 * Second });
        var keepsAll = Play(load, "ttl:300", Options with { TailUs = 3600 * Second });

        var tail = beyond.Score.SlotGbSeconds - to.Score.SlotGbSeconds;
        Assert.InRange(tail, 0, 20 * 0.5 * 60);
        Assert.True(beyond.Score.SlotGbSeconds < keepsAll.Score.SlotGbSeconds);
        Assert.True(beyond.Score.AssignSeconds < 0.02 * beyond.Score.ExecutionSeconds, $"{beyond.Score.AssignSeconds} s of waiting");
    }

    private static double Cost(VirtualResult result) => result.WastedGbSeconds + (Price * result.Score.AssignSeconds);

    /// <summary>Arrivals at gaps of so many seconds, a tenth more or less.</summary>
    private static long[] Gaps(int seed, int count, double seconds)
    {
        var random = new Random(seed);
        double at = 0;
        return [.. Enumerable.Range(0, count).Select(_ => (long)((at += seconds * (0.9 + (0.2 * random.NextDouble()))) * Second))];
    }

    private static VirtualResult Play(ListTrace trace, string policy, VirtualOptions? options = null) =>
        VirtualContest.Run(trace, PolicyCatalog.Parse(policy), options ?? Options);

    private static ListTrace Trace(TraceFunction[] functions, IEnumerable<(int Function, long AtUs)> arrivals, long durationUs = 30_000) =>
        new(functions, [.. arrivals.Select(a => new TraceRequest(a.Function, Math.Max(0, a.AtUs), durationUs, 200)).OrderBy(r => r.StartUs)]);
}
