using FuncScaler.Learned;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using FuncScaler.Policies;
using FuncScaler.Scoring;

namespace FuncScaler.Leasing.Worker;

/// <summary>
/// A worker's pools of all functions under one lease: routes events to the function's <see cref="LocalPool"/>, and says what is due when.
/// Deterministic, without I/O; not safe for concurrent use; times are µs on the worker's monotonic clock.
/// </summary>
/// <remarks>
/// A life that is over, as the worker's own ledger says, is not taken up again: all slots are lost, and the worker begins another life under
/// another name, with the requests that wait.
/// </remarks>
public sealed class WorkerCore : IScalerCore
{
    private readonly string _name;
    private readonly LeasingOptions _options;
    private readonly WorkerParts _parts;
    private readonly ILearnedMemory? _learned;
    private readonly Func<FunctionMeta, IKeepAlivePolicy> _makePolicy;
    private readonly Dictionary<MetaKey, LocalPool> _pools = [];
    private readonly LimitsBook _limits = new();
    private readonly GroupsBook _groups = new();

    /// <summary>Of functions whose pool is forgotten: what their ledgers count on from.</summary>
    private readonly Dictionary<MetaKey, ToldSoFar> _told = [];

    /// <summary>Pools without anything, the longest empty one first.</summary>
    private readonly LinkedList<LocalPool> _empty = new();

    private WakeQueue<LocalPool> _due = new();
    private SlotRegistry _registry;
    private int _lives;
    private bool _draining;
    private bool _leaving;

    /// <param name="worker">This worker, in its first life.</param>
    /// <param name="policy">How functions are served, the same as the ledgers'.</param>
    /// <param name="options">Settings, the same as the ledgers'.</param>
    /// <param name="learned">What was learned of functions before; null for nothing.</param>
    public WorkerCore(WorkerId worker, PolicyChoice policy, LeasingOptions options, ILearnedMemory? learned = null)
        : this(worker, policy, options, new WorkerParts(), learned)
    {
    }

