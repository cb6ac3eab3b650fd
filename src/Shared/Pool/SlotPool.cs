using FuncScaler.Policies;
using FuncScaler.Scoring;
using FuncScaler.Statistics;

namespace FuncScaler.Pool;

/// <summary>
/// The slots, waiting requests and statistics of one function: a deterministic state machine without I/O, clock or tasks. Events come in
/// as method calls with the time, effects go out into a list; hosts run the effects and answer with further events.
/// </summary>
/// <remarks>
/// Whatever the backend answers, late, twice, wrongly or never, these hold: an instance is held by at most one request; each Assign gets
/// exactly one Grant or Reject; a slot whose creation was asked for stays in the inventory until the backend has confirmed that it is
/// gone; a Release that matches no assignment changes nothing. Not safe for concurrent use.
/// </remarks>
public sealed partial class SlotPool : IPoolState
{
    /// <summary>When the backend was asked for a slot whose creation is held back: so far off that no time-out comes due.</summary>
    private const long NotAsked = long.MaxValue / 4;

    /// <summary>The most arrivals that the policy is told of at one time, however many have waited.</summary>
    private const int MostLearnedAtOnce = 32;

    /// <summary>When it is told of the next, µs.</summary>
    private const long LearnAgainAfterUs = 1000;

    private readonly IKeepAlivePolicy _policy;
    private readonly SlotPoolOptions _options;
    private readonly SlotRegistry _registry;
    private readonly bool _waiting;
    private readonly Dictionary<SlotTicket, Slot> _slots = [];
    private readonly Dictionary<RequestId, Slot> _assignments = [];
    private readonly Dictionary<RequestId, LinkedListNode<Waiter>> _waiterIndex = [];
    private readonly LinkedList<Waiter> _waiters = new();

    // Last-in first-out: the most recently freed instance is at the end.
    private readonly List<Slot> _idle = [];

    private long _nowUs;
    private long _nextWakeUs = long.MaxValue;
    private long _announcedWakeUs = long.MaxValue;
    private long _createNotBeforeUs;
    private long _standbyNotBeforeUs;
    private long _lastFailureUs;
    private int _failuresInARow;
    private int _owedCreates;
    private int _busyAfterWait;
    private bool _draining;

    /// <param name="function">The function.</param>
    /// <param name="policy">Its policy; used by this pool alone.</param>
    /// <param name="options">Limits.</param>
    /// <param name="registry">Tickets and slot owners, shared by all pools of a scaler.</param>
    /// <param name="ledger">What the run has cost, shared likewise.</param>
    public SlotPool(FunctionMeta function, IKeepAlivePolicy policy, SlotPoolOptions options, SlotRegistry registry, ScoreLedger ledger)
    {
        ArgumentNullException.ThrowIfNull(function);
        ArgumentOutOfRangeException.ThrowIfLessThan(function.MemoryMb, 1);
        Function = function;
        _policy = policy;
        _options = options;
        _registry = registry;
        Ledger = ledger;
        _waiting = options.Waiting && policy.Waits;
    }

    public FunctionMeta Function { get; private set; }

    public FunctionStatistics Statistics { get; } = new();

    public ScoreLedger Ledger { get; }

    double? IPoolState.LatencyPriceGbs => _options.LatencyPriceGbs;

    double IPoolState.CreatePriceSeconds => _options.CreatePriceSeconds?.Invoke() ?? 0;

    /// <summary>Instances executing a request.</summary>
    public int BusyCount => _assignments.Count;

    /// <summary>Instances that are ready and unused.</summary>
    public int IdleCount => _idle.Count;

    /// <summary>Slots being created or initialised whose answer may still serve a request.</summary>
    public int InFlightCount { get; private set; }

    /// <summary>Those of <see cref="InFlightCount"/> that have been created and are being initialised.</summary>
    public int InitializingCount { get; private set; }

    /// <summary>Requests without an instance.</summary>
    public int WaiterCount => _waiters.Count;

    /// <summary>Slots in the inventory, in whatever state.</summary>
    public int SlotCount => _slots.Count;

    /// <summary>When Tick is to be called next, µs; <see cref="long.MaxValue"/> when nothing is due.</summary>
    public long NextWakeUs => _nextWakeUs;

    /// <summary>What the backend said when it last failed; null once an instance is ready again.</summary>
    public string? LastFailure { get; private set; }

    /// <summary>What the policy knows and does; null when it is none that explains. Changes nothing.</summary>
    public PolicyExplanation? Explain(long nowUs) => (_policy as IExplainablePolicy)?.Explain(new PoolView(this, Math.Max(nowUs, _nowUs)));

    /// <summary>A snapshot of the inventory, for tests, statistics and persistence.</summary>
    public IEnumerable<SlotSnapshot> Slots => _slots.Values.Select(s => new SlotSnapshot(s.Ticket, s.State, s.BackendId, s.Instance, s.Request, s.MemoryMb));

