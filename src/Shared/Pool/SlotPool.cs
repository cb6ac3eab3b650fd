using System.Diagnostics;
using FuncScaler.Policies;
using FuncScaler.Scoring;
using FuncScaler.Statistics;

namespace FuncScaler.Pool;

/// <summary>
/// The slots, waiting requests and statistics of one function: a deterministic state machine without I/O, clock or tasks. Events come in
/// as method calls with the time, effects go out into a list; hosts run the effects and answer with further events.
/// </summary>
/// <remarks>
/// <para>
/// A request that finds an idle instance takes the one that was used last. Else it joins the <see cref="WaitingLine"/>, and the policy
/// says how many slots to create. A slot that becomes ready or free goes to the first in line, or is idle for as long as the policy
/// wishes. After every event the pool looks whether requests are stranded and whether the policy wants instances ahead of them.
/// </para>
/// <para>
/// Whatever the backend answers, late, twice, wrongly or never, these hold after each event, and <see cref="CheckInvariants"/> checks
/// them: an instance is held by no more requests than its function allows; each Assign gets exactly one Grant or Reject; a slot whose
/// creation was asked for stays in the <see cref="SlotInventory"/> until the backend has confirmed that it is gone; a Release that matches no
/// assignment changes nothing; nobody waits beside a free place, nor without anything under way. Not safe for concurrent use.
/// </para>
/// <para>
/// An instance has as many places as requests may share it: <see cref="Places"/>, which is <see cref="FunctionMeta.MaxConcurrency"/> unless
/// executions are seen to slow each other down. A request takes a place in the fullest instance that has one, so that others empty. An
/// instance is idle when nobody holds it, and its keep-alive counts from then. An instance that is reported as broken, whose request is lost,
/// or that the backend does not know any more gets no further request, and is destroyed when the last of its requests has left: these may
/// still end well, and nobody could tell their callers that they were given up. A lost request may still execute, so its place is not given
/// to another one.
/// </para>
/// </remarks>
public sealed partial class SlotPool : IPoolState, IWakeable
{
    /// <summary>The most arrivals that the policy is told of at one time, however many have waited.</summary>
    private const int MostLearnedAtOnce = 32;

    /// <summary>The most requests that are rejected at one time because the function fails.</summary>
    private const int MostRejectedAtOnce = 256;

    /// <summary>Executions that must have been seen before a wait is foretold from them.</summary>
    private const int FewestDurations = 16;

    /// <summary>The shortest and the longest time after which a refused caller is asked to come again, µs.</summary>
    private const long ShortestRetryUs = 100_000;

    private const long LongestRetryUs = 30_000_000;

    /// <summary>When what was too much for one event goes on, µs.</summary>
    private const long GoOnAfterUs = 1000;

    private IKeepAlivePolicy _policy;
    private readonly SlotPoolOptions _options;
    private readonly SlotRegistry _registry;
    private readonly SlotInventory _inventory;
    private readonly WaitingLine _line = new();
    private readonly RetryPause _pause;
    private readonly bool _shares;
    private readonly ISlotLessor? _lessor;
    private readonly long _createTimeoutUs;
    private readonly long _initTimeoutUs;
    private readonly long _destroyTimeoutUs;

    private double? _latencyPriceGbs;
    private SharedExecutions? _shared;
    private long? _assignmentLimitUs;
    private long _nowUs;
    private long _nextWakeUs = long.MaxValue;
    private bool _draining;
    private bool _probeOwed;
    private bool _plansAhead;
    private double _holdingShare = 1;

    /// <param name="function">The function.</param>
    /// <param name="policy">Its policy; used by this pool alone.</param>
    /// <param name="options">Limits.</param>
    /// <param name="registry">Tickets and slot owners, shared by all pools of a scaler.</param>
    /// <param name="ledger">What the run has cost, shared likewise.</param>
    public SlotPool(FunctionMeta function, IKeepAlivePolicy policy, SlotPoolOptions options, SlotRegistry registry, ScoreLedger ledger)
        : this(function, policy, options, registry, ledger, lessor: null)
    {
    }

    /// <param name="lessor">Whose slots they are; null where the pool has them from the backend itself.</param>
    internal SlotPool(
        FunctionMeta function, IKeepAlivePolicy policy, SlotPoolOptions options, SlotRegistry registry, ScoreLedger ledger, ISlotLessor? lessor)
    {
        ArgumentNullException.ThrowIfNull(function);
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(options);
        function.Check();
        options.Validate();
        Function = function;
        Ledger = ledger;
        _policy = policy;
        _options = options;
        _registry = registry;
        _inventory = new SlotInventory(registry, ledger) { Function = function };
        _pause = new RetryPause(options, registry);
        _shares = options.Waiting && policy.Waits;
        _lessor = lessor;
        _createTimeoutUs = options.CreateTimeout.ToUs();
        _initTimeoutUs = options.InitTimeout.ToUs();
        _destroyTimeoutUs = options.DestroyTimeout.ToUs();
        _latencyPriceGbs = options.PriceGbs(function.Key);
        _assignmentLimitUs = options.AssignmentLimitUs(function);
        SetPlaces();
    }

    public FunctionMeta Function { get; private set; }

    public FunctionStatistics Statistics { get; private set; } = new();

    public ScoreLedger Ledger { get; }

    // To hold at a share of the memory's cost is to hold at a price that is so much higher.
    double? IPoolState.LatencyPriceGbs => (_options.PriceNowGbs is { } now ? now(Function.Key) : _latencyPriceGbs) / _holdingShare;

