using System.Diagnostics;
using FuncScaler.Learned;
using FuncScaler.Policies;
using FuncScaler.Policies.Basic;
using FuncScaler.Scoring;

namespace FuncScaler.Pool;

/// <summary>
/// The pools of all functions behind one deterministic face: routes events to the function's <see cref="SlotPool"/>, keeps their wake-up
/// times, and takes in what no function owns. Not safe for concurrent use; hosts serialise their calls.
/// </summary>
/// <remarks>
/// Requests whose memory or runtime differs from their function's earlier ones get a pool of their own, so that two gateways with different
/// settings both find warm instances. The function's other pools run down; the one that the last request used has what was learned.
/// A pool that is empty is forgotten: at once where it never had an instance, as for keys that the backend refuses, else after
/// <see cref="SlotPoolOptions.ForgetAfter"/>, or sooner where more than <see cref="SlotPoolOptions.MostRemembered"/> are empty.
/// </remarks>
public sealed class ScalerCore : IScalerCore, IPolicyHost
{
    /// <summary>The most pools that are woken at one time because the backend works again. What they create wakes further ones.</summary>
    private const int MostWokenAtOnce = 16;

    private static readonly FunctionMeta NoFunction = new(new MetaKey(""), "", 0, 1);

    private readonly Func<FunctionMeta, IKeepAlivePolicy> _makePolicy;
    private readonly SlotPoolOptions _options;
    private readonly SlotRegistry _registry;
    private readonly ILearnedMemory? _learned;

    private readonly Dictionary<MetaKey, FunctionPools> _pools = [];

    /// <summary>What operators have said of functions.</summary>
    private readonly LimitsBook _limits = new();

    private readonly GroupsBook _groups = new();

    /// <summary>Pools without slots and requests, those unused for the longest first.</summary>
    private readonly LinkedList<SlotPool> _empty = new();

    /// <summary>Pools that wait for the backend to work again.</summary>
    private readonly Queue<SlotPool> _awaiting = new();

    /// <summary>What a former run has left and is not taken over yet, by function.</summary>
    private readonly Dictionary<MetaKey, List<(FunctionMeta Function, RestoredSlot Slot)>> _later = [];

    /// <summary>Grants that have left already.</summary>
    private readonly List<Effect> _left = [];

    private readonly Queue<MetaKey> _laterInTurn = new();
    private readonly WakeQueue<SlotPool> _wakes = new();
    private readonly SlotPool _orphans;
    private readonly Queue<SlotPool> _reviews = new();
    private readonly long _forgetAfterUs;
    private long _workedUs;
    private SlotPool? _unsettled;
    private long _unsettledUs;
    private RequestId? _granted;
    private bool _requestCame;
    private bool _draining;
    private bool _sharedRead;

    /// <param name="policy">How every function is served.</param>
    /// <param name="options">Limits of each pool.</param>
    /// <param name="state">What outlives the process; null for nothing.</param>
    public ScalerCore(PolicyChoice policy, SlotPoolOptions options, ScalerCoreState? state = null)
    {
        _registry = new SlotRegistry(state?.LastTicket ?? 0) { Journal = state?.Journal };
        _learned = state?.Learned;
        _makePolicy = policy.Begin(this);
        _options = options;
        _forgetAfterUs = options.ForgetAfter.ToUs();
        _orphans = new SlotPool(NoFunction, new DirectPolicy(), options, _registry, Ledger);
        _pools.Add(NoFunction.Key, new FunctionPools(_orphans));
    }

    /// <summary>What the run has cost so far, as the scaler sees it.</summary>
    public ScoreLedger Ledger { get; } = new();

    /// <summary>The pools of the functions that are remembered; of a function with several settings in use, several.</summary>
    public IEnumerable<SlotPool> Pools => All.Where(p => p != _orphans);

    /// <summary>A snapshot of all inventories, orphans included.</summary>
    public IEnumerable<SlotSnapshot> Slots => All.SelectMany(p => p.Slots);

