using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using FuncScaler.Policies;
using FuncScaler.Scoring;

namespace FuncScaler.Leasing.Worker;

/// <summary>
/// One function's slots at one worker, leased from the function's <see cref="PoolLedger"/>: a <see cref="SlotPool"/> that gets its slots
/// from there and gives them back there. A warm Assign and its Release are answered from memory. Deterministic, without I/O, clock or
/// tasks; not safe for concurrent use.
/// </summary>
/// <remarks>
/// Times are µs on the worker's monotonic clock. The host carries out Grant, Reject, CreateSlot and InitSlot effects, sends
/// <see cref="TakeReport"/> when <see cref="NextReportUs"/> has come, reads the ledger and hands its view to <see cref="Receive"/> when
/// <see cref="NextReadUs"/> has come, and calls <see cref="Tick"/> at <see cref="NextWakeUs"/>. What a slot is doing the pool alone knows;
/// here stands only what the lease adds.
/// </remarks>
public partial class LocalPool : ISlotLessor, IWakeable
{
    private const string UnknownRuntime = "?";

    /// <summary>Of a slot that the ledger is not asked for, as the worker is leaving: no operation has this number.</summary>
    private const long NeverAsked = long.MaxValue;

    private readonly WorkerId _worker;
    private readonly LeasingOptions _options;
    private readonly SlotPool _pool;
    private readonly Dictionary<SlotTicket, Lease> _leases = [];
    private long _leaseUntilUs = long.MinValue;
    private bool _leaving;

    /// <param name="worker">This worker, in this life.</param>
    /// <param name="function">The function.</param>
    /// <param name="policy">How it is served; used by this pool alone.</param>
    /// <param name="options">Settings, the same as the ledger's.</param>
    /// <param name="registry">Tickets in a space of this worker's own, see <see cref="TicketSpace"/>; shared by its pools.</param>
    /// <param name="ledger">What the worker's slots have cost, shared likewise.</param>
    public LocalPool(
        WorkerId worker, FunctionMeta function, IKeepAlivePolicy policy, LeasingOptions options, SlotRegistry registry, ScoreLedger ledger)
    {
        ArgumentNullException.ThrowIfNull(options);
        _worker = worker;
        _options = options;
        _reportIntervalUs = options.ReportInterval.ToUs();
        _workerLeaseUs = options.WorkerLease.ToUs();

        // The ledger counts all workers' slots, so the limit is kept there.
        _pool = new SlotPool(function, new LocalPolicy(policy, options.ParkAfter), options.Pool with { MaxSlots = 0 }, registry, ledger, this);
        _pool.Suspend();
    }

    /// <summary>The decision core at work. For reading: its events go through this class.</summary>
    public SlotPool Pool => _pool;

    public FunctionMeta Function => _pool.Function;

    /// <summary>Until when this worker may give out instances, µs.</summary>
    public long LeaseUntilUs => _leaseUntilUs;

    /// <summary>Slots this worker has or wants.</summary>
    public int SlotCount => _leases.Count;

    /// <summary>When <see cref="Tick"/> is to be called next, µs; <see cref="long.MaxValue"/> when nothing is due.</summary>
    public long NextWakeUs => _pool.NextWakeUs;

    /// <summary>When it is to be ticked, to report or to read next, µs; <see cref="long.MaxValue"/> when nothing is due.</summary>
    internal long NextDueUs => Math.Min(NextWakeUs, Math.Min(NextReportUs, NextReadUs));

    long IWakeable.ArmedForUs { get; set; } = long.MaxValue;

    /// <summary>What stands for a function of which only the key is known, from a release that was assigned elsewhere.</summary>
    public static FunctionMeta Unknown(MetaKey key) => new(key, UnknownRuntime, 0, 1);

    /// <inheritdoc cref="SlotPool.Assign"/>
    public void Assign(long nowUs, FunctionMeta function, RequestId request, long deadlineUs, List<Effect> effects)
    {
        ArgumentNullException.ThrowIfNull(function);
        CheckLease(nowUs);
        if (!ReferenceEquals(function, _pool.Function) && function != _pool.Function)
        {
            _pool.UpdateFunction(nowUs, function, effects);
        }

        _pool.Assign(nowUs, request, deadlineUs, effects);
        TellOfWaiting(nowUs);
    }