    TimeSpan? IPoolState.Slo => Limits.Slo;

    double IPoolState.CreatePriceSeconds => (_options.CreatePriceSeconds?.Invoke() ?? 0) + PlacementPriceSeconds;

    /// <summary>Instances that requests hold.</summary>
    public int BusyCount => _inventory.Busy;

    /// <summary>Requests that hold an instance.</summary>
    public int ExecutingCount => _inventory.Executing;

    /// <summary>How many requests one instance serves at a time now, from 1 to the function's limit.</summary>
    public int Places { get; private set; } = 1;

    /// <summary>Instances that are ready and unused.</summary>
    public int IdleCount => _inventory.Idle;

    /// <summary>Slots being created or initialised, or about to be, whose answer may still serve a request.</summary>
    public int InFlightCount => _inventory.InFlight;

    /// <summary>Those of <see cref="InFlightCount"/> that have been created and are being initialised.</summary>
    public int InitializingCount => _inventory.Initializing;

    /// <summary>Requests without an instance.</summary>
    public int WaiterCount => _line.Count;

    /// <summary>Slots in the inventory, in whatever state.</summary>
    public int SlotCount => _inventory.Count;

    /// <summary>When Tick is to be called next, µs; <see cref="long.MaxValue"/> when nothing is due. Hosts read it after each event.</summary>
    public long NextWakeUs => _nextWakeUs;

    long IWakeable.ArmedForUs { get; set; } = long.MaxValue;

    /// <summary>What the backend said when it last failed; null once an instance is ready again.</summary>
    public string? LastFailure => _pause.LastFailure;

    /// <summary>A snapshot of the inventory, for tests, statistics and persistence.</summary>
    public IEnumerable<SlotSnapshot> Slots =>
        _inventory.All.Select(s => new SlotSnapshot(s.Ticket, s.State, s.BackendId, s.Instance, s.Request, s.MemoryMb, s.Requests, s.Doomed));

    /// <summary>The requests that hold an instance, with the instance of each.</summary>
    public IEnumerable<(RequestId Request, InstanceId Instance)> Assignments => _inventory.InUse.Select(p => (p.Request, p.Slot.Instance));

    /// <summary>Why requests that find no instance are rejected at once: the function's instances fail to start; null where they do not.</summary>
    public string? Failing => _pause.Failing ? _pause.FailingWords : null;

    private bool FailsFast => _pause.Failing && BusyCount == 0 && IdleCount == 0;

    /// <summary>No slot is asked for before this time, µs.</summary>
    private long MayCreateUs => Math.Max(_pause.UntilUs, _registry.CreatesHeldUntilUs);

    private PoolView View => new(this, _nowUs);

    /// <summary>What the policy knows and does; null when it is none that explains. Changes nothing.</summary>
    public PolicyExplanation? Explain(long nowUs) => _policy is IExplainablePolicy policy
        ? policy.Explain(new PoolView(this, Math.Max(nowUs, _nowUs))) with
        {
            Failing = Failing,
            Concurrency = ExplainConcurrency(),
            Limits = Limits == FunctionLimits.None ? null : Limits,
            Groups = Expected?.Explain(Math.Max(nowUs, _nowUs)),
            LimitsCost = LimitsCost(nowUs),
        }
        : null;

    /// <summary>What the policy tells operators at <paramref name="nowUs"/>; nulls where it has nothing to tell.</summary>
    public (double? ArrivalsPerSecond, double? PriceGbsPerSecond) DescribePolicy(long nowUs)
    {
        var view = new PoolView(this, nowUs);
        return _policy is IPolicyMetrics metrics ? (metrics.PredictArrivalsPerSecond(view), metrics.PriceGbsPerSecond(view)) : (null, null);
    }

    /// <summary>
    /// A request wants an instance. Leads to exactly one Grant or Reject, now or later. A repeated Assign of a request that is waiting
    /// joins the first one; of a request that holds an instance, grants the same instance again.
    /// </summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="request">The request.</param>
    /// <param name="deadlineUs">When to reject it at the latest; <see cref="long.MaxValue"/> for never.</param>
    /// <param name="effects">Where effects are added.</param>
    /// <returns>Whether it was taken in as a new request: neither repeated nor refused.</returns>
    public bool Assign(long nowUs, RequestId request, long deadlineUs, List<Effect> effects)
    {
        var isNew = AssignFirst(nowUs, request, deadlineUs, effects);
        if (isNew)
        {
            Settle(effects);
        }

        return isNew;
    }

