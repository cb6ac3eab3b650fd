using FuncScaler.Leasing.Messages;
using FuncScaler.Policies;
using FuncScaler.Scoring;
using FuncScaler.Statistics;

namespace FuncScaler.Leasing.Ledger;

/// <summary>
/// The durable truth about one function's slots, for as many workers as there are: who may use which slot and until when, what is kept,
/// what is created ahead. A deterministic state machine on a <see cref="LedgerState"/> without I/O, clock or tasks; its host keeps the
/// state, carries out the effects and reads <see cref="ViewFor(WorkerId)"/> for workers. Not safe for concurrent use.
/// </summary>
/// <remarks>
/// Every operation may be repeated, late or lost without harm. A slot is leased to one worker at a time and to another only after the
/// former has returned it: an expired lease alone does not make it free, for a request may hold it. See docs/explanation/azure-protocol.md.
/// </remarks>
public sealed partial class PoolLedger : IPoolState
{
    private readonly LeasingOptions _options;
    private readonly FunctionLimits _limits;
    private readonly Func<FunctionMeta, IKeepAlivePolicy> _makePolicy;
    private readonly FunctionStatistics _statistics = new();
    private IKeepAlivePolicy? _policy;
    private TimeSpan? _slo;
    private long _lastEventUs;
    private long _policyUs;
    private int _idle;
    private int _leased;
    private int _creating;

    /// <param name="state">The state, which this ledger changes from now on; a new one for a function never seen.</param>
    /// <param name="policy">How the function is served. Policies of different functions share nothing here.</param>
    /// <param name="options">Settings, the same as the workers'.</param>
    /// <param name="limits">An operator's limits of the function, as they are now; null for none. Its floor and ceiling are of all workers together.</param>
    public PoolLedger(LedgerState state, PolicyChoice policy, LeasingOptions options, FunctionLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(options);
        State = state;
        _options = options;
        _limits = limits ?? FunctionLimits.None;
        _makePolicy = policy.Begin(NoReviews.Instance);
        _statistics.Places = Places;
        foreach (var slot in state.Slots.Values)
        {
            Count(slot, 1);
        }

        if (state.Function is not null)
        {
            _policy = _makePolicy(state.Function);
            Relearn();
        }

        TakeInSlo();
    }

    /// <summary>What is to be kept.</summary>
    public LedgerState State { get; }

    /// <summary>What is learned of the function, over all workers; times are right to about a report's interval.</summary>
    public FunctionStatistics Statistics => _statistics;

    /// <summary>When Wake is to be called next, µs; <see cref="long.MaxValue"/> when nothing is due.</summary>
    public long NextWakeUs => State.WakeAtUs;

    FunctionMeta IPoolState.Function => State.Function!;

    ScoreLedger IPoolState.Ledger { get; } = new();

    double? IPoolState.LatencyPriceGbs => _limits.LatencyPriceGbs ?? _options.Pool.PriceGbs(State.Function!.Key);

    TimeSpan? IPoolState.Slo => _slo;

    double IPoolState.CreatePriceSeconds => _options.Pool.CreatePriceSeconds?.Invoke() ?? 0;

    /// <summary>A leased instance counts as used, whether its worker has a request for it or not.</summary>
    int IPoolState.BusyCount => _leased;

    int IPoolState.ExecutingCount => Math.Max(_leased, Math.Min(_statistics.Active, _leased * Places));

    int IPoolState.Places => Places;

    int IPoolState.IdleCount => _idle;

    int IPoolState.InFlightCount => _creating;

    /// <summary>Requests wait at workers, which create for them; nothing is created ahead on their account.</summary>
    int IPoolState.WaiterCount => 0;

    /// <summary>How many requests share an instance. What the function can stand, workers learn.</summary>
    private int Places => Math.Max(1, State.Places);

    /// <summary>The instances that are there at all times.</summary>
    private int Floor => Math.Max(State.Provisioned, _limits.MinInstances);

    /// <summary>The most slots; 0 for no limit.</summary>
    private int Ceiling => _limits.MaxInstances == 0 ? _options.Pool.MaxSlots
        : _options.Pool.MaxSlots == 0 ? _limits.MaxInstances
        : Math.Min(_limits.MaxInstances, _options.Pool.MaxSlots);

    private long NowUs => State.NowUs;

    /// <summary>What a worker may know of a ledger.</summary>
    public LedgerView ViewFor(WorkerId worker) => ViewFor(State, worker);

