using FuncScaler.Learned;
using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using FuncScaler.Leasing.Worker;
using FuncScaler.Policies;

namespace FuncScaler.Tests.Leasing;

/// <summary>A worker with several functions, each with a ledger of its own, over a perfect network.</summary>
public class WorkerCoreTests
{
    private const long Second = 1_000_000;
    private static readonly PolicyChoice Policy = PolicyCatalog.Parse("ttl:60");
    private static readonly LeasingOptions Options = new();
    private static readonly MetaKey F = new("f");
    private readonly Dictionary<MetaKey, PoolLedger> _ledgers = [];
    private readonly Dictionary<WorkerId, WorkerLedger> _lives = [];
    private readonly List<string> _granted = [];
    private long _nowUs = 5000 * Second;
    private int _reports;

    [Fact]
    public void Each_function_has_a_pool_and_a_ledger_of_its_own()
    {
        var worker = NewWorker("w1");
        Assign(worker, "f", "r1");
        Assign(worker, "g", "r2");
        RunFor(worker, Second);
        Assert.Equal(["f r1", "g r2"], _granted.Order());
        Assert.Equal(2, _ledgers.Count);
        Assert.All(_ledgers.Values, l => Assert.Equal(1, l.Statistics.Arrivals));
        Assert.Equal(2, worker.SlotCount);
    }

    [Fact]
    public void A_function_that_is_new_to_a_worker_with_a_lease_is_served_at_once()
    {
        var worker = NewWorker("w1");
        Assign(worker, "f", "r1");
        RunFor(worker, Second);
        Assign(worker, "g", "r2");
        Assert.Equal(["f r1", "g r2"], _granted);
    }

    [Fact]
    public void A_release_of_a_function_never_seen_here_finds_its_way()
    {
        var w1 = NewWorker("w1");
        var w2 = NewWorker("w2");
        Assign(w1, "f", "r1");
        RunFor(w1, Second);
        var instance = w1.Find(new MetaKey("f"))!.Pool.Slots.Single().Instance;
        Assert.Equal(ReleaseOutcome.Forwarded, w2.Release(_nowUs, new MetaKey("f"), new RequestId("r1"), instance, default, []));
        RunFor(w2, Second);
        RunFor(w1, 2 * Second);
        Assert.Equal(1, w1.Find(new MetaKey("f"))!.Pool.IdleCount);
        Assert.Equal("go", _ledgers[new MetaKey("f")].State.Function!.Runtime);
    }

    [Fact]
    public void A_busy_second_is_one_report()
    {
        var worker = NewWorker("w1");
        Assign(worker, "f", "r0");
        RunFor(worker, 3 * Second);
        var instance = worker.Find(new MetaKey("f"))!.Pool.Slots.Single().Instance;
        worker.Release(_nowUs, new MetaKey("f"), new RequestId("r0"), instance, default, []);
        RunFor(worker, 3 * Second);
        _reports = 0;
        for (var i = 1; i <= 1000; i++)
        {
            Assign(worker, "f", $"r{i}");
            worker.Release(_nowUs, new MetaKey("f"), new RequestId($"r{i}"), instance, default, []);
            RunFor(worker, Second / 1000);
        }

        Assert.InRange(_reports, 0, 1);
    }

    [Fact]
    public void A_function_that_was_refused_leaves_nothing()
    {
        var worker = NewWorker("w1");
        Assign(worker, "f", "r0");
        RunFor(worker, Second);
        for (var i = 0; i < 100; i++)
        {
            var function = new FunctionMeta(new MetaKey($"refused-{i}"), "go", 10, 512);
            var effects = new List<Effect>();
            worker.Assign(_nowUs, function, new RequestId("r"), _nowUs + (60 * Second), effects);
            var create = effects.Single(e => e.Kind == EffectKind.CreateSlot);
            worker.SlotFailed(_nowUs, function.Key, create.Ticket, new SlotFailure(FailureKind.Permanent, "there is no such function"), effects);
            Assert.Contains(effects, e => e.Kind == EffectKind.Reject);
        }

        Assert.Equal("f", Assert.Single(worker.Pools).Function.Key.Value);
        RunFor(worker, 20 * Second);
        Assert.Equal("f", Assert.Single(_ledgers.Keys).Value);
    }