    /// <summary>The decision of <see cref="Assign"/> alone; what the request teaches is learned by <see cref="Settle"/>, before any other event.</summary>
    /// <returns>Whether anything is to be settled.</returns>
    internal bool AssignFirst(long nowUs, RequestId request, long deadlineUs, List<Effect> effects)
    {
        Advance(nowUs);
        if ((_inventory.HeldBy(request) ?? Recognise(request, instance: null)) is { } held)
        {
            held.Callers++;
            effects.Add(Effect.Grant(Function, request, held.Ticket, held.Slot.Instance, held.Slot.BackendId, GrantKind.Warm, held.Slot.Address));
            return false;
        }

        if (_line.Find(request) is { } joined)
        {
            joined.Callers++;
            return false;
        }

        if (_draining)
        {
            effects.Add(Effect.Reject(Function, request, RejectReason.ShuttingDown, "the scaler is stopping"));
            return false;
        }

        var free = Suspended ? null : NextUsable();
        if (free is null && WhyNotWait(deadlineUs) is { } overload)
        {
            // Before anything is learned or asked for: what is refused should cost as little as it can.
            Ledger.RequestFailed();
            effects.Add(Effect.Reject(Function, request, RejectReason.Overloaded, overload, RetryAfterUs()));
            return false;
        }

        Statistics.RequestArrived(_nowUs);
        _lessor?.RequestCame(_nowUs);
        _policy.RequestArrived(View);
        Expected?.ChildCame(_nowUs);
        if (free is { } slot)
        {
            Grant(slot, request, GrantKind.Warm, waitedUs: 0, callers: 1, effects);
        }
        else
        {
            LearnDemand();
            _line.Add(request, _nowUs, deadlineUs);
            _registry.Waiting++;
            WakeBy(deadlineUs);
            if (!FailsFast)
            {
                var joins = _shares || _line.BindLast(Places);
                var wanted = _policy.CreateOnMiss(View);
                CreateOrOwe(joins ? wanted : Math.Max(1, wanted), effects);
            }
        }

        return true;
    }

    /// <summary>A request is done with its instance.</summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="request">The request.</param>
    /// <param name="instance">The instance it was granted.</param>
    /// <param name="result">What the caller reports.</param>
    /// <param name="effects">Where effects are added.</param>
    public ReleaseOutcome Release(long nowUs, RequestId request, InstanceId instance, in ReleaseResult result, List<Effect> effects)
    {
        var outcome = ReleaseFirst(nowUs, request, instance, result, effects);
        if (outcome == ReleaseOutcome.Released)
        {
            Settle(effects);
        }

        return outcome;
    }

    /// <summary>The same, but what follows a release that was taken in is left to <see cref="Settle"/>, which is to be called before any other event.</summary>
    internal ReleaseOutcome ReleaseFirst(long nowUs, RequestId request, InstanceId instance, in ReleaseResult result, List<Effect> effects)
    {
        if ((_inventory.HeldBy(request) ?? Recognise(request, instance)) is not { Slot: var slot } place)
        {
            return ReleaseOutcome.UnknownAssignment;
        }

        if (slot.Instance != instance)
        {
            return ReleaseOutcome.InstanceMismatch;
        }

        Advance(nowUs);
        slot.Uses++;
        var places = Places;
        if (result.DurationUs > 0)
        {
            Statistics.Executed(result.DurationUs, _nowUs);
            LearnSharing(place, result.DurationUs);
        }

        Ledger.RequestServed(result.DurationUs, slot.Use.Ended(_nowUs, result.DurationUs), slot.MemoryMb, place.WaitedUs, 0);
        RequestEnded(place.WaitedUs, result.DurationUs);
        _inventory.Leave(place, _nowUs);
        if (result.NeedDestroy)
        {
            LoseWhenEmpty(slot, "the caller reports the instance as broken", effects);
        }
        else if (!slot.Doomed)
        {
            Offer(slot, GrantKind.Waited, effects);
        }
        else if (slot.Requests == 0)
        {
            // In flight, as it were, it would be taken for broken by a lessor.
            _inventory.Become(slot, SlotState.Idle, _nowUs);
            Lose(slot, slot.DestroyReason.Length > 0 ? slot.DestroyReason : "it no longer fits its function or its backend", effects);
        }

        ServeNewPlaces(places, effects);
        return ReleaseOutcome.Released;
    }

    /// <summary>
    /// One caller of a request has gone away, or could not be told of its instance. With the last of them a waiting request is rejected,
    /// and an instance that was granted is taken back. Does nothing for an unknown request.
    /// </summary>
    public void Abandon(long nowUs, RequestId request, List<Effect> effects)
    {
        Advance(nowUs);
        if (_line.Find(request) is { } waiter)
        {
            if (--waiter.Callers == 0)
            {
                Reject(waiter, RejectReason.Cancelled, "the caller went away", effects);
                Settle(effects);
            }
        }
        else if (_inventory.HeldBy(request) is { } place && --place.Callers == 0)
        {
            Release(nowUs, request, place.Slot.Instance, default, effects);
        }
    }

    /// <summary>The backend has created a slot. May come late, twice, or for a ticket that nobody waits for any more.</summary>
    public void SlotCreated(long nowUs, SlotTicket ticket, BackendSlotId backendId, List<Effect> effects)
    {
        Advance(nowUs);
        if (_inventory.Find(ticket) is not { State: SlotState.Creating or SlotState.Held } slot)
        {
            if (!_registry.TryGetOwner(backendId, out _))
            {
                // Given up before its id was known: now it can be destroyed by name.
                Adopt(backendId, "created under a ticket that was given up", graceUs: 0, effects);
            }

            return;
        }

        if (!_inventory.TryClaim(slot, backendId))
        {
            // The backend hands out a slot that is in use. Using it twice would be worse than one more try; destroying it, worse still.
            Drop(slot);
            RetryLater(slot, new SlotFailure(FailureKind.Transient, $"the backend returned slot {backendId}, which is in use"), effects);
            Settle(effects);
            return;
        }

        if (slot.State == SlotState.Creating)
        {
            Statistics.Create.Add(_nowUs - slot.AskedUs);
            _registry.Worked(slot.AskedUs);
        }

        _inventory.CountOn(slot, !slot.Doomed);
        var needed = slot.BoundTo is { Count: > 0 } || _line.Count > (long)InitializingCount * Places;
        if (slot.Doomed || (!needed && (_draining || !(slot.Standby || _policy.KeepSurplus(View)))))
        {
            Destroy(slot, "no request needs it any more", effects);
        }
        else
        {
            AskInit(slot, effects);
        }

        Settle(effects);
    }

