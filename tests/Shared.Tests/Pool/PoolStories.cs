using FuncScaler.Policies;
using FuncScaler.Policies.Basic;

namespace FuncScaler.Tests.Pool;

/// <summary>What a pool does, told in the events that come in and the effects that go out.</summary>
public class PoolStories
{
    private const long Ms = PoolDriver.Ms;
    private const long Second = PoolDriver.Second;

    [Fact]
    public void A_cold_start_creates_initialises_and_grants()
    {
        var pool = new PoolDriver();

        Assert.Equal("create 1", pool.Assign("r1"));
        pool.Wait(100 * Ms);
        Assert.Equal("init 1 s1 i-1", pool.Created(1));
        pool.Wait(300 * Ms);
        Assert.Equal("r1 gets i-1 Cold", pool.Ready(1));

        Assert.Equal("1 Busy", pool.States());
        Assert.Equal(400 * Ms, pool.Pool.Statistics.ColdStartUs);
    }

    [Fact]
    public void A_warm_start_is_granted_at_once_from_the_instance_freed_last()
    {
        var pool = new PoolDriver();
        pool.ColdStart("r1", 1);
        pool.ColdStart("r2", 2);
        pool.ColdStart("r3", 3);
        pool.Release("r1", "i-1");
        pool.Release("r3", "i-3");
        pool.Release("r2", "i-2");

        Assert.Equal("r4 gets i-2 Warm", pool.Assign("r4"));
        Assert.Equal("r5 gets i-3 Warm", pool.Assign("r5"));
        Assert.Equal("r6 gets i-1 Warm", pool.Assign("r6"));
        Assert.Equal("create 4", pool.Assign("r7"));
    }

    [Fact]
    public void An_idle_instance_is_destroyed_when_its_keep_alive_ends()
    {
        var pool = new PoolDriver(new TtlPolicy(new TtlPolicyOptions { KeepAlive = TimeSpan.FromSeconds(9) }));
        pool.ColdStart("r1", 1);
        Assert.Equal("", pool.Release("r1", "i-1"));

        Assert.Equal("", pool.Wait((9 * Second) - 1));
        Assert.Equal("destroy 1 s1", pool.Wait(1));
        Assert.Equal("", pool.Destroyed(1));

        Assert.Equal(0, pool.Pool.SlotCount);
        Assert.Equal(0, pool.Registry.Count);
        Assert.Equal("create 2", pool.Assign("r2"));
    }

    [Fact]
    public void A_burst_creates_one_slot_for_each_request_and_serves_them_in_their_order()
    {
        var pool = new PoolDriver();
        Assert.Equal("create 1", pool.Assign("r1"));
        Assert.Equal("create 2", pool.Assign("r2"));
        Assert.Equal("create 3", pool.Assign("r3"));

        pool.Created(2);
        pool.Created(3);
        pool.Created(1);

        Assert.Equal("r1 gets i-3 Cold", pool.Ready(3));
        Assert.Equal("r2 gets i-1 Cold", pool.Ready(1));
        Assert.Equal("r3 gets i-2 Cold", pool.Ready(2));
    }

    [Fact]
    public void Creation_is_single_flight_a_slot_under_way_that_lost_its_request_serves_the_next_one()
    {
        var pool = new PoolDriver();
        Assert.Equal("create 1", pool.Assign("r1"));
        Assert.Equal("r1 rejected Cancelled", pool.Abandon("r1"));

        Assert.Equal("", pool.Assign("r2"));

        Assert.Equal("init 1 s1 i-1", pool.Created(1));
        Assert.Equal("r2 gets i-1 Cold", pool.Ready(1));
    }

    [Fact]
    public void A_release_serves_who_waits_and_the_slot_that_was_under_way_becomes_idle()
    {
        var pool = new PoolDriver();
        pool.ColdStart("r1", 1);
        Assert.Equal("create 2", pool.Assign("r2"));
        pool.Created(2);

        Assert.Equal("r2 gets i-1 Waited", pool.Release("r1", "i-1"));
        Assert.Equal("", pool.Ready(2));

        Assert.Equal("1 Busy, 2 Idle", pool.States());
        Assert.Equal("r3 gets i-2 Warm", pool.Assign("r3"));
    }

