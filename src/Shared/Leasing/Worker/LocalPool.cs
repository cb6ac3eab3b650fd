using FuncScaler.Learned;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using FuncScaler.Policies;
using FuncScaler.Scoring;

namespace FuncScaler.Leasing.Worker;

/// <summary>How far a function's ledger and a worker have come with each other.</summary>
/// <param name="Sequence">The last report, which is acknowledged.</param>
/// <param name="Revision">The last view.</param>
/// <param name="Operation">The last operation that the ledger has applied.</param>
/// <param name="NextOperation">The number of the next one.</param>
/// <param name="LeasesSeen">The last lease.</param>
/// <param name="ReleasesSeen">The last forwarded release.</param>
internal readonly record struct ToldSoFar(long Sequence, long Revision, long Operation, long NextOperation, long LeasesSeen, long ReleasesSeen);

/// <summary>
/// One function's slots at one worker: a <see cref="SlotPool"/>, or one for each of the settings in use, that creates and destroys slots under the worker's lease and tells the
/// function's <see cref="PoolLedger"/>, gets idle ones from there and gives them back there. A warm Assign and its Release are answered from
/// memory. Deterministic, without I/O, clock or tasks; not safe for concurrent use.
/// </summary>
/// <remarks>
/// Times are µs on the worker's monotonic clock. The host carries out the effects, sends <see cref="TakeReport"/> when
/// <see cref="NextReportUs"/> has come, reads the ledger and hands its view to <see cref="Receive"/> when <see cref="NextReadUs"/> has come,
/// and calls <see cref="Tick"/> at <see cref="NextWakeUs"/>. What a slot is doing the pool alone knows; here stands only what the lease adds.
/// </remarks>
public partial class LocalPool : ISlotLessor, IWakeable
{
    internal const string UnknownRuntime = "?";

    /// <summary>Of a slot that the ledger was not told of: no operation has this number.</summary>
    private const long Untold = long.MaxValue;

    private readonly WorkerLease _lease;
    private readonly LeasingOptions _options;
    private readonly Func<FunctionMeta, IKeepAlivePolicy> _makePolicy;
    private readonly SlotRegistry _registry;
    private readonly ScoreLedger _ledger;
    private FunctionPools _pools;
    private readonly Dictionary<SlotTicket, Lease> _leases = [];

    /// <summary>Slots whose creation waits for the lease, for a ticket, or for what the ledger has; in the order of asking.</summary>
    private readonly List<SlotTicket> _wanted = [];

    /// <summary>Slots that this worker is destroying, with the lease they were used under.</summary>
    private readonly Dictionary<SlotTicket, (long Epoch, int Uses)> _dying = [];

    private readonly List<Effect> _destroys = [];
    private long _holdUs;
    private long _giveUpUs = long.MaxValue;
    private bool _absent;
    private bool _stopping;
    private bool _leaving;
    private FunctionLimits _limits = FunctionLimits.None;
    private ExpectedRequests? _expected;

    /// <param name="lease">The worker's lease, shared by its pools.</param>
    /// <param name="function">The function.</param>
    /// <param name="makePolicy">Makes what serves it, once for each of its settings.</param>
    /// <param name="options">Settings, the same as the ledger's.</param>
    /// <param name="registry">Tickets in a space of this worker's own, see <see cref="TicketSpace"/>; shared by its pools.</param>
    /// <param name="ledger">What the worker's slots have cost, shared likewise.</param>
    public LocalPool(
        WorkerLease lease, FunctionMeta function, Func<FunctionMeta, IKeepAlivePolicy> makePolicy, LeasingOptions options, SlotRegistry registry, ScoreLedger ledger)
    {
        ArgumentNullException.ThrowIfNull(lease);
        ArgumentNullException.ThrowIfNull(options);
        _lease = lease;
        _options = options;
        _makePolicy = makePolicy;
        _registry = registry;
        _ledger = ledger;
        _reportIntervalUs = options.ReportInterval.ToUs();
        _holdUs = function.Runtime == UnknownRuntime ? 0 : options.HoldUs(function);
        _pools = new FunctionPools(NewPool(function));
        Pool.Suspend();
    }