    /// <summary>
    /// A request wants an instance. Leads to exactly one Grant or Reject, now or later. A repeated Assign of a request that is waiting
    /// joins the first one; of a request that holds an instance, grants the same instance again.
    /// </summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="request">The request.</param>
    /// <param name="deadlineUs">When to reject it at the latest; <see cref="long.MaxValue"/> for never.</param>
    /// <param name="effects">Where effects are added.</param>
    public void Assign(long nowUs, RequestId request, long deadlineUs, List<Effect> effects)
    {
        Advance(nowUs);
        if (_assignments.TryGetValue(request, out var held))
        {
            effects.Add(Effect.Grant(Function, request, held.Ticket, held.Instance, held.BackendId, GrantKind.Warm));
            return;
        }

        if (_waiterIndex.ContainsKey(request))
        {
            return;
        }

        if (_draining)
        {
            effects.Add(Effect.Reject(Function, request, RejectReason.ShuttingDown, "the scaler is stopping"));
            return;
        }

        Statistics.RequestArrived(_nowUs);
        _policy.RequestArrived(View);
        LearnDemand();
        if (_idle.Count > 0 && !_suspended)
        {
            var slot = _idle[^1];
            _idle.RemoveAt(_idle.Count - 1);
            Grant(slot, request, GrantKind.Warm, waitedUs: 0, effects);
        }
        else
        {
            var waiter = new Waiter(request, _nowUs, deadlineUs);
            _waiterIndex.Add(request, _waiters.AddLast(waiter));
            WakeBy(deadlineUs);
            var wanted = _policy.CreateOnMiss(View);
            if (!_waiting)
            {
                wanted = Math.Max(1, wanted);
            }

            CreateOrOwe(wanted, effects);
        }

        Settle(effects);
    }

    /// <summary>A request is done with its instance.</summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="request">The request.</param>
    /// <param name="instance">The instance it was granted.</param>
    /// <param name="result">What the caller reports.</param>
    /// <param name="effects">Where effects are added.</param>
    public ReleaseOutcome Release(long nowUs, RequestId request, InstanceId instance, in ReleaseResult result, List<Effect> effects)
    {
        if (!_assignments.TryGetValue(request, out var slot))
        {
            return ReleaseOutcome.UnknownAssignment;
        }

        if (slot.Instance != instance)
        {
            return ReleaseOutcome.InstanceMismatch;
        }

        Advance(nowUs);
        slot.Uses++;
        if (result.DurationUs > 0)
        {
            Statistics.Executed(result.DurationUs, _nowUs);
        }

        Ledger.RequestServed(result.DurationUs, slot.MemoryMb, slot.WaitedUs, 0);
        EndUse(slot);
        if (result.NeedDestroy)
        {
            Lose(slot, "the caller reports the instance as broken", effects);
        }
        else if (slot.Doomed)
        {
            Lose(slot, "it no longer fits its function or its backend", effects);
        }
        else
        {
            Offer(slot, GrantKind.Waited, effects);
        }

        Settle(effects);
        return ReleaseOutcome.Released;
    }

    /// <summary>
    /// The caller of a request has gone away: a waiting request is rejected, an instance it was already granted is taken back. Does
    /// nothing for an unknown request.
    /// </summary>
    public void Abandon(long nowUs, RequestId request, List<Effect> effects)
    {
        Advance(nowUs);
        if (_waiterIndex.TryGetValue(request, out var node))
        {
            RejectWaiter(node, RejectReason.Cancelled, "the caller went away", effects);
            Settle(effects);
        }
        else if (_assignments.TryGetValue(request, out var slot))
        {
            Release(nowUs, request, slot.Instance, default, effects);
        }
    }