    [Fact]
    public void A_slot_that_nobody_needs_any_more_is_given_back_before_init_where_the_policy_keeps_no_surplus()
    {
        var pool = new PoolDriver(new NoSurplusPolicy());
        pool.ColdStart("r1", 1);
        Assert.Equal("create 2", pool.Assign("r2"));
        Assert.Equal("r2 gets i-1 Waited", pool.Release("r1", "i-1"));

        Assert.Equal("destroy 2 s2", pool.Created(2));
    }

    [Fact]
    public void Without_waiting_a_miss_is_tied_to_its_own_creation()
    {
        var pool = new PoolDriver(options: new SlotPoolOptions { Waiting = false });
        pool.ColdStart("r1", 1);
        Assert.Equal("create 2", pool.Assign("r2"));
        Assert.Equal("create 3", pool.Assign("r3"));

        Assert.Equal("", pool.Release("r1", "i-1"));
        Assert.Equal("1 Idle, 2 Creating, 3 Creating", pool.States());
        pool.Created(3);
        Assert.Equal("r3 gets i-3 Cold", pool.Ready(3));
        pool.Created(2);
        Assert.Equal("r2 gets i-2 Cold", pool.Ready(2));
    }

    [Fact]
    public void Without_waiting_a_slot_whose_request_has_gone_is_kept_for_the_next()
    {
        var pool = new PoolDriver(options: new SlotPoolOptions { Waiting = false });
        pool.Assign("r1");
        pool.Abandon("r1");

        pool.Created(1);
        Assert.Equal("", pool.Ready(1));

        Assert.Equal("r2 gets i-1 Warm", pool.Assign("r2"));
    }

    [Fact]
    public void The_direct_policy_destroys_every_instance_on_release()
    {
        var pool = new PoolDriver(new DirectPolicy());
        pool.ColdStart("r1", 1);

        Assert.Equal("destroy 1 s1", pool.Release("r1", "i-1"));
        Assert.Equal("create 2", pool.Assign("r2"));
    }

    [Fact]
    public void A_throttled_create_is_tried_again_when_the_backend_said()
    {
        var pool = new PoolDriver();
        pool.Assign("r1");

        Assert.Equal("", pool.Failed(1, FailureKind.Throttled, "too fast", retryAfterUs: 3 * Second));

        Assert.Equal("", pool.Assign("r2"));
        Assert.Equal("", pool.Wait((3 * Second) - 1));
        Assert.Equal("create 2, create 3", pool.Wait(1));
    }

    [Fact]
    public void The_pause_between_tries_doubles_up_to_its_limit_and_starts_over_after_a_success()
    {
        var pool = new PoolDriver(options: new SlotPoolOptions { RetryDelay = TimeSpan.FromMilliseconds(100), MaxRetryDelay = TimeSpan.FromMilliseconds(350) });
        pool.Assign("r1");
        var ticket = 1;
        foreach (var pauseMs in new[] { 100, 200, 350, 350 })
        {
            pool.Failed(ticket);
            Assert.Equal("", pool.Wait((pauseMs * Ms) - 1));
            Assert.Equal($"create {++ticket}", pool.Wait(1));
        }

        pool.Created(ticket);
        pool.Ready(ticket);
        Assert.Equal($"create {++ticket}", pool.Assign("r2"));
        pool.Failed(ticket);
        Assert.Equal($"create {++ticket}", pool.Wait(100 * Ms));
    }

    [Fact]
    public void A_release_during_the_pause_serves_the_request_and_nothing_is_created_for_it()
    {
        var pool = new PoolDriver();
        pool.ColdStart("r1", 1);
        pool.Assign("r2");
        pool.Failed(2);

        Assert.Equal("r2 gets i-1 Waited", pool.Release("r1", "i-1"));
        Assert.Equal("", pool.Wait(1 * Second));
    }

    [Fact]
    public void A_permanent_failure_rejects_the_request_with_the_backends_reason()
    {
        var pool = new PoolDriver();
        var effects = new List<Effect>();
        pool.Assign("r1");

        pool.Pool.SlotFailed(0, new SlotTicket(1), new SlotFailure(FailureKind.Permanent, "there is no size of 512 MB"), effects);

        var reject = Assert.Single(effects, e => e.Kind == EffectKind.Reject);
        Assert.Equal(RejectReason.BackendRefused, reject.RejectReason);
        Assert.Contains("there is no size of 512 MB", reject.Message, StringComparison.Ordinal);
        Assert.Equal("create 2", pool.Assign("r2"));
    }

