using FuncScaler.Policies;

namespace FuncScaler.Tests.Pool;

/// <summary>What a core takes over from a former run that has written its slots down.</summary>
public class RestoringStories
{
    private static readonly FunctionMeta F = new(new MetaKey("f"), "go", 60, 512);
    private static readonly RequestId R = new("r");
    private readonly List<Effect> _effects = [];
    private readonly ScalerCore _core = new(PolicyCatalog.Parse("ttl:300"), new SlotPoolOptions(), new ScalerCoreState { LastTicket = 40 });

    [Fact]
    public void An_idle_instance_serves_the_next_request()
    {
        Restore(SlotState.Idle);

        _core.Assign(0, F, R, long.MaxValue, _effects);

        Assert.Equal((EffectKind.Grant, "i-7"), (Assert.Single(_effects).Kind, _effects[0].Instance.Value));
        _core.CheckInvariants();
    }

    [Fact]
    public void A_release_of_what_was_granted_before_is_accepted_and_the_instance_serves_on()
    {
        Restore(SlotState.Busy, R);

        Assert.Equal(ReleaseOutcome.Released, _core.Release(0, F.Key, R, new InstanceId("i-7"), default, _effects));
        Assert.Equal(1, _core.Find(F.Key)!.IdleCount);
        _core.CheckInvariants();
    }

    [Fact]
    public void A_request_that_is_known_by_its_mark_alone_gets_its_instance_again_and_releases_it()
    {
        Restore(SlotState.Busy, mark: RequestMarks.Of(R));
        _core.Assign(0, F, R, long.MaxValue, _effects);
        Assert.Equal("i-7", Assert.Single(_effects).Instance.Value);

        Assert.Equal(ReleaseOutcome.Released, _core.Release(0, F.Key, R, new InstanceId("i-7"), default, _effects));
        _core.CheckInvariants();
    }

    [Fact]
    public void An_instance_in_doubt_is_granted_to_nobody_and_another_requests_release_does_not_free_it()
    {
        Restore(SlotState.Busy, mark: RequestMarks.Of(R));

        Assert.Equal(ReleaseOutcome.UnknownAssignment, _core.Release(0, F.Key, new RequestId("other"), new InstanceId("i-7"), default, _effects));
        _core.Assign(0, F, new RequestId("other"), long.MaxValue, _effects);

        Assert.Equal(EffectKind.CreateSlot, Assert.Single(_effects).Kind);
        _core.CheckInvariants();
    }

    [Fact]
    public void Without_a_mark_the_release_that_names_the_instance_frees_it_once()
    {
        Restore(SlotState.Busy);

        Assert.Equal(ReleaseOutcome.Released, _core.Release(0, F.Key, R, new InstanceId("i-7"), default, _effects));
        Assert.Equal(ReleaseOutcome.UnknownAssignment, _core.Release(0, F.Key, new RequestId("again"), new InstanceId("i-7"), default, _effects));
        _core.CheckInvariants();
    }

    [Fact]
    public void An_instance_that_nobody_releases_is_destroyed_at_the_assignments_limit()
    {
        Restore(SlotState.Busy);

        _core.Tick((2 * 60_000_000) + 60_000_000, _effects);

        Assert.Equal((EffectKind.DestroySlot, "b7"), (Assert.Single(_effects).Kind, _effects[0].BackendSlot.Value));
        _core.CheckInvariants();
    }

    [Fact]
    public void A_creation_without_an_answer_is_asked_for_again_under_its_ticket()
    {
        _core.Restore(0, F, [new RestoredSlot(new SlotTicket(7), SlotState.Creating, default, default, null, [], 0, 0)], _effects);

        Assert.Equal((EffectKind.CreateSlot, 7), (Assert.Single(_effects).Kind, _effects[0].Ticket.Value));
        _effects.Clear();

        // Nobody waits for it any more, but ttl keeps what is surplus.
        _core.SlotCreated(0, F.Key, new SlotTicket(7), new BackendSlotId("b7"), _effects);
        Assert.Equal(EffectKind.InitSlot, Assert.Single(_effects).Kind);
        _core.CheckInvariants();
    }

    /// <summary>Found by funcscaler soak: the former run's call may have taken effect, whatever becomes of the second one.</summary>
    [Theory]
    [InlineData(FailureKind.Throttled)]
    [InlineData(FailureKind.Permanent)]
    public void A_creation_that_is_asked_for_again_and_refused_may_exist_and_is_destroyed(FailureKind kind)
    {
        _core.Restore(0, F, [new RestoredSlot(new SlotTicket(7), SlotState.Creating, default, default, null, [], 0, 0)], _effects);
        _effects.Clear();

        _core.SlotFailed(0, F.Key, new SlotTicket(7), new SlotFailure(kind, "not now"), _effects);

        Assert.Equal((EffectKind.DestroySlot, 7), (Assert.Single(_effects).Kind, _effects[0].Ticket.Value));
        _core.CheckInvariants();
    }

