using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Traces.Presets;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;
using FuncScaler.Tests.Platform;
using static FuncScaler.Tests.Virtual.RandomTraces;

namespace FuncScaler.Tests.Virtual;

/// <summary>The engine, by examples computed by hand. A function of 1 GB throughout, so that slot seconds are GBs.</summary>
public sealed class VirtualContestTests
{
    [Fact]
    public void A_single_request_waits_for_create_and_init()
    {
        // Asked for at 0, created at 100 ms, ready at 300 ms, released at 1300 ms and destroyed with that.
        var result = Run("direct", Bare, initMs: 200, ListTrace.Request(0, 1000));

        Assert.Equal(1.3, result.Score.SlotGbSeconds, 9);
        Assert.Equal(1, result.Score.ExecutionGbSeconds, 9);
        Assert.Equal(0.3, result.Score.AssignSeconds, 9);
        Assert.Equal(0, result.Score.IdleSeconds);
        Assert.Equal((50 / 1.3) + (50 / 1.3), result.Score.Total, 9);
        Assert.Equal((1, 0, 1, 1), (result.ColdStarts, result.Waited, result.SlotsCreated, result.PeakInstances));
        Assert.Equal(1_300_000, result.EndUs);
    }

    [Fact]
    public void Requests_that_follow_others_are_served_at_once_where_the_scaler_is_told_of_it()
    {
        var trace = PresetCatalog.Create("workflows", 2, 3600);
        var keys = trace.Functions.Select(f => f.Meta.Key.Value).Where(k => k.EndsWith("-each", StringComparison.Ordinal));
        var options = new VirtualOptions { Groups = [.. keys.Select(k => new FunctionGroup(new MetaKey(k.Replace("each", "first", StringComparison.Ordinal)), new MetaKey(k), 8))] };

        var alone = VirtualContest.Run(trace, PolicyCatalog.Parse("ttl:2"), options with { Groups = [] });
        var grouped = VirtualContest.Run(trace, PolicyCatalog.Parse("ttl:2"), options);

        Assert.True(Cold(grouped, "-each") < Cold(alone, "-each") / 4);
        Assert.Equal(Cold(alone, "-first"), Cold(grouped, "-first"));

        static long Cold(VirtualResult result, string kind) =>
            result.Functions.Where(f => f.Function.Key.Value.EndsWith(kind, StringComparison.Ordinal)).Sum(f => f.ColdStarts);
    }

    [Fact]
    public void A_kept_instance_serves_the_next_request_at_once()
    {
        // Ready at 0.3 s, busy to 1.3 s, idle to 2 s, busy to 3 s, kept to 8 s: destroyed before the run's end at 3 s + 20 s.
        var result = Run("ttl:5", Bare, initMs: 200, ListTrace.Request(0, 1000), ListTrace.Request(2000, 1000));

        Assert.Equal(8, result.Score.SlotGbSeconds, 9);
        Assert.Equal(0.3, result.Score.AssignSeconds, 9);
        Assert.Equal((1, 1), (result.ColdStarts, result.SlotsCreated));
    }

    [Fact]
    public void A_release_serves_a_waiter_before_its_create_does()
    {
        // The second arrives at 1 s, its slot would be ready at 2.1 s; the first one's release at 1.6 s comes first. That slot, created
        // at 1.1 s while the waiter still waits, is initialised all the same, idle from 2.1 s on and kept to 7.1 s; the other, released at
        // 2.6 s, to 7.6 s.
        var result = Run("ttl:5", Bare, initMs: 1000, ListTrace.Request(0, 500), ListTrace.Request(1000, 1000));

        Assert.Equal((1, 1, 2, 2), (result.ColdStarts, result.Waited, result.SlotsCreated, result.PeakInstances));
        Assert.Equal(1.1 + 0.6, result.Score.AssignSeconds, 9);
        Assert.Equal(7.6 + 6.1, result.Score.SlotGbSeconds, 9);
    }

    [Fact]
    public void A_waiter_served_by_a_release_needs_its_slot_no_more()
    {
        // The second arrives at 1.55 s and is served at 1.6 s; its slot is created at 1.65 s and, by this policy, given back before Init.
        var trace = new ListTrace([ListTrace.Function("f", 1024, 1000)], [ListTrace.Request(0, 500), ListTrace.Request(1550, 1000)]);
        var result = VirtualContest.Run(trace, new PolicyChoice("no-surplus", _ => new NoSurplusPolicy()), Bare);

        Assert.Equal((1, 1, 2), (result.ColdStarts, result.Waited, result.SlotsCreated));
        Assert.Equal(1.1 + 0.05, result.Score.AssignSeconds, 9);
        Assert.Equal(2.6 + 0.1, result.Score.SlotGbSeconds, 9);
    }