    [Fact]
    public void A_permanent_failure_leaves_a_request_waiting_that_another_instance_may_serve()
    {
        var pool = new PoolDriver();
        pool.ColdStart("r1", 1);
        pool.Assign("r2");

        Assert.Equal("", pool.Failed(2, FailureKind.Permanent));

        Assert.Equal("r2 gets i-1 Waited", pool.Release("r1", "i-1"));
    }

    [Fact]
    public void A_request_is_rejected_at_its_deadline_with_what_the_backend_said_last()
    {
        var pool = new PoolDriver();
        pool.Assign("r1", 1 * Second);
        pool.Failed(1, message: "out of capacity", retryAfterUs: 60 * Second);
        var effects = new List<Effect>();

        Assert.Equal("", pool.Wait((1 * Second) - 1));
        pool.Pool.Tick(1 * Second, effects);

        var reject = Assert.Single(effects, e => e.Kind == EffectKind.Reject);
        Assert.Equal(RejectReason.DeadlineExceeded, reject.RejectReason);
        Assert.EndsWith("the backend said: out of capacity", reject.Message, StringComparison.Ordinal);
        Assert.Equal(1, pool.Ledger.FailedRequests);
    }

    [Fact]
    public void A_create_that_is_not_answered_in_time_makes_room_for_another_and_its_late_answer_is_used()
    {
        var pool = new PoolDriver();
        pool.Assign("r1");
        Assert.Equal("", pool.Wait(30 * Second));
        Assert.Equal(0, pool.Pool.InFlightCount);
        Assert.Equal("create 2", pool.Wait(100 * Ms));

        Assert.Equal("init 1 s1 i-1", pool.Created(1));
        Assert.Equal("r1 gets i-1 Cold", pool.Ready(1));

        pool.Created(2);
        Assert.Equal("", pool.Ready(2));
        Assert.Equal("1 Busy, 2 Idle", pool.States());
    }

    [Fact]
    public void A_late_answer_that_nobody_needs_is_destroyed_where_the_policy_keeps_no_surplus()
    {
        var pool = new PoolDriver(new NoSurplusPolicy());
        pool.Assign("r1");
        pool.Wait(31 * Second);
        pool.Created(2);
        pool.Ready(2);

        Assert.Equal("destroy 1 s1", pool.Created(1));
    }

    [Fact]
    public void A_create_whose_outcome_is_unknown_is_destroyed_by_its_ticket_and_another_tried()
    {
        var pool = new PoolDriver();
        pool.Assign("r1");

        Assert.Equal("destroy 1 by ticket", pool.Failed(1, outcomeUnknown: true));
        Assert.Equal("1 Destroying", pool.States());
        Assert.Equal("create 2", pool.Wait(100 * Ms));
        Assert.Equal("", pool.Destroyed(1));
        Assert.Equal("2 Creating", pool.States());
    }

    [Fact]
    public void A_failed_init_destroys_the_slot_and_tries_another()
    {
        var pool = new PoolDriver();
        pool.Assign("r1");
        pool.Created(1);

        Assert.Equal("destroy 1 s1", pool.Failed(1));
        Assert.Equal("create 2", pool.Wait(100 * Ms));
        pool.Created(2);
        Assert.Equal("r1 gets i-2 Cold", pool.Ready(2));
    }

    [Fact]
    public void An_init_that_is_not_answered_in_time_counts_as_failed_and_its_late_answer_changes_nothing()
    {
        var pool = new PoolDriver(options: new SlotPoolOptions { InitTimeout = TimeSpan.FromSeconds(5) });
        pool.Assign("r1");
        pool.Created(1);

        Assert.Equal("destroy 1 s1", pool.Wait(5 * Second));
        Assert.Equal("", pool.Ready(1));
        Assert.Equal("create 2", pool.Wait(100 * Ms));
    }