    /// <summary>The backend has initialised a slot. Late and repeated answers change nothing.</summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="ticket">The slot's.</param>
    /// <param name="effects">Where effects are added.</param>
    /// <param name="address">Where the instance is reached; null where the platform has no addresses.</param>
    public void SlotReady(long nowUs, SlotTicket ticket, List<Effect> effects, Uri? address = null)
    {
        Advance(nowUs);
        if (_inventory.Find(ticket) is not { State: SlotState.Initializing } slot)
        {
            return;
        }

        slot.Address = address;

        _pause.Succeeded();
        _registry.Worked(slot.AskedUs);
        Statistics.Init.Add(_nowUs - slot.AskedUs);
        if (slot.Doomed)
        {
            _inventory.Become(slot, SlotState.Idle, _nowUs);
            Destroy(slot, "its function's settings have changed", effects);
        }
        else
        {
            Offer(slot, GrantKind.Cold, effects);
        }

        Settle(effects);
    }

    /// <summary>A create, init or destroy has failed; which one follows from the slot's state.</summary>
    public void SlotFailed(long nowUs, SlotTicket ticket, SlotFailure failure, List<Effect> effects)
    {
        ArgumentNullException.ThrowIfNull(failure);
        Advance(nowUs);
        if (_inventory.Find(ticket) is not { } slot)
        {
            if (failure.OutcomeUnknown && _lessor is null)
            {
                // Given up, as no list had it; the creation may have taken effect since, and only its ticket names it.
                var lost = new Slot(ticket, Function.MemoryMb, _nowUs) { DestroyReason = "created under a ticket that was given up" };
                _inventory.Add(lost, SlotState.Destroying);
                AskDestroy(lost, effects);
                Settle(effects);
            }

            return;
        }

        var starting = slot.State == SlotState.Initializing;
        var counted = starting ? !slot.Doomed : !slot.Abandoned;
        switch (slot.State)
        {
            case SlotState.Creating when failure.OutcomeUnknown:
            case SlotState.Creating or SlotState.Held when slot.MayExist:
                Destroy(slot, "the outcome of its creation is unknown", effects);
                break;
            case SlotState.Creating or SlotState.Held:
                Drop(slot);
                break;
            case SlotState.Initializing:
                Destroy(slot, "its initialisation failed", effects);
                break;
            case SlotState.Destroying:
                slot.DestroyAttempts++;
                slot.DueUs = _nowUs + Math.Max(failure.RetryAfterUs, _options.DestroyPauseUs(slot.DestroyAttempts));
                slot.DestroyAsked = false;
                WakeBy(slot.DueUs);
                counted = false;
                break;
            case SlotState.Idle:
            case SlotState.Busy:
            case SlotState.Adopted:
            default:
                counted = false;
                break;
        }

        if (counted)
        {
            RetryLater(slot, failure, effects, starting);
        }

        Settle(effects);
    }

    /// <summary>The backend confirms that a slot is gone.</summary>
    public void SlotDestroyed(long nowUs, SlotTicket ticket, List<Effect> effects)
    {
        Advance(nowUs);
        if (_inventory.Find(ticket) is { State: SlotState.Destroying } slot)
        {
            _registry.Worked(slot.AskedUs);
            Drop(slot);
            Settle(effects);
        }
    }

    /// <summary>
    /// The function's time-outs or its concurrency have changed. Memory and runtime may change only while the pool has no slot: instances with
    /// other settings are in a pool of their own (<see cref="FunctionPools"/>).
    /// </summary>
    public void UpdateFunction(long nowUs, FunctionMeta function, List<Effect> effects)
    {
        ArgumentNullException.ThrowIfNull(function);
        function.Check();
        Debug.Assert(
            _inventory.Count == 0 || (function.MemoryMb == Function.MemoryMb && function.Runtime == Function.Runtime), "a pool's slots are all alike");
        Advance(nowUs);
        Function = function;
        _inventory.Function = function;
        _assignmentLimitUs = _options.AssignmentLimitUs(function);
        var places = Places;
        SetPlaces();
        ServeNewPlaces(places, effects);
    }

    /// <summary>Stops the pool: new requests are rejected, waiting ones still served, and every instance is destroyed once unused.</summary>
    public void Drain(long nowUs, List<Effect> effects)
    {
        Advance(nowUs);
        _draining = true;
        while (IdleCount > 0)
        {
            Destroy(_inventory.IdleAt(0), "the scaler is stopping", effects);
        }

        foreach (var slot in _inventory.All.Where(s => s.State == SlotState.Adopted).ToList())
        {
            Destroy(slot, "the scaler is stopping", effects);
        }

        Settle(effects);
    }

    /// <summary>Rejects all who wait, because nobody is going to serve them any more: the scaler has stopped being patient.</summary>
    public void RejectWaiting(long nowUs, List<Effect> effects)
    {
        Advance(nowUs);
        _draining = true;
        while (_line.First is { } waiter)
        {
            Reject(waiter, RejectReason.ShuttingDown, "the scaler is stopping", effects);
        }

        Settle(effects);
    }

    /// <summary>Lets the policy look again, as after every change, although nothing has changed in this pool.</summary>
    public void Review(long nowUs, List<Effect> effects)
    {
        Advance(nowUs);
        Settle(effects);
    }