    /// <summary>The decision core at work for the settings that the last request came with. For reading: its events go through this class.</summary>
    public SlotPool Pool => _pools.Current;

    /// <summary>The same for all settings that are in use.</summary>
    public IEnumerable<SlotPool> Pools => _pools.All;

    /// <summary>The function as its last request described it.</summary>
    public FunctionMeta Function => Pool.Function;

    /// <summary>Slots this worker has or wants, those included that it is destroying.</summary>
    public int SlotCount => _leases.Count + _dying.Count;

    /// <summary>Whether it needs the worker's lease: it has slots, or requests that wait, or something to tell.</summary>
    internal bool IsAtWork => SlotCount > 0 || WaiterCount > 0 || _outbox.Count > 0 || _activeUs != long.MaxValue;

    /// <summary>When <see cref="Tick"/> is to be called next, µs; <see cref="long.MaxValue"/> when nothing is due.</summary>
    public long NextWakeUs => Math.Min(_pools.HasFormer ? Pools.Min(p => p.NextWakeUs) : Pool.NextWakeUs, Math.Min(_giveUpUs, _wanted.Count > 0 && _askUntilUs != long.MinValue ? _askUntilUs : long.MaxValue));

    /// <summary>When it is to be ticked, to report or to read next, µs; <see cref="long.MaxValue"/> when nothing is due.</summary>
    internal long NextDueUs => Math.Min(NextWakeUs, Math.Min(NextReportUs, NextReadUs));

    /// <summary>The same, where what may not be sent now is not due.</summary>
    internal long NextDueFromUs(long nowUs) => Math.Min(NextWakeUs, Math.Min(MayReport(nowUs) ? NextReportUs : long.MaxValue, NextReadUs));

    long IWakeable.ArmedForUs { get; set; } = long.MaxValue;

    /// <summary>Whether nothing is here, under way or untold: then <see cref="Told"/> is all that the next pool of the function needs.</summary>
    internal bool IsForgettable =>
        SlotCount == 0 && WaiterCount == 0 && _expected is not { Any: true } && _outbox.Count == 0 && _returned.Count == 0 && _waitingReported == 0 && _acknowledged >= _sequence
        && (_activeUs == long.MaxValue || Pool.KnowsNothing);

    /// <summary>What of the limits is for one worker alone.</summary>
    private FunctionLimits OwnLimits => _limits.MinInstances == 0 && _limits.MaxInstances == 0 ? _limits : _limits with { MinInstances = 0, MaxInstances = 0 };

    /// <summary>Whether the function has a limit of slots, which all workers share: the ledger is asked before one is created.</summary>
    private bool IsLimited => _options.Pool.MaxSlots > 0 || _limits.MaxInstances > 0;

    private int WaiterCount => _pools.HasFormer ? Pools.Sum(p => p.WaiterCount) : Pool.WaiterCount;

    /// <summary>The leased slots of all settings, as they are now.</summary>
    private IEnumerable<Slot> Leased => Pools.SelectMany(p => p.Leased).ToList();

    /// <summary>Whether slots that the worker had in a former life may still come into being: then the function must be known, to tell of them.</summary>
    internal bool ExpectsLate { get; set; }

    /// <summary>Since when it is among the empty pools of its core, µs.</summary>
    internal long EmptySinceUs { get; set; }

    /// <summary>Its place among the empty pools of its core; null for none.</summary>
    internal LinkedListNode<LocalPool>? EmptyPlace { get; set; }

    /// <summary>How far the ledger and this worker have come: both count on from there, for as long as the worker lives.</summary>
    internal ToldSoFar Told
    {
        get => new(_sequence, _revision, _acknowledgedOperation, _outbox.First, _leasesSeen, _releasesSeen);
        set
        {
            (_sequence, _acknowledged, _revision, _acknowledgedOperation) = (value.Sequence, value.Sequence, value.Revision, value.Operation);
            (_leasesSeen, _releasesSeen) = (value.LeasesSeen, value.ReleasesSeen);
            _outbox.GoOn(value.NextOperation);
        }
    }