    /// <summary>The backend has created a slot. May come late, twice, or for a ticket that nobody waits for any more.</summary>
    public void SlotCreated(long nowUs, SlotTicket ticket, BackendSlotId backendId, List<Effect> effects)
    {
        Advance(nowUs);
        if (!_slots.TryGetValue(ticket, out var slot) || slot.State != SlotState.Creating)
        {
            if (!_registry.TryGetOwner(backendId, out _))
            {
                // Given up before its id was known: now it can be destroyed by name.
                Adopt(backendId, "created under a ticket that was given up", graceUs: 0, effects);
                Announce(effects);
            }

            return;
        }

        if (!_registry.TryClaim(backendId, ticket))
        {
            // The backend hands out a slot that is in use. Using it twice would be worse than one more try; destroying it, worse still.
            Drop(slot);
            RetryLater(slot, new SlotFailure(FailureKind.Transient, $"the backend returned slot {backendId}, which is in use"), effects);
            Settle(effects);
            return;
        }

        slot.BackendId = backendId;
        Statistics.Create.Add(_nowUs - slot.AskedUs);
        SetState(slot, slot.State, abandoned: slot.Doomed);
        var needed = (slot.BoundTo is { } bound && _waiterIndex.ContainsKey(bound)) || _waiters.Count > InitializingCount;
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
    public void SlotReady(long nowUs, SlotTicket ticket, List<Effect> effects)
    {
        Advance(nowUs);
        if (!_slots.TryGetValue(ticket, out var slot) || slot.State != SlotState.Initializing)
        {
            return;
        }

        _failuresInARow = 0;
        LastFailure = null;
        Statistics.Init.Add(_nowUs - slot.AskedUs);
        if (slot.Doomed)
        {
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
        Advance(nowUs);
        if (!_slots.TryGetValue(ticket, out var slot))
        {
            return;
        }

        switch (slot.State)
        {
            case SlotState.Creating:
                var wasAbandoned = slot.Abandoned;
                if (failure.OutcomeUnknown)
                {
                    Destroy(slot, "the outcome of its creation is unknown", effects);
                }
                else
                {
                    Drop(slot);
                }

                if (!wasAbandoned)
                {
                    RetryLater(slot, failure, effects);
                }

                break;

            case SlotState.Initializing:
                var wasDoomed = slot.Doomed;
                Destroy(slot, "its initialisation failed", effects);
                if (!wasDoomed)
                {
                    RetryLater(slot, failure, effects);
                }

                break;

            case SlotState.Destroying:
                slot.DestroyAttempts++;
                slot.DueUs = _nowUs + Math.Max(failure.RetryAfterUs, _options.RetryPauseUs(slot.DestroyAttempts));
                slot.Asked = false;
                WakeBy(slot.DueUs);
                break;

            case SlotState.Idle:
            case SlotState.Busy:
            case SlotState.Adopted:
            default:
                break;
        }

        Settle(effects);
    }

    /// <summary>The backend confirms that a slot is gone.</summary>
    public void SlotDestroyed(long nowUs, SlotTicket ticket, List<Effect> effects)
    {
        Advance(nowUs);
        if (_slots.TryGetValue(ticket, out var slot) && slot.State == SlotState.Destroying)
        {
            Drop(slot);
            Settle(effects);
        }
    }

    /// <summary>
    /// Compares the inventory with the backend's own list. Slots of ours that it does not know are given up (a busy one when it is
    /// released), also those whose CreateSlot went unanswered; a slot that answers a lost creation is taken as created.
    /// </summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="askedUs">When the list was asked for: younger slots may be missing from it.</param>
    /// <param name="listed">The list, possibly of all pools' slots.</param>
    /// <param name="effects">Where effects are added.</param>
    public void Reconcile(long nowUs, long askedUs, IReadOnlyDictionary<BackendSlotId, ListedSlot> listed, List<Effect> effects)
    {
        Advance(nowUs);
        foreach (var slot in listed.Values)
        {
            if (slot.Ticket != default && _slots.TryGetValue(slot.Ticket, out var own) && own.BackendId == default)
            {
                SlotCreated(nowUs, slot.Ticket, slot.Id, effects);
            }
        }

        foreach (var slot in _slots.Values.Where(s => IsMissing(s, askedUs, listed)).ToList())
        {
            switch (slot.State)
            {
                case SlotState.Busy:
                    slot.Doomed = true;
                    break;
                case SlotState.Initializing:
                    Drop(slot);
                    RetryLater(slot, new SlotFailure(FailureKind.Transient, "the backend does not know the slot any more"), effects);
                    break;
                case SlotState.Idle:
                case SlotState.Adopted:
                case SlotState.Destroying:
                    _idle.Remove(slot);
                    Drop(slot);
                    break;
                case SlotState.Creating:
                    Drop(slot);
                    break;
                default:
                    break;
            }
        }

        Settle(effects);
    }

    /// <summary>Takes a slot that the backend lists and nobody owns into the inventory, to destroy it.</summary>
    public void Adopt(long nowUs, BackendSlotId backendId, List<Effect> effects)
    {
        Advance(nowUs);
        Adopt(backendId, "the backend lists it and nobody owns it", _options.OrphanGraceUs, effects);
        Settle(effects);
    }

    /// <summary>
    /// Takes an instance of this function that a former run of the scaler has left into the inventory: held back until none of that run's
    /// requests can still execute in it, then initialised again and offered.
    /// </summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="backendId">The backend's id; nothing happens when a ticket holds it already.</param>
    /// <param name="usableFromUs">Until when it is held back.</param>
    /// <param name="effects">Where effects are added.</param>
    public void AdoptInstance(long nowUs, BackendSlotId backendId, long usableFromUs, List<Effect> effects)
    {
        Advance(nowUs);
        var ticket = _registry.NextTicket();
        if (_registry.TryClaim(backendId, ticket))
        {
            var slot = new Slot(ticket, Function.MemoryMb)
            {
                State = SlotState.Adopted,
                BackendId = backendId,
                CreateAskedUs = _nowUs,
                AskedUs = _nowUs,
                DueUs = _draining ? _nowUs : usableFromUs,
            };
            _slots.Add(ticket, slot);
            Ledger.SlotCreated(_nowUs, slot.MemoryMb);
            WakeBy(slot.DueUs);
        }

        Settle(effects);
    }

    /// <summary>
    /// The host holds a creation back, because the backend takes no more of them now: no time-out runs until <see cref="BeginCreate"/>.
    /// </summary>
    /// <returns>False when the slot is not waiting to be created (any more).</returns>
    public bool HoldCreate(SlotTicket ticket)
    {
        if (!_slots.TryGetValue(ticket, out var slot) || slot.State != SlotState.Creating || slot.Abandoned)
        {
            return false;
        }

        slot.AskedUs = NotAsked;
        return true;
    }

    /// <summary>Whether a creation that is held back is still wanted; where not, it leaves the inventory and must not be carried out.</summary>
    public bool KeepHeldCreate(long nowUs, SlotTicket ticket, List<Effect> effects)
    {
        Advance(nowUs);
        if (!_slots.TryGetValue(ticket, out var slot) || slot.State != SlotState.Creating)
        {
            return false;
        }

        var needed = slot.BoundTo is { } bound ? _waiterIndex.ContainsKey(bound) : _waiters.Count > InFlightCount - HeldCount;
        if (!slot.Doomed && (needed || (slot.Standby && !_draining)))
        {
            return true;
        }

        Drop(slot);
        Settle(effects);
        return false;
    }

    /// <summary>The host asks the backend now for a slot whose creation it has held back.</summary>
    public void BeginCreate(long nowUs, SlotTicket ticket, List<Effect> effects)
    {
        Advance(nowUs);
        if (_slots.TryGetValue(ticket, out var slot) && slot.State == SlotState.Creating)
        {
            slot.AskedUs = _nowUs;
            WakeBy(DueOf(slot));
            Announce(effects);
        }
    }

    /// <summary>The function's settings have changed: instances made under the old ones serve no new request.</summary>
    public void UpdateFunction(long nowUs, FunctionMeta function, List<Effect> effects)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(function.MemoryMb, 1);
        Advance(nowUs);
        var remake = function.MemoryMb != Function.MemoryMb || function.Runtime != Function.Runtime;
        Function = function;
        if (!remake)
        {
            return;
        }

        foreach (var slot in _slots.Values.ToList())
        {
            if (slot.State == SlotState.Idle)
            {
                _idle.Remove(slot);
                Destroy(slot, "its function's settings have changed", effects);
            }
            else if (slot.State != SlotState.Destroying && !slot.Doomed)
            {
                slot.Doomed = true;
                if (slot.InFlight)
                {
                    SetState(slot, slot.State, abandoned: true);
                    Unbind(slot);
                    CreateOrOwe(_waiters.Count > InFlightCount ? 1 : 0, effects);
                }
            }
        }

        Settle(effects);
    }

    /// <summary>Stops the pool: new requests are rejected, waiting ones still served, and every instance is destroyed once unused.</summary>
    public void Drain(long nowUs, List<Effect> effects)
    {
        Advance(nowUs);
        _draining = true;
        foreach (var slot in _idle)
        {
            Destroy(slot, "the scaler is stopping", effects);
        }

        _idle.Clear();
        foreach (var slot in _slots.Values.Where(s => s.State == SlotState.Adopted))
        {
            Destroy(slot, "the scaler is stopping", effects);
        }

        Settle(effects);
    }

    /// <summary>What the policy tells operators at <paramref name="nowUs"/>; nulls where it has nothing to tell.</summary>
    public (double? ArrivalsPerSecond, double? PriceGbsPerSecond) DescribePolicy(long nowUs)
    {
        var view = new PoolView(this, nowUs);
        return _policy is IPolicyMetrics metrics ? (metrics.PredictArrivalsPerSecond(view), metrics.PriceGbsPerSecond(view)) : (null, null);
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
            Announce(effects);
            return;
        }

        // The wake-up that was announced is used up by now, and what is due next needs another.
        _nextWakeUs = long.MaxValue;
        _announcedWakeUs = long.MaxValue;
        for (var node = _waiters.First; node is not null;)
        {
            var next = node.Next;
            if (node.Value.DeadlineUs <= _nowUs)
            {
                RejectWaiter(node, RejectReason.DeadlineExceeded, WaitedInVain(), effects);
            }
            else
            {
                WakeBy(node.Value.DeadlineUs);
            }

            node = next;
        }

        List<Slot>? due = null;
        foreach (var slot in _slots.Values)
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

        if (due is not null)
        {
            foreach (var slot in due)
            {
                // What is done about one may settle another.
                if (DueOf(slot) <= _nowUs)
                {
                    Overdue(slot, effects);
                }
            }
        }

        if (_createNotBeforeUs <= _nowUs && _owedCreates > 0)
        {
            var wanted = Math.Min(_owedCreates, _waiters.Count - InFlightCount);
            _owedCreates = 0;
            CreateOrOwe(wanted, effects);
        }
        else if (_owedCreates > 0)
        {
            WakeBy(_createNotBeforeUs);
        }

        Settle(effects);
    }