    /// <summary>Does what is due at this time.</summary>
    public void Tick(long nowUs, List<Effect> effects)
    {
        Advance(nowUs);
        if (_nowUs < _nextWakeUs)
        {
            return;
        }

        _nextWakeUs = long.MaxValue;
        foreach (var waiter in _line.Overdue(_nowUs) ?? [])
        {
            Reject(waiter, RejectReason.DeadlineExceeded, WaitedInVain(), effects);
        }

        WakeBy(_line.NextDeadlineUs);
        List<Slot>? due = null;
        foreach (var slot in _inventory.All)
        {
            var dueUs = DueOf(slot);
            if (dueUs <= _nowUs)
            {
                (due ??= []).Add(slot);
            }
            else
            {
                WakeBy(dueUs);
            }
        }

        foreach (var slot in due ?? [])
        {
            // What is done about one may settle another.
            if (DueOf(slot) <= _nowUs)
            {
                DoWhatIsDue(slot, effects);
            }
        }

        if (_pause.Owed > 0 && MayCreateUs <= _nowUs)
        {
            CreateOrOwe(Math.Min(_pause.TakeOwed(), Missing), effects);
        }
        else if (_pause.Owed > 0)
        {
            WakeBy(MayCreateUs);
        }

        Settle(effects);
    }

    /// <summary>Checks, at a cost that grows with the pool, all that it promises to hold between events.</summary>
    /// <exception cref="InvalidOperationException">Something does not hold; says what.</exception>
    public void CheckInvariants()
    {
        _inventory.CheckInvariants();
        _line.CheckInvariants();
        Invariant.Holds(Statistics.Active == ExecutingCount + WaiterCount, "each active request waits or holds an instance");
        Invariant.Holds(!_shares || Suspended || WaiterCount == 0 || _inventory.Usable(Places) is null, "nobody waits beside a free place");
        Invariant.Holds(Places >= 1 && Places <= Concurrency, "no more requests share an instance than the function allows");
        Invariant.Holds(
            WaiterCount == 0 || FailsFast || BusyCount > 0 || InFlightCount > 0 || _pause.Owed > 0 || IsFull,
            "nobody waits with nothing under way");
        Invariant.Holds(_line.Bound.All(w => _inventory.Find(w.BoundTo!.Ticket) == w.BoundTo), "a request that is said to have a slot of its own has one");
        Invariant.Holds(_nextWakeUs <= _line.NextDeadlineUs, "the pool wakes at the next deadline");
        Invariant.Holds(_pause.Owed == 0 || _nextWakeUs <= Math.Max(_pause.WakeUs, _registry.CreatesHeldUntilUs), "the pool wakes when it may try again");
        foreach (var slot in _inventory.All)
        {
            Invariant.Holds(_nextWakeUs <= DueOf(slot), "the pool wakes when the next slot is due");
            Invariant.Holds(slot.Requests <= slot.MostRequests, "an instance is held by no more requests than its function allows");
            Invariant.Holds(_lessor is null || slot.State != SlotState.Destroying, "leased slots are given back, not destroyed");
        }

        Invariant.Holds(_inventory.InUse.All(p => !_line.Contains(p.Request)), "a request does not wait while it holds an instance");
    }

    private void Advance(long nowUs)
    {
        if (WaitsForCeiling)
        {
            _ceilingWaitUs += Math.Max(0, nowUs - _nowUs) * _line.Count;
        }

        _nowUs = Math.Max(_nowUs, nowUs);
    }

    private void WakeBy(long atUs) => _nextWakeUs = Math.Min(_nextWakeUs, atUs);

    /// <summary>What follows every event: requests are never stranded, and the policy may prepare.</summary>
    internal void Settle(List<Effect> effects)
    {
        LearnDemand();
        if (FailsFast)
        {
            RejectAsFailing(effects);
        }
        else if (_line.Count > 0 && InFlightCount == 0 && BusyCount == _inventory.Doomed && _pause.Owed == 0)
        {
            CreateOrOwe(1, effects);
        }

        Expected?.Advance(_nowUs);
        if ((_policy.HasStandby || Limits.MinInstances > 0 || Expected is not null) && !_draining)
        {
            Prepare(effects);
        }

        if (_probeOwed)
        {
            Probe(effects);
        }
    }

    /// <summary>What the policy wants ahead of requests. A pool of former settings only runs down.</summary>
    private void Prepare(List<Effect> effects)
    {
        var plan = _policy.HasStandby ? _policy.Standby(View) : StandbyPlan.None;
        var create = IsFormer ? 0 : Math.Max(plan.CreateNow, BelowFloor);
        _plansAhead = create > 0 || plan.ReviewAtUs != long.MaxValue;
        if (create > 0 && _pause.Failing)
        {
            _probeOwed = true;
        }
        else if (create > 0 && _nowUs < _pause.StandbyUntilUs)
        {
            WakeBy(_pause.StandbyUntilUs);
        }
        else
        {
            for (var i = 0; i < create && Create(standby: true, effects); i++)
            {
            }
        }

        WakeBy(Math.Max(Math.Min(plan.ReviewAtUs, Expected?.NextChangeUs ?? long.MaxValue), _nowUs + 1));
        if (Expected is not null)
        {
            FollowExpected(effects);
        }

        if (plan.ReviewIdle)
        {
            for (var i = IdleCount - 1; i >= 0; i--)
            {
                DestroyUnlessKept(_inventory.IdleAt(i), depth: IdleCount - i, "it is not worth keeping", effects);
            }
        }
    }