    /// <summary>The same with the function of each; its key is empty for orphans.</summary>
    public IEnumerable<(MetaKey Function, SlotSnapshot Slot)> Inventory => All.SelectMany(p => p.Slots.Select(s => (p.Function.Key, s)));

    /// <summary>Slots in all inventories, orphans included.</summary>
    public int SlotCount => All.Sum(p => p.SlotCount);

    /// <summary>When <see cref="Tick"/> is to be called next, µs; <see cref="long.MaxValue"/> when nothing is due.</summary>
    public long NextWakeUs => _wakes.NextUs;

    /// <inheritdoc/>
    public bool IsUnsettled => _unsettled is not null;

    private IEnumerable<SlotPool> All
    {
        get
        {
            foreach (var pools in _pools.Values)
            {
                yield return pools.Current;
                foreach (var former in pools.Former)
                {
                    yield return former;
                }
            }
        }
    }

    /// <summary>The pool that the function's last request used; null when it was never asked for, or is forgotten.</summary>
    public SlotPool? Find(MetaKey function) => _pools.GetValueOrDefault(function)?.Current;

    SlotPool? IScalerCore.FindPool(MetaKey function) => Find(function);

    /// <inheritdoc cref="SlotPool.Assign"/>
    /// <remarks>A request that is waiting or holds an instance is found whatever settings its repetition comes with.</remarks>
    public void Assign(long nowUs, FunctionMeta function, RequestId request, long deadlineUs, List<Effect> effects)
    {
        AssignFirst(nowUs, function, request, deadlineUs, effects);
        Settle(effects);
    }

    /// <inheritdoc/>
    public void AssignFirst(long nowUs, FunctionMeta function, RequestId request, long deadlineUs, List<Effect> effects)
    {
        Settle(effects);
        TakeOver(nowUs, function.Key, effects);
        if (!_pools.TryGetValue(function.Key, out var pools))
        {
            pools = AddPools(nowUs, function, effects);
        }

        if (pools.NextGrant is { } next && next.Function == function)
        {
            effects.Add(next with { Request = request });
            (_unsettled, _unsettledUs, _granted, _requestCame) = (pools.Current, nowUs, request, true);
            return;
        }

        var pool = pools.Current;
        if (pools.HasFormer || pool.Function != function)
        {
            pool = PoolFor(nowUs, pools, function, request, effects);
        }

        if (pool.AssignFirst(nowUs, request, deadlineUs, effects))
        {
            (_unsettled, _unsettledUs, _requestCame) = (pool, nowUs, true);
        }
        else
        {
            Finish(nowUs, pool, effects);
        }
    }

    /// <inheritdoc/>
    public void Settle(List<Effect> effects)
    {
        if (_unsettled is { } pool)
        {
            _unsettled = null;
            if (_granted is { } request)
            {
                _granted = null;
                pool.AssignFirst(_unsettledUs, request, long.MaxValue, _left);
                Debug.Assert(_left is [var left] && left == pool.Pools!.NextGrant!.Value with { Request = request }, "the pool decides as was foreseen");
                _left.Clear();
            }

            pool.Settle(effects);
            Finish(_unsettledUs, pool, effects);
            if (_requestCame)
            {
                _requestCame = false;
                Expect(_unsettledUs, pool.Function.Key, effects);
            }
        }
    }

    /// <summary>A request has come that others follow: the pools of their functions prepare for them.</summary>
    private void Expect(long nowUs, MetaKey parent, List<Effect> effects)
    {
        foreach (var following in _groups.FollowingOf(parent))
        {
            var pools = _pools.GetValueOrDefault(following.Group.Child);
            if (pools is null && following.Group.ChildSettings is { } settings && !_draining)
            {
                pools = AddPools(nowUs, settings, effects);
            }

            following.ParentCame(nowUs, pools?.Current.StartsInUs ?? long.MaxValue);
            if (pools is not null)
            {
                pools.Current.Review(nowUs, effects);
                Finish(nowUs, pools.Current, effects);
            }
        }
    }

