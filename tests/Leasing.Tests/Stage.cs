using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using FuncScaler.Leasing.Worker;
using FuncScaler.Policies;
using FuncScaler.Scoring;

namespace FuncScaler.Tests.Leasing;

/// <summary>A ledger and workers on one clock, for tests that tell one story: messages pass when the story says so.</summary>
internal sealed class Stage
{
    public const long Ms = 1_000;
    public const long Second = 1_000_000;

    /// <summary>Whether grants are told with the instance's address.</summary>
    public bool WithAddresses { get; init; }

    /// <summary>The operator's limits; ledgers are made with them.</summary>
    public FunctionLimits Limits { get; set; } = FunctionLimits.None;

    private readonly List<Effect> _effects = [];
    private readonly List<LedgerEffect> _ledgerEffects = [];
    private readonly Dictionary<string, (LocalPool Pool, WorkerLease Lease, WorkerLedger Life)> _workers = [];
    private readonly PolicyChoice _policy;
    private FunctionLimits _madeWith = FunctionLimits.None;

    public Stage(string policy = "ttl:60", LeasingOptions? options = null)
    {
        Options = options ?? new LeasingOptions();
        _policy = PolicyCatalog.Parse(policy);
        Ledger = new PoolLedger(new LedgerState(), _policy, Options);
    }

    public static FunctionMeta Function { get; } = new(new MetaKey("f"), "go", 10, 512);

    public LeasingOptions Options { get; }

    public PoolLedger Ledger { get; private set; }

    public long NowUs { get; private set; } = 1000 * Second;

    /// <summary>Slots by state, in the ledger.</summary>
    public string Slots => string.Join(", ", Ledger.State.Slots.Values.Select(s => s.Owner is { } owner ? $"{s.State} {owner}" : $"{s.State}").Order());

    public LocalPool Worker(string name)
    {
        if (!_workers.TryGetValue(name, out var worker))
        {
            var firstTicket = (_workers.Count + 1) * 100L;
            var lease = new WorkerLease(new WorkerId(name), firstTicket, Options);
            var pool = new LocalPool(
                lease,
                Function,
                _policy.Begin(null!),
                Options,
                new SlotRegistry(firstTicket),
                new ScoreLedger());
            worker = (pool, lease, new WorkerLedger(new WorkerState(), Options));
            _workers.Add(name, worker);
            lease.Want(NowUs, default, Options.HoldUs(Function));
            Beat(name);
        }

        return worker.Pool;
    }

    /// <summary>The worker's own ledger.</summary>
    public WorkerLedger Life(string name) => _workers[name].Life;

    /// <summary>The worker tells its own ledger that it lives, and reads the answer; returns what it does.</summary>
    public string Beat(string name)
    {
        var (pool, lease, life) = _workers[name];
        life.Beat(NowUs, LeasingJson.ReadBeat(LeasingJson.Write(lease.TakeBeat(NowUs, 0))), []);
        lease.Receive(NowUs, LeasingJson.ReadWorker(LeasingJson.Write(life.State)));
        return Do(e => pool.Resume(NowUs, e));
    }

    /// <summary>The sweep has found out that a worker is dead.</summary>
    public string Bury(string name) => Tell((l, e) => l.Sweep(NowUs, NowUs, null, [new WorkerId(name)], e));

    public void Wait(long us) => NowUs += us;

    public string Assign(string worker, string request, long withinUs = 60 * Second, FunctionMeta? function = null) =>
        Do(e => Worker(worker).Assign(NowUs, function ?? Function, new RequestId(request), NowUs + withinUs, e));

    public string Release(string worker, string request, string instance, ReleaseOutcome expected = ReleaseOutcome.Released, bool broken = false) => Do(e =>
        Assert.Equal(expected, Worker(worker).Release(NowUs, new RequestId(request), new InstanceId(instance), new ReleaseResult(5 * Ms, broken), e)));

    public string Created(string worker, long ticket) =>
        Do(e => Worker(worker).SlotCreated(NowUs, new SlotTicket(ticket), new BackendSlotId($"s{ticket}"), e));