    /// <summary>Nobody waits for instances that fail to start.</summary>
    private void RejectAsFailing(List<Effect> effects)
    {
        _probeOwed |= _line.Count > 0;
        for (var left = MostRejectedAtOnce; _line.First is { } waiter; left--)
        {
            if (left == 0)
            {
                WakeBy(_nowUs + GoOnAfterUs);
                return;
            }

            Reject(waiter, RejectReason.FunctionFails, _pause.FailingWords, effects);
        }
    }

    /// <summary>While requests for a failing function come, one instance at a time is tried, a pause after the last.</summary>
    private void Probe(List<Effect> effects)
    {
        if (!_pause.Failing || _draining)
        {
            _probeOwed = false;
        }
        else if (_nowUs < _pause.UntilUs)
        {
            WakeBy(_pause.UntilUs);
        }
        else if (InFlightCount == 0)
        {
            _probeOwed = !Create(standby: true, effects);
        }
    }

    /// <summary>Tells the policy of arrivals whose idle gap is known by now: at once, unless requests wait or have waited.</summary>
    private void LearnDemand()
    {
        if (!Statistics.HasOpenDemand)
        {
            return;
        }

        var untilUs = Math.Min(_line.First?.ArrivedUs ?? _nowUs, _nowUs - _inventory.LongestWaitUs());
        for (var left = MostLearnedAtOnce; Statistics.OpenDemandSinceUs <= untilUs; left--)
        {
            if (left == 0)
            {
                // Other functions' events go before the rest.
                WakeBy(_nowUs + GoOnAfterUs);
                return;
            }

            Statistics.NextDemand(untilUs, out var demand);
            _policy.DemandLearned(View, demand);
        }
    }

    /// <summary>A slot is ready, or one of its places is free: the requests that may have it get it. It becomes idle where nobody holds it.</summary>
    private void Offer(Slot slot, GrantKind kind, List<Effect> effects)
    {
        while (!Suspended && slot.Requests < Places && NextFor(slot) is { } waiter)
        {
            Serve(waiter, slot, kind, effects);
        }

        _line.Unbind(slot);
        if (slot.Requests == 0)
        {
            _inventory.Become(slot, SlotState.Idle, _nowUs);
            _options.Placement?.Used(slot.Ticket, busy: false, _nowUs);
            DestroyUnlessKept(slot, depth: 1, "it is not worth keeping", effects);
        }
    }

    /// <summary>Who may have a slot: where requests share what is new the first in line, else those it was created for, then those with no slot to come.</summary>
    private Waiter? NextFor(Slot slot) => _shares ? _line.First : WaitingLine.FirstOf(slot) ?? _line.FirstUnbound();

    /// <summary>Where more requests may share an instance than before, those who wait get the places.</summary>
    private void ServeNewPlaces(int placesBefore, List<Effect> effects)
    {
        while (Places > placesBefore && !Suspended && (_shares ? _line.First : _line.FirstUnbound()) is { } waiter && _inventory.FullestFree(Places) is { } slot)
        {
            Serve(waiter, slot, GrantKind.Waited, effects);
        }
    }

    /// <summary>How many requests share an instance from now on.</summary>
    private void SetPlaces()
    {
        var most = Concurrency;
        if (most > 1)
        {
            _shared ??= new SharedExecutions(_options.MostSlowdown);
            _inventory.Share();
        }

        Places = most > 1 ? _shared!.Places(most) : 1;
        Statistics.Places = Places;
    }

    /// <summary>Learns how long an execution lasts that shares its instance.</summary>
    private void LearnSharing(Place place, long durationUs)
    {
        if (Concurrency > 1)
        {
            _shared!.Add(SlotInventory.MeanRequests(place, _nowUs), durationUs, _nowUs);
            Places = _shared.Places(Concurrency);
            Statistics.Places = Places;
        }
    }

    private ConcurrencyExplanation? ExplainConcurrency() => Concurrency == 1
        ? null
        : new ConcurrencyExplanation(
            Concurrency,
            Places,
            double.IsFinite(_options.MostSlowdown) ? _options.MostSlowdown : null,
            [.. _shared!.Known.Select(k => new SharingExplanation(k.Requests, k.Executions, k.TypicalUs / 1e6, k.Slowdown))]);

    /// <summary>How many instances those who wait need beyond those under way.</summary>
    private int Missing => ((_line.Count + Places - 1) / Places) - InFlightCount;

    private void Serve(Waiter waiter, Slot slot, GrantKind kind, List<Effect> effects)
    {
        Leave(waiter);
        Grant(slot, waiter.Request, kind, _nowUs - waiter.ArrivedUs, waiter.Callers, effects);
    }

    private void Grant(Slot slot, RequestId request, GrantKind kind, long waitedUs, int callers, List<Effect> effects)
    {
        Debug.Assert(!Suspended && !slot.Doomed && !_line.Contains(request), "only what may be used is given, and only once");
        Debug.Assert(slot.Requests < Places, "no more requests get an instance than it has places");
        EndFloor(slot);
        var place = _inventory.Give(slot, request, waitedUs, _nowUs);
        place.Callers = callers;
        place.DueUs = _nowUs + _assignmentLimitUs ?? long.MaxValue;
        _options.Placement?.Used(slot.Ticket, busy: true, _nowUs);
        slot.MostRequests = Concurrency;
        slot.DueUs = slot.Requests == 1 ? place.DueUs : Math.Min(slot.DueUs, place.DueUs);
        WakeBy(slot.DueUs);
        effects.Add(Effect.Grant(Function, request, slot.Ticket, slot.Instance, slot.BackendId, kind, slot.Address));
        _policy.Answered(View, waitedUs);
    }

