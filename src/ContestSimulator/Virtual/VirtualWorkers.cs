using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using FuncScaler.Leasing.Worker;
using FuncScaler.Policies;
using FuncScaler.Scoring;

namespace FuncScaler.ContestSimulator.Virtual;

/// <summary>
/// The workers of the Functions app and their ledgers behind the face of one scaler: the real cores and ledgers, with messages that take
/// their time and are never lost. Deterministic.
/// </summary>
internal sealed class VirtualWorkers : IScalerCore
{
    /// <summary>Workers start this long before the first request, and have their leases by then, µs.</summary>
    private const long HeadStartUs = 10_000_000;

    private readonly VirtualWorkerOptions _options;
    private readonly LeasingOptions _leasing;
    private readonly PolicyChoice _policy;
    private readonly WorkerCore[] _workers;
    private readonly Dictionary<WorkerId, WorkerLedger> _lives = [];
    private readonly Dictionary<MetaKey, PoolLedger> _ledgers = [];
    private readonly Dictionary<RequestId, int> _places = [];
    private readonly Dictionary<MetaKey, int> _homes = [];
    private readonly Dictionary<MetaKey, FunctionLimits> _limits = [];
    private readonly Dictionary<MetaKey, MetaKey> _parents = [];

    /// <summary>Who is told what becomes of a slot: the worker that asked last, or a ledger's orchestration.</summary>
    private readonly Dictionary<SlotTicket, Asker> _askers = [];

    private readonly PriorityQueue<Action<long, List<Effect>>, (long AtUs, long Order)> _messages = new();
    private readonly Random _random;
    private long _order;

    /// <param name="policy">How every function is served, at each worker.</param>
    /// <param name="pool">Limits of each pool.</param>
    /// <param name="options">How many workers, and how far apart.</param>
    /// <param name="groups">Functions that follow each other.</param>
    public VirtualWorkers(PolicyChoice policy, SlotPoolOptions pool, VirtualWorkerOptions options, IReadOnlyList<FunctionGroup> groups)
    {
        foreach (var group in groups)
        {
            _parents.TryAdd(group.Child, group.Parent);
        }

        _options = options;
        _policy = policy;
        _leasing = new LeasingOptions { Pool = pool };
        _random = new Random(options.Seed);
        _workers = [.. Enumerable.Range(0, options.Count).Select(i => new WorkerCore(new WorkerId($"w{i}"), policy, _leasing))];
        foreach (var worker in _workers)
        {
            worker.SetGroups(-HeadStartUs, groups, []);
        }
    }

    /// <summary>What was sent so far.</summary>
    public WorkerTraffic Traffic { get; } = new();

    /// <summary>Workers are due before they have begun; nothing was before the start.</summary>
    public long NextWakeUs => Math.Max(-HeadStartUs, Math.Min(_messages.TryPeek(out _, out var due) ? due.AtUs : long.MaxValue, _workers.Min(w => w.NextDueUs)));

    public ScoreLedger Ledger { get; } = new();

    public IEnumerable<SlotPool> Pools => _workers.SelectMany(w => ((IScalerCore)w).Pools);

    public int SlotCount => _workers.Sum(w => w.SlotCount);

    public IEnumerable<(MetaKey Function, SlotSnapshot Slot)> Inventory => _workers.SelectMany(w => ((IScalerCore)w).Inventory);

    /// <summary>The pool of the first worker that knows the function.</summary>
    public SlotPool? FindPool(MetaKey function) => _workers.Select(w => w.Find(function)?.Pool).FirstOrDefault(p => p is not null);

    public void Tick(long nowUs, List<Effect> effects)
    {
        while (_messages.TryPeek(out var arrive, out var due) && due.AtUs <= nowUs)
        {
            _messages.Dequeue();
            arrive(nowUs, effects);
        }

        for (var i = 0; i < _workers.Length; i++)
        {
            if (_workers[i].NextDueUs <= nowUs)
            {
                Do(i, nowUs, effects, (core, to) => core.Tick(nowUs, to));
            }
        }
    }