    [Fact]
    public void Without_waiting_each_miss_gets_its_own_instance()
    {
        // The same arrivals: the second waits for its own slot, ready at 2.65 s, and the first one's is destroyed at its release.
        var result = Run(
            "direct", Bare with { Pool = new SlotPoolOptions { Waiting = false } }, initMs: 1000, ListTrace.Request(0, 500), ListTrace.Request(1550, 1000));

        Assert.Equal((2, 0), (result.ColdStarts, result.Waited));
        Assert.Equal(2.2, result.Score.AssignSeconds, 9);
        Assert.Equal(1.6 + 2.1, result.Score.SlotGbSeconds, 9);
    }

    [Fact]
    public void Memory_is_paid_up_to_the_call_of_destroy()
    {
        // DestroySlot takes ten minutes, which nobody pays; the kept second is paid.
        var result = Run("ttl:1", Bare with { DestroyUs = 600_000_000 }, initMs: 200, ListTrace.Request(0, 1000));

        Assert.Equal(2.3, result.Score.SlotGbSeconds, 9);
    }

    [Fact]
    public void What_lives_is_paid_to_the_end_of_the_tail()
    {
        var result = Run("ttl:1000", Bare, initMs: 200, ListTrace.Request(0, 1000));
        var none = Run("ttl:1000", Bare with { TailUs = 0 }, initMs: 200, ListTrace.Request(0, 1000));

        Assert.Equal(21.3, result.Score.SlotGbSeconds, 9);
        Assert.Equal(1.3, none.Score.SlotGbSeconds, 9);
    }

    [Fact]
    public void Callers_wait_for_the_wire_and_memory_for_half_of_it()
    {
        // The request reaches the scaler at 1 ms: CreateSlot then, 3 ms more for that call, 3 ms for Init. The grant reaches the caller
        // 1 ms later; Idle is half way after 2 ms, which is when the instance is destroyed.
        var options = Bare with { PlatformRpcUs = 3_000, AssignRpcUs = 2_000, IdleRpcUs = 4_000 };
        var result = Run("direct", options, initMs: 200, ListTrace.Request(0, 1000));

        Assert.Equal(0.002 + 0.1 + 0.003 + 0.003 + 0.2, result.Score.AssignSeconds, 9);
        Assert.Equal(0.004, result.Score.IdleSeconds, 9);
        Assert.Equal(0.1 + 0.003 + 0.003 + 0.2 + 0.001 + 1 + 0.002, result.Score.SlotGbSeconds, 9);
        Assert.Equal(1_312_000, result.EndUs);
        Assert.Equal(0.312, result.ScheduleTimes.MeanMs / 1000, 9);
    }

    [Fact]
    public void An_odd_microsecond_of_the_wire_is_not_lost()
    {
        var result = Run("ttl:5", Bare with { AssignRpcUs = 201, IdleRpcUs = 101 }, initMs: 200, ListTrace.Request(0, 1000), ListTrace.Request(2000, 1000));

        Assert.Equal(0.3 + (2 * 0.000201), result.Score.AssignSeconds, 9);
        Assert.Equal(2 * 0.000101, result.Score.IdleSeconds, 9);
    }

    [Fact]
    public void A_broken_instance_serves_nobody_else()
    {
        // Both wait 0.3 s; the broken one is destroyed at its release at 1.3 s, the other kept to 2 + 1.3 + 5 s.
        var result = Run("ttl:5", Bare, initMs: 200, ListTrace.Request(0, 1000, statusCode: 408), ListTrace.Request(2000, 1000));

        Assert.Equal((2, 2, 1), (result.ColdStarts, result.SlotsCreated, result.PeakInstances));
        Assert.Equal(1.3 + 6.3, result.Score.SlotGbSeconds, 9);
        Assert.Equal(0, result.Score.FailedRequests);
    }

    [Fact]
    public void A_broken_instance_is_not_replaced_where_each_miss_has_its_own()
    {
        // The second waits for its slot from 1 s to 1.3 s; the first one's breaks at 1.1 s and nobody has asked for a third.
        var result = Run("direct", Bare, initMs: 200, ListTrace.Request(0, 800, statusCode: 408), ListTrace.Request(1000, 1000));

        Assert.Equal(2, result.SlotsCreated);
        Assert.Equal(1.1 + 1.3, result.Score.SlotGbSeconds, 9);
    }

    [Fact]
    public void An_instance_that_must_go_at_the_very_time_of_an_arrival_still_serves_it()
    {
        // Idle from 1.3 s, kept to 2.3 s.
        var atTheTime = Run("ttl:1", Bare, initMs: 200, ListTrace.Request(0, 1000), ListTrace.Request(2300, 1000));
        var after = Run("ttl:1", Bare, initMs: 200, ListTrace.Request(0, 1000), ListTrace.Request(2301, 1000));

        Assert.Equal((1, 2), (atTheTime.ColdStarts, after.ColdStarts));
    }