    /// <summary>What stands for a function of which only the key is known, from a release that was assigned elsewhere.</summary>
    public static FunctionMeta Unknown(MetaKey key) => new(key, UnknownRuntime, 0, 1);

    /// <inheritdoc cref="SlotPool.Assign"/>
    public bool Assign(long nowUs, FunctionMeta function, RequestId request, long deadlineUs, List<Effect> effects)
    {
        ArgumentNullException.ThrowIfNull(function);
        CheckLease(nowUs);
        var pool = Pool;
        if (_pools.HasFormer || (!ReferenceEquals(function, pool.Function) && function != pool.Function))
        {
            _holdUs = Math.Max(_holdUs, _options.HoldUs(function));
            if (pool.Function.Runtime == UnknownRuntime)
            {
                pool.UpdateFunction(nowUs, function, effects);
                pool.Expect(nowUs, _expected, effects);
            }
            else
            {
                pool = _pools.For(nowUs, function, request, NewPool, effects);
            }
        }

        var isNew = pool.Assign(nowUs, request, deadlineUs, effects);
        Follow(nowUs, effects);
        return isNew;
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
        _lease.Use(nowUs);
        return ReleaseOutcome.Forwarded;
    }

    /// <inheritdoc cref="SlotPool.Abandon"/>
    public void Abandon(long nowUs, RequestId request, List<Effect> effects)
    {
        CheckLease(nowUs);
        _pools.PoolOf(request).Abandon(nowUs, request, effects);
        Follow(nowUs, effects);
    }

    /// <inheritdoc cref="SlotPool.SlotCreated"/>
    public void SlotCreated(long nowUs, SlotTicket ticket, BackendSlotId backendId, List<Effect> effects)
    {
        var pool = _pools.PoolOf(ticket);
        if (pool.Find(ticket) is not { } slot)
        {
            Enqueue(nowUs, new WorkerOperation { Kind = WorkerOperationKind.Found, Ticket = ticket, BackendSlot = backendId });
            return;
        }

        if (slot.State is not (SlotState.Creating or SlotState.Held))
        {
            return;
        }

        var operation = Enqueue(nowUs, new WorkerOperation
        {
            Kind = WorkerOperationKind.Created,
            Ticket = ticket,
            BackendSlot = backendId,
            MemoryMb = slot.MemoryMb,
            Runtime = pool.Function.Runtime,
            TimeUs = nowUs - slot.AskedUs,
        });
        _leases[ticket].Told = Math.Min(_leases[ticket].Told, operation);
        CheckLease(nowUs);
        pool.SlotCreated(nowUs, ticket, backendId, effects);
        Follow(nowUs, effects);
    }

    /// <inheritdoc cref="SlotPool.SlotReady"/>
    /// <param name="address">Where the instance is reached; null where the platform has no addresses.</param>
    public void SlotReady(long nowUs, SlotTicket ticket, Uri? address, List<Effect> effects)
    {
        var pool = _pools.PoolOf(ticket);
        if (pool.Find(ticket) is not { State: SlotState.Initializing } slot)
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
        pool.SlotReady(nowUs, ticket, effects, address);
        Follow(nowUs, effects);
    }

    /// <inheritdoc cref="SlotPool.SlotFailed"/>
    public void SlotFailed(long nowUs, SlotTicket ticket, SlotFailure failure, List<Effect> effects)
    {
        ArgumentNullException.ThrowIfNull(failure);
        if (_dying.Remove(ticket, out var dying))
        {
            // It was this worker's to try; the ledger goes on until the backend confirms.
            GiveBack(nowUs, ticket, dying.Epoch, ReturnKind.Broken, dying.Uses, failure.Message);
            return;
        }

        CheckLease(nowUs);
        _absent = !failure.OutcomeUnknown;
        _pools.PoolOf(ticket).SlotFailed(nowUs, ticket, failure, effects);
        _absent = false;
        Follow(nowUs, effects);
    }

