using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using FuncScaler.Leasing.Worker;
using FuncScaler.Policies;
using FuncScaler.Scoring;

namespace FuncScaler.Tests.Leasing.Simulation;

/// <summary>
/// The protocol as it is. Its heirs each leave one rule out: by a worker that breaks it, by a host that does, or by changing what the
/// ledger has written down between two of its operations.
/// </summary>
internal class LeftOutRule
{
    public static LeftOutRule None { get; } = new();

    /// <summary>Every rule, left out, by name.</summary>
    public static IReadOnlyDictionary<string, LeftOutRule> All { get; } = new LeftOutRule[]
    {
        new EpochCheck(), new DriftMargin(), new LeaseFromSending(), new LeaseCheck(), new Reservation(), new HoldKnown(), new Deduplication(),
        new NewBeatsRenew(), new DeadForGood(), new DeadBeforeTold(), new NoReuse(), new ForeignReleasesProveNothing(), new KeepUntilDestroyed(),
        new CreateGrace(), new DeathGrace(), new LivingMayTell(), new LedgerFirst(), new LedgersBeforeWorkers(), new CountsOn(),
    }.ToDictionary(r => r.GetType().Name);

    /// <summary>Whether the sweep asks the backend for its list before it reads the ledgers.</summary>
    public virtual bool ListBeforeLedgers => true;

    /// <summary>Whether the sweep reads the workers' ledgers before the functions'.</summary>
    public virtual bool WorkersBeforeLedgers => true;

    /// <summary>What a worker is made of.</summary>
    internal virtual WorkerParts Parts => new();

    public WorkerCore NewWorker(WorkerId name, PolicyChoice policy, LeasingOptions options) => new(name, policy, options, Parts);

    public virtual void Beat(WorkerLedger ledger, long nowUs, WorkerBeat beat, List<LedgerEffect> effects) => ledger.Beat(nowUs, beat, effects);

    /// <summary>What the sweep takes from a worker's ledger.</summary>
    public virtual WorkerState Read(WorkerState state, long nowUs) => state;

    /// <summary>Whether the sweep counts on what a worker may still tell.</summary>
    public virtual bool MayTell(WorkerState worker) => true;

    public virtual void Report(PoolLedger ledger, long nowUs, WorkerReport report, List<LedgerEffect> effects) => ledger.Report(nowUs, report, effects);

    /// <summary>Changes what the ledger has written down after an operation; returns whether it did.</summary>
    public virtual bool Tamper(LedgerState state) => false;

    private static bool TamperWith(LedgerState state, Func<LedgerSlot, bool> which, Action<LedgerSlot> change)
    {
        var slots = state.Slots.Values.Where(which).ToList();
        slots.ForEach(change);
        return slots.Count > 0;
    }

    private static void MakeIdle(LedgerSlot slot, long nowUs)
    {
        slot.State = LedgerSlotState.Idle;
        slot.Owner = null;
        slot.Holders = null;
        slot.Broken = false;
        slot.SinceUs = nowUs;
        slot.DueUs = nowUs;
    }

    /// <summary>A worker takes a lease that it has given back from a stale view.</summary>
    private sealed class EpochCheck : LeftOutRule
    {
        internal override WorkerParts Parts { get; } = new Made();

        private sealed class Made : WorkerParts
        {
            public override LocalPool NewPool(
                WorkerLease lease, FunctionMeta function, Func<FunctionMeta, IKeepAlivePolicy> makePolicy, LeasingOptions options, SlotRegistry registry, ScoreLedger ledger) =>
                new Pool(lease, function, makePolicy, options, registry, ledger);
        }

        private sealed class Pool(
            WorkerLease lease, FunctionMeta function, Func<FunctionMeta, IKeepAlivePolicy> makePolicy, LeasingOptions options, SlotRegistry registry, ScoreLedger ledger)
            : LocalPool(lease, function, makePolicy, options, registry, ledger)
        {
            private protected override bool IsLaterLease(long epoch, long returnedEpoch) => true;
        }
    }

    /// <summary>A worker that has forgotten a function counts its reports and operations from the beginning again.</summary>
    private sealed class CountsOn : LeftOutRule
    {
        internal override WorkerParts Parts { get; } = new Made();

        private sealed class Made : WorkerParts
        {
            public override ToldSoFar Remembered(ToldSoFar told) => new(0, -1, 0, 1, 0, 0);
        }
    }