    [Fact]
    public void Functions_are_told_apart()
    {
        var trace = new ListTrace(Functions, [ListTrace.Request(0, 1000, 0), ListTrace.Request(500, 1000, 2), ListTrace.Request(600, 2000, 2)]);
        var result = VirtualContest.Run(trace, PolicyCatalog.Parse("direct"), Bare);

        Assert.Equal([1, 0, 2], result.Functions.Select(f => f.Requests));
        Assert.Equal([1, 0, 2], result.Functions.Select(f => f.ColdStarts));
        Assert.Equal([1, 0, 2], result.Functions.Select(f => f.PeakInstances));
        Assert.Equal(0.5 * 1.14, result.Functions[0].SlotGbSeconds, 9);
        Assert.Equal(3 * (1.4 + 2.4), result.Functions[2].SlotGbSeconds, 9);
        Assert.Equal(0.8, result.Functions[2].WaitSeconds, 9);
        Assert.Equal(3, result.PeakInstances);
    }

    [Fact]
    public void Times_count_from_the_first_arrival_whatever_the_epoch()
    {
        const long EpochUs = 1_685_980_824_304_000;
        ListTrace Shifted(long by) => new(Functions, [.. new[] { ListTrace.Request(0, 700), ListTrace.Request(900, 700) }.Select(r => r with { StartUs = r.StartUs + by })]);
        var here = VirtualContest.Run(Shifted(0), PolicyCatalog.Parse("ttl:3"), Bare);
        var there = VirtualContest.Run(Shifted(EpochUs), PolicyCatalog.Parse("ttl:3"), Bare);

        Assert.Equal(here.Score, there.Score);
        Assert.Equal(here.EndUs, there.EndUs);
    }

    [Fact]
    public void An_empty_trace_costs_nothing()
    {
        var result = VirtualContest.Run(new ListTrace(Functions, []), PolicyCatalog.Parse("ttl:3"), Bare);

        Assert.Equal((0, 0, 0, 0), (result.Score.Requests, result.SlotsCreated, result.PeakInstances, result.EndUs));
        Assert.Equal(0, result.Score.SlotGbSeconds);
    }

    [Fact]
    public void A_malformed_trace_says_so()
    {
        var trace = new ListTrace(Functions, [ListTrace.Request(0, 1)], malformed: "requests, line 2: no");

        Assert.Equal("requests, line 2: no", Assert.Throws<TraceFormatException>(() => VirtualContest.Run(trace, PolicyCatalog.Parse("direct"), Bare)).Message);
    }

    /// <summary>The source has no end, so whoever wanted to hold all of it would never come to the first window.</summary>
    [Theory]
    [InlineData("ttl:9", 4)]
    [InlineData("greedy-dual", 1)]
    public void No_more_than_a_window_of_requests_is_ever_held(string policy, int parallelism)
    {
        const int Window = 1 << 15;
        using var stop = new CancellationTokenSource();
        var trace = new EndlessTrace();
        var progress = new Played();
        trace.Yielding = number =>
        {
            Assert.InRange(number - progress.Count, 0, Window + 1);
            if (number == 5 * Window)
            {
                stop.Cancel();
            }
        };

        Assert.ThrowsAny<OperationCanceledException>(() =>
            VirtualContest.Run(trace, PolicyCatalog.Parse(policy), Bare with { Parallelism = parallelism }, progress, stop.Token));
        Assert.InRange(trace.Yielded, 5 * Window, 6 * Window);
    }

    [Fact]
    public void The_bound_streams_too()
    {
        using var stop = new CancellationTokenSource();
        var trace = new EndlessTrace();
        trace.Yielding = number =>
        {
            if (number == 200_000)
            {
                stop.Cancel();
            }
        };

        Assert.ThrowsAny<OperationCanceledException>(() => ClairvoyantBound.Of(trace, Bare, stop.Token));
        Assert.InRange(trace.Yielded, 200_000, 300_000);
    }

    private static VirtualResult Run(string policy, VirtualOptions options, int initMs, params TraceRequest[] requests) =>
        VirtualContest.Run(new ListTrace([ListTrace.Function("f", 1024, initMs)], requests), PolicyCatalog.Parse(policy), options);

    private sealed class NoSurplusPolicy : IKeepAlivePolicy
    {
        public bool KeepSurplus(in PoolView pool) => false;

        public KeepDecision Keep(in PoolView pool, in IdleSlot slot) => KeepDecision.LetGoNow;
    }

    private sealed class Played : IProgress<long>
    {
        public long Count { get; private set; }

        public void Report(long value) => Count = value;
    }

    private sealed class EndlessTrace : ITrace
    {
        public string Name => "endless";

        public IReadOnlyList<TraceFunction> Functions => RandomTraces.Functions;

        public Action<long> Yielding { get; set; } = _ => { };

        public long Yielded { get; private set; }

        public IEnumerable<TraceRequest> ReadRequests()
        {
            while (true)
            {
                Yielding(++Yielded);
                yield return new TraceRequest((int)(Yielded % 3), Yielded * 10_000, 20_000, 200);
            }
        }
    }
}