    public void Assign(long nowUs, FunctionMeta function, RequestId request, long deadlineUs, List<Effect> effects)
    {
        var worker = Route(function.Key);
        _places.Add(request, worker);
        Do(worker, nowUs, effects, (core, to) => core.Assign(nowUs, function, request, deadlineUs, to));
    }

    public ReleaseOutcome Release(long nowUs, MetaKey function, RequestId request, InstanceId instance, in ReleaseResult result, List<Effect> effects)
    {
        _places.Remove(request);
        var (outcome, told) = (ReleaseOutcome.UnknownAssignment, result);
        Do(Route(function), nowUs, effects, (core, to) => outcome = core.Release(nowUs, function, request, instance, told, to));
        Traffic.ForwardedReleases += outcome == ReleaseOutcome.Forwarded ? 1 : 0;
        return outcome;
    }

    public void Abandon(long nowUs, MetaKey function, RequestId request, List<Effect> effects)
    {
        if (_places.Remove(request, out var worker))
        {
            Do(worker, nowUs, effects, (core, to) => core.Abandon(nowUs, function, request, to));
        }
    }

    public void SlotCreated(long nowUs, MetaKey function, SlotTicket ticket, BackendSlotId backendId, List<Effect> effects) => Answer(
        nowUs, ticket, effects, work => work.Created(nowUs, backendId), (core, to) => core.SlotCreated(nowUs, function, ticket, backendId, to));

    public void SlotReady(long nowUs, MetaKey function, SlotTicket ticket, Uri? address, List<Effect> effects) => Answer(
        nowUs, ticket, effects, work => work.Done(nowUs, address), (core, to) => core.SlotReady(nowUs, function, ticket, address, to));

    public void SlotFailed(long nowUs, MetaKey function, SlotTicket ticket, SlotFailure failure, List<Effect> effects) => Answer(
        nowUs, ticket, effects, work => work.Failed(nowUs, failure), (core, to) => core.SlotFailed(nowUs, function, ticket, failure, to));

    public void SlotDestroyed(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects)
    {
        _askers.Remove(ticket, out var asker);
        if (asker.Attempt > 0)
        {
            At(nowUs + _options.SignalUs, (atUs, to) => Do(function, atUs, to, (ledger, orders) => ledger.Destroyed(atUs, ticket, asker.Attempt, orders)));
        }
        else
        {
            Do(asker.Worker, nowUs, effects, (core, to) => core.SlotDestroyed(nowUs, function, ticket, to));
        }
    }

    public bool HoldCreate(MetaKey function, SlotTicket ticket) => _workers[_askers[ticket].Worker].HoldCreate(function, ticket);

    public bool KeepHeldCreate(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects)
    {
        var keep = false;
        Do(_askers[ticket].Worker, nowUs, effects, (core, to) => keep = core.KeepHeldCreate(nowUs, function, ticket, to));
        return keep;
    }

    public void BeginCreate(long nowUs, MetaKey function, SlotTicket ticket) => _workers[_askers[ticket].Worker].BeginCreate(nowUs, function, ticket);

    public void Drain(long nowUs, List<Effect> effects)
    {
        for (var i = 0; i < _workers.Length; i++)
        {
            Do(i, nowUs, effects, (core, to) => core.Drain(nowUs, to));
        }
    }

    /// <summary>Limits of a function from the first arrival on, at all workers and at its ledger.</summary>
    public void Limit(FunctionMeta function, FunctionLimits limits, List<Effect> effects)
    {
        _limits[function.Key] = limits;
        foreach (var worker in _workers)
        {
            worker.SetLimits(-HeadStartUs, function.Key, limits, effects);
        }

        if (limits.MinInstances > 0)
        {
            At(0, (atUs, to) => Do(function.Key, atUs, to, (ledger, orders) => ledger.LimitsChanged(atUs, function, orders)));
        }
    }