    [Fact]
    public void A_failed_destroy_is_tried_again_at_growing_intervals_until_the_backend_confirms()
    {
        var pool = new PoolDriver(new DirectPolicy());
        pool.ColdStart("r1", 1);
        Assert.Equal("destroy 1 s1", pool.Release("r1", "i-1"));

        pool.Failed(1);
        Assert.Equal("destroy 1 s1", pool.Wait(100 * Ms));
        pool.Failed(1);
        Assert.Equal("", pool.Wait(199 * Ms));
        Assert.Equal("destroy 1 s1", pool.Wait(1 * Ms));
        pool.Failed(1, FailureKind.Throttled, retryAfterUs: 7 * Second);
        Assert.Equal("", pool.Wait((7 * Second) - 1));
        Assert.Equal("destroy 1 s1", pool.Wait(1));
        Assert.Equal("destroy 1 s1", pool.Wait(60 * Second));
        Assert.Equal("1 Destroying", pool.States());

        pool.Destroyed(1);
        Assert.Equal("", pool.States());
        Assert.Equal("", pool.Wait(600 * Second));
    }

    [Fact]
    public void A_broken_instance_is_destroyed_and_who_counted_on_it_gets_another()
    {
        var pool = new PoolDriver(new PatientPolicy());
        pool.Assign("r1");
        pool.Created(1);
        pool.Ready(1);
        Assert.Equal("", pool.Assign("r2"));

        Assert.Equal("destroy 1 s1, create 2", pool.Release("r1", "i-1", broken: true));
    }

    [Fact]
    public void An_assignment_that_is_never_released_expires_and_its_instance_is_destroyed()
    {
        var pool = new PoolDriver();
        pool.ColdStart("r1", 1);

        // Twice the function's timeout of 60 s, and a minute of grace.
        Assert.Equal("", pool.Wait((180 * Second) - 1));
        Assert.Equal("destroy 1 s1", pool.Wait(1));

        Assert.Equal("", pool.Release("r1", "i-1", expected: ReleaseOutcome.UnknownAssignment));
        Assert.Equal(0, pool.Pool.BusyCount);
    }

    [Fact]
    public void An_assignment_of_a_function_without_timeout_expires_after_the_limit_for_such_functions()
    {
        var pool = new PoolDriver(function: new FunctionMeta(new MetaKey("f"), "go", 0, 512));
        pool.ColdStart("r1", 1);

        Assert.Equal("", pool.Wait((3600 * Second) - 1));
        Assert.Equal("destroy 1 s1", pool.Wait(1));
        Assert.Equal("", pool.Release("r1", "i-1", expected: ReleaseOutcome.UnknownAssignment));
    }

    [Fact]
    public void An_assignment_of_a_function_without_timeout_does_not_expire_where_that_limit_is_infinite()
    {
        var pool = new PoolDriver(
            options: new SlotPoolOptions { NoTimeoutLimit = Timeout.InfiniteTimeSpan },
            function: new FunctionMeta(new MetaKey("f"), "go", 0, 512));
        pool.ColdStart("r1", 1);

        Assert.Equal("", pool.Wait(30L * 86_400 * Second));
        Assert.Equal("", pool.Release("r1", "i-1"));
    }

    [Fact]
    public void A_function_with_a_new_timeout_keeps_its_instances()
    {
        var pool = new PoolDriver();
        pool.ColdStart("r1", 1);
        pool.Release("r1", "i-1");

        Assert.Equal("", pool.Update(new FunctionMeta(new MetaKey("f"), "go", 5, 512)));

        Assert.Equal("r2 gets i-1 Warm", pool.Assign("r2"));
        Assert.Equal("destroy 1 s1", pool.Wait(70 * Second));
    }

    [Fact]
    public void A_draining_pool_gives_back_what_is_idle_and_rejects_new_requests()
    {
        var pool = new PoolDriver();
        pool.ColdStart("r1", 1);
        pool.ColdStart("r2", 2);
        pool.Release("r1", "i-1");

        Assert.Equal("destroy 1 s1", pool.Drain());

        Assert.Equal("r3 rejected ShuttingDown", pool.Assign("r3"));
        Assert.Equal("destroy 2 s2", pool.Release("r2", "i-2"));
    }