    [Fact]
    public void A_creation_that_is_asked_for_again_and_held_until_nobody_wants_it_may_exist_and_is_destroyed()
    {
        _core.Restore(0, F, [new RestoredSlot(new SlotTicket(7), SlotState.Creating, default, default, null, [], 0, 0)], _effects);
        _effects.Clear();
        Assert.True(_core.HoldCreate(F.Key, new SlotTicket(7)));

        Assert.False(_core.KeepHeldCreate(0, F.Key, new SlotTicket(7), _effects));

        Assert.Equal((EffectKind.DestroySlot, 7), (Assert.Single(_effects).Kind, _effects[0].Ticket.Value));
        _core.CheckInvariants();
    }

    /// <summary>Found by funcscaler soak: one of those that were written down has left, and one has come that was not.</summary>
    [Fact]
    public void An_unknown_request_beside_as_many_known_ones_as_an_instance_serves_is_taken_over()
    {
        var shared = F with { MaxConcurrency = 2 };
        RequestId[] known = [R, new("q")];
        _core.Restore(
            0, shared, [new RestoredSlot(new SlotTicket(7), SlotState.Busy, new BackendSlotId("b7"), new InstanceId("i-7"), null, known, RequestMarks.Of(new RequestId("u")), 0) { Serves = false }], _effects);
        _core.CheckInvariants();

        Assert.All((RequestId[])[.. known, new("u")], r => Assert.Equal(ReleaseOutcome.Released, _core.Release(0, F.Key, r, new InstanceId("i-7"), default, _effects)));
        Assert.Equal(EffectKind.DestroySlot, Assert.Single(_effects).Kind);
        _core.CheckInvariants();
    }

    /// <summary>Found by funcscaler soak: the function has been called with other settings since.</summary>
    [Fact]
    public void Without_a_mark_the_release_that_names_an_instance_of_former_settings_frees_it()
    {
        Restore(SlotState.Busy);
        _core.Assign(0, F with { MemoryMb = 1024 }, new RequestId("other"), long.MaxValue, _effects);

        Assert.Equal(ReleaseOutcome.Released, _core.Release(0, F.Key, R, new InstanceId("i-7"), default, _effects));
        _core.CheckInvariants();
    }

    [Theory]
    [InlineData(SlotState.Initializing)]
    [InlineData(SlotState.Destroying)]
    [InlineData(SlotState.Adopted)]
    [InlineData(SlotState.Creating)]
    public void What_was_not_finished_is_destroyed(SlotState state)
    {
        Restore(state);

        Assert.Equal((EffectKind.DestroySlot, "b7"), (Assert.Single(_effects).Kind, _effects[0].BackendSlot.Value));
        _core.CheckInvariants();
    }

    [Fact]
    public void Of_an_instance_that_several_share_each_request_is_released_by_itself()
    {
        var shared = F with { MaxConcurrency = 4 };
        _core.Restore(0, shared, [new RestoredSlot(new SlotTicket(7), SlotState.Busy, new BackendSlotId("b7"), new InstanceId("i-7"), null, [R, new RequestId("q")], 0, 0)], _effects);

        Assert.Equal(ReleaseOutcome.Released, _core.Release(0, F.Key, R, new InstanceId("i-7"), default, _effects));
        Assert.Equal((1, 0), (_core.Find(F.Key)!.BusyCount, _core.Find(F.Key)!.IdleCount));
        Assert.Equal(ReleaseOutcome.Released, _core.Release(0, F.Key, new RequestId("q"), new InstanceId("i-7"), default, _effects));
        Assert.Equal((0, 1), (_core.Find(F.Key)!.BusyCount, _core.Find(F.Key)!.IdleCount));
        _core.CheckInvariants();
    }

    [Fact]
    public void Tickets_go_on_where_the_former_run_ended()
    {
        _core.Assign(0, F, R, long.MaxValue, _effects);

        Assert.Equal(41, Assert.Single(_effects).Ticket.Value);
    }

    [Fact]
    public void Two_slots_with_one_id_of_the_backend_are_one()
    {
        Restore(SlotState.Idle);
        _core.Restore(0, F, [new RestoredSlot(new SlotTicket(8), SlotState.Idle, new BackendSlotId("b7"), new InstanceId("i-8"), null, [], 0, 0)], _effects);

        Assert.Equal(1, _core.SlotCount);
        _core.CheckInvariants();
    }

    private void Restore(SlotState state, RequestId? request = null, long mark = 0) => _core.Restore(
        0, F, [new RestoredSlot(new SlotTicket(7), state, new BackendSlotId("b7"), new InstanceId("i-7"), null, request is { } known ? [known] : [], mark, 0)], _effects);
}