    private void Leave(Waiter waiter)
    {
        _line.Remove(waiter);
        _registry.Waiting--;
    }

    private void Reject(Waiter waiter, RejectReason reason, string message, List<Effect> effects)
    {
        Leave(waiter);
        Ledger.RequestFailed();
        RequestEnded(waitedUs: 0, executedUs: 0, _nowUs - waiter.ArrivedUs);
        _policy.Answered(View, _nowUs - waiter.ArrivedUs);
        effects.Add(Effect.Reject(Function, waiter.Request, reason, message));
    }

    private string WaitedInVain() => _inventory.Held > 0
        ? "no instance became free within the time allowed, and the backend grants no more creations for now"
        : LastFailure is null
        ? "no instance became free or ready within the time allowed"
        : $"no instance became free or ready within the time allowed; the backend said: {LastFailure}";

    private void RequestEnded(long waitedUs, long executedUs, long? inVainUs = null)
    {
        Statistics.RequestEnded(_nowUs, waitedUs);
        _lessor?.RequestWent(_nowUs, executedUs, inVainUs ?? waitedUs);
    }

    /// <summary>Why one more request may not wait; null where it may.</summary>
    private string? WhyNotWait(long deadlineUs)
    {
        // One function takes at most half of the places where it is alone, and less where others need them.
        var fair = _options.MaxWaitingInTotal - _registry.Waiting;
        if (_line.Count >= (Limits.MaxWaiting ?? _options.MaxWaiting) || _line.Count >= fair)
        {
            return $"{_line.Count} requests for the function wait already, and {_registry.Waiting} for all";
        }

        // Where no further instance may be made, those who wait now are served by the instances that there are, one after the other.
        return deadlineUs != long.MaxValue && IsFull && ExpectedWaitUs(_line.Count + 1) > deadlineUs - _nowUs
            ? "none of the function's instances will be free before the caller's deadline, and it may have no more of them"
            : null;
    }

    /// <summary>How long it takes until so many requests have got an instance that is busy or in flight now, µs; 0 while nothing is known.</summary>
    private double ExpectedWaitUs(int requests) =>
        Statistics.Duration.Count < FewestDurations ? 0 : Statistics.Duration.MeanUs * requests / Math.Max(1, (BusyCount + InFlightCount) * Places);

    /// <summary>When half of those who wait will have been served, µs from now, as far as that is known.</summary>
    private long RetryAfterUs() => (long)Math.Clamp(ExpectedWaitUs((_line.Count / 2) + 1), ShortestRetryUs, LongestRetryUs);

    private void CreateOrOwe(int count, List<Effect> effects)
    {
        if (_nowUs < MayCreateUs)
        {
            _pause.Owe(count);
            WakeBy(MayCreateUs);
            return;
        }

        for (var i = 0; i < count && Create(standby: false, effects); i++)
        {
        }
    }

    private bool Create(bool standby, List<Effect> effects)
    {
        if (IsFull)
        {
            return false;
        }

        var slot = new Slot(_registry.NextTicket(), Function.MemoryMb, _nowUs) { Standby = standby };
        if (!_shares && !standby)
        {
            _line.Bind(slot, Places);
        }

        if (_lessor is null)
        {
            _inventory.Add(slot, SlotState.Creating);
            WakeBy(DueOf(slot));
            effects.Add(Effect.CreateSlot(Function, slot.Ticket, slot.MemoryMb));
        }
        else
        {
            _inventory.Add(slot, SlotState.Held);
            _lessor.SlotWanted(this, _nowUs, slot.Ticket);
        }

        return true;
    }

    private void AskInit(Slot slot, List<Effect> effects)
    {
        _inventory.Become(slot, SlotState.Initializing, _nowUs);
        slot.AskedUs = _nowUs;
        slot.Instance = new InstanceId(_options.InstancePrefix + slot.Ticket);
        WakeBy(DueOf(slot));
        effects.Add(Effect.InitSlot(Function, slot.Ticket, slot.BackendId, slot.Instance));
    }

    /// <summary>Its answer may still come, and a slot with it: it stays in the inventory, but no request counts on it.</summary>
    private void GiveUpOn(Slot slot)
    {
        _inventory.CountOn(slot, false);
        _line.Unbind(slot);
    }

    private void RetryLater(Slot slot, SlotFailure failure, List<Effect> effects, bool starting = false)
    {
        if (failure.Kind == FailureKind.Permanent)
        {
            _pause.Refused(_nowUs, failure.Message);

            // A request that nothing else in flight or busy can serve is told at once; others may still be lucky.
            if (_line.Count > (long)(InFlightCount + BusyCount) * Places)
            {
                Reject(_line.Last!, RejectReason.BackendRefused, $"the backend refuses: {failure.Message}", effects);
            }

            return;
        }

        _pause.Failed(_nowUs, slot.WantedUs, failure, starting);
        WakeBy(_pause.UntilUs);
    }

    /// <summary>Asks the policy until when to keep an idle instance, and gives it back when that is over.</summary>
    private void DestroyUnlessKept(Slot slot, int depth, string reason, List<Effect> effects)
    {
        slot.DueUs = _draining || IsAboveCeiling ? _nowUs : KeepUntilUs(slot, depth);
        if (IsFormer)
        {
            slot.DueUs = Math.Min(slot.DueUs, slot.SinceUs + _options.FormerKeepAlive.ToUs());
        }

        if (slot.DueUs <= _nowUs)
        {
            Destroy(slot, reason, effects);
            return;
        }

        WakeBy(slot.DueUs);
    }