    public string Ready(string worker, long ticket) =>
        Do(e => Worker(worker).SlotReady(NowUs, new SlotTicket(ticket), new Uri($"http://10.0.0.{ticket % 100}:8080"), e));

    public string Destroyed(string worker, long ticket) => Do(_ => Worker(worker).SlotDestroyed(NowUs, new SlotTicket(ticket)));

    public string Failed(string worker, long ticket, SlotFailure failure) => Do(e => Worker(worker).SlotFailed(NowUs, new SlotTicket(ticket), failure, e));

    public string KeepHeld(string worker, long ticket) => $"{Worker(worker).KeepHeldCreate(NowUs, new SlotTicket(ticket), _effects)}";

    public string Leave(string worker) => Do(e => Worker(worker).Leave(NowUs, e));

    public string Tick(string worker) => Do(e => Worker(worker).Tick(NowUs, e));

    /// <summary>A report goes to the ledger at once; returns what the ledger does.</summary>
    public string Report(string worker)
    {
        var report = LeasingJson.ReadReport(LeasingJson.Write(Worker(worker).TakeReport(NowUs)));
        return Tell((l, e) => l.Report(NowUs, report, e));
    }

    /// <summary>The worker reads the ledger.</summary>
    public string Read(string worker)
    {
        var view = LeasingJson.ReadView(LeasingJson.Write(Ledger.ViewFor(new WorkerId(worker))));
        Worker(worker).ReadBegun(NowUs);
        return Do(e => Worker(worker).Receive(NowUs, view, e));
    }

    /// <summary>A sign of life, a report and a look; returns what the worker does.</summary>
    public string Sync(string worker)
    {
        Worker(worker);
        var done = Beat(worker);
        Report(worker);
        return string.Join(", ", new[] { done, Read(worker) }.Where(d => d.Length > 0));
    }

    public string Tell(Action<PoolLedger, List<LedgerEffect>> operation)
    {
        _ledgerEffects.Clear();
        if (Limits != _madeWith)
        {
            // As hosts do: a ledger is made for each operation.
            _madeWith = Limits;
            Ledger = new PoolLedger(Ledger.State, _policy, Options, Limits);
        }

        operation(Ledger, _ledgerEffects);
        Ledger.CheckInvariants();
        return string.Join(", ", _ledgerEffects.Where(e => e.Kind != LedgerEffectKind.WakeAt).Select(e =>
            e.Kind == LedgerEffectKind.Provision ? $"provision in {(e.AtUs - NowUs) / Second} s" : $"destroy {e.Ticket} {e.Attempt}"));
    }

    /// <summary>A worker is told of the limits.</summary>
    public string SetLimits(string worker) => Do(e => Worker(worker).SetLimits(NowUs, Limits, e));

    public string Wake() => Tell((l, e) => l.Wake(NowUs, e));

    public void Reload() => Ledger = new PoolLedger(LeasingJson.ReadLedger(LeasingJson.Write(Ledger.State)), _policy, Options, Limits);

    /// <summary>A cold start at a worker, from Assign to Grant, that takes no time.</summary>
    public void ColdStart(string worker, string request, long ticket)
    {
        Assert.Equal($"create {ticket}", Assign(worker, request));
        Assert.Equal($"init {ticket}", Created(worker, ticket));
        Assert.StartsWith($"{request} gets i-{ticket} Cold", Ready(worker, ticket), StringComparison.Ordinal);
        Sync(worker);
    }

    private string Do(Action<List<Effect>> act)
    {
        _effects.Clear();
        act(_effects);
        foreach (var (pool, _, _) in _workers.Values)
        {
            pool.CheckInvariants();
        }

        return string.Join(", ", _effects.Select(e => e.Kind switch
        {
            EffectKind.CreateSlot => $"create {e.Ticket}",
            EffectKind.DestroySlot => $"destroy {e.Ticket}",
            EffectKind.InitSlot => $"init {e.Ticket}",
            EffectKind.Grant => $"{e.Request} gets {e.Instance} {e.GrantKind}{(WithAddresses ? $" at {e.Address}" : "")}",
            EffectKind.Reject => $"{e.Request} rejected {e.RejectReason}",
            _ => e.Kind.ToString(),
        }));
    }
}
