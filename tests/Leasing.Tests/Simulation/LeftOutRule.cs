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
        new EpochCheck(), new DriftMargin(), new LeaseFromSending(), new LeaseCheck(), new NoIntent(), new Deduplication(), new NewReportsRenew(),
        new NoReuse(), new ForeignReleasesProveNothing(), new KeepUntilDestroyed(), new CreateGrace(), new LedgerFirst(),
    }.ToDictionary(r => r.GetType().Name);

    /// <summary>Whether the backend is asked for a slot only once the ledger has its ticket.</summary>
    public virtual bool IntentBeforeAction => true;

    /// <summary>Whether the sweep asks the backend for its list before it reads the ledgers.</summary>
    public virtual bool ListBeforeLedgers => true;

    public virtual LocalPool NewWorker(WorkerId name, IKeepAlivePolicy policy, LeasingOptions options, SlotRegistry registry) =>
        new(name, Schedule.Function, policy, options, registry, new ScoreLedger());

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
        slot.Holder = default;
        slot.SinceUs = nowUs;
        slot.DueUs = nowUs;
    }

    /// <summary>A worker takes a lease that it has given back from a stale view.</summary>
    private sealed class EpochCheck : LeftOutRule
    {
        public override LocalPool NewWorker(WorkerId name, IKeepAlivePolicy policy, LeasingOptions options, SlotRegistry registry) =>
            new Worker(name, policy, options, registry);

        private sealed class Worker(WorkerId name, IKeepAlivePolicy policy, LeasingOptions options, SlotRegistry registry)
            : LocalPool(name, Schedule.Function, policy, options, registry, new ScoreLedger())
        {
            private protected override bool IsLaterLease(long epoch, long returnedEpoch) => true;
        }
    }

    /// <summary>A worker uses its lease for as long, on its own clock, as the ledger does on its hosts' clocks.</summary>
    private sealed class DriftMargin : LeftOutRule
    {
        public override LocalPool NewWorker(WorkerId name, IKeepAlivePolicy policy, LeasingOptions options, SlotRegistry registry) =>
            base.NewWorker(name, policy, options with { ClockSkew = TimeSpan.Zero, ClockDrift = 0 }, registry);
    }

    /// <summary>A worker's lease begins when it reads the answer, not when it sent the report.</summary>
    private sealed class LeaseFromSending : LeftOutRule
    {
        public override LocalPool NewWorker(WorkerId name, IKeepAlivePolicy policy, LeasingOptions options, SlotRegistry registry) =>
            new Worker(name, policy, options, registry);

        private sealed class Worker(WorkerId name, IKeepAlivePolicy policy, LeasingOptions options, SlotRegistry registry)
            : LocalPool(name, Schedule.Function, policy, options, registry, new ScoreLedger())
        {
            private protected override long LeaseBeginUs(long sentUs, long answeredUs) => answeredUs;
        }
    }

    /// <summary>A worker uses its slots whether it still has a lease or not.</summary>
    private sealed class LeaseCheck : LeftOutRule
    {
        public override LocalPool NewWorker(WorkerId name, IKeepAlivePolicy policy, LeasingOptions options, SlotRegistry registry) =>
            new Worker(name, policy, options, registry);

        private sealed class Worker(WorkerId name, IKeepAlivePolicy policy, LeasingOptions options, SlotRegistry registry)
            : LocalPool(name, Schedule.Function, policy, options, registry, new ScoreLedger())
        {
            private protected override bool IsLeaseOver(long nowUs) => false;
        }
    }

    /// <summary>A worker's host asks the backend for a slot before the ledger knows.</summary>
    private sealed class NoIntent : LeftOutRule
    {
        public override bool IntentBeforeAction => false;
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

    /// <summary>The ledger takes any report, however old, for a sign of life.</summary>
    private sealed class NewReportsRenew : LeftOutRule
    {
        public override void Report(PoolLedger ledger, long nowUs, WorkerReport report, List<LedgerEffect> effects)
        {
            if (!ledger.State.Workers.TryGetValue(report.Worker.Value, out var worker) || report.Sequence > worker.Sequence)
            {
                base.Report(ledger, nowUs, report, effects);
                return;
            }

            // A new report that tells nothing does nothing but renew.
            base.Report(
                ledger,
                nowUs,
                report with
                {
                    Sequence = worker.Sequence + 1,
                    FirstOperation = worker.Operation + 1,
                    Operations = [],
                    Waiting = worker.Waiting,
                    LeasesSeen = worker.Granted,
                    Leaving = false,
                },
                effects);
            worker.Sequence--;
        }
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
