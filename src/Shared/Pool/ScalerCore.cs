using FuncScaler.Policies;
using FuncScaler.Policies.Basic;
using FuncScaler.Scoring;

namespace FuncScaler.Pool;

/// <summary>
/// The pools of all functions behind one deterministic face: routes events to the function's <see cref="SlotPool"/>, keeps their wake-up
/// times, and takes in what no function owns. Not safe for concurrent use; hosts serialise their calls.
/// </summary>
public sealed class ScalerCore : IScalerCore, IPolicyHost
{
    private static readonly FunctionMeta NoFunction = new(new MetaKey(""), "", 0, 1);

    private readonly Func<FunctionMeta, IKeepAlivePolicy> _makePolicy;
    private readonly SlotPoolOptions _options;
    private readonly SlotRegistry _registry = new();
    private readonly Dictionary<MetaKey, SlotPool> _pools = [];
    private readonly WakeQueue<SlotPool> _wakes = new();
    private readonly SlotPool _orphans;
    private readonly Queue<SlotPool> _reviews = new();
    private bool _draining;

    /// <param name="policy">How every function is served.</param>
    /// <param name="options">Limits of each pool.</param>
    public ScalerCore(PolicyChoice policy, SlotPoolOptions options)
    {
        _makePolicy = policy.Begin(this);
        _options = options;
        _orphans = new SlotPool(NoFunction, new DirectPolicy(), options, _registry, Ledger);
        _pools.Add(NoFunction.Key, _orphans);
    }

    /// <summary>What the run has cost so far, as the scaler sees it.</summary>
    public ScoreLedger Ledger { get; } = new();

    /// <summary>The pools of the functions seen so far.</summary>
    public IEnumerable<SlotPool> Pools => _pools.Values.Where(p => p != _orphans);

    /// <summary>A snapshot of all inventories, orphans included.</summary>
    public IEnumerable<SlotSnapshot> Slots => _pools.Values.SelectMany(p => p.Slots);

    /// <summary>The same with the function of each; its key is empty for orphans.</summary>
    public IEnumerable<(MetaKey Function, SlotSnapshot Slot)> Inventory => _pools.Values.SelectMany(p => p.Slots.Select(s => (p.Function.Key, s)));

    /// <summary>Slots in all inventories, orphans included.</summary>
    public int SlotCount => _pools.Values.Sum(p => p.SlotCount);

    /// <summary>When <see cref="Tick"/> is to be called next, µs; <see cref="long.MaxValue"/> when nothing is due.</summary>
    public long NextWakeUs => _wakes.NextUs;

    /// <summary>The function's pool; null when it was never asked for.</summary>
    public SlotPool? Find(MetaKey function) => _pools.GetValueOrDefault(function);

    SlotPool? IScalerCore.FindPool(MetaKey function) => Find(function);

    /// <inheritdoc cref="SlotPool.Assign"/>
    /// <remarks>Settings of the function that differ from those before take effect at once.</remarks>
    public void Assign(long nowUs, FunctionMeta function, RequestId request, long deadlineUs, List<Effect> effects)
    {
        if (!_pools.TryGetValue(function.Key, out var pool))
        {
            pool = AddPool(nowUs, function, effects);
        }
        else if (!ReferenceEquals(pool.Function, function) && pool.Function != function)
        {
            pool.UpdateFunction(nowUs, function, effects);
        }

        pool.Assign(nowUs, request, deadlineUs, effects);
        Finish(nowUs, pool, effects);
    }

    /// <inheritdoc cref="SlotPool.Release"/>
    public ReleaseOutcome Release(long nowUs, MetaKey function, RequestId request, InstanceId instance, in ReleaseResult result, List<Effect> effects)
    {
        if (!_pools.TryGetValue(function, out var pool))
        {
            return ReleaseOutcome.UnknownAssignment;
        }

        var outcome = pool.Release(nowUs, request, instance, result, effects);
        Finish(nowUs, pool, effects);
        return outcome;
    }

    /// <inheritdoc cref="SlotPool.Abandon"/>
    public void Abandon(long nowUs, MetaKey function, RequestId request, List<Effect> effects) =>
        Route(nowUs, function, effects, (pool, e) => pool.Abandon(nowUs, request, e));

    /// <inheritdoc cref="SlotPool.SlotCreated"/>
    public void SlotCreated(long nowUs, MetaKey function, SlotTicket ticket, BackendSlotId backendId, List<Effect> effects) =>
        Route(nowUs, function, effects, (pool, e) => pool.SlotCreated(nowUs, ticket, backendId, e));

    void IScalerCore.SlotReady(long nowUs, MetaKey function, SlotTicket ticket, Uri? address, List<Effect> effects) =>
        SlotReady(nowUs, function, ticket, effects, address);

    /// <inheritdoc cref="SlotPool.SlotReady"/>
    public void SlotReady(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects, Uri? address = null) =>
        Route(nowUs, function, effects, (pool, e) => pool.SlotReady(nowUs, ticket, e, address));