    /// <summary>
    /// Whether a list that was asked for at a time should have held the slot. A CreateSlot that was overdue by then and is not in the
    /// list had no effect; should its answer come all the same, the slot is adopted and destroyed.
    /// </summary>
    private bool IsMissing(Slot slot, long askedUs, IReadOnlyDictionary<BackendSlotId, ListedSlot> listed) => slot.State == SlotState.Creating
        ? slot.AskedUs + _options.CreateTimeoutUs <= askedUs
        : slot.BackendId != default && slot.AskedUs < askedUs && !listed.ContainsKey(slot.BackendId);

    int IPoolState.CopyBusySince(Span<long> into, int stride)
    {
        var count = 0;
        var seen = 0;
        foreach (var slot in _assignments.Values)
        {
            if (count == into.Length)
            {
                break;
            }

            if (seen++ % stride == 0)
            {
                into[count++] = slot.SinceUs;
            }
        }

        return count;
    }

    int IPoolState.CopyInFlightSince(Span<long> into, int stride)
    {
        var count = 0;
        var seen = 0;
        if (InFlightCount > 0)
        {
            foreach (var slot in _slots.Values)
            {
                if (slot.InFlight && !slot.Abandoned && count < into.Length && seen++ % stride == 0)
                {
                    into[count++] = slot.CreateAskedUs;
                }
            }
        }

        return count;
    }