    /// <summary>The platform answers whoever asked: an orchestration, which then takes its next step, or a worker.</summary>
    private void Answer(long nowUs, SlotTicket ticket, List<Effect> effects, Action<Provisioning> tell, Action<WorkerCore, List<Effect>> happens)
    {
        var asker = _askers[ticket];
        if (asker.Work is { } work)
        {
            tell(work);
            Go(nowUs, asker.Provision!, work, effects);
        }
        else
        {
            Do(asker.Worker, nowUs, effects, happens);
        }
    }

    private int Route(MetaKey function)
    {
        if (_options.Routing == WorkerRouting.Random)
        {
            return _random.Next(_workers.Length);
        }

        if (!_homes.TryGetValue(function, out var home))
        {
            var meets = _options.Routing == WorkerRouting.Group ? RootOf(function) : function;
            home = Enumerable.Range(0, _workers.Length).MaxBy(i => BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes($"{i} {meets.Value}"))));
            _homes.Add(function, home);
        }

        return home;
    }

    /// <summary>The first function of those that follow each other, by the first group that names each; in a circle, one of it.</summary>
    private MetaKey RootOf(MetaKey function)
    {
        var seen = new HashSet<MetaKey>();
        while (seen.Add(function) && _parents.TryGetValue(function, out var parent))
        {
            function = parent;
        }

        return function;
    }

    /// <summary>An event of a worker, and the messages that it sends because of it.</summary>
    private void Do(int worker, long nowUs, List<Effect> effects, Action<WorkerCore, List<Effect>> happens)
    {
        var core = _workers[worker];
        var from = effects.Count;
        happens(core, effects);
        for (var i = from; i < effects.Count; i++)
        {
            if (effects[i].Kind is EffectKind.CreateSlot or EffectKind.DestroySlot)
            {
                _askers[effects[i].Ticket] = new Asker(worker);
            }
        }

        Send(worker, core, nowUs);
    }

    private void Send(int worker, WorkerCore core, long nowUs)
    {
        var outbox = core.Outbox;
        Traffic.Reports += outbox.Reports.Count;
        Traffic.Reads += outbox.Reads.Count + (outbox.ReadWorker ? 1 : 0);
        foreach (var (function, report) in outbox.Reports)
        {
            At(nowUs + _options.SignalUs, (atUs, to) => Do(function, atUs, to, (ledger, orders) => ledger.Report(atUs, report, orders)));
        }

        if (outbox.Beat is { } beat)
        {
            Traffic.Beats++;
            At(nowUs + _options.SignalUs, (atUs, to) => Do(beat.Worker, atUs, to, (life, orders) => life.Beat(atUs, beat, orders)));
        }

        foreach (var function in outbox.Reads)
        {
            At(nowUs + _options.ReadUs, (atUs, to) =>
            {
                var view = _ledgers.TryGetValue(function, out var ledger)
                    ? ledger.ViewFor(core.Worker)
                    : new LedgerView { Worker = core.Worker, Revision = -1 };
                Do(worker, atUs, to, (reader, effects) => reader.Receive(atUs, function, view, effects));
            });
        }

        if (outbox.ReadWorker)
        {
            At(nowUs + _options.ReadUs, (atUs, to) =>
            {
                if (_lives.TryGetValue(core.Worker, out var life))
                {
                    Do(worker, atUs, to, (reader, effects) => reader.ReceiveWorker(atUs, life.State, effects));
                }
            });
        }

        outbox.Clear();
    }

    private void Do(WorkerId worker, long nowUs, List<Effect> effects, Action<WorkerLedger, List<LedgerEffect>> happens)
    {
        var life = CollectionsMarshal.GetValueRefOrAddDefault(_lives, worker, out _) ??= new WorkerLedger(new WorkerState(), _leasing);

        var orders = new List<LedgerEffect>();
        happens(life, orders);
        foreach (var order in orders)
        {
            switch (order.Kind)
            {
                case LedgerEffectKind.WakeAt:
                    At(Math.Max(order.AtUs, nowUs + 1), (atUs, to) => Do(worker, atUs, to, (ledger, more) => ledger.Wake(atUs, more)));
                    break;
                case LedgerEffectKind.Forget:
                    _lives.Remove(worker);
                    break;
                case LedgerEffectKind.Look:
                    foreach (var function in _ledgers.Keys.ToList())
                    {
                        Do(function, nowUs, effects, (ledger, more) => ledger.Sweep(nowUs, nowUs, null, [worker], more));
                    }

                    break;
                case LedgerEffectKind.Provision:
                case LedgerEffectKind.Destroy:
                default:
                    throw new InvalidOperationException($"A worker's ledger asks for no {order.Kind}.");
            }
        }
    }

    private void Do(MetaKey function, long nowUs, List<Effect> effects, Action<PoolLedger, List<LedgerEffect>> happens)
    {
        var ledger = CollectionsMarshal.GetValueRefOrAddDefault(_ledgers, function, out _)
            ??= new PoolLedger(new LedgerState(), _policy, _leasing, _limits.GetValueOrDefault(function));

        var orders = new List<LedgerEffect>();
        happens(ledger, orders);
        foreach (var order in orders)
        {
            switch (order.Kind)
            {
                case LedgerEffectKind.WakeAt:
                    At(Math.Max(order.AtUs, nowUs + 1), (atUs, to) => Do(function, atUs, to, (woken, more) => woken.Wake(atUs, more)));
                    break;
                case LedgerEffectKind.Provision:
                    Traffic.Orchestrations++;
                    var request = ProvisionRequest.From(order);
                    var work = new Provisioning(order.AtUs, nowUs, _leasing.Pool);
                    _askers[order.Ticket] = new Asker(Provision: request, Work: work);
                    Go(nowUs, request, work, effects);
                    break;
                case LedgerEffectKind.Destroy:
                    Traffic.Orchestrations++;
                    _askers[order.Ticket] = new Asker(Attempt: order.Attempt);
                    effects.Add(Effect.DestroySlot(order.Function!, order.Ticket, order.BackendSlot, order.Reason ?? ""));
                    break;
                case LedgerEffectKind.Look:
                case LedgerEffectKind.Forget:
                default:
                    throw new InvalidOperationException($"A function's ledger asks for no {order.Kind}.");
            }
        }
    }

    /// <summary>The next step of a ledger's orchestration.</summary>
    private void Go(long nowUs, ProvisionRequest request, Provisioning work, List<Effect> effects)
    {
        var step = work.Next;
        switch (step.Kind)
        {
            case ProvisionStepKind.Wait:
                At(nowUs + step.WaitUs, (atUs, to) =>
                {
                    work.Waited(atUs);
                    Go(atUs, request, work, to);
                });
                break;
            case ProvisionStepKind.Create:
                effects.Add(Effect.CreateSlot(request.Function, request.Ticket, request.Function.MemoryMb));
                break;
            case ProvisionStepKind.Init:
                effects.Add(Effect.InitSlot(request.Function, request.Ticket, step.BackendSlot, request.Instance));
                break;
            case ProvisionStepKind.Register:
                At(nowUs + _options.SignalUs, (atUs, to) =>
                    Do(request.Function.Key, atUs, to, (ledger, more) => ledger.Provisioned(atUs, work.Result(request), more)));
                break;
            case ProvisionStepKind.Destroy:
            case ProvisionStepKind.Report:
            default:
                throw new InvalidOperationException($"The platform of virtual time does not fail, yet an orchestration wants to {step.Kind}.");
        }
    }

    private void At(long atUs, Action<long, List<Effect>> arrive) => _messages.Enqueue(arrive, (atUs, _order++));

    /// <param name="Worker">The worker that asked.</param>
    /// <param name="Provision">Of an orchestration that creates, what it began with.</param>
    /// <param name="Work">Likewise, its steps.</param>
    /// <param name="Attempt">Of a ledger that destroys, which try it is; 0 for others.</param>
    private readonly record struct Asker(int Worker = 0, ProvisionRequest? Provision = null, Provisioning? Work = null, int Attempt = 0);
}
