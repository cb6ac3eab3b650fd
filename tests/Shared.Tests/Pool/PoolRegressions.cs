using FuncScaler.Policies;
using FuncScaler.Policies.Basic;

namespace FuncScaler.Tests.Pool;

/// <summary>What once went wrong: each story was the shortest way to a defect that a property or a reading found.</summary>
public class PoolRegressions
{
    [Fact]
    public void An_unanswered_create_leaves_the_inventory_with_the_first_list_that_should_show_its_slot()
    {
        var pool = new PoolDriver(options: new SlotPoolOptions { MaxSlots = 1 });
        Assert.Equal("create 1", pool.Assign("r1"));
        Assert.Equal("", pool.Reconcile());
        Assert.Equal("1 Creating", pool.States());
        pool.Wait(31 * PoolDriver.Second);

        Assert.Equal("create 2", pool.Reconcile());

        Assert.Equal("2 Creating", pool.States());
        Assert.Equal("destroy 3 late", pool.Created(1, "late"));
    }

    [Fact]
    public void A_create_of_unknown_outcome_is_destroyed_by_its_ticket_even_when_it_had_been_given_up()
    {
        var pool = new PoolDriver();
        pool.Assign("r1", 10 * PoolDriver.Second);
        pool.Wait(31 * PoolDriver.Second);
        Assert.Equal("", pool.Reconcile());
        Assert.Equal("", pool.States());

        Assert.Equal("destroy 1 by ticket", pool.Failed(1, outcomeUnknown: true));
        Assert.Equal("", pool.Destroyed(1));
        Assert.Equal("", pool.States());
    }

    [Fact]
    public void The_destroy_of_a_slot_that_was_created_too_late_is_asked_again_when_unanswered()
    {
        var pool = new PoolDriver();
        pool.Assign("r1", 10 * PoolDriver.Ms);
        Assert.Equal("destroy 1 by ticket", pool.Failed(1, outcomeUnknown: true));
        Assert.Equal("r1 rejected DeadlineExceeded", pool.Wait(5 * PoolDriver.Second));
        Assert.Equal("", pool.Destroyed(1));

        Assert.Equal("destroy 2 late", pool.Created(1, "late"));

        Assert.Equal("destroy 2 late", pool.Wait(60 * PoolDriver.Second));
    }

    [Fact]
    public void The_answer_to_a_destroy_by_ticket_does_not_count_for_the_slot_whose_id_came_later()
    {
        var pool = new PoolDriver();
        pool.Assign("r1", 10 * PoolDriver.Ms);
        Assert.Equal("destroy 1 by ticket", pool.Failed(1, outcomeUnknown: true));
        Assert.Contains("destroy 2 late", pool.Created(1, "late"));

        // The backend found nothing by the ticket, before the slot came into being; then the destroy by name fails.
        pool.Destroyed(1);
        pool.Failed(2);

        Assert.Equal("r1 rejected DeadlineExceeded, destroy 2 late", pool.Wait(150 * PoolDriver.Ms));
    }

    [Fact]
    public void A_slot_for_a_request_that_has_gone_is_not_initialised_where_the_policy_keeps_no_surplus()
    {
        var pool = new PoolDriver(new DirectPolicy());
        Assert.Equal("create 1", pool.Assign("r1", 50 * PoolDriver.Ms));
        Assert.Equal("r1 rejected DeadlineExceeded", pool.Wait(100 * PoolDriver.Ms));

        Assert.Equal("destroy 1 s1", pool.Created(1));
    }

    [Fact]
    public void A_function_whose_init_keeps_failing_is_tried_at_ever_longer_intervals()
    {
        var pool = new PoolDriver();
        Assert.Equal("create 1", pool.Assign("r1"));
        pool.Created(1);
        Assert.Equal("destroy 1 s1", pool.Failed(1, message: "no such file"));
        pool.Destroyed(1);
        Assert.Equal("create 2", pool.Wait(100 * PoolDriver.Ms));
        pool.Created(2);
        Assert.Equal("no such file", pool.Pool.LastFailure);
        pool.Failed(2);
        pool.Destroyed(2);

        Assert.Equal("", pool.Wait(199 * PoolDriver.Ms));
        Assert.Equal("create 3", pool.Wait(1 * PoolDriver.Ms));

        pool.Created(3);
        pool.Ready(3);
        Assert.Null(pool.Pool.LastFailure);
    }

