using FuncScaler.Policies;
using FuncScaler.Scoring;

namespace FuncScaler.Tests.Pool;

/// <summary>What the simulated world drives: one pool as its own host would, or the core with all its pools.</summary>
internal abstract class Subject
{
    public abstract ScoreLedger Ledger { get; }

    /// <summary>Every pool, that of the orphans included.</summary>
    public abstract IEnumerable<SlotPool> Pools { get; }

    /// <summary>When the host was told to wake it next.</summary>
    public abstract long WakeAtUs { get; }

    /// <summary>Checks what the subject promises of itself beyond its pools.</summary>
    public virtual void CheckInvariants()
    {
    }

    /// <summary>How many backend slots the registry knows; null where it cannot be seen.</summary>
    public virtual int? RegisteredSlots => null;

    public abstract void Assign(long nowUs, FunctionMeta function, RequestId request, long deadlineUs, List<Effect> effects);

    public abstract ReleaseOutcome Release(
        long nowUs, MetaKey function, RequestId request, InstanceId instance, ReleaseResult result, List<Effect> effects);

    public abstract void Abandon(long nowUs, MetaKey function, RequestId request, List<Effect> effects);

    public abstract void SlotCreated(long nowUs, MetaKey function, SlotTicket ticket, BackendSlotId id, List<Effect> effects);

    public abstract void SlotReady(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects);

    public abstract void SlotFailed(long nowUs, MetaKey function, SlotTicket ticket, SlotFailure failure, List<Effect> effects);

    public abstract void SlotDestroyed(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects);

    public abstract bool HoldCreate(MetaKey function, SlotTicket ticket);

    public abstract bool KeepHeldCreate(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects);

    public abstract void BeginCreate(long nowUs, MetaKey function, SlotTicket ticket);

    public abstract void Tick(long nowUs, List<Effect> effects);

    public abstract void Reconcile(long nowUs, long askedUs, IReadOnlyCollection<ListedSlot> listed, List<Effect> effects);

    public abstract void Drain(long nowUs, List<Effect> effects);

    public abstract void SetLimits(long nowUs, FunctionMeta function, FunctionLimits limits, List<Effect> effects);

    /// <summary>A pool by itself knows of no other function.</summary>
    public virtual void SetGroups(long nowUs, IReadOnlyCollection<FunctionGroup> groups, List<Effect> effects)
    {
    }
}

internal sealed class CoreSubject(PolicyChoice policy, SlotPoolOptions options) : Subject
{
    private readonly ScalerCore _core = new(policy, options);

    public override ScoreLedger Ledger => _core.Ledger;

    public override IEnumerable<SlotPool> Pools => _core.Pools.Append(_core.Find(new MetaKey(""))!);

    public override long WakeAtUs => _core.NextWakeUs;

    public override void CheckInvariants() => _core.CheckInvariants();

    public override void Assign(long nowUs, FunctionMeta function, RequestId request, long deadlineUs, List<Effect> effects) =>
        _core.Assign(nowUs, function, request, deadlineUs, effects);

    public override ReleaseOutcome Release(
        long nowUs, MetaKey function, RequestId request, InstanceId instance, ReleaseResult result, List<Effect> effects) =>
        _core.Release(nowUs, function, request, instance, result, effects);

    public override void Abandon(long nowUs, MetaKey function, RequestId request, List<Effect> effects) =>
        _core.Abandon(nowUs, function, request, effects);

    public override void SlotCreated(long nowUs, MetaKey function, SlotTicket ticket, BackendSlotId id, List<Effect> effects) =>
        _core.SlotCreated(nowUs, function, ticket, id, effects);

    public override void SlotReady(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects) =>
        _core.SlotReady(nowUs, function, ticket, effects);

    public override void SlotFailed(long nowUs, MetaKey function, SlotTicket ticket, SlotFailure failure, List<Effect> effects) =>
        _core.SlotFailed(nowUs, function, ticket, failure, effects);

    public override void SlotDestroyed(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects) =>
        _core.SlotDestroyed(nowUs, function, ticket, effects);

    public override bool HoldCreate(MetaKey function, SlotTicket ticket) => _core.HoldCreate(function, ticket);

    public override bool KeepHeldCreate(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects) =>
        _core.KeepHeldCreate(nowUs, function, ticket, effects);