    /// <inheritdoc cref="ViewFor(WorkerId)"/>
    /// <param name="state">A copy of the state, however it came here.</param>
    /// <param name="worker">The worker.</param>
    public static LedgerView ViewFor(LedgerState state, WorkerId worker)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (worker.Value is null || !state.Workers.TryGetValue(worker.Value, out var known))
        {
            return new LedgerView
            {
                Worker = worker,
                Revision = state.Revision,
                Idle = state.Slots.Values.Count(s => s.State == LedgerSlotState.Idle),
            };
        }

        List<LeaseGrant>? leases = null;
        List<SlotTicket>? tickets = null;
        var idle = 0;
        foreach (var (ticket, slot) in state.Slots)
        {
            idle += slot.State == LedgerSlotState.Idle && (known.Function is not { } function || Fits(slot, function)) ? 1 : 0;
            if (slot.Owner != worker)
            {
                continue;
            }

            if (slot.State == LedgerSlotState.Leased)
            {
                (leases ??= []).Add(new LeaseGrant(
                    new SlotTicket(ticket),
                    slot.Epoch,
                    slot.Ordinal,
                    slot.BackendSlot,
                    slot.Instance,
                    slot.Address,
                    slot.MemoryMb,
                    slot.Runtime,
                    slot.Uses));
            }
            else if (slot.State == LedgerSlotState.Creating)
            {
                (tickets ??= []).Add(new SlotTicket(ticket));
            }
        }

