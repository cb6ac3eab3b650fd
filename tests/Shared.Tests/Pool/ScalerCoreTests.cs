using FuncScaler.Policies;

namespace FuncScaler.Tests.Pool;

public class ScalerCoreTests
{
    private static readonly FunctionMeta F = new(new MetaKey("f"), "go", 60, 512);
    private static readonly FunctionMeta G = new(new MetaKey("g"), "go", 60, 512);

    private readonly List<Effect> _effects = [];

    [Fact]
    public void Functions_have_pools_of_their_own()
    {
        var core = Core();
        ColdStart(core, F, "r1", 1);
        core.Release(0, F.Key, new RequestId("r1"), new InstanceId("i-1"), default, _effects);
        _effects.Clear();

        core.Assign(0, G, new RequestId("r2"), long.MaxValue, _effects);

        Assert.Equal(EffectKind.CreateSlot, Assert.Single(_effects).Kind);
        Assert.Equal((1, 1), (core.Find(F.Key)!.IdleCount, core.Find(G.Key)!.WaiterCount));
    }

    [Theory]
    [InlineData(false, 0)]
    [InlineData(true, 1)]
    public void A_warm_grant_leaves_before_its_pool_is_touched_unless_a_journal_has_to_know_first(bool journal, int busyBefore)
    {
        var core = new ScalerCore(PolicyCatalog.Parse("ttl:60"), new SlotPoolOptions(), journal ? new ScalerCoreState { Journal = new Journal() } : null);
        ColdStart(core, F, "r1", 1);
        core.Release(0, F.Key, new RequestId("r1"), new InstanceId("i-1"), default, _effects);
        _effects.Clear();

        core.AssignFirst(0, F with { }, new RequestId("r2"), long.MaxValue, _effects);
        Assert.Equal(("r2", "i-1"), (Assert.Single(_effects).Request.Value, _effects[0].Instance.Value));
        Assert.Equal(busyBefore, core.Find(F.Key)!.BusyCount);

        core.Settle(_effects);
        Assert.Single(_effects);
        Assert.Equal(1, core.Find(F.Key)!.BusyCount);
    }

    [Fact]
    public void One_backend_slot_is_not_used_by_two_functions()
    {
        var core = Core();
        ColdStart(core, F, "r1", 1);
        core.Assign(0, G, new RequestId("r2"), long.MaxValue, _effects);
        _effects.Clear();

        core.SlotCreated(0, G.Key, new SlotTicket(2), new BackendSlotId("s1"), _effects);

        Assert.Empty(_effects);
        Assert.Equal(0, core.Find(G.Key)!.SlotCount);
        Assert.Equal(1, core.Find(F.Key)!.BusyCount);
    }

    [Fact]
    public void The_core_wakes_when_the_first_of_its_pools_wishes()
    {
        var core = Core();
        core.Assign(0, F, new RequestId("r1"), 5_000, _effects);
        core.Assign(0, G, new RequestId("r2"), 3_000, _effects);
        Assert.Equal(3_000, core.NextWakeUs);
        _effects.Clear();

        core.Tick(3_000, _effects);

        Assert.Equal("r2", Assert.Single(_effects).Request.Value);
        Assert.Equal(5_000, core.NextWakeUs);
    }

    [Fact]
    public void A_release_for_an_unknown_function_is_an_unknown_assignment() => Assert.Equal(
        ReleaseOutcome.UnknownAssignment,
        Core().Release(0, F.Key, new RequestId("r1"), new InstanceId("i-1"), default, _effects));

    [Fact]
    public void Answers_for_unknown_functions_change_nothing()
    {
        var core = Core();

        core.SlotReady(0, F.Key, new SlotTicket(1), _effects);
        core.SlotFailed(0, F.Key, new SlotTicket(1), new SlotFailure(FailureKind.Transient, "x"), _effects);
        core.SlotDestroyed(0, F.Key, new SlotTicket(1), _effects);
        core.Abandon(0, F.Key, new RequestId("r1"), _effects);

        Assert.Empty(_effects);
    }

    [Fact]
    public void A_listed_slot_that_nobody_owns_is_destroyed_and_belongs_to_no_function()
    {
        var core = Core();

        core.Reconcile(10, 5, [new ListedSlot(new BackendSlotId("lost"))], _effects);

        var destroy = Assert.Single(_effects);
        Assert.Equal((EffectKind.DestroySlot, "lost"), (destroy.Kind, destroy.BackendSlot.Value));
        Assert.Empty(core.Pools);
        Assert.Equal(1, core.SlotCount);
        Assert.Equal("lost", Assert.Single(core.Slots).BackendId.Value);
        core.SlotDestroyed(20, destroy.Function.Key, destroy.Ticket, _effects);
        Assert.Equal(0, core.SlotCount);
    }

    [Fact]
    public void A_function_that_is_new_to_a_stopping_scaler_is_rejected()
    {
        var core = Core();
        core.Drain(0, _effects);

        core.Assign(0, F, new RequestId("r1"), long.MaxValue, _effects);

        Assert.Equal(RejectReason.ShuttingDown, Assert.Single(_effects).RejectReason);
    }

    [Fact]
    public void A_policy_may_have_anothers_plan_reviewed_when_its_own_function_is_called()
    {
        var partners = new Dictionary<FunctionMeta, PartnerPolicy>();
        var core = Core(new PolicyChoice("partners", host => f => partners[f] = new PartnerPolicy(host, f == F ? G.Key : F.Key)));
        core.Assign(0, F, new RequestId("r1"), long.MaxValue, _effects);
        core.Assign(0, G, new RequestId("r2"), long.MaxValue, _effects);
        _effects.Clear();
        var before = partners[F].Reviews;
        partners[G].Wanted = 1;

        core.Assign(1, F, new RequestId("r3"), long.MaxValue, _effects);

        Assert.Single(_effects, e => e.Kind == EffectKind.CreateSlot && e.Function == G);
        Assert.InRange(partners[F].Reviews - before, 1, 5);
    }

    private static ScalerCore Core(PolicyChoice? policy = null) => new(policy ?? PolicyCatalog.Parse("ttl:300"), new SlotPoolOptions());

    private void ColdStart(ScalerCore core, FunctionMeta function, string request, long ticket)
    {
        core.Assign(0, function, new RequestId(request), long.MaxValue, _effects);
        core.SlotCreated(0, function.Key, new SlotTicket(ticket), new BackendSlotId($"s{ticket}"), _effects);
        core.SlotReady(0, function.Key, new SlotTicket(ticket), _effects);
        _effects.Clear();
    }

    private sealed class Journal : ISlotJournal
    {
        public void SlotChanged(SlotEntry slot) => slot.Changed = true;
    }

    /// <summary>Has its partner reviewed whenever it is asked itself.</summary>
    private sealed class PartnerPolicy(IPolicyHost host, MetaKey partner) : IKeepAlivePolicy
    {
        public int Wanted { get; set; }

        public int Reviews { get; private set; }

        public bool HasStandby => true;

        public KeepDecision Keep(in PoolView pool, in IdleSlot slot) => KeepDecision.HoldForGood;

        public StandbyPlan Standby(in PoolView pool)
        {
            Reviews++;
            host.RequestReview(partner);
            return new StandbyPlan(Math.Max(0, Wanted + pool.Waiters - pool.InFlight), long.MaxValue);
        }
    }
}