    private long KeepUntilUs(Slot slot, int depth)
    {
        _holdingShare = _options.Placement?.HoldingShare(slot.Ticket) ?? 1;
        var untilUs = _policy.Keep(View, new IdleSlot(slot.Ticket, BusyCount + depth, slot.SinceUs, slot.Uses)).UntilUs;
        _holdingShare = 1;
        EndFloor(slot);
        if (FloorHolds)
        {
            var askAgainUs = BeginFloor(slot, untilUs);
            _options.Placement?.Hold(slot.Ticket, _nowUs, long.MaxValue);
            return askAgainUs;
        }

        return _options.Placement?.Hold(slot.Ticket, _nowUs, untilUs) ?? untilUs;
    }

    /// <summary>An instance gets no further request, and is destroyed as soon as nobody holds it.</summary>
    private void LoseWhenEmpty(Slot slot, string reason, List<Effect> effects)
    {
        if (slot.Requests == 0)
        {
            Lose(slot, reason, effects);
            return;
        }

        slot.DestroyReason = reason;
        _inventory.Doom(slot);
        MakeUpFor(effects);
    }

    /// <summary>A slot that requests may have counted on is destroyed: who still waits may need another.</summary>
    private void Lose(Slot slot, string reason, List<Effect> effects)
    {
        Destroy(slot, reason, effects);
        MakeUpFor(effects);
    }

    /// <summary>An instance serves no more requests: who still waits may need another.</summary>
    private void MakeUpFor(List<Effect> effects)
    {
        // Where each waiter is tied to a slot of its own, none of them has lost anything.
        if (_shares ? _line.Count > 0 : _line.UnboundCount > 0)
        {
            CreateOrOwe(_policy.CreateOnMiss(View), effects);
        }
    }

    private void Destroy(Slot slot, string reason, List<Effect> effects)
    {
        if (_lessor is not null)
        {
            Drop(slot, reason);
            return;
        }

        EndFloor(slot);
        _line.Unbind(slot);
        _inventory.Become(slot, SlotState.Destroying, _nowUs);
        slot.DestroyReason = reason;
        AskDestroy(slot, effects);
    }

    private void AskDestroy(Slot slot, List<Effect> effects)
    {
        slot.DestroyAsked = true;
        slot.AskedUs = _nowUs;
        slot.DueUs = _nowUs + _destroyTimeoutUs;
        WakeBy(slot.DueUs);
        effects.Add(Effect.DestroySlot(Function, slot.Ticket, slot.BackendId, slot.DestroyReason));
    }

    /// <summary>Takes a slot out of the inventory: it does not exist (any more), or its lessor has it back.</summary>
    private void Drop(Slot slot, string? reason = null)
    {
        EndFloor(slot);
        _line.Unbind(slot);
        _lessor?.SlotReturned(this, _nowUs, slot, reason);
        _inventory.Remove(slot, _nowUs);
    }

    private long DueOf(Slot slot) => slot.State switch
    {
        SlotState.Held => long.MaxValue,
        SlotState.Creating => slot.Abandoned ? long.MaxValue : slot.AskedUs + _createTimeoutUs,
        SlotState.Initializing => slot.AskedUs + _initTimeoutUs,
        _ => slot.DueUs,
    };

    private void DoWhatIsDue(Slot slot, List<Effect> effects)
    {
        switch (slot.State)
        {
            case SlotState.Creating:
                GiveUpOn(slot);
                RetryLater(slot, new SlotFailure(FailureKind.Transient, "the backend does not answer CreateSlot"), effects);
                break;

            case SlotState.Initializing:
                SlotFailed(_nowUs, slot.Ticket, new SlotFailure(FailureKind.Transient, "the backend does not answer Init"), effects);
                break;

            case SlotState.Idle:
                DestroyUnlessKept(slot, _inventory.DepthOf(slot), "its keep-alive has ended", effects);
                break;

            case SlotState.Adopted when slot.Doomed || _draining || (IsFormer && _line.Count == 0):
                Destroy(slot, "its function's settings have changed", effects);
                break;

            case SlotState.Adopted:
                AskInit(slot, effects);
                break;

            case SlotState.Busy:
                EndOverdue(slot, effects);
                break;

            case SlotState.Destroying:
                slot.DestroyAttempts += slot.DestroyAsked ? 1 : 0;
                AskDestroy(slot, effects);
                break;

            case SlotState.Held:
            default:
                throw new InvalidOperationException($"Nothing can be due about a slot in state {slot.State}.");
        }
    }

    /// <summary>Requests that have held an instance for too long are taken to be lost.</summary>
    private void EndOverdue(Slot slot, List<Effect> effects)
    {
        RequestId? lost = null;
        slot.DueUs = long.MaxValue;
        for (var place = slot.Newest; place is not null;)
        {
            var older = place.Older;
            if (place.DueUs <= _nowUs)
            {
                lost = place.Request;
                RequestEnded(place.WaitedUs, executedUs: 0);
                _inventory.Leave(place, _nowUs);
            }
            else
            {
                slot.DueUs = Math.Min(slot.DueUs, place.DueUs);
            }

            place = older;
        }

        WakeBy(slot.DueUs);
        if (lost is { } request)
        {
            LoseWhenEmpty(slot, $"request {request} was not released in time", effects);
        }
    }
}