    /// <inheritdoc cref="SlotPool.Release"/>
    public ReleaseOutcome Release(long nowUs, MetaKey function, RequestId request, InstanceId instance, in ReleaseResult result, List<Effect> effects)
    {
        var outcome = ReleaseFirst(nowUs, function, request, instance, result, effects);
        Settle(effects);
        return outcome;
    }

    /// <inheritdoc/>
    public ReleaseOutcome ReleaseFirst(
        long nowUs, MetaKey function, RequestId request, InstanceId instance, in ReleaseResult result, List<Effect> effects)
    {
        Settle(effects);
        TakeOver(nowUs, function, effects);
        if (_pools.GetValueOrDefault(function)?.PoolOf(request, instance) is not { } pool)
        {
            return ReleaseOutcome.UnknownAssignment;
        }

        var outcome = pool.ReleaseFirst(nowUs, request, instance, result, effects);
        if (outcome == ReleaseOutcome.Released)
        {
            (_unsettled, _unsettledUs) = (pool, nowUs);
        }

        return outcome;
    }

    /// <inheritdoc cref="SlotPool.Abandon"/>
    public void Abandon(long nowUs, MetaKey function, RequestId request, List<Effect> effects)
    {
        Settle(effects);
        TakeOver(nowUs, function, effects);
        if (_pools.GetValueOrDefault(function)?.PoolOf(request) is { } pool)
        {
            pool.Abandon(nowUs, request, effects);
            Finish(nowUs, pool, effects);
        }
    }

    /// <inheritdoc cref="SlotPool.SlotCreated"/>
    public void SlotCreated(long nowUs, MetaKey function, SlotTicket ticket, BackendSlotId backendId, List<Effect> effects) =>
        OfSlot(nowUs, function, ticket, effects, pool => pool.SlotCreated(nowUs, ticket, backendId, effects));

    void IScalerCore.SlotReady(long nowUs, MetaKey function, SlotTicket ticket, Uri? address, List<Effect> effects) =>
        SlotReady(nowUs, function, ticket, effects, address);

    /// <inheritdoc cref="SlotPool.SlotReady"/>
    public void SlotReady(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects, Uri? address = null) =>
        OfSlot(nowUs, function, ticket, effects, pool => pool.SlotReady(nowUs, ticket, effects, address));

    /// <inheritdoc cref="SlotPool.SlotFailed"/>
    public void SlotFailed(long nowUs, MetaKey function, SlotTicket ticket, SlotFailure failure, List<Effect> effects) =>
        OfSlot(nowUs, function, ticket, effects, pool => pool.SlotFailed(nowUs, ticket, failure, effects));

    /// <inheritdoc cref="SlotPool.SlotDestroyed"/>
    public void SlotDestroyed(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects) =>
        OfSlot(nowUs, function, ticket, effects, pool => pool.SlotDestroyed(nowUs, ticket, effects));

    /// <inheritdoc cref="SlotPool.GiveBack"/>
    public bool GiveBack(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects)
    {
        var given = false;
        OfSlot(nowUs, function, ticket, effects, pool => given = pool.GiveBack(nowUs, ticket, effects));
        return given;
    }

    /// <summary>Does what is due, in all pools.</summary>
    public void Tick(long nowUs, List<Effect> effects)
    {
        Settle(effects);
        while (_wakes.TryTake(nowUs, out var pool))
        {
            if (!pool.IsForgotten)
            {
                pool.Tick(nowUs, effects);
                Finish(nowUs, pool, effects);
            }
        }
    }