    /// <summary>The backend confirms that a slot is gone that this worker has destroyed.</summary>
    public void SlotDestroyed(long nowUs, SlotTicket ticket)
    {
        if (_dying.Remove(ticket, out var dying))
        {
            GiveBack(nowUs, ticket, dying.Epoch, ReturnKind.Gone, dying.Uses);
        }
    }

    /// <inheritdoc cref="SlotPool.HoldCreate"/>
    public bool HoldCreate(SlotTicket ticket) => _pools.PoolOf(ticket).HoldCreate(ticket);

    /// <inheritdoc cref="SlotPool.KeepHeldCreate"/>
    public bool KeepHeldCreate(long nowUs, SlotTicket ticket, List<Effect> effects)
    {
        if (_leases.TryGetValue(ticket, out var lease) && lease.Allowed && !_lease.MayCreate(nowUs, ticket, _holdUs))
        {
            // Held back for the backend's sake for longer than the lease: now it waits for a new one.
            lease.Allowed = false;
            HoldCreate(ticket);
            _wanted.Add(ticket);
            return false;
        }

        var keep = _pools.PoolOf(ticket).KeepHeldCreate(nowUs, ticket, effects);
        Follow(nowUs, effects);
        return keep;
    }

    /// <inheritdoc cref="SlotPool.BeginCreate"/>
    public void BeginCreate(long nowUs, SlotTicket ticket)
    {
        _pools.PoolOf(ticket).BeginCreate(nowUs, ticket);
        _giveUpUs = Math.Min(_giveUpUs, nowUs + (2 * _options.Pool.CreateTimeout.ToUs()) + 1);
    }

    /// <summary>Does what is due.</summary>
    public void Tick(long nowUs, List<Effect> effects)
    {
        CheckLease(nowUs);
        GiveUpOnCreates(nowUs, effects);
        foreach (var pool in Pools)
        {
            pool.Tick(nowUs, effects);
        }

        Follow(nowUs, effects);
    }

    /// <summary>
    /// An operator's limits from now on. Floor and ceiling are of all workers together, so the function's ledger keeps them; here a worker learns to ask
    /// it before it creates, and to give back instead of destroying.
    /// </summary>
    /// <exception cref="ArgumentException">A limit is out of its range.</exception>
    public void SetLimits(long nowUs, FunctionLimits limits, List<Effect> effects)
    {
        ArgumentNullException.ThrowIfNull(limits);
        limits.Validate();
        if (limits == _limits)
        {
            return;
        }

        _limits = limits;
        CheckLease(nowUs);
        foreach (var pool in Pools)
        {
            pool.SetLimits(nowUs, OwnLimits, effects);
        }

        Follow(nowUs, effects);
    }

    /// <inheritdoc cref="SlotPool.Expect"/>
    /// <remarks>Nothing can be prepared for a function of which only the key is known: what its instances are like comes with the first request.</remarks>
    internal void Expect(long nowUs, ExpectedRequests? expected, List<Effect> effects)
    {
        if (expected is null && _expected is null)
        {
            return;
        }

        _expected = expected;
        CheckLease(nowUs);
        foreach (var pool in Function.Runtime == UnknownRuntime ? [] : Pools)
        {
            pool.Expect(nowUs, expected, effects);
        }

        Follow(nowUs, effects);
    }

    /// <inheritdoc cref="SlotPool.Review"/>
    internal void Review(long nowUs, List<Effect> effects)
    {
        CheckLease(nowUs);
        Pool.Review(nowUs, effects);
        Follow(nowUs, effects);
    }

    /// <summary>The worker's lease was renewed, or covers more: what has waited for it goes on.</summary>
    public void Resume(long nowUs, List<Effect> effects)
    {
        if (Pool.Suspended && !_lease.IsOver(nowUs))
        {
            foreach (var pool in Pools)
            {
                pool.Resume(nowUs, effects);
            }
        }

        Follow(nowUs, effects);
    }

