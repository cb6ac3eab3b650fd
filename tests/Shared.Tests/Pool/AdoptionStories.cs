using FuncScaler.Policies;

namespace FuncScaler.Tests.Pool;

/// <summary>What becomes of slots that a former run of the scaler has left.</summary>
public class AdoptionStories
{
    private const long Second = 1_000_000;

    private static readonly FunctionMeta F = new(new MetaKey("f"), "go", 10, 512);

    private readonly List<Effect> _effects = [];
    private long _nowUs;

    [Fact]
    public void An_instance_of_a_known_function_is_held_back_for_its_time_out_then_initialised_and_offered()
    {
        var core = NewCore();
        Reconcile(core, new ListedSlot(new BackendSlotId("old"), Function: F));
        Assert.Equal(SlotState.Adopted, Assert.Single(core.Slots).State);

        Assign(core, "early");
        Assert.Equal([EffectKind.CreateSlot], Take().Select(e => e.Kind));

        Wait(core, 10 * Second);
        var init = Assert.Single(Take(), e => e.Kind == EffectKind.InitSlot);
        Assert.Equal(new BackendSlotId("old"), init.BackendSlot);
        core.SlotReady(_nowUs, F.Key, init.Ticket, _effects);

        var grant = Assert.Single(Take(), e => e.Kind == EffectKind.Grant);
        Assert.Equal((new RequestId("early"), init.Ticket), (grant.Request, grant.Ticket));
    }

    [Fact]
    public void The_same_list_twice_adopts_once()
    {
        var core = NewCore();
        var listed = new ListedSlot(new BackendSlotId("old"), Function: F);

        Reconcile(core, listed);
        _nowUs += Second;
        Reconcile(core, listed);

        Assert.Single(core.Slots);
        Assert.Equal(1, core.Ledger.LiveSlots);
    }

    [Fact]
    public void An_adopted_instance_that_the_platform_loses_leaves_the_inventory()
    {
        var core = NewCore();
        Reconcile(core, new ListedSlot(new BackendSlotId("old"), Function: F));
        _nowUs += Second;

        Reconcile(core);

        Assert.Empty(core.Slots);
        Assert.Equal(0, core.Ledger.LiveSlots);
    }

    [Theory]
    [InlineData(0, "go", 512)]
    [InlineData(10, "java", 512)]
    [InlineData(10, "go", 256)]
    public void A_slot_without_a_time_out_or_of_other_settings_is_destroyed_after_the_grace_time(int timeout, string runtime, int memory)
    {
        var core = NewCore(graceSeconds: 30);
        Assign(core, "r");
        Take();

        Reconcile(core, new ListedSlot(new BackendSlotId("old"), Function: new FunctionMeta(F.Key, runtime, timeout, memory)));
        Wait(core, 29 * Second);
        Assert.DoesNotContain(Take(), e => e.Kind == EffectKind.DestroySlot);
        Wait(core, Second);

        Assert.Equal(new BackendSlotId("old"), Assert.Single(Take(), e => e.Kind == EffectKind.DestroySlot).BackendSlot);
    }

    [Fact]
    public void A_scaler_that_stops_destroys_what_it_has_adopted()
    {
        var core = NewCore();
        Reconcile(core, new ListedSlot(new BackendSlotId("old"), Function: F));

        core.Drain(_nowUs, _effects);

        var destroy = Assert.Single(Take());
        Assert.Equal(EffectKind.DestroySlot, destroy.Kind);
        core.SlotDestroyed(_nowUs, F.Key, destroy.Ticket, _effects);
        Assert.Equal(0, core.SlotCount);
    }

    [Fact]
    public void A_function_whose_settings_change_does_not_get_the_adopted_instance()
    {
        var core = NewCore();
        Reconcile(core, new ListedSlot(new BackendSlotId("old"), Function: F));
        core.Assign(_nowUs, F with { MemoryMb = 1024 }, new RequestId("r"), long.MaxValue, _effects);
        Assert.Equal(EffectKind.CreateSlot, Assert.Single(Take()).Kind);

        Wait(core, 10 * Second);

        Assert.Equal(EffectKind.DestroySlot, Assert.Single(Take()).Kind);
    }

    private static ScalerCore NewCore(int graceSeconds = 0) =>
        new(PolicyCatalog.Parse("ttl:300"), new SlotPoolOptions { OrphanGrace = TimeSpan.FromSeconds(graceSeconds), CreateTimeout = TimeSpan.FromSeconds(3600) });

    private void Assign(ScalerCore core, string request) => core.Assign(_nowUs, F, new RequestId(request), long.MaxValue, _effects);

    private void Reconcile(ScalerCore core, params ListedSlot[] listed) => core.Reconcile(_nowUs, _nowUs, listed, _effects);

    private void Wait(ScalerCore core, long us)
    {
        _nowUs += us;
        core.Tick(_nowUs, _effects);
    }

    private List<Effect> Take()
    {
        var taken = _effects.ToList();
        _effects.Clear();
        return taken;
    }
}