    internal WorkerCore(WorkerId worker, PolicyChoice policy, LeasingOptions options, WorkerParts parts, ILearnedMemory? learned = null)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _name = worker.Value;
        _options = options;
        _parts = parts;
        _learned = learned;
        _makePolicy = policy.Begin(new ReviewLater());
        (_registry, Lease) = Begin(worker);
    }

    /// <summary>The lease of this life.</summary>
    public WorkerLease Lease { get; private set; }

    /// <summary>This worker, in this life.</summary>
    public WorkerId Worker => Lease.Worker;

    /// <summary>What this worker's slots have cost.</summary>
    public ScoreLedger Ledger { get; } = new();

    public IEnumerable<LocalPool> Pools => _pools.Values;

    /// <summary>Slots of this worker, those under way included.</summary>
    public int SlotCount => _pools.Values.Sum(p => p.SlotCount);

    /// <summary>When <see cref="Tick"/> is to be called next, µs; <see cref="long.MaxValue"/> when nothing is due.</summary>
    public long NextDueUs => Math.Min(_due.NextUs, Math.Min(Lease.NextBeatUs, Lease.NextReadUs));

    long IScalerCore.NextWakeUs => NextDueUs;

    IEnumerable<SlotPool> IScalerCore.Pools => _pools.Values.SelectMany(p => p.Pools);

    IEnumerable<(MetaKey Function, SlotSnapshot Slot)> IScalerCore.Inventory =>
        _pools.Values.SelectMany(p => p.Pools).SelectMany(p => p.Slots.Select(s => (p.Function.Key, s)));

    SlotPool? IScalerCore.FindPool(MetaKey function) => Find(function)?.Pool;

    /// <summary>What is to be sent to ledgers, and which of them are to be read. The host takes it after each event.</summary>
    public WorkerOutbox Outbox { get; } = new();

    /// <summary>Does what is due in all pools; what ledgers are to be told or asked goes into <see cref="Outbox"/>.</summary>
    public void Tick(long nowUs, List<Effect> effects)
    {
        while (_due.TryTake(nowUs, out var pool))
        {
            if (pool.Pool.IsForgotten)
            {
                continue;
            }

            if (pool.NextWakeUs <= nowUs)
            {
                pool.Tick(nowUs, effects);
            }

            if (pool.NextReportUs <= nowUs && pool.MayReport(nowUs))
            {
                Outbox.Reports.Add(new DueReport(pool.Function.Key, pool.TakeReport(nowUs)));
            }

            if (pool.NextReadUs <= nowUs)
            {
                pool.ReadBegun(nowUs);
                Outbox.Reads.Add(pool.Function.Key);
            }

            Follow(nowUs, pool, Math.Max(nowUs + 1, pool.NextDueFromUs(nowUs)));
        }

        if (Lease.NextBeatUs <= nowUs)
        {
            Outbox.Beat = TakeBeat(nowUs);
        }

        if (Lease.NextReadUs <= nowUs)
        {
            Lease.ReadBegun(nowUs);
            Outbox.ReadWorker = true;
        }
    }

    /// <inheritdoc />
    public bool HoldCreate(MetaKey function, SlotTicket ticket) => Find(function)?.HoldCreate(ticket) ?? false;

    /// <inheritdoc />
    public bool KeepHeldCreate(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects)
    {
        var keep = false;
        Route(nowUs, function, pool => keep = pool.KeepHeldCreate(nowUs, ticket, effects));
        return keep;
    }

    /// <inheritdoc />
    public void BeginCreate(long nowUs, MetaKey function, SlotTicket ticket) => Route(nowUs, function, pool => pool.BeginCreate(nowUs, ticket));

    /// <summary>What to tell the worker's own ledger now.</summary>
    public WorkerBeat TakeBeat(long nowUs)
    {
        var settledTo = _pools.Values.Aggregate(_registry.LastTicket, (last, pool) => Math.Min(last, pool.FirstUnsettled - 1));
        Lease.Holding = settledTo < _registry.LastTicket || _pools.Values.Any(p => p.IsAtWork);
        return Lease.TakeBeat(nowUs, settledTo);
    }

    /// <summary>What the worker's own ledger says.</summary>
    public void ReceiveWorker(long nowUs, WorkerState state, List<Effect> effects)
    {
        if (!Lease.Receive(nowUs, state))
        {
            BeginAnew(nowUs, effects);
            return;
        }

        foreach (var pool in _pools.Values)
        {
            pool.Resume(nowUs, effects);
            _due.Arm(pool, pool.NextDueUs);
        }
    }

    /// <summary>The function's pool; null when it was never asked for.</summary>
    public LocalPool? Find(MetaKey function) => _pools.GetValueOrDefault(function);

    /// <inheritdoc cref="LocalPool.Assign"/>
    public void Assign(long nowUs, FunctionMeta function, RequestId request, long deadlineUs, List<Effect> effects)
    {
        ArgumentNullException.ThrowIfNull(function);

        var pool = PoolOf(nowUs, function, effects);
        var isNew = pool.Assign(nowUs, function, request, deadlineUs, effects);
        Follow(nowUs, pool, pool.NextDueUs);
        if (isNew)
        {
            Expect(nowUs, function.Key, effects);
        }
    }

    /// <inheritdoc cref="LocalPool.Release"/>
    public ReleaseOutcome Release(
        long nowUs, MetaKey function, RequestId request, InstanceId instance, in ReleaseResult result, List<Effect> effects)
    {
        if (!_pools.TryGetValue(function, out var pool))
        {
            // Assigned by another worker; a release does not say what function it is of but for the key.
            pool = PoolOf(nowUs, LocalPool.Unknown(function), effects);
        }

        var outcome = pool.Release(nowUs, request, instance, result, effects);
        Follow(nowUs, pool, pool.NextDueUs);
        return outcome;
    }

    /// <inheritdoc cref="LocalPool.Abandon"/>
    public void Abandon(long nowUs, MetaKey function, RequestId request, List<Effect> effects) =>
        Route(nowUs, function, pool => pool.Abandon(nowUs, request, effects));

    /// <inheritdoc cref="LocalPool.SlotCreated"/>
    public void SlotCreated(long nowUs, MetaKey function, SlotTicket ticket, BackendSlotId backendId, List<Effect> effects)
    {
        // What comes into being late is told, whoever wanted it: its pool may be forgotten, or of a former life.
        var pool = _pools.GetValueOrDefault(function) ?? PoolOf(nowUs, LocalPool.Unknown(function), effects);
        pool.SlotCreated(nowUs, ticket, backendId, effects);
        Follow(nowUs, pool, pool.NextDueUs);
    }

    /// <inheritdoc cref="LocalPool.SlotReady"/>
    public void SlotReady(long nowUs, MetaKey function, SlotTicket ticket, Uri? address, List<Effect> effects) =>
        Route(nowUs, function, pool => pool.SlotReady(nowUs, ticket, address, effects));

    /// <inheritdoc cref="LocalPool.SlotFailed"/>
    public void SlotFailed(long nowUs, MetaKey function, SlotTicket ticket, SlotFailure failure, List<Effect> effects) =>
        Route(nowUs, function, pool => pool.SlotFailed(nowUs, ticket, failure, effects));

    /// <inheritdoc cref="LocalPool.SlotDestroyed"/>
    public void SlotDestroyed(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects) =>
        Route(nowUs, function, pool => pool.SlotDestroyed(nowUs, ticket));

    /// <summary>What a function's ledger says of this worker.</summary>
    public void Receive(long nowUs, MetaKey function, LedgerView view, List<Effect> effects) =>
        Route(nowUs, function, pool => pool.Receive(nowUs, view, effects));

    /// <summary>Limits of a function from now on; null to take them away: those of all others hold then.</summary>
    /// <exception cref="ArgumentException">A limit is out of its range.</exception>
    public void SetLimits(long nowUs, MetaKey function, FunctionLimits? limits, List<Effect> effects)
    {
        _limits.Set(function, limits);
        Route(nowUs, function, pool => pool.SetLimits(nowUs, _limits.Of(function), effects));
    }

    /// <summary>Limits from now on of each function of which nothing else is said.</summary>
    /// <exception cref="ArgumentException">A limit is out of its range.</exception>
    public void SetOtherLimits(long nowUs, FunctionLimits limits, List<Effect> effects)
    {
        _limits.SetOthers(limits);
        foreach (var function in _pools.Keys.Where(f => !_limits.Names(f)).ToList())
        {
            Route(nowUs, function, pool => pool.SetLimits(nowUs, limits, effects));
        }
    }

    /// <summary>
    /// Groups of functions that follow each other, from now on in place of the former ones. A worker prepares for what follows the requests that come to
    /// itself.
    /// </summary>
    /// <exception cref="ArgumentException">A group is out of its range, or there twice; says which. Nothing has changed then.</exception>
    public void SetGroups(long nowUs, IReadOnlyCollection<FunctionGroup> groups, List<Effect> effects)
    {
        _groups.Set(groups);
        foreach (var function in _pools.Keys.ToList())
        {
            Route(nowUs, function, pool => pool.Expect(nowUs, _groups.ExpectedOf(function), effects));
        }
    }

    /// <inheritdoc cref="LocalPool.Drain"/>
    public void Drain(long nowUs, List<Effect> effects)
    {
        _draining = true;
        foreach (var pool in _pools.Values)
        {
            pool.Drain(nowUs, effects);
            _due.Arm(pool, pool.NextDueUs);
        }
    }

    /// <inheritdoc cref="LocalPool.Leave"/>
    public void Leave(long nowUs, List<Effect> effects)
    {
        _draining = _leaving = true;
        foreach (var pool in _pools.Values)
        {
            pool.Leave(nowUs, effects);
            _due.Arm(pool, pool.NextDueUs);
        }

        Lease.Leave();
    }

    private (SlotRegistry Registry, WorkerLease Lease) Begin(WorkerId worker)
    {
        _lives++;
        var firstTicket = TicketSpace.For(worker.Value);
        return (new SlotRegistry(firstTicket), _parts.NewLease(worker, firstTicket, _options));
    }

    /// <summary>This life is over: what it had is lost, and nobody else uses it. The requests that wait are taken into the next life.</summary>
    private void BeginAnew(long nowUs, List<Effect> effects)
    {
        if (_leaving)
        {
            return;
        }

        (_registry, Lease) = Begin(new WorkerId($"{_name}~{_lives}"));
        _due = new WakeQueue<LocalPool>();
        var former = _pools.Values.ToList();
        _pools.Clear();
        _told.Clear();
        _empty.Clear();
        foreach (var pool in former)
        {
            var waiting = pool.Pools.SelectMany(p => p.Line.Select(w => (p.Function, Waiter: w))).ToList();
            var hadSlots = pool.SlotCount > 0;
            if (pool.End(nowUs) is { } lastWords)
            {
                Outbox.Reports.Add(new DueReport(pool.Function.Key, lastWords));
            }

            Keep(nowUs, pool);
            pool.Forgotten();
            var next = PoolOf(nowUs, pool.Function, effects);
            next.ExpectsLate = hadSlots;
            foreach (var (function, waiter) in waiting)
            {
                for (var callers = waiter.Callers; callers > 0; callers--)
                {
                    next.Assign(nowUs, function, waiter.Request, waiter.DeadlineUs, effects);
                }
            }

            _due.Arm(next, next.NextDueUs);
        }
    }

    private LocalPool PoolOf(long nowUs, FunctionMeta function, List<Effect> effects)
    {
        if (!_pools.TryGetValue(function.Key, out var pool))
        {
            pool = _parts.NewPool(Lease, function, _makePolicy, _options, _registry, Ledger);
            _pools.Add(function.Key, pool);
            if (_learned is not null && function.Runtime != LocalPool.UnknownRuntime)
            {
                pool.TakeIn(_learned);
            }

            if (_told.Remove(function.Key, out var told))
            {
                pool.Told = _parts.Remembered(told);
            }

            pool.SetLimits(nowUs, _limits.Of(function.Key), effects);
            pool.Expect(nowUs, _groups.ExpectedOf(function.Key), effects);

            // A pool begins without a lease; the worker may have had one for long.
            pool.Resume(nowUs, effects);
            if (_draining)
            {
                pool.Drain(nowUs, effects);
            }
        }

        return pool;
    }

    /// <summary>A request has come that others follow: the pools of their functions prepare for them.</summary>
    private void Expect(long nowUs, MetaKey parent, List<Effect> effects)
    {
        foreach (var following in _groups.FollowingOf(parent))
        {
            var child = Find(following.Group.Child) ?? (following.Group.ChildSettings is { } settings && !_draining ? PoolOf(nowUs, settings, effects) : null);
            following.ParentCame(nowUs, child?.Pool.StartsInUs ?? long.MaxValue);
            if (child is not null)
            {
                child.Review(nowUs, effects);
                Follow(nowUs, child, child.NextDueUs);
            }
        }
    }

    private void Route(long nowUs, MetaKey function, Action<LocalPool> action)
    {
        if (_pools.TryGetValue(function, out var pool))
        {
            action(pool);
            Follow(nowUs, pool, pool.NextDueUs);
        }
    }

    /// <summary>What follows every event of a pool: it is due again, or forgotten.</summary>
    private void Follow(long nowUs, LocalPool pool, long dueUs)
    {
        if (!pool.IsForgettable)
        {
            RemoveEmptyPlace(pool);
        }
        else if (pool.Pool.KnowsNothing && !pool.ExpectsLate)
        {
            Forget(nowUs, pool);
        }
        else if (pool.EmptyPlace is null)
        {
            pool.EmptySinceUs = nowUs;
            pool.EmptyPlace = _empty.AddLast(pool);
        }

        while (_empty.First is { } first && (_empty.Count > _options.Pool.MostRemembered || nowUs - first.Value.EmptySinceUs >= _options.Pool.ForgetAfter.ToUs()))
        {
            Forget(nowUs, first.Value);
        }

        if (!pool.Pool.IsForgotten)
        {
            _due.Arm(pool, dueUs);
        }
    }

    /// <summary>What a pool has learned is there for the function's next one.</summary>
    private void Keep(long nowUs, LocalPool pool)
    {
        if (!pool.Pool.KnowsNothing && pool.Function.Runtime != LocalPool.UnknownRuntime)
        {
            _learned?.Keep(pool.Function.Key, new LearnedBytes(pool.Pool.WriteLearned(nowUs), nowUs));
        }
    }

    private void Forget(long nowUs, LocalPool pool)
    {
        Keep(nowUs, pool);
        RemoveEmptyPlace(pool);
        _pools.Remove(pool.Function.Key);
        pool.Forgotten();
        if (pool.Told is { Sequence: > 0 } told)
        {
            _told.Add(pool.Function.Key, told);
        }
    }

    private void RemoveEmptyPlace(LocalPool pool)
    {
        if (pool.EmptyPlace is { } place)
        {
            _empty.Remove(place);
            pool.EmptyPlace = null;
        }
    }

    /// <summary>Policies that look beyond one function are reviewed with their function's next event.</summary>
    private sealed class ReviewLater : IPolicyHost
    {
        public void RequestReview(MetaKey function)
        {
        }
    }
}

