using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;
using FuncScaler.Tests.Platform;
using static FuncScaler.Tests.Virtual.RandomTraces;

namespace FuncScaler.Tests.Virtual;

public sealed class ClairvoyantBoundTests
{
    // Where layers are shared, a function may get for nothing what the bound has it pay for.
    public static TheoryData<string> Policies =>
        [.. VirtualContestProperties.Names.Where(p => PolicyCatalog.Parse(p).Layers is null)];

    [Fact]
    public void A_single_request_costs_one_create_and_no_wait()
    {
        // 1 s of execution in 1 GB, 0.1 s of create and 0.1 s of init: 1.2 GBs, made just in time.
        var bound = Bound(ListTrace.Request(0, 1000));

        Assert.All(bound.Overheads, o => Assert.Equal(0.2, o.OverheadGbSeconds, 9));
        Assert.Equal(1.2, bound.SlotGbSeconds, 9);
        Assert.Equal(0, bound.ScheduleSeconds);
        Assert.Equal((50 / 1.2) + 50, bound.Score, 9);
    }

    [Fact]
    public void Between_requests_far_apart_the_instance_is_made_anew()
    {
        // Holding for 4000 s would cost 4000 GBs, a new one costs 0.2; at next to no price the first might wait for the second.
        var bound = Bound(ListTrace.Request(0, 1000), ListTrace.Request(4_001_000, 1000));

        Assert.All(bound.Overheads, o => Assert.Equal(0.2 + Math.Min(0.2, 4000 * o.PriceGbs), o.OverheadGbSeconds, 9));

        // Rounded up to the next step of the search.
        Assert.Equal((50 * 2 / 2.4) + 50, bound.Score, 6);
    }

    [Fact]
    public void Between_requests_close_together_it_is_held()
    {
        // 0.15 s apart: 0.15 GBs against 0.2. A third one 0.3 s later gets a new one. Where a second of waiting is worth less than one of
        // memory, delaying the first closes the gap for less.
        var bound = Bound(ListTrace.Request(0, 1000), ListTrace.Request(1150, 1000), ListTrace.Request(2450, 1000));

        Assert.All(
            bound.Overheads,
            o => Assert.Equal(0.2 + (0.15 * Math.Min(1, o.PriceGbs)) + Math.Min(0.2, 0.3 * o.PriceGbs), o.OverheadGbSeconds, 9));
        Assert.InRange(bound.Score, (50 * 3 / 3.55) + 50, (50 * 3 / 3.35) + 50);
    }

    [Fact]
    public void A_request_waits_for_a_release_only_where_waiting_is_cheap()
    {
        // The second arrives 0.1 s before the first one's end. Beyond the memory's own price of 1 GBs per second, a wait costs
        // 0.1 s x (price - 1), a new instance 0.2 GBs.
        var bound = Bound(ListTrace.Request(0, 1000), ListTrace.Request(900, 1000));

        Assert.All(bound.Overheads, o => Assert.Equal(0.2 + Math.Min(0.2, 0.1 * Math.Max(0, o.PriceGbs - 1)), o.OverheadGbSeconds, 9));
        Assert.Equal(0.4, bound.Overheads.Last().OverheadGbSeconds, 9);

        // A schedule with the wait comes to 50 * 2 / 2.2 + 50 * 2 / 2.1 = 93.07, one without to 50 * 2 / 2.4 + 50 = 91.67.
        Assert.InRange(bound.Score, (50 * 2 / 2.2) + (50 * 2 / 2.1), (50 * 2 / 2.2) + 50);
    }

    [Fact]
    public void Broken_instances_are_not_held()
    {
        var bound = Bound(ListTrace.Request(0, 1000, statusCode: 500), ListTrace.Request(1000, 1000));

        Assert.All(bound.Overheads, o => Assert.Equal(0.4, o.OverheadGbSeconds, 9));
    }

    [Fact]
    public void The_wire_is_waited_for_by_everyone()
    {
        var trace = new ListTrace([ListTrace.Function("f", 1024, 100)], [ListTrace.Request(0, 1000)]);
        var bound = ClairvoyantBound.Of(trace, Bare with { AssignRpcUs = 200_000, IdleRpcUs = 50_000 });

        Assert.Equal((50 / 1.2) + (50 / 1.25), bound.Score, 9);
        Assert.Equal(0.25, bound.ScheduleSeconds, 9);
    }

    [Fact]
    public void The_least_cost_at_a_price_holds_between_the_prices_used_and_beyond_them()
    {
        // As above: 0.2 + min(0.2, 0.1 x (price - 1)) beyond 2 GBs of execution, and no wire; exact at a price used.
        var bound = Bound(ListTrace.Request(0, 1000), ListTrace.Request(900, 1000));

        Assert.Equal(2.2, bound.LeastCost(0), 9);
        Assert.All(bound.Overheads, o => Assert.Equal(2 + o.OverheadGbSeconds, bound.LeastCost(o.PriceGbs), 9));
        Assert.InRange(bound.LeastCost(2.2), 2.2, 2.2 + 0.12 + 1e-9);
        Assert.Equal(2.4, bound.LeastCost(1e7), 9);
    }

    [Fact]
    public void Nothing_can_be_scored_on_nothing() =>
        Assert.Equal(0, ClairvoyantBound.Of(new ListTrace(Functions, []), Bare).Score);

    [Theory]
    [MemberData(nameof(Policies))]
    public void No_policy_exceeds_it(string policy) =>
        Properties.Check(Bytes, bytes => AssertBounded(From(bytes), PolicyCatalog.Parse(policy)), tests: Properties.Often(60), size: 60);