    /// <summary>A request is done with its instance, wherever that is.</summary>
    public ReleaseOutcome Release(long nowUs, RequestId request, InstanceId instance, in ReleaseResult result, List<Effect> effects)
    {
        if (!TicketSpace.TryParse(instance, _options.Pool.InstancePrefix, out var ticket))
        {
            return ReleaseOutcome.UnknownAssignment;
        }

        if (_leases.ContainsKey(ticket))
        {
            return ReleaseHere(nowUs, request, instance, result, effects);
        }

        // Leased elsewhere, or gone. Where a slot of that name is in use, its worker knows whether by this request.
        Enqueue(nowUs, new WorkerOperation
        {
            Kind = WorkerOperationKind.Release,
            Ticket = ticket,
            Request = request,
            Instance = instance,
            DurationUs = result.DurationUs,
            NeedDestroy = result.NeedDestroy,
        });
        Urgent(nowUs);
        return ReleaseOutcome.Forwarded;
    }

    /// <inheritdoc cref="SlotPool.Abandon"/>
    public void Abandon(long nowUs, RequestId request, List<Effect> effects)
    {
        CheckLease(nowUs);
        _pool.Abandon(nowUs, request, effects);
        TellOfWaiting(nowUs);
    }

    /// <inheritdoc cref="SlotPool.SlotCreated"/>
    public void SlotCreated(long nowUs, SlotTicket ticket, BackendSlotId backendId, List<Effect> effects)
    {
        if (_pool.Find(ticket) is not { } slot)
        {
            Enqueue(nowUs, new WorkerOperation { Kind = WorkerOperationKind.Found, Ticket = ticket, BackendSlot = backendId });
            return;
        }

        if (slot.State is not (SlotState.Creating or SlotState.Held))
        {
            return;
        }

        Enqueue(nowUs, new WorkerOperation
        {
            Kind = WorkerOperationKind.Created,
            Ticket = ticket,
            BackendSlot = backendId,
            TimeUs = nowUs - slot.AskedUs,
        });
        CheckLease(nowUs);
        _pool.SlotCreated(nowUs, ticket, backendId, effects);
        TellOfWaiting(nowUs);
    }

    /// <inheritdoc cref="SlotPool.SlotReady"/>
    /// <param name="address">Where the instance is reached; null where the platform has no addresses.</param>
    public void SlotReady(long nowUs, SlotTicket ticket, Uri? address, List<Effect> effects)
    {
        if (_pool.Find(ticket) is not { State: SlotState.Initializing } slot)
        {
            return;
        }

        _leases[ticket].Epoch = 1;
        Enqueue(nowUs, new WorkerOperation
        {
            Kind = WorkerOperationKind.Ready,
            Ticket = ticket,
            Instance = slot.Instance,
            Address = address,
            TimeUs = nowUs - slot.AskedUs,
        });
        CheckLease(nowUs);
        _pool.SlotReady(nowUs, ticket, effects, address);
        TellOfWaiting(nowUs);
    }

    /// <inheritdoc cref="SlotPool.SlotFailed"/>
    public void SlotFailed(long nowUs, SlotTicket ticket, SlotFailure failure, List<Effect> effects)
    {
        CheckLease(nowUs);
        _pool.SlotFailed(nowUs, ticket, failure, effects);
        TellOfWaiting(nowUs);
    }

    /// <summary>Does what is due.</summary>
    public void Tick(long nowUs, List<Effect> effects)
    {
        CheckLease(nowUs);
        _pool.Tick(nowUs, effects);
        TellOfWaiting(nowUs);
    }

    /// <summary>The worker is about to stop: new requests are rejected, waiting ones still served, unused instances go back.</summary>
    public void Drain(long nowUs, List<Effect> effects)
    {
        CheckLease(nowUs);
        _pool.Drain(nowUs, effects);
        Urgent(nowUs);
    }

    /// <summary>
    /// The worker stops now: everything goes back, with the names of the requests that hold instances, so that their releases free them
    /// wherever they land. The next report is the last that is needed.
    /// </summary>
    public void Leave(long nowUs, List<Effect> effects)
    {
        Drain(nowUs, effects);
        _leaving = true;
        foreach (var slot in _pool.Leased.ToList())
        {
            var kind = slot.State == SlotState.Busy ? ReturnKind.Entrusted : KindOf(slot.Condition);
            GiveBack(nowUs, slot, kind, "its worker stops");
            _pool.Withdraw(nowUs, slot.Ticket, effects);
        }
    }

