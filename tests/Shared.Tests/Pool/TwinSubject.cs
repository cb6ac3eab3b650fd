using FuncScaler.Policies;
using FuncScaler.Scoring;

namespace FuncScaler.Tests.Pool;

/// <summary>
/// A core, and beside it a second one that is told the same but settles as late as it may. What the second one asks for must be the same, in the
/// same order.
/// </summary>
internal sealed class TwinSubject(PolicyChoice policy, PolicyChoice later, SlotPoolOptions options) : Subject
{
    private readonly CoreSubject _first = new(policy, options);
    private readonly ScalerCore _later = new(later, options);
    private readonly List<string> _asked = [];
    private readonly List<string> _askedLater = [];
    private readonly List<Effect> _laterEffects = [];

    /// <summary>How many events have left something to settle.</summary>
    public int Unsettled { get; private set; }

    public override ScoreLedger Ledger => _first.Ledger;

    public override IEnumerable<SlotPool> Pools => _first.Pools;

    public override long WakeAtUs => _first.WakeAtUs;

    /// <summary>Called after each event: what the second core has not asked for yet, it may still ask for.</summary>
    public override void CheckInvariants()
    {
        _first.CheckInvariants();
        Assert.Equal(_asked.Take(_askedLater.Count), _askedLater);
    }

    /// <summary>Called at the end, when nothing may be left.</summary>
    public void CheckSettled(long nowUs)
    {
        _later.Settle(_laterEffects);
        Note([], 0);
        Assert.False(_later.IsUnsettled);
        Assert.Equal(_asked, _askedLater);
        Assert.Equal(_first.WakeAtUs, _later.NextWakeUs);
        Assert.Equal(_first.Ledger.ScoreAt(nowUs), _later.Ledger.ScoreAt(nowUs));
        _later.CheckInvariants();
    }

    public override void Assign(long nowUs, FunctionMeta function, RequestId request, long deadlineUs, List<Effect> effects)
    {
        var before = effects.Count;
        _first.Assign(nowUs, function, request, deadlineUs, effects);
        _later.AssignFirst(nowUs, function, request, deadlineUs, _laterEffects);
        Note(effects, before);
    }

    public override ReleaseOutcome Release(
        long nowUs, MetaKey function, RequestId request, InstanceId instance, ReleaseResult result, List<Effect> effects)
    {
        var before = effects.Count;
        var outcome = _first.Release(nowUs, function, request, instance, result, effects);
        Assert.Equal(outcome, _later.ReleaseFirst(nowUs, function, request, instance, result, _laterEffects));
        Note(effects, before);
        return outcome;
    }

    public override void Abandon(long nowUs, MetaKey function, RequestId request, List<Effect> effects) => Both(
        effects, to => _first.Abandon(nowUs, function, request, to), to => _later.Abandon(nowUs, function, request, to));

    public override void SlotCreated(long nowUs, MetaKey function, SlotTicket ticket, BackendSlotId id, List<Effect> effects) => Both(
        effects, to => _first.SlotCreated(nowUs, function, ticket, id, to), to => _later.SlotCreated(nowUs, function, ticket, id, to));

    public override void SlotReady(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects) => Both(
        effects, to => _first.SlotReady(nowUs, function, ticket, to), to => _later.SlotReady(nowUs, function, ticket, to));

    public override void SlotFailed(long nowUs, MetaKey function, SlotTicket ticket, SlotFailure failure, List<Effect> effects) => Both(
        effects, to => _first.SlotFailed(nowUs, function, ticket, failure, to), to => _later.SlotFailed(nowUs, function, ticket, failure, to));

    public override void SlotDestroyed(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects) => Both(
        effects, to => _first.SlotDestroyed(nowUs, function, ticket, to), to => _later.SlotDestroyed(nowUs, function, ticket, to));

    public override bool HoldCreate(MetaKey function, SlotTicket ticket)
    {
        _later.Settle(_laterEffects);
        var held = _first.HoldCreate(function, ticket);
        Assert.Equal(held, _later.HoldCreate(function, ticket));
        return held;
    }

    public override bool KeepHeldCreate(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects)
    {
        var kept = false;
        Both(
            effects,
            to => kept = _first.KeepHeldCreate(nowUs, function, ticket, to),
            to => Assert.Equal(kept, _later.KeepHeldCreate(nowUs, function, ticket, to)));
        return kept;
    }

    public override void BeginCreate(long nowUs, MetaKey function, SlotTicket ticket)
    {
        _later.Settle(_laterEffects);
        _first.BeginCreate(nowUs, function, ticket);
        _later.BeginCreate(nowUs, function, ticket);
    }

    public override void Tick(long nowUs, List<Effect> effects) => Both(effects, to => _first.Tick(nowUs, to), to => _later.Tick(nowUs, to));

    public override void Reconcile(long nowUs, long askedUs, IReadOnlyCollection<ListedSlot> listed, List<Effect> effects) => Both(
        effects, to => _first.Reconcile(nowUs, askedUs, listed, to), to => _later.Reconcile(nowUs, askedUs, listed, to));

    public override void Drain(long nowUs, List<Effect> effects) => Both(effects, to => _first.Drain(nowUs, to), to => _later.Drain(nowUs, to));

    public override void SetLimits(long nowUs, FunctionMeta function, FunctionLimits limits, List<Effect> effects) => Both(
        effects, to => _first.SetLimits(nowUs, function, limits, to), to => _later.SetLimits(nowUs, function.Key, limits, function, to));

    public override void SetGroups(long nowUs, IReadOnlyCollection<FunctionGroup> groups, List<Effect> effects) => Both(
        effects, to => _first.SetGroups(nowUs, groups, to), to => _later.SetGroups(nowUs, groups, to));

    private void Both(List<Effect> effects, Action<List<Effect>> first, Action<List<Effect>> later)
    {
        var before = effects.Count;
        first(effects);
        later(_laterEffects);
        Note(effects, before);
    }

    private void Note(List<Effect> effects, int before)
    {
        _asked.AddRange(effects.Skip(before).Select(e => e.ToString()));
        _askedLater.AddRange(_laterEffects.Select(e => e.ToString()));
        _laterEffects.Clear();
        Unsettled += _later.IsUnsettled ? 1 : 0;
    }
}