    /// <summary>Where requests share instances the cost is bounded, and the score is not.</summary>
    [Theory]
    [InlineData("ttl:5")]
    [InlineData("direct")]
    [InlineData("adaptive")]
    [InlineData("slo:100")]
    public void No_policy_is_cheaper_where_requests_share_instances(string policy) => Properties.Check(
        Bytes,
        bytes =>
        {
            var trace = new SharedTrace(From(bytes), 1 + (bytes.Length % 8));
            var bound = ClairvoyantBound.Of(trace, Bare);
            var result = VirtualContest.Run(trace, PolicyCatalog.Parse(policy), Bare with { Pool = new SlotPoolOptions { LatencyPriceGbs = 2 } });
            foreach (var price in new[] { 0, 0.5, 2, 50 })
            {
                Assert.InRange(bound.LeastCost(price), 0, ContestSimulator.Reports.Measures.Cost(result, price, new ContestSimulator.Reports.MeasurePrices()) + 1e-6);
            }

            Assert.InRange(result.Score.ExecutionGbSeconds, 0, result.Score.SlotGbSeconds);
            Assert.Equal(result.Score.ExecutionGbSeconds, result.Functions.Sum(f => f.ExecutionGbSeconds), 6);
        },
        tests: Properties.Often(60),
        size: 60);

    [Fact]
    public void No_way_of_deciding_exceeds_it() =>
        Properties.Check(
            Bytes,
            bytes =>
            {
                var seed = bytes.Aggregate(17, (sum, b) => unchecked((sum * 31) + b));
                AssertBounded(From(bytes), new PolicyChoice("random", meta => new RandomPolicy(unchecked(seed + meta.MemoryMb))));
            },
            tests: Properties.Often(500),
            size: 60);

    /// <summary>
    /// Against every schedule in order of arrival of up to five requests, starts taken from a grid and from all times at which something
    /// ends: never more than the cheapest at any price, and exactly that where no wait is worth anything.
    /// </summary>
    [Fact]
    public void At_each_price_it_stays_below_the_cheapest_schedule_and_reaches_it_without_waiting() =>
        Properties.Check(
            Bytes,
            bytes =>
            {
                var requests = new List<TraceRequest>();
                var nowMs = 0;
                for (var i = 0; i + 1 < Math.Min(bytes.Length, 10); i += 2)
                {
                    nowMs += bytes[i] % 3 == 0 ? 0 : bytes[i];
                    requests.Add(ListTrace.Request(nowMs, bytes[i + 1] * 2, statusCode: bytes[i + 1] % 16 == 5 ? 500 : 200));
                }

                var schedules = new ExhaustiveSchedules([.. requests], memoryGb: 1, coldSeconds: 0.2);
                var bound = ClairvoyantBound.Of(new ListTrace([ListTrace.Function("f", 1024, 100)], requests), Bare);
                foreach (var (price, overhead) in bound.Overheads)
                {
                    Assert.True(overhead <= schedules.Cheapest(price) + 1e-9, $"at {price} GBs/s: {overhead} > {schedules.Cheapest(price)}");
                }

                Assert.Equal(schedules.CheapestWithoutWaiting(), bound.Overheads.Last().OverheadGbSeconds, 9);
            },
            tests: Properties.Often(150),
            size: 12);

    private static ClairvoyantBound Bound(params TraceRequest[] requests) =>
        ClairvoyantBound.Of(new ListTrace([ListTrace.Function("f", 1024, 100)], requests), Bare);

    private static void AssertBounded(ITrace trace, PolicyChoice policy)
    {
        foreach (var options in (VirtualOptions[])[new(), Bare])
        {
            var bound = ClairvoyantBound.Of(trace, options);
            foreach (var waiting in (bool[])[true, false])
            {
                var score = VirtualContest.Run(trace, policy, options with { Pool = new SlotPoolOptions { Waiting = waiting } }).Score;
                Assert.True(score.Total <= bound.Score + 1e-9, $"{policy.Name}, waiting {waiting}: {score.Total} > {bound.Score}");
                foreach (var price in (double[])[0, 0.3, 1, 2.5, 40, 1e6])
                {
                    var cost = score.SlotGbSeconds + (price * (score.AssignSeconds + score.IdleSeconds));
                    Assert.True(bound.LeastCost(price) <= cost * (1 + 1e-9), $"{policy.Name}, waiting {waiting}, at {price} GBs/s: {cost}");
                }
            }
        }
    }

    /// <summary>Decides everything by lot, the same on every run.</summary>
    private sealed class RandomPolicy(int seed) : IKeepAlivePolicy
    {
        private readonly Random _random = new(seed);

        public bool HasStandby => true;

        public int CreateOnMiss(in PoolView pool) => _random.Next(3);

        public KeepDecision Keep(in PoolView pool, in IdleSlot slot) =>
            _random.Next(3) == 0 ? KeepDecision.LetGoNow : KeepDecision.HoldUntil(slot.SinceUs + _random.Next(5_000_000));

        public bool KeepSurplus(in PoolView pool) => _random.Next(2) == 0;

        public StandbyPlan Standby(in PoolView pool) => new(
            pool.Idle + pool.InFlight < 2 && _random.Next(4) == 0 ? 1 : 0,
            pool.NowUs + 100_000 + _random.Next(2_000_000),
            ReviewIdle: _random.Next(8) == 0);
    }
}