        return new LedgerView
        {
            Worker = worker,
            Revision = state.Revision,
            Sequence = known.Sequence,
            Operation = known.Operation,
            Leases = leases ?? (IReadOnlyList<LeaseGrant>)[],
            Tickets = tickets ?? (IReadOnlyList<SlotTicket>)[],
            Releases = known.Releases.Count == 0 ? [] : [.. known.Releases],
            Idle = idle,
            Provisioned = state.Provisioned,
            LimitsCost = LimitsCost(state),
        };
    }

    /// <summary>Does what is due. May be called at any time.</summary>
    public void Wake(long nowUs, List<LedgerEffect> effects)
    {
        Advance(nowUs);

        // The wake-up that was asked for is used up, even where it came a little early; one that was asked for before it is not it.
        if (State.WakeAtUs <= NowUs + LedgerTimers.EarlyUs)
        {
            State.WakeAtUs = long.MaxValue;
        }

        Settle(effects);
    }

    /// <summary>Sets how many instances to have at all times; 0 for none.</summary>
    public void SetProvisioned(long nowUs, FunctionMeta function, int count, List<LedgerEffect> effects)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        Advance(nowUs);
        Learn(function);
        State.Provisioned = count;
        ReviewAll(effects);
    }

    /// <summary>The limits that this ledger was made with are new.</summary>
    /// <param name="nowUs">The time, µs.</param>
    /// <param name="settings">The settings of its instances, for a function that nobody has asked for yet; null where they come with its first request.</param>
    /// <param name="effects">Where effects are added.</param>
    public void LimitsChanged(long nowUs, FunctionMeta? settings, List<LedgerEffect> effects)
    {
        Advance(nowUs);
        if (State.Function is null && settings is not null)
        {
            Learn(settings);
        }

        ReviewAll(effects);
    }

    private void ReviewAll(List<LedgerEffect> effects)
    {
        foreach (var slot in State.Slots.Values.Where(s => s.State == LedgerSlotState.Idle))
        {
            slot.DueUs = NowUs;
        }

        Settle(effects);
    }

    /// <exception cref="InvalidOperationException">What is counted or owned contradicts the slots' states; says how.</exception>
    public void CheckInvariants()
    {
        int idle = 0, leased = 0, creating = 0;
        foreach (var slot in State.Slots.Values)
        {
            idle += slot.State == LedgerSlotState.Idle ? 1 : 0;
            leased += slot.State is LedgerSlotState.Leased or LedgerSlotState.Entrusted ? 1 : 0;
            creating += slot.State == LedgerSlotState.Creating ? 1 : 0;
            Invariant.Holds(
                slot.State == LedgerSlotState.Creating || slot.Owner is not null == slot.State is LedgerSlotState.Leased or LedgerSlotState.Suspect,
                "a ready slot has an owner while it is leased or suspect, and only then");
            Invariant.Holds(slot.State != LedgerSlotState.Idle || slot.Instance != default, "an idle slot is an instance");
            Invariant.Holds(slot.State != LedgerSlotState.Entrusted || slot.Holders is { Count: > 0 }, "an entrusted slot is held by known requests");
            Invariant.Holds(!slot.Broken || slot.State == LedgerSlotState.Entrusted, "what is broken waits only for those who hold it");
            Invariant.Holds(slot.Owner is not { } owner || State.Workers.ContainsKey(owner.Value), "an owner is a known worker");
            Invariant.Holds(State.WakeAtUs <= LedgerTimers.WakeTime(slot.DueUs, _options), "the ledger wakes when the next slot is due");
        }

        Invariant.Holds((idle, leased, creating) == (_idle, _leased, _creating), "counts follow from states");
    }

    int IPoolState.CopyBusySince(Span<long> into, int stride) => Copy(into, stride, LedgerSlotState.Leased, s => s.SinceUs);

    int IPoolState.CopyInFlightSince(Span<long> into, int stride) => Copy(into, stride, LedgerSlotState.Creating, s => s.CreatedUs);

    private int Copy(Span<long> into, int stride, LedgerSlotState state, Func<LedgerSlot, long> time)
    {
        var count = 0;
        var seen = 0;
        foreach (var slot in State.Slots.Values)
        {
            if (slot.State == state && count < into.Length && seen++ % stride == 0)
            {
                into[count++] = time(slot);
            }
        }

        return count;
    }

    private PoolView View(long atUs)
    {
        _policyUs = Math.Max(_policyUs, atUs);
        return new PoolView(this, _policyUs);
    }

    private void Advance(long nowUs)
    {
        if (_limits.MaxInstances > 0 && State.Slots.Count >= Ceiling && nowUs > State.NowUs)
        {
            State.CeilingWaitUs += (nowUs - State.NowUs) * State.Workers.Values.Where(w => !w.Expired).Sum(w => (long)w.Waiting);
        }

        State.NowUs = Math.Max(State.NowUs, nowUs);
    }

    /// <summary>What floor and ceiling have cost so far against what the policy would have done; null where they have cost nothing.</summary>
    /// <param name="state">A copy of the state, however it came here.</param>
    public static LimitsCost? LimitsCost(LedgerState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        var mbUs = state.FloorMbUs
            + state.Slots.Values.Where(s => s.HeldByFloorUs > 0).Sum(s => Math.Max(0.0, state.NowUs - s.HeldByFloorUs) * s.MemoryMb);
        return mbUs == 0 && state.CeilingWaitUs == 0 ? null : new LimitsCost(mbUs / 1024 / 1e6, state.CeilingWaitUs / 1e6);
    }

    private void Learn(FunctionMeta function)
    {
        ArgumentNullException.ThrowIfNull(function);
        if (State.Function != function)
        {
            State.Function = function;
            State.HoldUs = Math.Max(State.HoldUs, _options.HoldUs(function));
            _policy ??= _makePolicy(function);
        }
    }

    /// <summary>The only way to change a slot's state, so that the counts follow.</summary>
    private void Become(LedgerSlot slot, LedgerSlotState state, long dueUs)
    {
        Count(slot, -1);
        EndFloor(slot);
        slot.State = state;
        slot.SinceUs = NowUs;
        slot.DueUs = dueUs;
        Count(slot, 1);
    }

    private LedgerSlot Add(SlotTicket ticket, LedgerSlotState state, WorkerId? owner, FunctionMeta function)
    {
        var slot = new LedgerSlot
        {
            State = state,
            Owner = owner,
            MemoryMb = function.MemoryMb,
            Runtime = function.Runtime,
            CreatedUs = NowUs,
            SinceUs = NowUs,
        };
        State.Slots.Add(ticket.Value, slot);
        Count(slot, 1);
        return slot;
    }

    private void Remove(SlotTicket ticket, LedgerSlot slot)
    {
        Count(slot, -1);
        EndFloor(slot);
        State.Slots.Remove(ticket.Value);
    }

    private void Count(LedgerSlot slot, int change)
    {
        _idle += slot.State == LedgerSlotState.Idle ? change : 0;
        _leased += slot.State is LedgerSlotState.Leased or LedgerSlotState.Entrusted ? change : 0;
        _creating += slot.State == LedgerSlotState.Creating ? change : 0;
    }

    private sealed class NoReviews : IPolicyHost
    {
        public static NoReviews Instance { get; } = new();

        public void RequestReview(MetaKey function)
        {
        }
    }
}