    /// <exception cref="InvalidOperationException">The pool and what is known of its leases contradict each other; says how.</exception>
    public void CheckInvariants()
    {
        _pool.CheckInvariants();
        Invariant.Holds(_leases.Count == _pool.SlotCount && _leases.Keys.All(t => _pool.Find(t) is not null), "each slot of the pool is leased or asked for");
        Invariant.Holds(
            _pool.Leased.All(s => _leases[s.Ticket].Epoch > 0 == s.State is SlotState.Idle or SlotState.Busy), "an instance has a lease, others have none yet");
    }

    void ISlotLessor.RequestCame(long nowUs)
    {
        _outbox.Came(nowUs);
        Pending(nowUs);
    }

    void ISlotLessor.RequestWent(long nowUs, long executedUs)
    {
        _outbox.Went(nowUs, executedUs);
        Pending(nowUs);
    }

    void ISlotLessor.SlotWanted(long nowUs, SlotTicket ticket)
    {
        if (_leaving)
        {
            _leases.Add(ticket, new Lease { Intent = NeverAsked });
            return;
        }

        _leases.Add(ticket, new Lease { Intent = Enqueue(nowUs, new WorkerOperation { Kind = WorkerOperationKind.Intend, Ticket = ticket }) });
        Urgent(nowUs);
    }

    void ISlotLessor.SlotReturned(long nowUs, Slot slot, string? reason) => GiveBack(nowUs, slot, KindOf(slot.Condition), reason);

    /// <summary>Whether the worker may not use its slots any more: only while the ledger is certain to hold them for it.</summary>
    private protected virtual bool IsLeaseOver(long nowUs) => nowUs >= _leaseUntilUs;

    /// <summary>When a lease begins, µs: the ledger's counts from when the report came, so the worker's does from before it was sent.</summary>
    private protected virtual long LeaseBeginUs(long sentUs, long answeredUs) => sentUs;

    /// <summary>Whether a lease is later than one of the same slot that was given back: else it comes from a stale view.</summary>
    private protected virtual bool IsLaterLease(long epoch, long returnedEpoch) => epoch > returnedEpoch;

    private ReleaseOutcome ReleaseHere(long nowUs, RequestId request, InstanceId instance, in ReleaseResult result, List<Effect> effects)
    {
        CheckLease(nowUs);
        var outcome = _pool.Release(nowUs, request, instance, result, effects);
        TellOfWaiting(nowUs);
        return outcome;
    }

    private void CheckLease(long nowUs)
    {
        if (!_pool.Suspended && IsLeaseOver(nowUs))
        {
            _pool.Suspend();
        }
    }

    private static ReturnKind KindOf(SlotCondition condition) => condition switch
    {
        SlotCondition.Absent => ReturnKind.Absent,
        SlotCondition.Unknown => ReturnKind.Unknown,
        SlotCondition.Sound => ReturnKind.Idle,
        _ => ReturnKind.Broken,
    };

    private void GiveBack(long nowUs, Slot slot, ReturnKind kind, string? reason)
    {
        // Where it is not known any more, the ledger was the first to say so.
        if (_leases.Remove(slot.Ticket, out var lease))
        {
            GiveBack(nowUs, slot.Ticket, lease.Epoch, kind, slot.Uses, reason, slot.Request, slot.SinceUs);
        }
    }

    private void GiveBack(
        long nowUs, SlotTicket ticket, long epoch, ReturnKind kind, int uses, string? reason = null, RequestId request = default, long sinceUs = 0)
    {
        var operation = Enqueue(
            nowUs,
            new WorkerOperation
            {
                Kind = WorkerOperationKind.Return,
                Ticket = ticket,
                Epoch = epoch,
                Return = kind,
                Uses = uses,
                Reason = kind is ReturnKind.Idle or ReturnKind.Absent ? null : reason,
                Request = kind == ReturnKind.Entrusted ? request : default,
            },
            kind == ReturnKind.Idle ? sinceUs : nowUs);
        _returned[ticket] = (epoch, operation);
    }

    /// <summary>What the lease adds to a slot of the pool.</summary>
    private sealed class Lease
    {
        /// <summary>The operation that asked for it; 0 when it was leased.</summary>
        public long Intent { get; init; }

        /// <summary>Counts its leases; 0 until it was ready for the first time.</summary>
        public long Epoch { get; set; }
    }
}