    /// <summary>
    /// Compares all inventories with the backend's list. Slots that nobody owns are adopted: for their function where the list names it,
    /// after the time-out that its requests have; else to be destroyed.
    /// </summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="askedUs">When the list was asked for, µs.</param>
    /// <param name="listed">Every slot the backend knows, or at least all of ours that it still knows.</param>
    /// <param name="effects">Where effects are added.</param>
    public void Reconcile(long nowUs, long askedUs, IReadOnlyCollection<ListedSlot> listed, List<Effect> effects)
    {
        Settle(effects);
        var byId = new Dictionary<BackendSlotId, ListedSlot>();
        foreach (var slot in listed)
        {
            byId[slot.Id] = slot;
        }

        foreach (var pool in All)
        {
            pool.Reconcile(nowUs, askedUs, byId, effects);
        }

        foreach (var slot in byId.Values)
        {
            if (!_registry.TryGetOwner(slot.Id, out _))
            {
                AdoptListed(nowUs, slot, effects);
            }
        }

        OfEach(nowUs, All, effects);
    }

    /// <inheritdoc cref="SlotPool.HoldCreate"/>
    public bool HoldCreate(MetaKey function, SlotTicket ticket) => PoolOf(function, ticket).HoldCreate(ticket);

    /// <inheritdoc cref="SlotPool.KeepHeldCreate"/>
    public bool KeepHeldCreate(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects)
    {
        var kept = false;
        OfSlot(nowUs, function, ticket, effects, pool => kept = pool.KeepHeldCreate(nowUs, ticket, effects));
        return kept;
    }

    /// <inheritdoc cref="SlotPool.BeginCreate"/>
    public void BeginCreate(long nowUs, MetaKey function, SlotTicket ticket)
    {
        var pool = PoolOf(function, ticket);
        pool.BeginCreate(nowUs, ticket);
        _wakes.Arm(pool, pool.NextWakeUs);
    }

    /// <summary>Stops all pools: new requests are rejected, idle instances destroyed, busy ones when they are released.</summary>
    public void Drain(long nowUs, List<Effect> effects)
    {
        Settle(effects);
        _draining = true;
        foreach (var pool in All)
        {
            pool.Drain(nowUs, effects);
        }

        OfEach(nowUs, All, effects);
    }

    /// <inheritdoc cref="SlotPool.RejectWaiting"/>
    public void RejectWaiting(long nowUs, List<Effect> effects)
    {
        Settle(effects);
        foreach (var pool in All)
        {
            pool.RejectWaiting(nowUs, effects);
        }

        OfEach(nowUs, All, effects);
    }

    /// <summary>Limits of a function from now on, whatever settings its requests come with.</summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="key">The function.</param>
    /// <param name="limits">The limits, which may be none; null to take them away: those of all others hold then.</param>
    /// <param name="settings">
    /// The settings of its instances, for a function that nobody has asked for yet: it gets its floor at once then. Null where they come with its
    /// first request.
    /// </param>
    /// <param name="effects">Where effects are added.</param>
    /// <exception cref="ArgumentException">A limit is out of its range.</exception>
    public void SetLimits(long nowUs, MetaKey key, FunctionLimits? limits, FunctionMeta? settings, List<Effect> effects)
    {
        _limits.Set(key, limits);
        Settle(effects);
        var pools = _pools.GetValueOrDefault(key);
        if (pools is null && settings is not null && limits is { MinInstances: > 0 } && !_draining)
        {
            pools = AddPools(nowUs, settings, effects);
        }

        OfEach(nowUs, pools?.All ?? [], effects, pool => pool.SetLimits(nowUs, _limits.Of(key), effects));
    }

    /// <summary>Limits from now on of each function of which nothing else is said.</summary>
    /// <exception cref="ArgumentException">A limit is out of its range.</exception>
    public void SetOtherLimits(long nowUs, FunctionLimits limits, List<Effect> effects)
    {
        _limits.SetOthers(limits);
        Settle(effects);
        OfEach(nowUs, Pools.Where(p => !_limits.Names(p.Function.Key)), effects, pool => pool.SetLimits(nowUs, limits, effects));
    }