    /// <summary>A worker uses its lease for as long, on its own clock, as its ledger does on its hosts' clocks.</summary>
    private sealed class DriftMargin : LeftOutRule
    {
        internal override WorkerParts Parts { get; } = new Made();

        private sealed class Made : WorkerParts
        {
            public override WorkerLease NewLease(WorkerId worker, long firstTicket, LeasingOptions options) =>
                base.NewLease(worker, firstTicket, options with { ClockSkew = TimeSpan.Zero, ClockDrift = 0 });
        }
    }

    /// <summary>A rule of <see cref="WorkerLease"/>.</summary>
    private abstract class LeaseRule(Func<WorkerId, long, LeasingOptions, WorkerLease> make) : LeftOutRule
    {
        internal override WorkerParts Parts { get; } = new Made(make);

        private sealed class Made(Func<WorkerId, long, LeasingOptions, WorkerLease> make) : WorkerParts
        {
            public override WorkerLease NewLease(WorkerId worker, long firstTicket, LeasingOptions options) => make(worker, firstTicket, options);
        }
    }

    /// <summary>A worker's lease begins when it reads the answer, not when it sent the beat.</summary>
    private sealed class LeaseFromSending() : LeaseRule((worker, first, options) => new Lease(worker, first, options))
    {
        private sealed class Lease(WorkerId worker, long first, LeasingOptions options) : WorkerLease(worker, first, options)
        {
            private protected override long BeginUs(long sentUs, long answeredUs) => answeredUs;
        }
    }

    /// <summary>A worker uses its slots whether it still has a lease or not.</summary>
    private sealed class LeaseCheck() : LeaseRule((worker, first, options) => new Lease(worker, first, options))
    {
        private sealed class Lease(WorkerId worker, long first, LeasingOptions options) : WorkerLease(worker, first, options)
        {
            public override bool IsOver(long nowUs) => false;
        }
    }

    /// <summary>A worker creates slots under tickets that it has not reserved.</summary>
    private sealed class Reservation() : LeaseRule((worker, first, options) => new Lease(worker, first, options))
    {
        private sealed class Lease(WorkerId worker, long first, LeasingOptions options) : WorkerLease(worker, first, options)
        {
            public override bool MayCreate(long nowUs, SlotTicket ticket, long holdUs) => !IsOver(nowUs) && holdUs <= HoldUs;
        }
    }

    /// <summary>A worker creates slots although its ledger does not know for how long requests may hold them.</summary>
    private sealed class HoldKnown() : LeaseRule((worker, first, options) => new Lease(worker, first, options))
    {
        public override void Beat(WorkerLedger ledger, long nowUs, WorkerBeat beat, List<LedgerEffect> effects) =>
            base.Beat(ledger, nowUs, beat with { HoldUs = 0 }, effects);

        private sealed class Lease(WorkerId worker, long first, LeasingOptions options) : WorkerLease(worker, first, options)
        {
            public override bool MayCreate(long nowUs, SlotTicket ticket, long holdUs) => !IsOver(nowUs) && ticket.Value <= ReservedTo;
        }
    }

    /// <summary>The ledger applies repeated operations again.</summary>
    private sealed class Deduplication : LeftOutRule
    {
        public override void Report(PoolLedger ledger, long nowUs, WorkerReport report, List<LedgerEffect> effects)
        {
            var (sequence, operation) = (0L, 0L);
            if (ledger.State.Workers.TryGetValue(report.Worker.Value, out var worker))
            {
                (sequence, operation) = (worker.Sequence, worker.Operation);
                worker.Sequence = Math.Min(sequence, report.Sequence - 1);
                worker.Operation = Math.Min(operation, report.FirstOperation - 1);
            }

            base.Report(ledger, nowUs, report, effects);
            worker = ledger.State.Workers[report.Worker.Value];
            worker.Sequence = Math.Max(sequence, worker.Sequence);
            worker.Operation = Math.Max(operation, worker.Operation);
        }
    }

    /// <summary>A worker's ledger takes any beat, however old, for a sign of life.</summary>
    private sealed class NewBeatsRenew : LeftOutRule
    {
        public override void Beat(WorkerLedger ledger, long nowUs, WorkerBeat beat, List<LedgerEffect> effects)
        {
            var newest = ledger.State.Sequence;
            base.Beat(ledger, nowUs, beat with { Sequence = Math.Max(beat.Sequence, newest + 1) }, effects);
            ledger.State.Sequence = Math.Max(beat.Sequence, newest);
        }
    }