    private PoolView View => new(this, _nowUs);

    private int HeldCount => _slots.Values.Count(s => s.InFlight && !s.Abandoned && s.AskedUs == NotAsked);

    /// <summary>Tells the policy of arrivals whose idle gap is known by now: at once, unless requests wait or have waited.</summary>
    private void LearnDemand()
    {
        if (!Statistics.HasOpenDemand)
        {
            return;
        }

        var untilUs = _waiters.First?.Value.ArrivedUs ?? _nowUs;
        if (_busyAfterWait > 0)
        {
            foreach (var slot in _assignments.Values)
            {
                untilUs = Math.Min(untilUs, _nowUs - slot.WaitedUs);
            }
        }

        for (var left = MostLearnedAtOnce; Statistics.OpenDemandSinceUs <= untilUs; left--)
        {
            if (left == 0)
            {
                // Other functions' events go before the rest.
                WakeBy(_nowUs + LearnAgainAfterUs);
                return;
            }

            Statistics.NextDemand(untilUs, out var demand);
            _policy.DemandLearned(View, demand);
        }
    }

    private void Advance(long nowUs) => _nowUs = Math.Max(_nowUs, nowUs);

    private void WakeBy(long atUs) => _nextWakeUs = Math.Min(_nextWakeUs, atUs);

    private long DueOf(Slot slot) => slot.State switch
    {
        SlotState.Creating => slot.Abandoned ? long.MaxValue : slot.AskedUs + _options.CreateTimeoutUs,
        SlotState.Initializing => slot.AskedUs + _options.InitTimeoutUs,
        _ => slot.DueUs,
    };

    private void Overdue(Slot slot, List<Effect> effects)
    {
        switch (slot.State)
        {
            case SlotState.Creating:
                // The answer may still come, and a slot with it: the ticket stays in the inventory, but no request counts on it.
                SetState(slot, SlotState.Creating, abandoned: true);
                Unbind(slot);
                RetryLater(slot, new SlotFailure(FailureKind.Transient, "the backend does not answer CreateSlot"), effects);
                break;

            case SlotState.Initializing:
                SlotFailed(_nowUs, slot.Ticket, new SlotFailure(FailureKind.Transient, "the backend does not answer Init"), effects);
                break;

            case SlotState.Idle:
                SetKeepUntil(slot, _idle.Count - _idle.IndexOf(slot));
                if (slot.DueUs <= _nowUs)
                {
                    _idle.Remove(slot);
                    Destroy(slot, "its keep-alive has ended", effects);
                }

                break;

            case SlotState.Adopted when slot.Doomed || _draining:
                Destroy(slot, "its function's settings have changed", effects);
                break;

            case SlotState.Adopted:
                AskInit(slot, effects);
                break;

            case SlotState.Busy:
                var request = slot.Request;
                EndUse(slot);
                Lose(slot, $"request {request} was not released in time", effects);
                break;

            case SlotState.Destroying:
                if (slot.Asked)
                {
                    slot.DestroyAttempts++;
                }

                AskDestroy(slot, effects);
                break;

            default:
                throw new InvalidOperationException($"A slot cannot be in state {slot.State}.");
        }
    }