    [Fact]
    public void A_draining_pool_still_serves_who_waits()
    {
        var pool = new PoolDriver();
        pool.ColdStart("r1", 1);
        Assert.Equal("create 2", pool.Assign("r2"));
        Assert.Equal("create 3", pool.Assign("r3"));

        Assert.Equal("", pool.Drain());

        Assert.Equal("r2 gets i-1 Waited", pool.Release("r1", "i-1"));
        pool.Created(2);
        Assert.Equal("r3 gets i-2 Cold", pool.Ready(2));
        Assert.Equal("destroy 3 s3", pool.Created(3));
        Assert.Equal("destroy 1 s1", pool.Release("r2", "i-1"));
    }

    [Fact]
    public void A_repeated_assign_joins_the_waiting_one_and_repeats_the_grant_of_a_served_one()
    {
        var pool = new PoolDriver();
        pool.Assign("r1");
        Assert.Equal("", pool.Assign("r1"));
        pool.Created(1);
        Assert.Equal("r1 gets i-1 Cold", pool.Ready(1));

        Assert.Equal("r1 gets i-1 Warm", pool.Assign("r1"));

        pool.Release("r1", "i-1");
        Assert.Equal("r1 gets i-1 Warm", pool.Assign("r1"));
    }

    [Fact]
    public void A_release_that_matches_no_assignment_changes_nothing()
    {
        var pool = new PoolDriver();
        pool.ColdStart("r1", 1);
        pool.ColdStart("r2", 2);

        Assert.Equal("", pool.Release("r1", "i-2", expected: ReleaseOutcome.InstanceMismatch));
        Assert.Equal("", pool.Release("r3", "i-1", expected: ReleaseOutcome.UnknownAssignment));
        pool.Release("r1", "i-1");
        Assert.Equal("", pool.Release("r1", "i-1", expected: ReleaseOutcome.UnknownAssignment));

        Assert.Equal("1 Idle, 2 Busy", pool.States());
    }

    [Fact]
    public void A_slot_that_the_backend_hands_out_twice_is_used_once()
    {
        var pool = new PoolDriver();
        pool.ColdStart("r1", 1);
        pool.Assign("r2");

        Assert.Equal("", pool.Created(2, "s1"));

        Assert.Equal("1 Busy", pool.States());
        Assert.Equal("create 3", pool.Wait(100 * Ms));
    }

    [Fact]
    public void A_list_without_our_slots_gives_them_up_and_a_busy_one_when_it_is_released()
    {
        var pool = new PoolDriver();
        pool.ColdStart("r1", 1);
        pool.ColdStart("r2", 2);
        pool.Release("r2", "i-2");
        pool.Wait(1 * Second);

        Assert.Equal("", pool.Reconcile());

        Assert.Equal("1 Busy", pool.States());
        Assert.Equal("create 3", pool.Assign("r3"));
        Assert.Equal("destroy 1 s1", pool.Release("r1", "i-1"));
    }

    [Fact]
    public void A_listed_slot_answers_the_create_whose_answer_was_lost()
    {
        var pool = new PoolDriver();
        pool.Assign("r1");

        Assert.Equal("init 1 found i-1", pool.Reconcile(new ListedSlot(new BackendSlotId("found"), new SlotTicket(1))));
    }

    [Fact]
    public void No_more_slots_are_created_than_allowed_and_a_destroyed_one_makes_room()
    {
        var pool = new PoolDriver(options: new SlotPoolOptions { MaxSlots = 1 });
        pool.ColdStart("r1", 1);
        Assert.Equal("", pool.Assign("r2"));
        Assert.Equal("destroy 1 s1", pool.Release("r1", "i-1", broken: true));

        Assert.Equal("create 2", pool.Destroyed(1));
    }

    /// <summary>Keeps for five minutes, but nothing that nobody asked for.</summary>
    private sealed class NoSurplusPolicy : IKeepAlivePolicy
    {
        public KeepDecision Keep(in PoolView pool, in IdleSlot slot) => KeepDecision.HoldUntil(slot.SinceUs + (300 * Second));

        public bool KeepSurplus(in PoolView pool) => false;
    }

    /// <summary>Waits for busy instances rather than creating.</summary>
    private sealed class PatientPolicy : IKeepAlivePolicy
    {
        public int CreateOnMiss(in PoolView pool) => pool.Busy > 0 ? 0 : 1;

        public KeepDecision Keep(in PoolView pool, in IdleSlot slot) => KeepDecision.HoldUntil(slot.SinceUs + (300 * Second));
    }
}