    /// <summary>The worker is about to stop: new requests are rejected, waiting ones still served, unused instances go back.</summary>
    public void Drain(long nowUs, List<Effect> effects)
    {
        _stopping = true;
        CheckLease(nowUs);
        foreach (var pool in Pools)
        {
            pool.Drain(nowUs, effects);
        }

        Follow(nowUs, effects);
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
        foreach (var slot in Leased)
        {
            var kind = slot.State == SlotState.Busy ? ReturnKind.Entrusted : KindOf(slot.Condition);
            GiveBack(nowUs, slot, kind, slot.Doomed ? slot.DestroyReason : "its worker stops");
            _pools.PoolOf(slot.Ticket).Withdraw(nowUs, slot.Ticket, effects);
        }

        foreach (var (ticket, dying) in _dying)
        {
            GiveBack(nowUs, ticket, dying.Epoch, ReturnKind.Broken, dying.Uses, "its worker stops");
        }

        _dying.Clear();
        _destroys.Clear();
        ForgetFormer(nowUs);
    }

    /// <summary>
    /// The worker's life is over, so this pool is: its slots are its no more. What it has not told is told once more, so that what was created
    /// is found.
    /// </summary>
    /// <returns>The last report; null where there is nothing to tell.</returns>
    public WorkerReport? End(long nowUs)
    {
        var untold = _outbox.Count > 0 ? TakeReport(nowUs) : null;
        var nothing = new List<Effect>();
        _leaving = true;
        foreach (var pool in Pools)
        {
            pool.RejectWaiting(nowUs, nothing);
            foreach (var slot in pool.Leased.ToList())
            {
                pool.Withdraw(nowUs, slot.Ticket, nothing);
            }
        }

        return untold;
    }

    /// <summary>A pool that has seen nothing yet begins with what was learned before.</summary>
    internal void TakeIn(ILearnedMemory memory)
    {
        var pool = SlotPool.TakeIn(
            Pool, () => NewPool(Function), memory.Find(Function.Key), Function.Key, memory, static (to, reader) => to.ReadLearned(reader));
        if (pool != Pool)
        {
            _pools = new FunctionPools(pool);
        }
    }

    /// <summary>The worker has let the function go.</summary>
    internal void Forgotten()
    {
        foreach (var pool in Pools)
        {
            pool.Forgotten();
        }
    }

    /// <exception cref="InvalidOperationException">The pool and what is known of its leases contradict each other; says how.</exception>
    public void CheckInvariants()
    {
        foreach (var pool in Pools)
        {
            pool.CheckInvariants();
            Invariant.Holds(pool.IsFormer == (pool != Pool), "all pools but the one that the last request used are former ones");
            Invariant.Holds(pool.Suspended == Pool.Suspended, "the lease holds for the slots of all settings or for none");
        }

        Invariant.Holds(_pools.Former.All(p => !p.IsEmpty), "a pool of former settings has slots or requests");
        Invariant.Holds(
            _leases.Count == Pools.Sum(p => p.SlotCount) && _leases.Keys.All(t => _pools.PoolOf(t).Find(t) is not null), "each slot of the pools is leased or asked for");
        Invariant.Holds(
            Leased.All(s => _leases[s.Ticket].Epoch > 0 == s.State is SlotState.Idle or SlotState.Busy), "an instance has a lease, others have none yet");
        Invariant.Holds(_destroys.Count == 0, "what is to be destroyed was handed out");
    }

    void ISlotLessor.RequestCame(long nowUs)
    {
        _outbox.Came(nowUs);
        _activeUs = Math.Min(_activeUs, nowUs);
    }

    void ISlotLessor.RequestWent(long nowUs, long executedUs, long waitedUs)
    {
        _outbox.Went(nowUs, executedUs, waitedUs);
        _activeUs = Math.Min(_activeUs, nowUs);
    }

    void ISlotLessor.SlotWanted(SlotPool pool, long nowUs, SlotTicket ticket)
    {
        var lease = new Lease { Told = Untold };
        _leases.Add(ticket, lease);
        if (_leaving)
        {
            return;
        }

        if (IsLimited)
        {
            // All workers share the limit, so the ledger is asked first.
            lease.Told = Enqueue(nowUs, new WorkerOperation
            {
                Kind = WorkerOperationKind.Intend,
                Ticket = ticket,
                MemoryMb = pool.Function.MemoryMb,
                Runtime = pool.Function.Runtime,
            });
            Urgent(nowUs);
            return;
        }

        _askUntilUs = _wanted.Count > 0 ? _askUntilUs : MayAsk(pool, nowUs) ? nowUs + _options.AskPatience.ToUs() : long.MinValue;
        _wanted.Add(ticket);
    }