    /// <summary>A slot is ready and unused: the request that may have it gets it, or it becomes idle.</summary>
    private void Offer(Slot slot, GrantKind kind, List<Effect> effects)
    {
        var node = _suspended ? null : NextFor(slot);
        if (node is not null)
        {
            RemoveWaiter(node);
            Grant(slot, node.Value.Request, kind, _nowUs - node.Value.ArrivedUs, effects);
            return;
        }

        SetState(slot, SlotState.Idle);
        slot.SinceUs = _nowUs;
        _idle.Add(slot);
        SetKeepUntil(slot, 1);
        if (slot.DueUs <= _nowUs)
        {
            _idle.RemoveAt(_idle.Count - 1);
            Destroy(slot, "it is not worth keeping", effects);
        }
    }

    /// <summary>A slot that requests may have counted on is destroyed: who still waits may need another.</summary>
    private void Lose(Slot slot, string reason, List<Effect> effects)
    {
        Destroy(slot, reason, effects);

        // Where each waiter is tied to a slot of its own, none of them has lost anything.
        if (_waiting ? _waiters.Count > 0 : _waiters.Any(w => !w.Bound))
        {
            CreateOrOwe(_policy.CreateOnMiss(View), effects);
        }
    }

    private LinkedListNode<Waiter>? NextFor(Slot slot)
    {
        if (_waiting)
        {
            return _waiters.First;
        }

        if (slot.BoundTo is { } bound)
        {
            slot.BoundTo = null;
            if (_waiterIndex.TryGetValue(bound, out var own))
            {
                return own;
            }
        }

        for (var node = _waiters.First; node is not null; node = node.Next)
        {
            if (!node.Value.Bound)
            {
                return node;
            }
        }

        return null;
    }

    private void SetKeepUntil(Slot slot, int depth)
    {
        slot.DueUs = _draining ? _nowUs : _policy.KeepUntilUs(View, new IdleSlot(slot.Ticket, BusyCount + depth, slot.SinceUs, slot.Uses));
        if (slot.DueUs > _nowUs)
        {
            WakeBy(slot.DueUs);
        }
    }

    private void Grant(Slot slot, RequestId request, GrantKind kind, long waitedUs, List<Effect> effects)
    {
        SetState(slot, SlotState.Busy);
        slot.SinceUs = _nowUs;
        slot.Request = request;
        slot.WaitedUs = waitedUs;
        _busyAfterWait += waitedUs > 0 ? 1 : 0;
        slot.DueUs = long.MaxValue;
        if (_options.AssignmentLimitUs(Function) is { } limitUs)
        {
            slot.DueUs = _nowUs + limitUs;
            WakeBy(slot.DueUs);
        }

        _assignments.Add(request, slot);
        effects.Add(Effect.Grant(Function, request, slot.Ticket, slot.Instance, slot.BackendId, kind));
    }

    /// <summary>A request no longer holds an instance.</summary>
    private void EndUse(Slot slot)
    {
        _assignments.Remove(slot.Request);
        slot.Request = default;
        _busyAfterWait -= slot.WaitedUs > 0 ? 1 : 0;
        Statistics.RequestEnded(_nowUs, slot.WaitedUs);
    }

    private void RejectWaiter(LinkedListNode<Waiter> node, RejectReason reason, string message, List<Effect> effects)
    {
        RemoveWaiter(node);
        Statistics.RequestEnded(_nowUs);
        Ledger.RequestFailed();
        effects.Add(Effect.Reject(Function, node.Value.Request, reason, message));
    }

    private void RemoveWaiter(LinkedListNode<Waiter> node)
    {
        _waiters.Remove(node);
        _waiterIndex.Remove(node.Value.Request);
    }

    private string WaitedInVain() => HeldCount > 0
        ? "no instance became free within the time allowed, and the backend grants no more creations for now"
        : LastFailure is null
        ? "no instance became free or ready within the time allowed"
        : $"no instance became free or ready within the time allowed; the backend said: {LastFailure}";

    private void CreateOrOwe(int count, List<Effect> effects)
    {
        if (_nowUs < _createNotBeforeUs)
        {
            _owedCreates += Math.Max(0, count);
            WakeBy(_createNotBeforeUs);
            return;
        }

        for (var i = 0; i < count; i++)
        {
            if (!Create(standby: false, effects))
            {
                break;
            }
        }
    }