    [Fact]
    public void Creates_that_fail_together_count_as_one_failure_in_a_row()
    {
        var pool = new PoolDriver();
        for (var i = 1; i <= 8; i++)
        {
            pool.Assign($"r{i}");
        }

        pool.Wait(10 * PoolDriver.Ms);
        for (var i = 1; i <= 8; i++)
        {
            pool.Failed(i, FailureKind.Throttled);
        }

        Assert.StartsWith("create 9, create 10", pool.Wait(100 * PoolDriver.Ms), StringComparison.Ordinal);
    }

    [Fact]
    public void A_failure_after_the_pause_of_its_wave_and_a_success_is_followed_by_the_shortest_pause()
    {
        var pool = new PoolDriver();
        pool.Assign("r1");
        pool.Assign("r2");
        pool.Assign("r3");
        pool.Wait(10 * PoolDriver.Ms);
        pool.Failed(1);
        pool.Wait(1 * PoolDriver.Second);
        pool.Created(2);
        pool.Ready(2);

        Assert.Equal("", pool.Failed(3));

        Assert.Equal("", pool.Wait(99 * PoolDriver.Ms));
        Assert.Equal("create 5", pool.Wait(1 * PoolDriver.Ms));
    }

    [Fact]
    public void A_backend_that_refuses_for_good_is_not_asked_for_standby_instances_without_pause()
    {
        var pool = new PoolDriver(new OneReadyPolicy());
        pool.Assign("r1");
        Assert.Equal("1 Creating, 2 Creating", pool.States());
        Assert.Equal("", pool.Failed(1, FailureKind.Permanent));

        Assert.Equal("r1 rejected BackendRefused", pool.Failed(2, FailureKind.Permanent));

        Assert.Equal("", pool.Wait(9 * PoolDriver.Second));
        Assert.Equal("create 3", pool.Wait(1 * PoolDriver.Second));
    }

    [Fact]
    public void Without_a_pause_between_tries_the_pool_still_says_when_to_wake_it()
    {
        var pool = new PoolDriver(options: new SlotPoolOptions { RetryDelay = TimeSpan.Zero });
        pool.Assign("r1", 40 * PoolDriver.Second);

        Assert.Equal("create 2", pool.Wait(30 * PoolDriver.Second));

        Assert.Equal("r1 rejected DeadlineExceeded", pool.Wait(10 * PoolDriver.Second));
    }

    [Fact]
    public void An_idle_instance_that_is_destroyed_by_a_review_in_the_moment_its_keep_alive_ends_is_destroyed_once()
    {
        var pool = new PoolDriver(new ReviewingPolicy(), new SlotPoolOptions { InitTimeout = TimeSpan.FromSeconds(1) });
        pool.Assign("r1");
        pool.Assign("r2");
        pool.Created(1);
        pool.Created(2);
        pool.Ready(2);
        Assert.Equal("r2 gets i-2 Waited", pool.Release("r1", "i-2"));
        Assert.Equal("", pool.Release("r2", "i-2"));

        // The other slot's Init is overdue in the same moment.
        Assert.Equal("destroy 1 s1, destroy 2 s2", pool.Wait(1 * PoolDriver.Second));
    }

    /// <summary>One instance ready beyond those in use.</summary>
    private sealed class OneReadyPolicy : IKeepAlivePolicy
    {
        public bool HasStandby => true;

        public KeepDecision Keep(in PoolView pool, in IdleSlot slot) => KeepDecision.HoldForGood;

        public StandbyPlan Standby(in PoolView pool) => new(pool.Idle + pool.InFlight > pool.Waiters ? 0 : 1, long.MaxValue);
    }

    /// <summary>Keeps for a second and looks at what is idle with every change.</summary>
    private sealed class ReviewingPolicy : IKeepAlivePolicy
    {
        public bool HasStandby => true;

        public KeepDecision Keep(in PoolView pool, in IdleSlot slot) => KeepDecision.HoldUntil(slot.SinceUs + 1_000_000);

        public StandbyPlan Standby(in PoolView pool) => new(0, long.MaxValue, ReviewIdle: true);
    }
}