    void ISlotLessor.SlotReturned(SlotPool pool, long nowUs, Slot slot, string? reason)
    {
        var kind = _absent && slot.State == SlotState.Creating && slot.BackendId == default ? ReturnKind.Absent : KindOf(slot.Condition);
        var hasFloor = _limits.MinInstances > 0 || _provisioned > 0;
        var unwanted = kind is ReturnKind.Broken or ReturnKind.Unknown || (kind == ReturnKind.Idle && !_stopping && !hasFloor && !((LocalPolicy)pool.Policy).WouldKeep);
        if (slot.BackendId == default || !unwanted || _leaving || !_leases.Remove(slot.Ticket, out var lease))
        {
            GiveBack(nowUs, slot, kind, reason);
            return;
        }

        // What a worker holds it destroys itself, and tells the ledger when it is gone.
        _dying[slot.Ticket] = (lease.Epoch, slot.Uses);
        _destroys.Add(Effect.DestroySlot(pool.Function, slot.Ticket, slot.BackendId, reason ?? ""));
    }

    /// <summary>Whether a lease is later than one of the same slot that was given back: else it comes from a stale view.</summary>
    private protected virtual bool IsLaterLease(long epoch, long returnedEpoch) => epoch > returnedEpoch;

    private ReleaseOutcome ReleaseHere(long nowUs, RequestId request, InstanceId instance, in ReleaseResult result, List<Effect> effects)
    {
        CheckLease(nowUs);
        var outcome = _pools.PoolOf(request).Release(nowUs, request, instance, result, effects);
        Follow(nowUs, effects);
        return outcome;
    }

    private void CheckLease(long nowUs)
    {
        if (!Pool.Suspended && _lease.IsOver(nowUs))
        {
            foreach (var pool in Pools)
            {
                pool.Suspend();
            }
        }
    }

    /// <summary>What follows every event of the pool: what it wants is begun as far as it may be, and the ledger learns of those who wait.</summary>
    private void Follow(long nowUs, List<Effect> effects)
    {
        if (_wanted.Count > 0)
        {
            BeginWanted(nowUs, effects);
        }

        if (WaiterCount > 0)
        {
            _lease.Use(nowUs);
        }

        effects.AddRange(_destroys);
        _destroys.Clear();
        ForgetFormer(nowUs);
        TellOfWaiting(nowUs);
    }

    /// <summary>Settings that nobody has an instance of or waits for, and that taught nothing where they are the latest.</summary>
    private void ForgetFormer(long nowUs)
    {
        foreach (var pool in _pools.HasFormer ? Pools : [])
        {
            if (pool.IsEmpty && (pool.IsFormer || pool.KnowsNothing) && _pools.Remove(nowUs, pool))
            {
                pool.Forgotten();
            }
        }
    }

    private SlotPool NewPool(FunctionMeta function)
    {
        // The ledger counts all workers' slots, so the limit is kept there.
        var policy = LocalPolicy.Of(_makePolicy(function), _options.ParkAfter);
        var pool = new SlotPool(function, policy, _options.Pool with { MaxSlots = 0 }, _registry, _ledger, this) { Expected = function.Runtime == UnknownRuntime ? null : _expected };
        if (OwnLimits != FunctionLimits.None)
        {
            pool.SetLimits(0, OwnLimits, []);
        }

        if (_pools is not null && Pool.Suspended)
        {
            pool.Suspend();
        }

        if (_stopping)
        {
            pool.Drain(0, []);
        }

        return pool;
    }