    private bool Create(bool standby, List<Effect> effects)
    {
        if (_options.MaxSlots > 0 && _slots.Count >= _options.MaxSlots)
        {
            return false;
        }

        var slot = new Slot(_registry.NextTicket(), Function.MemoryMb)
        {
            CreateAskedUs = _nowUs,
            AskedUs = _nowUs,
            Standby = standby,
        };
        if (!_waiting && !standby)
        {
            for (var node = _waiters.First; node is not null; node = node.Next)
            {
                if (!node.Value.Bound)
                {
                    node.Value.Bound = true;
                    slot.BoundTo = node.Value.Request;
                    break;
                }
            }
        }

        _slots.Add(slot.Ticket, slot);
        Count(slot, 1);
        WakeBy(_nowUs + _options.CreateTimeoutUs);
        Ledger.SlotCreated(_nowUs, slot.MemoryMb);
        effects.Add(Effect.CreateSlot(Function, slot.Ticket, slot.MemoryMb));
        return true;
    }

    /// <summary>The only way to change a slot's state, so that the counts follow.</summary>
    private void SetState(Slot slot, SlotState state, bool abandoned = false)
    {
        Count(slot, -1);
        slot.State = state;
        slot.Abandoned = abandoned;
        Count(slot, 1);
    }

    private void Count(Slot slot, int change)
    {
        if (slot.InFlight && !slot.Abandoned)
        {
            InFlightCount += change;
            InitializingCount += slot.State == SlotState.Initializing ? change : 0;
        }
    }

    private void Unbind(Slot slot)
    {
        if (slot.BoundTo is { } bound && _waiterIndex.TryGetValue(bound, out var node))
        {
            node.Value.Bound = false;
        }

        slot.BoundTo = null;
    }

    private void Destroy(Slot slot, string reason, List<Effect> effects)
    {
        Unbind(slot);
        SetState(slot, SlotState.Destroying);
        slot.DestroyReason = reason;
        Bill(slot);
        AskDestroy(slot, effects);
    }

    private void AskInit(Slot slot, List<Effect> effects)
    {
        SetState(slot, SlotState.Initializing);
        slot.AskedUs = _nowUs;
        slot.Instance = new InstanceId(_options.InstancePrefix + slot.Ticket);
        WakeBy(_nowUs + _options.InitTimeoutUs);
        effects.Add(Effect.InitSlot(Function, slot.Ticket, slot.BackendId, slot.Instance));
    }

    private void AskDestroy(Slot slot, List<Effect> effects)
    {
        slot.Asked = true;
        slot.AskedUs = _nowUs;
        slot.DueUs = _nowUs + _options.DestroyTimeoutUs;
        WakeBy(slot.DueUs);
        effects.Add(Effect.DestroySlot(Function, slot.Ticket, slot.BackendId, slot.DestroyReason));
    }

    private void Adopt(BackendSlotId backendId, string reason, long graceUs, List<Effect> effects)
    {
        var ticket = _registry.NextTicket();
        if (!_registry.TryClaim(backendId, ticket))
        {
            return;
        }

        var slot = new Slot(ticket, Function.MemoryMb) { State = SlotState.Destroying, BackendId = backendId, Billed = true, DestroyReason = reason };
        _slots.Add(ticket, slot);
        if (graceUs > 0 && !_draining)
        {
            slot.AskedUs = _nowUs;
            slot.DueUs = _nowUs + graceUs;
            WakeBy(slot.DueUs);
            return;
        }

        AskDestroy(slot, effects);
    }

    /// <summary>Takes a slot out of the inventory: it does not exist (any more).</summary>
    private void Drop(Slot slot)
    {
        Unbind(slot);
        Count(slot, -1);
        _slots.Remove(slot.Ticket);
        if (slot.BackendId != default && _registry.TryGetOwner(slot.BackendId, out var owner) && owner == slot.Ticket)
        {
            _registry.Forget(slot.BackendId);
        }

        Bill(slot);
    }

    private void Bill(Slot slot)
    {
        if (!slot.Billed)
        {
            slot.Billed = true;
            Ledger.SlotDestroyed(slot.CreateAskedUs, _nowUs, slot.MemoryMb);
        }
    }

    private void RetryLater(Slot slot, SlotFailure failure, List<Effect> effects)
    {
        LastFailure = failure.Message;
        if (failure.Kind == FailureKind.Permanent)
        {
            // Requests are told at once what the backend says; what nobody waits for can wait.
            _standbyNotBeforeUs = _nowUs + _options.MaxRetryDelayUs;

            // A request that nothing else in flight or busy can serve is told at once; others may still be lucky.
            if (_waiters.Count > InFlightCount + BusyCount)
            {
                RejectWaiter(_waiters.Last!, RejectReason.BackendRefused, $"the backend refuses: {failure.Message}", effects);
            }

            return;
        }

        if (slot.CreateAskedUs >= _lastFailureUs)
        {
            // Those asked for before are of one wave with the last failure, and no sign that pausing did not help.
            _failuresInARow++;
        }

        _lastFailureUs = _nowUs;
        _createNotBeforeUs = Math.Max(_createNotBeforeUs, _nowUs + Math.Max(failure.RetryAfterUs, _options.RetryPauseUs(_failuresInARow)));
        _owedCreates++;
        WakeBy(_createNotBeforeUs);
    }

