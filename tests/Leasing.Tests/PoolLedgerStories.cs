using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using static FuncScaler.Tests.Leasing.Stage;

namespace FuncScaler.Tests.Leasing;

public class PoolLedgerStories
{
    private static readonly SlotFailure Throttled = new(FailureKind.Throttled, "slower", 7 * Second);

    [Fact]
    public void A_floor_in_the_limits_is_made_before_any_request_and_held_when_a_worker_gives_back()
    {
        var stage = new Stage("ttl:1") { Limits = new FunctionLimits { MinInstances = 1 } };
        Assert.Equal("provision in 0 s", stage.Tell((l, e) => l.LimitsChanged(stage.NowUs, Stage.Function, e)));
        stage.Tell((l, e) => l.Provisioned(stage.NowUs, new ProvisionedSlot(new SlotTicket(stage.Ledger.State.LastTicket), new BackendSlotId("s"), new InstanceId($"i-{stage.Ledger.State.LastTicket}"), null, 1, 1), e));
        stage.Wait(100 * Second);
        Assert.Equal("", stage.Wake());
        Assert.Equal("Idle", stage.Slots);

        stage.Limits = FunctionLimits.None;
        Assert.StartsWith("destroy", stage.Tell((l, e) => l.LimitsChanged(stage.NowUs, null, e)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_worker_does_not_destroy_what_a_floor_holds()
    {
        var stage = new Stage("ttl:1") { Limits = new FunctionLimits { MinInstances = 1 } };
        stage.ColdStart("w", "r1", 101);
        stage.SetLimits("w");
        stage.Release("w", "r1", "i-101");
        stage.Wait(2 * Second);

        Assert.Equal("", stage.Tick("w"));
        stage.Report("w");
        Assert.Equal("Idle", stage.Slots);
        stage.Wait(100 * Second);
        stage.Wake();
        Assert.Equal("Idle", stage.Slots);
    }

    [Fact]
    public void The_cost_of_a_floor_and_of_a_ceiling_is_kept_by_the_ledger_and_told_to_workers()
    {
        var stage = new Stage("ttl:1") { Limits = new FunctionLimits { MinInstances = 1, MaxInstances = 1 } };
        stage.Tell((l, e) => l.LimitsChanged(stage.NowUs, Stage.Function, e));
        Assert.Null(PoolLedger.LimitsCost(stage.Ledger.State));
        stage.Tell((l, e) => l.Provisioned(stage.NowUs, new ProvisionedSlot(new SlotTicket(stage.Ledger.State.LastTicket), new BackendSlotId("s"), new InstanceId($"i-{stage.Ledger.State.LastTicket}"), null, 1, 1), e));
        stage.Wait(10 * Second);
        stage.Wake();

        // From here on the policy would not have it any more; it has half a GB.
        stage.Wait(100 * Second);
        stage.Wake();
        Assert.Equal(new LimitsCost(50, 0), PoolLedger.LimitsCost(stage.Ledger.State));

        // w1 gets it, and a request waits at w2 for four seconds.
        foreach (var worker in (string[])["w1", "w2"])
        {
            stage.Worker(worker);
            stage.SetLimits(worker);
        }

        Assert.Equal("", stage.Assign("w1", "r1"));
        stage.Sync("w1");
        Assert.Equal("", stage.Assign("w2", "r2"));
        stage.Sync("w2");
        stage.Wait(4 * Second);
        stage.Sync("w2");
        Assert.Equal(new LimitsCost(50, 4), PoolLedger.LimitsCost(stage.Ledger.State));
        Assert.Equal(new LimitsCost(50, 4), stage.Worker("w2").Pool.LimitsCost(stage.NowUs));
    }

    [Fact]
    public void A_ceiling_is_of_all_workers_together()
    {
        var stage = new Stage { Limits = new FunctionLimits { MaxInstances = 1, MaxWaiting = 1 } };
        stage.Worker("w1");
        stage.Worker("w2");
        stage.SetLimits("w1");
        stage.SetLimits("w2");

        // Asked first: the ledger enters one ticket.
        Assert.Equal("", stage.Assign("w1", "r1"));
        Assert.Equal("", stage.Assign("w2", "r2"));
        Assert.Equal("create 101", stage.Sync("w1"));
        Assert.DoesNotContain("create", stage.Sync("w2"), StringComparison.Ordinal);
        Assert.Contains("r3 rejected Overloaded", stage.Assign("w2", "r3"), StringComparison.Ordinal);
    }

    [Fact]
    public void What_nobody_leases_is_kept_as_long_as_the_policy_says_counted_from_its_last_use()
    {
        var stage = new Stage("ttl:20", new LeasingOptions { ParkAfter = TimeSpan.FromSeconds(5) });
        stage.ColdStart("w", "r1", 101);
        stage.Release("w", "r1", "i-101");
        stage.Wait(5 * Second);
        stage.Tick("w");
        stage.Report("w");
        stage.Wait((15 * Second) - 1);
        Assert.Equal("", stage.Wake());
        stage.Wait(1);
        Assert.Equal("destroy 101 1", stage.Wake());
        Assert.Equal("destroy 101 2", Later(stage, stage.Options.Pool.DestroyTimeout.ToUs()));
        stage.Tell((l, e) => l.Destroyed(stage.NowUs, new SlotTicket(101), 1, e));
        Assert.Equal("Destroying", stage.Slots);
        stage.Tell((l, e) => l.Destroyed(stage.NowUs, new SlotTicket(101), 2, e));
        Assert.Equal("", stage.Slots);
    }

    [Fact]
    public void A_destruction_that_fails_for_ever_is_asked_for_ever_more_seldom()
    {
        var pool = new SlotPoolOptions { RetryDelay = TimeSpan.FromSeconds(1), MaxDestroyPause = TimeSpan.FromSeconds(5) };
        var stage = new Stage("ttl:20", new LeasingOptions { ParkAfter = TimeSpan.FromSeconds(5), Pool = pool });
        stage.ColdStart("w", "r1", 101);
        stage.Release("w", "r1", "i-101");
        stage.Wait(5 * Second);
        stage.Tick("w");
        stage.Report("w");
        Assert.Equal("destroy 101 1", Later(stage, 15 * Second));
        var attempt = 1;
        foreach (var pause in (int[])[1, 2, 4, 5, 5])
        {
            stage.Tell((l, e) => l.DestroyFailed(stage.NowUs, new SlotTicket(101), attempt, new SlotFailure(FailureKind.Transient, "no"), e));
            Assert.Equal("", Later(stage, (pause * Second) - 1));
            Assert.Equal($"destroy 101 {++attempt}", Later(stage, 1));
        }
    }

    [Fact]
    public void What_the_policy_does_not_keep_is_destroyed_when_it_comes_back()
    {
        var stage = new Stage("direct");
        stage.ColdStart("w", "r1", 101);
        stage.Leave("w");
        stage.Report("w");
        Assert.Equal("Entrusted", stage.Slots);
        stage.Release("w2", "r1", "i-101", ReleaseOutcome.Forwarded);
        Assert.Equal("destroy 101 1", stage.Report("w2"));
    }

    [Fact]
    public void Instances_asked_for_by_an_operator_are_created_within_the_rate_and_kept()
    {
        var stage = new Stage("ttl:1", new LeasingOptions { CreateBurst = 2, CreatesPerMinute = 6 });
        Assert.Equal(
            "provision in 0 s, provision in 0 s, provision in 10 s, provision in 20 s",
            stage.Tell((l, e) => l.SetProvisioned(stage.NowUs, Function, 4, e)));
        var ticket = new SlotTicket(stage.Ledger.State.Slots.Keys.Min());
        stage.Tell((l, e) => l.Provisioned(
            stage.NowUs, new ProvisionedSlot(ticket, new BackendSlotId("s1"), new InstanceId($"i-{ticket}"), null, 1, 1), e));
        Assert.Equal("", Later(stage, 30 * Second));
        Assert.Equal("Creating, Creating, Creating, Idle", stage.Slots);
        Assert.Equal($"destroy {ticket} 1", stage.Tell((l, e) => l.SetProvisioned(stage.NowUs, Function, 2, e)));
        Assert.Equal("Creating, Creating, Creating, Destroying", stage.Slots);
    }

    [Fact]
    public void After_a_failed_provisioning_the_backend_is_left_alone_for_as_long_as_it_asks()
    {
        var stage = new Stage();
        stage.Tell((l, e) => l.SetProvisioned(stage.NowUs, Function, 1, e));
        var ticket = new SlotTicket(stage.Ledger.State.Slots.Keys.Single());
        Assert.Equal("", stage.Tell((l, e) => l.ProvisionFailed(stage.NowUs, ticket, Throttled, e)));
        Assert.Equal("", Later(stage, (7 * Second) - 1));
        Assert.Equal("provision in 0 s", Later(stage, 1));
        Assert.DoesNotContain(ticket.Value, stage.Ledger.State.Slots.Keys);
    }

    [Fact]
    public void A_provisioning_that_never_answers_is_destroyed_by_its_ticket()
    {
        var stage = new Stage();
        stage.Tell((l, e) => l.SetProvisioned(stage.NowUs, Function, 1, e));
        var ticket = stage.Ledger.State.Slots.Keys.Single();
        Assert.StartsWith($"destroy {ticket} 1", Later(stage, stage.Options.ProvisionTimeout.ToUs()), StringComparison.Ordinal);
    }

    [Fact]
    public void The_limit_of_slots_holds_over_all_workers()
    {
        var stage = new Stage(options: new LeasingOptions { Pool = new SlotPoolOptions { MaxSlots = 1 } });
        stage.Assign("w1", "r1");
        Assert.Equal("create 101", stage.Sync("w1"));
        stage.Assign("w2", "r2", withinUs: 2 * Second);
        Assert.Equal("", stage.Sync("w2"));
        Assert.Equal("Creating w1", stage.Slots);
        stage.Wait(2 * Second);
        Assert.Equal("r2 rejected DeadlineExceeded", stage.Tick("w2"));
    }

    [Fact]
    public void A_sweep_makes_up_for_a_lost_timer_and_for_what_the_backend_has_lost_or_found()
    {
        var stage = new Stage("ttl:20", new LeasingOptions { Pool = new SlotPoolOptions { MaxSlots = 5 } });
        stage.Assign("w", "r1");
        stage.Sync("w");
        stage.Created("w", 101);
        stage.Ready("w", 101);
        stage.Assign("w", "r2");
        stage.Sync("w");
        Assert.Equal("Creating w, Leased w", stage.Slots);
        stage.Wait(10 * Second);
        stage.Tell((l, e) => l.Sweep(stage.NowUs, stage.NowUs, [new ListedSlot(new BackendSlotId("x"), new SlotTicket(102))], [], e));
        Assert.Equal("Creating w", stage.Slots);
        Assert.Equal(new BackendSlotId("x"), stage.Ledger.State.Slots[102].BackendSlot);
        stage.Bury("w");
        Assert.Equal("destroy 102 1", Later(stage, stage.Options.HoldUs(Function) + (10 * Second)));
    }

    [Fact]
    public void An_early_timer_is_set_again()
    {
        var stage = new Stage("ttl:20", new LeasingOptions { ParkAfter = TimeSpan.FromSeconds(1) });
        stage.ColdStart("w", "r1", 101);
        stage.Release("w", "r1", "i-101");
        stage.Wait(Second);
        stage.Tick("w");
        stage.Report("w");
        var dueUs = stage.Ledger.NextWakeUs;
        stage.Wait(dueUs - stage.NowUs - 1);
        var effects = new List<LedgerEffect>();
        stage.Ledger.Wake(stage.NowUs, effects);
        Assert.Equal(dueUs, Assert.Single(effects).AtUs);
    }

    [Fact]
    public void One_wake_up_under_way_is_enough_unless_it_would_be_too_late()
    {
        var stage = new Stage("ttl:20", new LeasingOptions { ParkAfter = TimeSpan.FromSeconds(1) });
        stage.ColdStart("w", "r1", 101);
        stage.Release("w", "r1", "i-101");
        stage.Wait(Second + (300 * Ms));
        stage.Tick("w");
        var effects = new List<LedgerEffect>();
        stage.Tell((l, e) => l.Report(stage.NowUs, stage.Worker("w").TakeReport(stage.NowUs), effects));
        var asked = Assert.Single(effects, e => e.Kind == LedgerEffectKind.WakeAt).AtUs;
        Assert.Equal(0, asked % Second);
        for (var i = 0; i < 5; i++)
        {
            stage.Wait(Second);
            stage.Tell((l, e) => l.Report(stage.NowUs, stage.Worker("w").TakeReport(stage.NowUs), effects));
        }

        // Nor does one that was asked for before lead to another.
        stage.Tell((l, e) => l.Wake(stage.NowUs, effects));
        Assert.Single(effects, e => e.Kind == LedgerEffectKind.WakeAt);
    }

    [Fact]
    public void A_slot_comes_back_only_under_the_lease_that_its_worker_has_of_it()
    {
        var stage = new Stage(options: new LeasingOptions { ParkAfter = TimeSpan.FromSeconds(2) });
        stage.ColdStart("w", "r1", 101);
        stage.Release("w", "r1", "i-101");
        stage.Wait(2 * Second);
        stage.Tick("w");
        stage.Report("w");
        stage.Assign("w", "r2");
        Assert.Equal("r2 gets i-101 Waited", stage.Sync("w"));
        Assert.Equal(2, stage.Ledger.State.Slots[101].Epoch);

        stage.Tell((l, e) => l.Report(stage.NowUs, Saying(stage, "w", new() { Kind = WorkerOperationKind.Return, Ticket = new(101), Epoch = 1 }), e));
        Assert.Equal("Leased w", stage.Slots);

        stage.Tell((l, e) => l.Report(stage.NowUs, Saying(stage, "w", new() { Kind = WorkerOperationKind.Return, Ticket = new(101), Epoch = 2 }), e));
        Assert.Equal("Idle", stage.Slots);
    }

    [Fact]
    public void What_a_worker_says_of_a_slot_that_is_not_its_own_changes_nothing()
    {
        var stage = new Stage();
        stage.Assign("w1", "r1");
        stage.Created("w1", 101);
        stage.Report("w1");
        Assert.Equal("Creating w1", stage.Slots);
        var slot = new SlotTicket(101);

        foreach (var kind in new[] { WorkerOperationKind.Ready, WorkerOperationKind.Return })
        {
            stage.Tell((l, e) => l.Report(stage.NowUs, Saying(stage, "w2", new() { Kind = kind, Ticket = slot, Instance = new("i-101") }), e));
            Assert.Equal("Creating w1", stage.Slots);
            Assert.Empty(PoolLedger.ViewFor(stage.Ledger.State, new WorkerId("w1")).Leases);
        }

        stage.Tell((l, e) => l.Report(
            stage.NowUs, Saying(stage, "w1", new() { Kind = WorkerOperationKind.Ready, Ticket = slot, Instance = new("i-101") }), e));
        Assert.Equal("Leased w1", stage.Slots);
    }

    [Fact]
    public void Orphans_are_those_that_no_ledger_knows_or_may_come_to_know()
    {
        var stage = new Stage();
        stage.ColdStart("w", "r1", 101);
        stage.Sync("w");
        ListedSlot[] listed =
        [
            new(new BackendSlotId("s101"), new SlotTicket(101)),
            new(new BackendSlotId("twin"), new SlotTicket(101)),
            new(new BackendSlotId("unknown"), new SlotTicket(999)),
            new(new BackendSlotId("nameless")),
        ];
        Assert.Equal(["twin", "unknown", "nameless"], Sweeper.Orphans(stage.NowUs, listed, [], [stage.Ledger.State], stage.Options).Select(o => o.Id.Value));

        // A worker that lives may still tell of what it has created; one that is dead for long enough has no use for it.
        var life = stage.Life("w").State;
        life.FirstTicket = 900;
        life.ReservedTo = 1000;
        life.SettledTo = 998;
        Assert.Equal(["twin"], Orphans(stage.NowUs));
        life.SettledTo = 999;
        Assert.Equal(["twin", "unknown"], Orphans(stage.NowUs));
        life.SettledTo = 998;
        life.Expired = true;
        life.ExpiresUs = stage.NowUs;
        var holdUs = life.HoldUs + (4 * stage.Options.ClockSkew.ToUs());
        Assert.Equal(["twin"], Orphans(stage.NowUs + holdUs - 1));
        Assert.Equal(["twin", "unknown", "nameless"], Orphans(stage.NowUs + holdUs));
        var graceUs = stage.Options.DeathGraceUs(life.HoldUs) + (2 * stage.Options.ClockSkew.ToUs());
        Assert.Equal([new SlotTicket(999), new SlotTicket(1000)], Sweeper.Untold(stage.NowUs + graceUs, [life], [stage.Ledger.State], stage.Options));

        List<string> Orphans(long askedUs) => [.. Sweeper.Orphans(askedUs, listed, [life], [stage.Ledger.State], stage.Options).Select(o => o.Id.Value)];
    }

    /// <summary>A report of a worker, with the next number, that tells one thing.</summary>
    private static WorkerReport Saying(Stage stage, string worker, WorkerOperation operation)
    {
        var known = stage.Ledger.State.Workers.GetValueOrDefault(worker) ?? new LedgerWorker();
        return new WorkerReport
        {
            Worker = new WorkerId(worker),
            Sequence = known.Sequence + 1,
            FirstOperation = known.Operation + 1,
            Operations = [operation],
            LeasesSeen = known.Granted,
        };
    }

    private static string Later(Stage stage, long us)
    {
        stage.Wait(us);
        return stage.Wake();
    }
}