    /// <inheritdoc cref="SlotPool.SlotFailed"/>
    public void SlotFailed(long nowUs, MetaKey function, SlotTicket ticket, SlotFailure failure, List<Effect> effects) =>
        Route(nowUs, function, effects, (pool, e) => pool.SlotFailed(nowUs, ticket, failure, e));

    /// <inheritdoc cref="SlotPool.SlotDestroyed"/>
    public void SlotDestroyed(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects) =>
        Route(nowUs, function, effects, (pool, e) => pool.SlotDestroyed(nowUs, ticket, e));

    /// <summary>Does what is due, in all pools.</summary>
    public void Tick(long nowUs, List<Effect> effects)
    {
        while (_wakes.TryTake(nowUs, out var pool))
        {
            pool.Tick(nowUs, effects);
            Finish(nowUs, pool, effects);
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
        var byId = new Dictionary<BackendSlotId, ListedSlot>();
        foreach (var slot in listed)
        {
            byId[slot.Id] = slot;
        }

        foreach (var pool in _pools.Values)
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

        FinishAll(nowUs, effects);
    }

    /// <inheritdoc cref="SlotPool.HoldCreate"/>
    public bool HoldCreate(MetaKey function, SlotTicket ticket) => _pools.TryGetValue(function, out var pool) && pool.HoldCreate(ticket);

    /// <inheritdoc cref="SlotPool.KeepHeldCreate"/>
    public bool KeepHeldCreate(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects)
    {
        var kept = false;
        Route(nowUs, function, effects, (pool, e) => kept = pool.KeepHeldCreate(nowUs, ticket, e));
        return kept;
    }

    /// <inheritdoc cref="SlotPool.BeginCreate"/>
    public void BeginCreate(long nowUs, MetaKey function, SlotTicket ticket)
    {
        if (_pools.TryGetValue(function, out var pool))
        {
            pool.BeginCreate(nowUs, ticket);
            _wakes.Arm(pool, pool.NextWakeUs);
        }
    }

    /// <summary>Stops all pools: new requests are rejected, idle instances destroyed, busy ones when they are released.</summary>
    public void Drain(long nowUs, List<Effect> effects)
    {
        _draining = true;
        foreach (var pool in _pools.Values)
        {
            pool.Drain(nowUs, effects);
        }

        FinishAll(nowUs, effects);
    }

    /// <inheritdoc cref="SlotPool.RejectWaiting"/>
    public void RejectWaiting(long nowUs, List<Effect> effects)
    {
        foreach (var pool in _pools.Values)
        {
            pool.RejectWaiting(nowUs, effects);
        }

        FinishAll(nowUs, effects);
    }

    /// <inheritdoc/>
    public void RequestReview(MetaKey function)
    {
        if (_pools.TryGetValue(function, out var pool) && !_reviews.Contains(pool))
        {
            _reviews.Enqueue(pool);
        }
    }

    private SlotPool AddPool(long nowUs, FunctionMeta function, List<Effect> effects)
    {
        var pool = new SlotPool(function, _makePolicy(function), _options, _registry, Ledger);
        _pools.Add(function.Key, pool);
        if (_draining)
        {
            pool.Drain(nowUs, effects);
        }

        return pool;
    }

    private void AdoptListed(long nowUs, ListedSlot slot, List<Effect> effects)
    {
        // Without a time-out nobody can say when the last request of the former run has ended.
        if (slot.Function is not { TimeoutSeconds: > 0 } function || function.Key == NoFunction.Key)
        {
            _orphans.Adopt(nowUs, slot.Id, effects);
            return;
        }

        var pool = Find(function.Key) ?? AddPool(nowUs, function, effects);
        if (pool.Function.MemoryMb == function.MemoryMb && pool.Function.Runtime == function.Runtime)
        {
            pool.AdoptInstance(nowUs, slot.Id, nowUs + (1_000_000L * function.TimeoutSeconds), effects);
        }
        else
        {
            _orphans.Adopt(nowUs, slot.Id, effects);
        }
    }

    private void Route(long nowUs, MetaKey function, List<Effect> effects, Action<SlotPool, List<Effect>> action)
    {
        if (_pools.TryGetValue(function, out var pool))
        {
            action(pool, effects);
            Finish(nowUs, pool, effects);
        }
    }

    /// <summary>What ends every event: the pool's wake-up time, and the reviews that policies asked for.</summary>
    private void Finish(long nowUs, SlotPool pool, List<Effect> effects)
    {
        _wakes.Arm(pool, pool.NextWakeUs);

        // A review may ask for further ones; each pool is reviewed once at most, so that two policies cannot keep each other busy.
        for (var left = _reviews.Count > 0 ? _pools.Count : 0; left > 0 && _reviews.TryDequeue(out var other); left--)
        {
            other.Review(nowUs, effects);
            _wakes.Arm(other, other.NextWakeUs);
        }

        _reviews.Clear();
    }

    private void FinishAll(long nowUs, List<Effect> effects)
    {
        foreach (var pool in _pools.Values)
        {
            Finish(nowUs, pool, effects);
        }
    }
}