    public override void BeginCreate(long nowUs, MetaKey function, SlotTicket ticket) => _core.BeginCreate(nowUs, function, ticket);

    public override void Tick(long nowUs, List<Effect> effects) => _core.Tick(nowUs, effects);

    public override void Reconcile(long nowUs, long askedUs, IReadOnlyCollection<ListedSlot> listed, List<Effect> effects) =>
        _core.Reconcile(nowUs, askedUs, listed, effects);

    public override void Drain(long nowUs, List<Effect> effects) => _core.Drain(nowUs, effects);

    public override void SetLimits(long nowUs, FunctionMeta function, FunctionLimits limits, List<Effect> effects) =>
        _core.SetLimits(nowUs, function.Key, limits, function, effects);

    public override void SetGroups(long nowUs, IReadOnlyCollection<FunctionGroup> groups, List<Effect> effects) => _core.SetGroups(nowUs, groups, effects);
}

/// <summary>A pool by itself.</summary>
internal sealed class PoolSubject(FunctionMeta function, PolicyChoice policy, SlotPoolOptions options) : Subject, IPolicyHost
{
    private readonly SlotRegistry _registry = new();
    private SlotPool? _pool;

    /// <summary>There is no other function.</summary>
    public void RequestReview(MetaKey function)
    {
    }

    public SlotPool Pool => _pool ??= new SlotPool(function, policy.Begin(this)(function), options, _registry, new ScoreLedger());

    public override ScoreLedger Ledger => Pool.Ledger;

    public override IEnumerable<SlotPool> Pools => [Pool];

    public override long WakeAtUs => Pool.NextWakeUs;

    public override int? RegisteredSlots => _registry.Count;

    public override void Assign(long nowUs, FunctionMeta function, RequestId request, long deadlineUs, List<Effect> effects)
    {
        if (function != Pool.Function)
        {
            Pool.UpdateFunction(nowUs, function, effects);
        }

        Pool.Assign(nowUs, request, deadlineUs, effects);
    }

    public override ReleaseOutcome Release(
        long nowUs, MetaKey function, RequestId request, InstanceId instance, ReleaseResult result, List<Effect> effects) =>
        function == Pool.Function.Key ? Pool.Release(nowUs, request, instance, result, effects) : ReleaseOutcome.UnknownAssignment;

    public override void Abandon(long nowUs, MetaKey function, RequestId request, List<Effect> effects) =>
        Pool.Abandon(nowUs, request, effects);

    public override void SlotCreated(long nowUs, MetaKey function, SlotTicket ticket, BackendSlotId id, List<Effect> effects) =>
        Pool.SlotCreated(nowUs, ticket, id, effects);

    public override void SlotReady(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects) =>
        Pool.SlotReady(nowUs, ticket, effects);

    public override void SlotFailed(long nowUs, MetaKey function, SlotTicket ticket, SlotFailure failure, List<Effect> effects) =>
        Pool.SlotFailed(nowUs, ticket, failure, effects);

    public override void SlotDestroyed(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects) =>
        Pool.SlotDestroyed(nowUs, ticket, effects);

    public override bool HoldCreate(MetaKey function, SlotTicket ticket) => Pool.HoldCreate(ticket);

    public override bool KeepHeldCreate(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects) =>
        Pool.KeepHeldCreate(nowUs, ticket, effects);

    public override void BeginCreate(long nowUs, MetaKey function, SlotTicket ticket) => Pool.BeginCreate(nowUs, ticket);

    public override void Tick(long nowUs, List<Effect> effects) => Pool.Tick(nowUs, effects);

    public override void Reconcile(long nowUs, long askedUs, IReadOnlyCollection<ListedSlot> listed, List<Effect> effects)
    {
        Pool.Reconcile(nowUs, askedUs, listed.ToDictionary(s => s.Id), effects);
        foreach (var slot in listed.Where(s => !_registry.TryGetOwner(s.Id, out _)))
        {
            Pool.Adopt(nowUs, slot.Id, effects);
        }
    }

    public override void Drain(long nowUs, List<Effect> effects) => Pool.Drain(nowUs, effects);

    public override void SetLimits(long nowUs, FunctionMeta function, FunctionLimits limits, List<Effect> effects) => Pool.SetLimits(nowUs, limits, effects);
}