    /// <summary>What follows every event: requests are never stranded, the policy may prepare, and the host learns when to wake.</summary>
    private void Settle(List<Effect> effects)
    {
        LearnDemand();
        if (_waiters.Count > 0 && InFlightCount == 0 && BusyCount == 0 && _owedCreates == 0)
        {
            CreateOrOwe(1, effects);
        }

        if (_policy.HasStandby && !_draining)
        {
            var plan = _policy.Standby(View);
            var notBeforeUs = Math.Max(_createNotBeforeUs, _standbyNotBeforeUs);
            if (plan.CreateNow > 0 && _nowUs < notBeforeUs)
            {
                WakeBy(notBeforeUs);
            }
            else
            {
                for (var i = 0; i < plan.CreateNow && Create(standby: true, effects); i++)
                {
                }
            }

            WakeBy(Math.Max(plan.ReviewAtUs, _nowUs + 1));
            if (plan.ReviewIdle)
            {
                ReviewIdle(effects);
            }
        }

        Announce(effects);
    }

    private void ReviewIdle(List<Effect> effects)
    {
        for (var i = _idle.Count - 1; i >= 0; i--)
        {
            var slot = _idle[i];
            SetKeepUntil(slot, _idle.Count - i);
            if (slot.DueUs <= _nowUs)
            {
                _idle.RemoveAt(i);
                Destroy(slot, "it is not worth keeping", effects);
            }
        }
    }

    private void Announce(List<Effect> effects)
    {
        if (_nextWakeUs != _announcedWakeUs && (_nextWakeUs < _announcedWakeUs || _announcedWakeUs <= _nowUs))
        {
            _announcedWakeUs = _nextWakeUs;
            effects.Add(Effect.WakeAt(Function, _nextWakeUs));
        }
    }

    private sealed class Waiter(RequestId request, long arrivedUs, long deadlineUs)
    {
        public RequestId Request { get; } = request;

        public long ArrivedUs { get; } = arrivedUs;

        public long DeadlineUs { get; } = deadlineUs;

        public bool Bound { get; set; }
    }

    private sealed class Slot(SlotTicket ticket, int memoryMb)
    {
        public SlotTicket Ticket { get; } = ticket;

        public int MemoryMb { get; } = memoryMb;

        public SlotState State { get; set; }

        public BackendSlotId BackendId { get; set; }

        public InstanceId Instance { get; set; }

        public RequestId Request { get; set; }

        public RequestId? BoundTo { get; set; }

        public long CreateAskedUs { get; set; }

        /// <summary>When the backend was last asked something about it.</summary>
        public long AskedUs { get; set; }

        public long SinceUs { get; set; }

        /// <summary>When something is to be done about it: idle, the end of keep-alive; busy, of the assignment; destroying, the next try.</summary>
        public long DueUs { get; set; } = long.MaxValue;

        public long WaitedUs { get; set; }

        public int Uses { get; set; }

        public int DestroyAttempts { get; set; }

        public string DestroyReason { get; set; } = "";

        /// <summary>Created ahead of requests, on the policy's wish.</summary>
        public bool Standby { get; set; }

        /// <summary>In flight, but no request may count on it: its answer is overdue, or it will be destroyed.</summary>
        public bool Abandoned { get; set; }

        /// <summary>To be destroyed when its present use ends.</summary>
        public bool Doomed { get; set; }

        /// <summary>The end of its life has been entered in the ledger.</summary>
        public bool Billed { get; set; }

        /// <summary>A destroy is under way, as opposed to waiting for its next try.</summary>
        public bool Asked { get; set; }

        public bool InFlight => State is SlotState.Creating or SlotState.Initializing;
    }
}

/// <summary>The states of a slot in the inventory.</summary>
public enum SlotState
{
    /// <summary>CreateSlot is under way, or its outcome unknown.</summary>
    Creating,

    /// <summary>Init is under way.</summary>
    Initializing,

    /// <summary>An instance, ready and unused.</summary>
    Idle,

    /// <summary>An instance, held by a request.</summary>
    Busy,

    /// <summary>An instance that a former run of the scaler has left, held back while one of that run's requests may be executing in it.</summary>
    Adopted,

    /// <summary>DestroySlot is under way or will be tried again.</summary>
    Destroying,
}

/// <summary>One slot of an inventory, as it stands.</summary>
public readonly record struct SlotSnapshot(
    SlotTicket Ticket,
    SlotState State,
    BackendSlotId BackendId,
    InstanceId Instance,
    RequestId Request,
    int MemoryMb);