    /// <summary>Groups of functions that follow each other, from now on in place of the former ones.</summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="groups">All of them; none to take them away. What was learned of those that stay is kept.</param>
    /// <param name="effects">Where effects are added.</param>
    /// <exception cref="ArgumentException">A group is out of its range, or there twice; says which. Nothing has changed then.</exception>
    public void SetGroups(long nowUs, IReadOnlyCollection<FunctionGroup> groups, List<Effect> effects)
    {
        Settle(effects);
        _groups.Set(groups);
        OfEach(nowUs, Pools, effects, pool => pool.Expect(nowUs, _groups.ExpectedOf(pool.Function.Key), effects));
    }

    /// <summary>No pool asks for a slot before a time: what waits then gets what it still needs.</summary>
    public void HoldCreates(long untilUs) => _registry.CreatesHeldUntilUs = Math.Max(_registry.CreatesHeldUntilUs, untilUs);

    /// <summary>Requests that wait, in all pools.</summary>
    public int WaitingCount => _registry.Waiting;

    /// <inheritdoc/>
    public void RequestReview(MetaKey function)
    {
        foreach (var pool in _pools.GetValueOrDefault(function)?.All ?? [])
        {
            if (!_reviews.Contains(pool))
            {
                _reviews.Enqueue(pool);
            }
        }
    }

    /// <exception cref="InvalidOperationException">What is known of the pools contradicts their states; says how.</exception>
    public void CheckInvariants()
    {
        foreach (var pool in All)
        {
            pool.CheckInvariants();
            Invariant.Holds(pool == _orphans || pool.IsFormer || pool.IsEmpty == pool.EmptyPlace is not null, "an empty pool is on its way to be forgotten");
        }

        Invariant.Holds(_pools.Values.All(pools => pools.Former.All(p => p.IsFormer && !p.IsEmpty)), "a pool of former settings has slots or requests");
        Invariant.Holds(_pools.Values.All(pools => !pools.Current.IsFormer), "the pool that the last request used is not a former one");
        Invariant.Holds(_pools.Values.All(pools => pools.NextGrant is null || pools.NextGrant == pools.Current.NextGrant), "a grant that is ready is what its pool would give");
        Invariant.Holds(_registry.Waiting == All.Sum(p => p.WaiterCount), "those who wait are counted");
        Invariant.Holds(_empty.Count <= _options.MostRemembered, "no more empty pools are remembered than may be");
    }

    private SlotPool MakePool(long nowUs, FunctionMeta function, List<Effect> effects)
    {
        var pool = _learned is null
            ? new SlotPool(function, _makePolicy(function), _options, _registry, Ledger)
            : MakeLearned(function, _learned);
        if (_draining)
        {
            pool.Drain(nowUs, effects);
        }

        pool.SetLimits(nowUs, _limits.Of(function.Key), effects);
        pool.Expect(nowUs, _groups.ExpectedOf(function.Key), effects);
        return pool;
    }

    /// <summary>A pool that begins with what former runs have learned.</summary>
    private SlotPool MakeLearned(FunctionMeta function, ILearnedMemory learned)
    {
        var pool = Make();
        if (!_sharedRead)
        {
            _sharedRead = true;
            pool = SlotPool.TakeIn(pool, Make, learned.Shared, new MetaKey(""), learned, static (to, reader) => to.ReadShared(reader));
        }

        return SlotPool.TakeIn(pool, Make, learned.Find(function.Key), function.Key, learned, static (to, reader) => to.ReadLearned(reader));

        SlotPool Make() => new(function, _makePolicy(function), _options, _registry, Ledger);
    }

    private FunctionPools AddPools(long nowUs, FunctionMeta function, List<Effect> effects)
    {
        var pools = new FunctionPools(MakePool(nowUs, function, effects));
        _pools.Add(function.Key, pools);
        return pools;
    }

    /// <summary>The pool for a request whose function may have pools of several settings, or get a further one.</summary>
    private SlotPool PoolFor(long nowUs, FunctionPools pools, FunctionMeta function, RequestId request, List<Effect> effects)
    {
        var before = pools.Current;
        var pool = pools.For(nowUs, function, request, f => MakePool(nowUs, f, effects), effects);
        if (before != pools.Current)
        {
            RemoveEmptyPlace(before);
            Finish(nowUs, before, effects);
        }

        return pool;
    }