    private void BeginWanted(long nowUs, List<Effect> effects)
    {
        _askUntilUs = nowUs < _askUntilUs ? _askUntilUs : long.MinValue;
        foreach (var ticket in _wanted.ToList())
        {
            var pool = _pools.PoolOf(ticket);
            if (pool.Find(ticket) is not { State: SlotState.Held } slot)
            {
                _wanted.Remove(ticket);
                continue;
            }

            _lease.Want(nowUs, ticket, _holdUs);
            var lease = _leases[ticket];
            if (nowUs < _askUntilUs || !_lease.MayCreate(nowUs, ticket, _holdUs))
            {
                lease.Waited = true;
                continue;
            }

            _wanted.Remove(ticket);
            if (!lease.Waited || lease.Told != Untold || pool.KeepHeldCreate(nowUs, ticket, effects))
            {
                lease.Allowed = true;
                BeginCreate(nowUs, ticket);
                effects.Add(Effect.CreateSlot(pool.Function, ticket, slot.MemoryMb));
            }
        }
    }

    /// <summary>The pool has long stopped counting on them, and even a very late answer would have come.</summary>
    private void GiveUpOnCreates(long nowUs, List<Effect> effects)
    {
        if (nowUs < _giveUpUs)
        {
            return;
        }

        var patienceUs = 2 * _options.Pool.CreateTimeout.ToUs();
        _giveUpUs = long.MaxValue;
        foreach (var slot in Leased.Where(s => s.State == SlotState.Creating))
        {
            if (nowUs - slot.AskedUs > patienceUs)
            {
                GiveBack(nowUs, slot, ReturnKind.Unknown, "the backend does not answer CreateSlot");
                Lose(nowUs, slot.Ticket, effects);
            }
            else
            {
                _giveUpUs = Math.Min(_giveUpUs, slot.AskedUs + patienceUs + 1);
            }
        }
    }

    /// <summary>The requests that hold an instance, the latest first.</summary>
    private static List<RequestId> HoldersOf(Slot slot)
    {
        var holders = new List<RequestId>();
        for (var place = slot.Newest; place is not null; place = place.Older)
        {
            holders.Add(place.Request);
        }

        return holders;
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
        // Where it is not known any more, the ledger was the first to say so. What it was never told of and does not exist it need not know.
        if (_leases.Remove(slot.Ticket, out var lease) && !(lease.Told == Untold && kind == ReturnKind.Absent))
        {
            GiveBack(nowUs, slot.Ticket, lease.Epoch, kind, slot.Uses, reason, slot.SinceUs, kind == ReturnKind.Entrusted ? slot : null);
        }
    }

    private void GiveBack(
        long nowUs, SlotTicket ticket, long epoch, ReturnKind kind, int uses, string? reason = null, long sinceUs = 0, Slot? entrusted = null)
    {
        var holders = entrusted is null ? [] : HoldersOf(entrusted);
        var operation = Enqueue(
            nowUs,
            new WorkerOperation
            {
                Kind = WorkerOperationKind.Return,
                Ticket = ticket,
                Epoch = epoch,
                Return = kind,
                Uses = uses,
                Reason = kind is ReturnKind.Idle or ReturnKind.Absent or ReturnKind.Gone ? null : reason,
                Request = holders is [var holder, ..] ? holder : default,
                AlsoHeldBy = holders.Count > 1 ? holders[1..] : null,
                NeedDestroy = entrusted?.Doomed ?? false,
            },
            kind == ReturnKind.Idle ? sinceUs : nowUs);
        _returned[ticket] = (epoch, operation);
        if (kind == ReturnKind.Idle)
        {
            _idleAtLedger++;
            _lookedUs = Math.Max(_lookedUs, nowUs);
        }
    }

    /// <summary>What the lease adds to a slot of the pool.</summary>
    private sealed class Lease
    {
        /// <summary>The operation that told the ledger of it, or asked; 0 when it came from there.</summary>
        public long Told { get; set; }

        /// <summary>Counts its leases; 0 until it was ready for the first time.</summary>
        public long Epoch { get; set; }

        /// <summary>It may be created as far as the ledgers are concerned: where it is held nevertheless, the host holds it.</summary>
        public bool Allowed { get; set; }

        /// <summary>It has waited for the lease or the ledger: it may be needed no more.</summary>
        public bool Waited { get; set; }
    }
}
