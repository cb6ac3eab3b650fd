using FuncScaler.Policies;
using FuncScaler.Policies.Basic;
using FuncScaler.Scoring;

namespace FuncScaler.Tests.Pool;

/// <summary>A pool, its effects so far, and the clock, for tests that tell one story.</summary>
internal sealed class PoolDriver
{
    public const long Ms = 1_000;
    public const long Second = 1_000_000;

    private readonly List<Effect> _effects = [];

    public PoolDriver(IKeepAlivePolicy? policy = null, SlotPoolOptions? options = null, FunctionMeta? function = null)
    {
        Options = options ?? new SlotPoolOptions();
        Pool = new SlotPool(
            function ?? new FunctionMeta(new MetaKey("f"), "go", 60, 512),
            policy ?? new TtlPolicy(new TtlPolicyOptions { KeepAlive = TimeSpan.FromSeconds(300) }),
            Options,
            Registry,
            Ledger);
    }

    public SlotPoolOptions Options { get; }

    public SlotRegistry Registry { get; } = new();

    public ScoreLedger Ledger { get; } = new();

    public SlotPool Pool { get; }

    public long NowUs { get; private set; }

    /// <summary>Lets time pass, waking the pool whenever it asked for it; returns what it did.</summary>
    public string Wait(long us)
    {
        var untilUs = NowUs + us;
        var done = new List<string>();
        while (Pool.NextWakeUs <= untilUs)
        {
            NowUs = Math.Max(NowUs, Pool.NextWakeUs);
            done.Add(Do(e => Pool.Tick(NowUs, e)));
        }

        NowUs = untilUs;
        return string.Join(", ", done.Where(d => d.Length > 0));
    }

    public string Assign(string request, long? withinUs = null) =>
        Do(e => Pool.Assign(NowUs, new RequestId(request), withinUs is null ? long.MaxValue : NowUs + withinUs.Value, e));

    public string Release(string request, string instance, bool broken = false, ReleaseOutcome expected = ReleaseOutcome.Released) => Do(e =>
        Assert.Equal(expected, Pool.Release(NowUs, new RequestId(request), new InstanceId(instance), new ReleaseResult(0, broken), e)));

    public string Abandon(string request) => Do(e => Pool.Abandon(NowUs, new RequestId(request), e));

    public string Created(long ticket, string? id = null) =>
        Do(e => Pool.SlotCreated(NowUs, new SlotTicket(ticket), new BackendSlotId(id ?? $"s{ticket}"), e));

    public string Ready(long ticket) => Do(e => Pool.SlotReady(NowUs, new SlotTicket(ticket), e));

    public string Failed(long ticket, FailureKind kind = FailureKind.Transient, string message = "broken", long retryAfterUs = 0, bool outcomeUnknown = false) =>
        Do(e => Pool.SlotFailed(NowUs, new SlotTicket(ticket), new SlotFailure(kind, message, retryAfterUs, outcomeUnknown), e));

    public string Destroyed(long ticket) => Do(e => Pool.SlotDestroyed(NowUs, new SlotTicket(ticket), e));

    public string Reconcile(params ListedSlot[] listed) => Do(e => Pool.Reconcile(NowUs, NowUs, listed.ToDictionary(s => s.Id), e));

    public string Update(FunctionMeta function) => Do(e => Pool.UpdateFunction(NowUs, function, e));

    public string Limit(FunctionLimits limits) => Do(e => Pool.SetLimits(NowUs, limits, e));

    public string Drain() => Do(e => Pool.Drain(NowUs, e));

    /// <summary>A cold start from Assign to Grant, that takes no time.</summary>
    public void ColdStart(string request, long ticket)
    {
        Assert.Equal($"create {ticket}", Assign(request));
        Assert.Equal($"init {ticket} s{ticket} i-{ticket}", Created(ticket));
        Assert.Equal($"{request} gets i-{ticket} Cold", Ready(ticket));
    }

    public string States() => string.Join(", ", Pool.Slots.OrderBy(s => s.Ticket.Value).Select(s => $"{s.Ticket} {s.State}"));

    private string Do(Action<List<Effect>> act)
    {
        _effects.Clear();
        act(_effects);
        Pool.CheckInvariants();
        return string.Join(", ", _effects.Select(Describe));
    }

    private static string Describe(Effect e) => e.Kind switch
    {
        EffectKind.CreateSlot => $"create {e.Ticket}",
        EffectKind.InitSlot => $"init {e.Ticket} {e.BackendSlot} {e.Instance}",
        EffectKind.DestroySlot => $"destroy {e.Ticket} {(e.BackendSlot == default ? "by ticket" : e.BackendSlot.Value)}",
        EffectKind.Grant => $"{e.Request} gets {e.Instance} {e.GrantKind}",
        EffectKind.Reject => $"{e.Request} rejected {e.RejectReason}",
        _ => e.Kind.ToString(),
    };
}