    /// <summary>
    /// The pool whose slot it is; where it is none's, the one that the last request used, and where there is none, the orphans': whatever the
    /// backend may still have of it is destroyed there.
    /// </summary>
    private SlotPool PoolOf(MetaKey function, SlotTicket ticket) => _pools.GetValueOrDefault(function)?.PoolOf(ticket) ?? _orphans;

    /// <summary>An event of a slot.</summary>
    private void OfSlot(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects, Action<SlotPool> happens)
    {
        Settle(effects);
        OfEach(nowUs, [PoolOf(function, ticket)], effects, happens);
    }

    private void AdoptListed(long nowUs, ListedSlot slot, List<Effect> effects)
    {
        // Without a time-out nobody can say when the last request of the former run has ended.
        if (slot.Function is not { TimeoutSeconds: > 0 } function || function.Key == NoFunction.Key)
        {
            _orphans.Adopt(nowUs, slot.Id, effects);
            return;
        }

        var pools = _pools.GetValueOrDefault(function.Key) ?? AddPools(nowUs, function, effects);
        if (pools.Fitting(function.MemoryMb, function.Runtime) is { } pool)
        {
            pool.AdoptInstance(nowUs, slot.Id, nowUs + (1_000_000L * function.TimeoutSeconds), effects);
        }
        else
        {
            _orphans.Adopt(nowUs, slot.Id, effects);
        }
    }

    /// <summary>Takes over what a former run of the scaler has left of a function: to be called before any other event.</summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="function">The function.</param>
    /// <param name="slots">Its slots; may be none, where it is only to be remembered.</param>
    /// <param name="effects">Where effects are added.</param>
    public void Restore(long nowUs, FunctionMeta function, IEnumerable<RestoredSlot> slots, List<Effect> effects)
    {
        ArgumentNullException.ThrowIfNull(slots);
        Settle(effects);
        var pool = _orphans;
        if (function.Key != NoFunction.Key)
        {
            var pools = _pools.GetValueOrDefault(function.Key) ?? AddPools(nowUs, function, effects);
            pool = pools.Fitting(function.MemoryMb, function.Runtime) ?? PoolFor(nowUs, pools, function, new RequestId(""), effects);
        }

        foreach (var slot in slots)
        {
            pool.Restore(nowUs, slot, effects);
        }

        Finish(nowUs, pool, effects);
    }

    /// <summary>
    /// The same for many functions: each is taken over when something happens to it, and the others by <see cref="RestoreNext"/>. Until that has
    /// ended, <see cref="Reconcile"/> must not be called.
    /// </summary>
    public void RestoreLater(IEnumerable<(FunctionMeta Function, RestoredSlot Slot)> slots)
    {
        ArgumentNullException.ThrowIfNull(slots);
        foreach (var slot in slots)
        {
            if (!_later.TryGetValue(slot.Function.Key, out var ofFunction))
            {
                _later.Add(slot.Function.Key, ofFunction = []);
                _laterInTurn.Enqueue(slot.Function.Key);
            }

            ofFunction.Add(slot);
        }
    }

    /// <summary>Takes over some more of the functions that are left.</summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="most">How many functions at most.</param>
    /// <param name="effects">Where effects are added.</param>
    /// <returns>Whether any are left.</returns>
    public bool RestoreNext(long nowUs, int most, List<Effect> effects)
    {
        Settle(effects);
        for (; most > 0 && _laterInTurn.TryDequeue(out var function); most--)
        {
            TakeOver(nowUs, function, effects);
        }

        return _later.Count > 0;
    }

    /// <summary>What all functions share of what was learned, as a <see cref="LearnedRecord"/>; null where nothing is.</summary>
    public byte[]? WriteShared(long nowUs) => Pools.FirstOrDefault()?.WriteShared(nowUs);

    /// <summary>The last ticket that was given.</summary>
    public long LastTicket => _registry.LastTicket;