    /// <summary>A worker's ledger lets a life that is over go on.</summary>
    private sealed class DeadForGood : LeftOutRule
    {
        public override void Beat(WorkerLedger ledger, long nowUs, WorkerBeat beat, List<LedgerEffect> effects)
        {
            ledger.State.Expired &= beat.Leaving || beat.Sequence <= ledger.State.Sequence;
            base.Beat(ledger, nowUs, beat, effects);
        }
    }

    /// <summary>The sweep takes a worker for dead when its lease is about to end, whether its ledger has written that down or not.</summary>
    private sealed class DeadBeforeTold : LeftOutRule
    {
        public override WorkerState Read(WorkerState state, long nowUs)
        {
            state.Expired |= state.ExpiresUs <= nowUs + Schedule.Second;
            return state;
        }
    }

    /// <summary>The sweep destroys what a dead worker has not told as soon as it is dead.</summary>
    private sealed class DeathGrace : LeftOutRule
    {
        public override WorkerState Read(WorkerState state, long nowUs)
        {
            state.ExpiresUs = state.Expired ? 1 : state.ExpiresUs;
            return state;
        }
    }

    /// <summary>The sweep destroys what no function's ledger knows, although its worker lives and may still tell.</summary>
    private sealed class LivingMayTell : LeftOutRule
    {
        public override bool MayTell(WorkerState worker) => worker.Expired;
    }

    /// <summary>The sweep reads the functions' ledgers before the workers'.</summary>
    private sealed class LedgersBeforeWorkers : LeftOutRule
    {
        public override bool WorkersBeforeLedgers => false;
    }

    /// <summary>The ledger gives slots of a dead worker to others once the lease has expired.</summary>
    private sealed class NoReuse : LeftOutRule
    {
        public override bool Tamper(LedgerState state) =>
            TamperWith(state, s => s.State == LedgerSlotState.Suspect, s => MakeIdle(s, state.NowUs));
    }

    /// <summary>The ledger takes a release elsewhere for proof that the instance is free.</summary>
    private sealed class ForeignReleasesProveNothing : LeftOutRule
    {
        private readonly AsyncLocal<List<long>?> _released = new();

        public override void Report(PoolLedger ledger, long nowUs, WorkerReport report, List<LedgerEffect> effects)
        {
            base.Report(ledger, nowUs, report, effects);
            _released.Value = [.. report.Operations.Where(o => o.Kind == WorkerOperationKind.Release).Select(o => o.Ticket.Value)];
        }

        public override bool Tamper(LedgerState state)
        {
            var released = _released.Value ?? [];
            _released.Value = null;
            return TamperWith(
                state,
                s => s.State is LedgerSlotState.Leased or LedgerSlotState.Suspect && released.Exists(t => state.Slots.GetValueOrDefault(t) == s),
                s => MakeIdle(s, state.NowUs));
        }
    }

    /// <summary>The ledger forgets a slot when its destroy was asked for, not when it was confirmed.</summary>
    private sealed class KeepUntilDestroyed : LeftOutRule
    {
        public override bool Tamper(LedgerState state)
        {
            var destroying = state.Slots.Where(s => s.Value is { State: LedgerSlotState.Destroying, Attempts: > 0 }).Select(s => s.Key).ToList();
            destroying.ForEach(t => state.Slots.Remove(t));
            return destroying.Count > 0;
        }
    }

    /// <summary>The ledger destroys the ticket of a dead worker while its create may be under way.</summary>
    private sealed class CreateGrace : LeftOutRule
    {
        public override bool Tamper(LedgerState state) => TamperWith(
            state,
            s => s.DueUs != long.MaxValue && s.DueUs > state.NowUs
                && (s is { State: LedgerSlotState.Creating, Owner: not null } || s is { State: LedgerSlotState.Destroying, Attempts: 0 }),
            s => s.DueUs = state.NowUs);
    }

    /// <summary>The sweep reads the ledger before it asks the backend for its list.</summary>
    private sealed class LedgerFirst : LeftOutRule
    {
        public override bool ListBeforeLedgers => false;
    }
}
