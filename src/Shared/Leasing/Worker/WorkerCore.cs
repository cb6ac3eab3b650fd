using FuncScaler.Leasing.Messages;
using FuncScaler.Policies;
using FuncScaler.Scoring;

namespace FuncScaler.Leasing.Worker;

/// <summary>
/// A worker's pools of all functions: routes events to the function's <see cref="LocalPool"/>, and says what is due when. Deterministic,
/// without I/O; not safe for concurrent use; times are µs on the worker's monotonic clock.
/// </summary>
public sealed class WorkerCore : IScalerCore
{
    private readonly LeasingOptions _options;
    private readonly SlotRegistry _registry;
    private readonly Func<FunctionMeta, IKeepAlivePolicy> _makePolicy;
    private readonly Dictionary<MetaKey, LocalPool> _pools = [];
    private readonly WakeQueue<LocalPool> _due = new();
    private bool _draining;

    /// <param name="worker">This worker, in this life.</param>
    /// <param name="policy">How functions are served, the same as the ledgers'.</param>
    /// <param name="options">Settings, the same as the ledgers'.</param>
    public WorkerCore(WorkerId worker, PolicyChoice policy, LeasingOptions options)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        Worker = worker;
        _options = options;
        _registry = new SlotRegistry(TicketSpace.For(worker.Value));
        _makePolicy = policy.Begin(new ReviewLater());
    }

    public WorkerId Worker { get; }

    /// <summary>What this worker's slots have cost.</summary>
    public ScoreLedger Ledger { get; } = new();

    public IEnumerable<LocalPool> Pools => _pools.Values;

    /// <summary>Slots of this worker, those under way included.</summary>
    public int SlotCount => _pools.Values.Sum(p => p.SlotCount);

    /// <summary>When <see cref="DoWhatIsDue"/> is to be called next, µs; <see cref="long.MaxValue"/> when nothing is due.</summary>
    public long NextDueUs => _due.NextUs;

    long IScalerCore.NextWakeUs => NextDueUs;

    IEnumerable<SlotPool> IScalerCore.Pools => _pools.Values.Select(p => p.Pool);

    IEnumerable<(MetaKey Function, SlotSnapshot Slot)> IScalerCore.Inventory =>
        _pools.Values.SelectMany(p => p.Pool.Slots.Select(s => (p.Function.Key, s)));

    SlotPool? IScalerCore.FindPool(MetaKey function) => Find(function)?.Pool;

    /// <summary>What is to be sent to ledgers, and which of them are to be read. The host takes it after each event.</summary>
    public WorkerOutbox Outbox { get; } = new();

    /// <summary>Does what is due in all pools; what ledgers are to be told or asked goes into <see cref="Outbox"/>.</summary>
    public void Tick(long nowUs, List<Effect> effects) => DoWhatIsDue(nowUs, effects, Outbox.Reports, Outbox.Reads);

    bool IScalerCore.HoldCreate(MetaKey function, SlotTicket ticket) => throw HoldsNothing();

    bool IScalerCore.KeepHeldCreate(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects) => throw HoldsNothing();

    void IScalerCore.BeginCreate(long nowUs, MetaKey function, SlotTicket ticket) => throw HoldsNothing();

    /// <summary>The function's pool; null when it was never asked for.</summary>
    public LocalPool? Find(MetaKey function) => _pools.GetValueOrDefault(function);

    /// <inheritdoc cref="LocalPool.Assign"/>
    public void Assign(long nowUs, FunctionMeta function, RequestId request, long deadlineUs, List<Effect> effects)
    {
        ArgumentNullException.ThrowIfNull(function);
        var pool = PoolOf(nowUs, function, effects);
        pool.Assign(nowUs, function, request, deadlineUs, effects);
        _due.Arm(pool, pool.NextDueUs);
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
        _due.Arm(pool, pool.NextDueUs);
        return outcome;
    }

    /// <inheritdoc cref="LocalPool.Abandon"/>
    public void Abandon(long nowUs, MetaKey function, RequestId request, List<Effect> effects) =>
        Route(function, pool => pool.Abandon(nowUs, request, effects));

    /// <inheritdoc cref="LocalPool.SlotCreated"/>
    public void SlotCreated(long nowUs, MetaKey function, SlotTicket ticket, BackendSlotId backendId, List<Effect> effects) =>
        Route(function, pool => pool.SlotCreated(nowUs, ticket, backendId, effects));

    /// <inheritdoc cref="LocalPool.SlotReady"/>
    public void SlotReady(long nowUs, MetaKey function, SlotTicket ticket, Uri? address, List<Effect> effects) =>
        Route(function, pool => pool.SlotReady(nowUs, ticket, address, effects));

    /// <inheritdoc cref="LocalPool.SlotFailed"/>
    public void SlotFailed(long nowUs, MetaKey function, SlotTicket ticket, SlotFailure failure, List<Effect> effects) =>
        Route(function, pool => pool.SlotFailed(nowUs, ticket, failure, effects));

    /// <summary>Workers destroy nothing: they give slots back, and the ledger has them destroyed.</summary>
    void IScalerCore.SlotDestroyed(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects)
    {
    }

    /// <summary>What a ledger says of this worker.</summary>
    public void Receive(long nowUs, MetaKey function, LedgerView view, List<Effect> effects) =>
        Route(function, pool => pool.Receive(nowUs, view, effects));

    /// <summary>Does what is due in all pools.</summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="effects">Where effects are added.</param>
    /// <param name="reports">Where reports are added, to be sent to their function's ledger.</param>
    /// <param name="reads">Where functions are added whose ledger is to be read, for <see cref="Receive"/>.</param>
    public void DoWhatIsDue(long nowUs, List<Effect> effects, List<DueReport> reports, List<MetaKey> reads)
    {
        ArgumentNullException.ThrowIfNull(reports);
        ArgumentNullException.ThrowIfNull(reads);
        while (_due.TryTake(nowUs, out var pool))
        {
            if (pool.NextWakeUs <= nowUs)
            {
                pool.Tick(nowUs, effects);
            }

            if (pool.NextReportUs <= nowUs)
            {
                reports.Add(new DueReport(pool.Function.Key, pool.TakeReport(nowUs)));
            }

            if (pool.NextReadUs <= nowUs)
            {
                pool.ReadBegun(nowUs);
                reads.Add(pool.Function.Key);
            }

            _due.Arm(pool, Math.Max(nowUs + 1, pool.NextDueUs));
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
        _draining = true;
        foreach (var pool in _pools.Values)
        {
            pool.Leave(nowUs, effects);
            _due.Arm(pool, pool.NextDueUs);
        }
    }

    private LocalPool PoolOf(long nowUs, FunctionMeta function, List<Effect> effects)
    {
        if (!_pools.TryGetValue(function.Key, out var pool))
        {
            pool = new LocalPool(Worker, function, _makePolicy(function), _options, _registry, Ledger);
            _pools.Add(function.Key, pool);
            if (_draining)
            {
                pool.Drain(nowUs, effects);
            }
        }

        return pool;
    }

    private void Route(MetaKey function, Action<LocalPool> action)
    {
        if (_pools.TryGetValue(function, out var pool))
        {
            action(pool);
            _due.Arm(pool, pool.NextDueUs);
        }
    }

    /// <summary>A slot is held in a worker while its ledger has not answered; a second reason to hold it would need a state of its own.</summary>
    private static NotSupportedException HoldsNothing() => new("Workers hold no creations back for a backend's budget.");

    /// <summary>Policies that look beyond one function are reviewed with their function's next event.</summary>
    private sealed class ReviewLater : IPolicyHost
    {
        public void RequestReview(MetaKey function)
        {
        }
    }
}

/// <summary>Messages of a worker's core on their way out.</summary>
public sealed class WorkerOutbox
{
    /// <summary>Reports to be sent.</summary>
    public List<DueReport> Reports { get; } = [];

    /// <summary>Functions whose ledger is to be read, for <see cref="WorkerCore.Receive"/>.</summary>
    public List<MetaKey> Reads { get; } = [];

    /// <summary>All of it is on its way.</summary>
    public void Clear()
    {
        Reports.Clear();
        Reads.Clear();
    }
}

/// <summary>A report and the function whose ledger is to get it.</summary>
public readonly record struct DueReport(MetaKey Function, WorkerReport Report);