    [Fact]
    public void A_release_that_can_be_of_no_instance_leaves_nothing()
    {
        var worker = NewWorker("w1");
        Assert.Equal(ReleaseOutcome.UnknownAssignment, worker.Release(_nowUs, new MetaKey("x"), new RequestId("r"), new InstanceId("none"), default, []));
        Assert.Empty(worker.Pools);
    }

    [Fact]
    public void A_release_for_another_worker_leaves_nothing_once_it_is_told()
    {
        var w1 = NewWorker("w1");
        var w2 = NewWorker("w2");
        Assign(w1, "f", "r1");
        RunFor(w1, Second);
        var instance = w1.Find(new MetaKey("f"))!.Pool.Slots.Single().Instance;
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(ReleaseOutcome.Forwarded, w2.Release(_nowUs, new MetaKey("f"), new RequestId("r1"), instance, default, []));
            Assert.Single(w2.Pools);
            RunFor(w2, 5 * Second);
            Assert.Empty(w2.Pools);
        }

        Assert.Equal(3, _ledgers[new MetaKey("f")].State.Workers["w2"].Sequence);
    }

    [Fact]
    public void A_function_unused_for_long_is_forgotten_and_served_again_as_before()
    {
        var worker = NewWorker("w1", Options with { ParkAfter = TimeSpan.Zero, Pool = Options.Pool with { ForgetAfter = TimeSpan.FromMinutes(10) } });
        for (var round = 1; round <= 3; round++)
        {
            Assign(worker, "f", $"r{round}");
            RunFor(worker, 2 * Second);
            var instance = worker.Find(new MetaKey("f"))!.Pool.Slots.Single().Instance;
            var effects = new List<Effect>();
            worker.Release(_nowUs, new MetaKey("f"), new RequestId($"r{round}"), instance, default, effects);
            Run(worker, effects);
            RunFor(worker, 300 * Second);
            Assert.Single(worker.Pools);
            RunFor(worker, 500 * Second);

            // Something else happens: the longest unused is looked at.
            worker.Release(_nowUs, new MetaKey("x"), new RequestId("r"), new InstanceId("none"), default, []);
            Assert.Empty(worker.Pools);
        }

        Assert.Equal(["f r1", "f r2", "f r3"], _granted);
        Assert.Equal(3, _ledgers[new MetaKey("f")].Statistics.Arrivals);
    }

    [Fact]
    public void Workers_count_tickets_apart()
    {
        var tickets = new HashSet<long>();
        for (var i = 0; i < 2000; i++)
        {
            Assert.True(tickets.Add(TicketSpace.For($"worker-{i}")));
        }

        Assert.All(tickets, t => Assert.True(t >= 0 && t % TicketSpace.Size == 0));
    }

    public static TheoryData<string, LeasingOptions> Wrong => new()
    {
        { "ReportInterval", Options with { ReportInterval = TimeSpan.Zero } },
        { "UrgentInterval", Options with { UrgentInterval = TimeSpan.Zero } },
        { "AnswerInterval", Options with { AnswerInterval = TimeSpan.Zero } },
        { "ReadInterval", Options with { ReadInterval = TimeSpan.Zero } },
        { "ProvisionTimeout", Options with { ProvisionTimeout = TimeSpan.Zero } },
        { "WakeGrid", Options with { WakeGrid = TimeSpan.Zero } },
        { "ClockSkew", Options with { ClockSkew = TimeSpan.FromSeconds(-1) } },
        { "ParkAfter", Options with { ParkAfter = TimeSpan.FromSeconds(-1) } },
        { "ClockDrift", Options with { ClockDrift = 1 } },
        { "MaxOperations", Options with { MaxOperations = 0 } },
        { "CreateBurst", Options with { CreateBurst = 0 } },
        { "CreatesPerMinute", Options with { CreatesPerMinute = 0 } },
        { "at least two leases", Options with { ForgetWorkerAfter = TimeSpan.FromSeconds(59) } },
        { "a limit of each assignment", Options with { Pool = Options.Pool with { NoTimeoutLimit = Timeout.InfiniteTimeSpan } } },
        { "CreateTimeout", Options with { Pool = Options.Pool with { CreateTimeout = TimeSpan.Zero } } },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void A_setting_out_of_its_range_is_refused_with_its_name(string words, LeasingOptions options) =>
        Assert.Contains(words, Assert.Throws<ArgumentException>(() => NewWorker("w", options)).Message, StringComparison.Ordinal);

    [Fact]
    public void Settings_that_contradict_each_other_are_refused_with_a_reason()
    {
        var e = Assert.Throws<ArgumentException>(() => NewWorker("w", Options with { Lease = TimeSpan.FromSeconds(5) }));
        Assert.Contains("make the lease longer", e.Message, StringComparison.Ordinal);
    }

    private static WorkerCore NewWorker(string name, LeasingOptions? options = null) => new(new WorkerId(name), Policy, options ?? Options);

    [Fact]
    public void What_a_worker_has_learned_is_in_the_ledger_for_the_next_one()
    {
        var first = NewWorker("w1");
        Play(first, 100);
        Assert.Null(_ledgers[F].State.Learned);

        // Told with a report that is due anyway, ten minutes after the first one.
        RunFor(first, 600 * Second);
        Play(first, 1);
        RunFor(first, 20 * Second);
        var state = LeasingJson.ReadLedger(LeasingJson.Write(_ledgers[F].State));
        Assert.InRange(state.Learned!.Length, 1, WorkerReport.MostLearnedBytes);
        Assert.Equal(101, state.LearnedArrivals);

        var next = new WorkerCore(new WorkerId("w2"), Policy, Options, new Remembered(new LearnedBytes(state.Learned, _nowUs)));
        Assign(next, "f", "new");
        Assert.Equal(102, next.Find(F)!.Pool.Statistics.Arrivals);
        next.Find(F)!.CheckInvariants();
    }

    [Fact]
    public void A_worker_that_stops_tells_what_it_has_learned()
    {
        var worker = NewWorker("w1");
        Play(worker, 5);
        worker.Leave(_nowUs, []);
        RunFor(worker, Second);
        Assert.Equal(5, _ledgers[F].State.LearnedArrivals);
    }

    [Fact]
    public void What_was_learned_from_fewer_requests_takes_its_place_after_an_hour_only()
    {
        var ledger = new PoolLedger(new LedgerState(), Policy, Options);
        Tell(0, [1], 100);
        Tell(1, [2], 99);
        Assert.Equal([1], ledger.State.Learned!);
        Tell(2, [3], 100);
        Assert.Equal([3], ledger.State.Learned!);
        Tell(3602, [4], 5);
        Assert.Equal([4], ledger.State.Learned!);
        Tell(3603, new byte[WorkerReport.MostLearnedBytes + 1], 500);
        Assert.Equal([4], ledger.State.Learned!);

        void Tell(long atSeconds, byte[] learned, long arrivals) => ledger.Report(
            _nowUs + (atSeconds * Second),
            new WorkerReport { Worker = new WorkerId($"w{atSeconds}"), Sequence = 1, FirstOperation = 1, Function = LocalPool.Unknown(F), Learned = learned, LearnedArrivals = arrivals },
            []);
    }

    [Fact]
    public void A_record_that_cannot_be_read_is_said_and_ignored()
    {
        var memory = new Remembered(new LearnedBytes(new byte[] { 1, 2, 3 }, _nowUs));
        var worker = new WorkerCore(new WorkerId("w1"), Policy, Options, memory);
        Assign(worker, "f", "r1");
        Assert.Equal(1, worker.Find(F)!.Pool.Statistics.Arrivals);
        Assert.Single(memory.Complaints);
    }

    [Fact]
    public void A_worker_prepares_for_what_follows_the_requests_that_come_to_itself()
    {
        var worker = NewWorker("w1");
        var g = new MetaKey("g");
        worker.SetGroups(
            _nowUs, [new FunctionGroup(F, g, 2) { Delay = TimeSpan.FromSeconds(2), ChildSettings = new FunctionMeta(g, "go", 10, 512) }], []);

        Assign(worker, "f", "r1");
        Assign(worker, "f", "r1");
        RunFor(worker, Second);
        Assert.Equal(2, worker.Find(g)!.Pool.IdleCount);
        Assign(worker, "g", "r2");
        Assert.Equal(["f r1", "g r2"], _granted.Take(2));
        Assert.Equal(1, worker.Find(g)!.Pool.Explain(_nowUs)?.Groups?.Single().Expected ?? worker.Find(g)!.Pool.Expected!.Wanted);

        worker.SetGroups(_nowUs, [], []);
        Assert.Null(worker.Find(g)!.Pool.Expected);
    }

    /// <summary>Requests of a function, one after another.</summary>
    private void Play(WorkerCore worker, int requests)
    {
        for (var i = 0; i < requests; i++)
        {
            var request = new RequestId($"{_nowUs}-{i}");
            Assign(worker, "f", request.Value);
            RunFor(worker, Second / 2);
            var instance = worker.Find(F)!.Pool.Slots.First(s => s.Request == request).Instance;
            var effects = new List<Effect>();
            worker.Release(_nowUs, F, request, instance, default, effects);
            Run(worker, effects);
            RunFor(worker, Second / 2);
        }
    }

    private void Assign(WorkerCore worker, string function, string request)
    {
        var effects = new List<Effect>();
        worker.Assign(_nowUs, new FunctionMeta(new MetaKey(function), "go", 10, 512), new RequestId(request), _nowUs + (60 * Second), effects);
        Run(worker, effects);
    }

    private void RunFor(WorkerCore worker, long us)
    {
        var untilUs = _nowUs + us;
        while (worker.NextDueUs <= untilUs)
        {
            _nowUs = Math.Max(_nowUs, worker.NextDueUs);
            var effects = new List<Effect>();
            worker.Tick(_nowUs, effects);
            foreach (var due in worker.Outbox.Reports)
            {
                _reports++;
                if (!_ledgers.TryGetValue(due.Function, out var ledger))
                {
                    _ledgers.Add(due.Function, ledger = new PoolLedger(new LedgerState(), Policy, Options));
                }

                ledger.Report(_nowUs, due.Report, []);
            }

            foreach (var function in worker.Outbox.Reads)
            {
                if (_ledgers.TryGetValue(function, out var ledger))
                {
                    worker.Receive(_nowUs, function, ledger.ViewFor(worker.Worker), effects);
                }
            }

            if (worker.Outbox.Beat is { } beat)
            {
                if (!_lives.TryGetValue(beat.Worker, out var life))
                {
                    _lives.Add(beat.Worker, life = new WorkerLedger(new WorkerState(), Options));
                }

                life.Beat(_nowUs, beat, []);
            }

            if (worker.Outbox.ReadWorker && _lives.TryGetValue(worker.Worker, out var own))
            {
                worker.ReceiveWorker(_nowUs, LeasingJson.ReadWorker(LeasingJson.Write(own.State)), effects);
            }

            worker.Outbox.Clear();
            Run(worker, effects);
        }

        _nowUs = untilUs;
    }

    /// <summary>A backend that takes no time.</summary>
    private void Run(WorkerCore worker, List<Effect> effects)
    {
        for (var i = 0; i < effects.Count; i++)
        {
            var effect = effects[i];
            switch (effect.Kind)
            {
                case EffectKind.CreateSlot:
                    worker.SlotCreated(_nowUs, effect.Function.Key, effect.Ticket, new BackendSlotId($"s{effect.Ticket}"), effects);
                    break;
                case EffectKind.InitSlot:
                    worker.SlotReady(_nowUs, effect.Function.Key, effect.Ticket, null, effects);
                    break;
                case EffectKind.Grant:
                    _granted.Add($"{effect.Function.Key} {effect.Request}");
                    break;
                default:
                    break;
            }
        }
    }

    private sealed class Remembered(LearnedBytes learned) : ILearnedMemory
    {
        public List<string> Complaints { get; } = [];

        public LearnedBytes? Shared => null;

        public LearnedBytes? Find(MetaKey function) => learned;

        public void Keep(MetaKey function, LearnedBytes kept)
        {
        }

        public void Ignored(MetaKey function, string why) => Complaints.Add(why);
    }
}