/// <summary>What a worker's core is made of; tests replace a part to leave out a rule.</summary>
internal class WorkerParts
{
    /// <summary>What a function's next pool goes on from.</summary>
    public virtual ToldSoFar Remembered(ToldSoFar told) => told;

    public virtual WorkerLease NewLease(WorkerId worker, long firstTicket, LeasingOptions options) => new(worker, firstTicket, options);

    public virtual LocalPool NewPool(
        WorkerLease lease, FunctionMeta function, Func<FunctionMeta, IKeepAlivePolicy> makePolicy, LeasingOptions options, SlotRegistry registry, ScoreLedger ledger) =>
        new(lease, function, makePolicy, options, registry, ledger);
}

/// <summary>Messages of a worker's core on their way out.</summary>
public sealed class WorkerOutbox
{
    /// <summary>Reports to be sent.</summary>
    public List<DueReport> Reports { get; } = [];

    /// <summary>Functions whose ledger is to be read, for <see cref="WorkerCore.Receive"/>.</summary>
    public List<MetaKey> Reads { get; } = [];

    /// <summary>A beat to be sent to the worker's own ledger; null for none.</summary>
    public WorkerBeat? Beat { get; set; }

    /// <summary>Whether the worker's own ledger is to be read, for <see cref="WorkerCore.ReceiveWorker"/>.</summary>
    public bool ReadWorker { get; set; }

    /// <summary>All of it is on its way.</summary>
    public void Clear()
    {
        Beat = null;
        ReadWorker = false;
        Reports.Clear();
        Reads.Clear();
    }
}

/// <summary>A report and the function whose ledger is to get it.</summary>
public readonly record struct DueReport(MetaKey Function, WorkerReport Report);