    /// <summary>Takes over what is left of a function, if anything is.</summary>
    private void TakeOver(long nowUs, MetaKey function, List<Effect> effects)
    {
        if (_later.Count > 0 && _later.Remove(function, out var slots))
        {
            foreach (var (meta, slot) in slots)
            {
                Restore(nowUs, meta, [slot], effects);
            }
        }
    }

    /// <summary>What ends every event: the pool's wake-up time, the reviews that policies asked for, and what is to be forgotten.</summary>
    private void Finish(long nowUs, SlotPool pool, List<Effect> effects)
    {
        _wakes.Arm(pool, pool.NextWakeUs);

        // A review may ask for further ones; each pool is reviewed once at most, so that two policies cannot keep each other busy.
        for (var left = _reviews.Count > 0 ? _pools.Count : 0; left > 0 && _reviews.TryDequeue(out var other); left--)
        {
            other.Review(nowUs, effects);
            _wakes.Arm(other, other.NextWakeUs);
            Tidy(nowUs, other);
        }

        _reviews.Clear();
        Tidy(nowUs, pool);
        WakeAwaiting(nowUs);
    }

    /// <summary>An event of several pools, in turn.</summary>
    private void OfEach(long nowUs, IEnumerable<SlotPool> pools, List<Effect> effects, Action<SlotPool>? happens = null)
    {
        foreach (var pool in pools.ToList())
        {
            happens?.Invoke(pool);
            Finish(nowUs, pool, effects);
        }
    }

    /// <summary>Keeps the lists of empty pools and of those that wait for the backend; forgets what has been empty for long enough.</summary>
    private void Tidy(long nowUs, SlotPool pool)
    {
        pool.Pools!.Prepare();
        if (pool.AwaitsBackend && !pool.IsAwaiting)
        {
            pool.IsAwaiting = true;
            _awaiting.Enqueue(pool);
        }

        if (!pool.IsEmpty)
        {
            RemoveEmptyPlace(pool);
        }
        else if (pool.IsFormer || (pool != _orphans && pool.KnowsNothing))
        {
            Forget(nowUs, pool);
        }
        else if (pool != _orphans && pool.EmptyPlace is null)
        {
            pool.EmptySinceUs = nowUs;
            pool.EmptyPlace = _empty.AddLast(pool);
        }

        while (_empty.First is { } first && (_empty.Count > _options.MostRemembered || nowUs - first.Value.EmptySinceUs >= _forgetAfterUs))
        {
            Forget(nowUs, first.Value);
        }
    }

    private void Forget(long nowUs, SlotPool pool)
    {
        RemoveEmptyPlace(pool);
        if (_learned is not null && !pool.IsFormer && !pool.KnowsNothing)
        {
            _learned.Keep(pool.Function.Key, new LearnedBytes(pool.WriteLearned(nowUs), nowUs));
        }

        if (!_pools[pool.Function.Key].Remove(nowUs, pool))
        {
            _pools.Remove(pool.Function.Key);
        }

        pool.Forgotten();
    }

    private void RemoveEmptyPlace(SlotPool pool)
    {
        if (pool.EmptyPlace is { } place)
        {
            _empty.Remove(place);
            pool.EmptyPlace = null;
        }
    }

    /// <summary>Where the backend has worked since, pools that it had failed go on at once, some at a time.</summary>
    private void WakeAwaiting(long nowUs)
    {
        if (_registry.WorkedUs <= _workedUs)
        {
            return;
        }

        _workedUs = _registry.WorkedUs;
        for (var left = Math.Min(MostWokenAtOnce, _awaiting.Count); left > 0; left--)
        {
            var pool = _awaiting.Dequeue();
            pool.IsAwaiting = pool.AwaitsBackend && !pool.IsForgotten;
            if (pool.IsAwaiting)
            {
                _awaiting.Enqueue(pool);
            }
            else if (!pool.IsForgotten)
            {
                pool.WakeNow(nowUs);
                _wakes.Arm(pool, pool.NextWakeUs);
            }
        }
    }
}
