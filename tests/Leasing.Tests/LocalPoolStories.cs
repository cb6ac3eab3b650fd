using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using static FuncScaler.Tests.Leasing.Stage;

namespace FuncScaler.Tests.Leasing;

public class LocalPoolStories
{
    private static readonly FunctionMeta Large = Stage.Function with { MemoryMb = 1024 };

    [Fact]
    public void A_warm_assign_and_its_release_send_nothing_to_the_ledger()
    {
        var stage = new Stage();
        stage.ColdStart("w", "r0", 101);
        stage.Release("w", "r0", "i-101");
        stage.Sync("w");
        var pool = stage.Worker("w");
        stage.Wait(100 * Ms);
        for (var i = 1; i <= 200; i++)
        {
            Assert.Equal($"r{i} gets i-101 Warm", stage.Assign("w", $"r{i}"));
            Assert.Equal("", stage.Release("w", $"r{i}", "i-101"));
            Assert.True(pool.NextReportUs > stage.NowUs, "a report is due");
            Assert.True(pool.NextReadUs > stage.NowUs, "a read is due");
            stage.Wait(4 * Ms);
        }

        // All of it in one report, ten seconds after the first of them.
        stage.Wait(200 * Ms);
        Assert.Equal(stage.NowUs + (9 * Second), pool.NextReportUs);
        var report = pool.TakeReport(stage.NowUs);
        Assert.Equal(200, Assert.Single(report.Operations).Activity!.WentUs.Count);
        Assert.True(pool.NextReportUs > stage.NowUs);
    }

    [Fact]
    public void Requests_share_a_leased_instance_and_wait_for_no_more_instances_than_they_fill()
    {
        var stage = new Stage();
        Assert.Equal("create 101", stage.Assign("w", "r1", function: Shared));
        Assert.Equal("", stage.Assign("w", "r2", function: Shared));
        Assert.Equal("", stage.Assign("w", "r3", function: Shared));

        // Three requests that wait would fill one instance of four places.
        Assert.Equal((1, 4), (stage.Worker("w").TakeReport(stage.NowUs).Waiting, stage.Worker("w").TakeReport(stage.NowUs).Places));
        Assert.Equal("init 101", stage.Created("w", 101));
        Assert.Equal("r1 gets i-101 Cold, r2 gets i-101 Cold, r3 gets i-101 Cold", stage.Ready("w", 101));
        Assert.Equal("r4 gets i-101 Warm", stage.Assign("w", "r4", function: Shared));
        stage.Sync("w");
        Assert.Equal(4, stage.Ledger.State.Slots[101].Holders!.Count);
        Assert.Equal("create 102", stage.Assign("w", "r5", function: Shared));
    }

    [Fact]
    public void An_operator_says_how_many_share_an_instance_at_a_worker_too()
    {
        var stage = new Stage { Limits = new FunctionLimits { Concurrency = 2 } };
        stage.ColdStart("w", "r1", 101);
        Assert.Equal("", stage.SetLimits("w"));

        Assert.Equal("r2 gets i-101 Warm", stage.Assign("w", "r2"));
        Assert.Equal("create 102", stage.Assign("w", "r3"));
    }

    [Fact]
    public void What_several_hold_when_their_worker_stops_is_free_when_the_last_of_them_has_released_it()
    {
        var stage = SharedByThree();
        stage.Leave("w");
        stage.Report("w");
        Assert.Equal("Entrusted", stage.Slots);
        stage.Reload();

        foreach (var (request, slots) in ((string, string)[])[("r2", "Entrusted"), ("r2", "Entrusted"), ("r1", "Entrusted"), ("r3", "Idle")])
        {
            stage.Release("w2", request, "i-101", ReleaseOutcome.Forwarded);
            stage.Report("w2");
            Assert.Equal(slots, stage.Slots);
        }
    }

    [Fact]
    public void What_one_of_several_reports_as_broken_is_destroyed_after_the_last_of_them()
    {
        var stage = SharedByThree();
        stage.Leave("w");
        stage.Report("w");

        stage.Release("w2", "r1", "i-101", ReleaseOutcome.Forwarded, broken: true);
        stage.Release("w2", "r2", "i-101", ReleaseOutcome.Forwarded);
        Assert.Equal("", stage.Report("w2"));
        Assert.Equal("Entrusted", stage.Slots);
        stage.Release("w2", "r3", "i-101", ReleaseOutcome.Forwarded);
        Assert.Equal("destroy 101 1", stage.Report("w2"));
    }

    [Fact]
    public void What_was_broken_before_its_worker_stopped_is_not_used_again()
    {
        var stage = SharedByThree();
        stage.Release("w", "r1", "i-101", broken: true);
        stage.Leave("w");
        stage.Report("w");
        stage.Reload();

        stage.Release("w2", "r2", "i-101", ReleaseOutcome.Forwarded);
        stage.Release("w2", "r3", "i-101", ReleaseOutcome.Forwarded);
        Assert.Equal("destroy 101 1", stage.Report("w2"));
    }

    [Fact]
    public void A_release_that_came_before_its_slot_was_entrusted_is_counted()
    {
        var stage = SharedByThree();
        stage.Release("w2", "r1", "i-101", ReleaseOutcome.Forwarded);
        stage.Release("w2", "r3", "i-101", ReleaseOutcome.Forwarded);
        stage.Report("w2");
        stage.Leave("w");
        stage.Report("w");
        Assert.Equal([new RequestId("r2")], stage.Ledger.State.Slots[101].Holders!);

        stage.Release("w2", "r2", "i-101", ReleaseOutcome.Forwarded);
        stage.Report("w2");
        Assert.Equal("Idle", stage.Slots);
    }

    [Fact]
    public void A_request_that_does_not_release_in_time_ends_what_several_hold()
    {
        var stage = SharedByThree();
        stage.Leave("w");
        stage.Report("w");
        stage.Release("w2", "r3", "i-101", ReleaseOutcome.Forwarded);
        stage.Report("w2");

        stage.Wait(stage.Ledger.State.Slots[101].DueUs - stage.NowUs);
        Assert.Equal("destroy 101 1", stage.Wake());
    }

    private static FunctionMeta Shared { get; } = Stage.Function with { MaxConcurrency = 4 };

    private static Stage SharedByThree()
    {
        var stage = new Stage();
        stage.Assign("w", "r1", function: Shared);
        stage.Created("w", 101);
        stage.Ready("w", 101);
        stage.Assign("w", "r2", function: Shared);
        stage.Assign("w", "r3", function: Shared);
        stage.Sync("w");
        return stage;
    }

    [Fact]
    public void Busier_seconds_than_a_report_carries_stay_balanced()
    {
        var stage = new Stage();
        stage.ColdStart("w", "r0", 101);
        stage.Release("w", "r0", "i-101");
        stage.Sync("w");
        for (var i = 1; i <= 2000; i++)
        {
            stage.Assign("w", $"r{i}");
            stage.Release("w", $"r{i}", "i-101");
        }

        var activity = stage.Worker("w").TakeReport(stage.NowUs).Operations[^1].Activity!;
        Assert.Equal(512, activity.CameUs.Count);
        Assert.Equal(512, activity.WentUs.Count);
    }

    [Fact]
    public void Two_gateways_with_different_settings_both_find_warm_instances()
    {
        var stage = new Stage();
        var creates = 0;
        for (var i = 0; i < 40; i++)
        {
            var instance = i % 2 == 0 ? 101 : 102;
            var answer = stage.Assign("w", $"r{i}", function: i % 2 == 0 ? Stage.Function : Large);
            if (answer == $"create {instance}")
            {
                creates++;
                stage.Created("w", instance);
                stage.Ready("w", instance);
            }
            else
            {
                Assert.Equal($"r{i} gets i-{instance} Warm", answer);
            }

            stage.Wait(100 * Ms);
            stage.Release("w", $"r{i}", $"i-{instance}");
            stage.Wait(400 * Ms);
            stage.Tick("w");
            stage.Sync("w");
        }

        Assert.Equal(2, creates);
        Assert.Equal("Leased w, Leased w", stage.Slots);
    }

    [Fact]
    public void Both_settings_of_a_function_wait_and_are_served_at_once()
    {
        var stage = new Stage();
        Assert.Equal("create 101", stage.Assign("w", "small"));
        Assert.Equal("create 102", stage.Assign("w", "large", function: Large));
        stage.Created("w", 102);
        stage.Created("w", 101);
        Assert.Equal("large gets i-102 Cold", stage.Ready("w", 102));
        Assert.Equal("small gets i-101 Cold", stage.Ready("w", 101));
    }

    [Fact]
    public void An_idle_instance_goes_to_the_worker_whose_requests_it_fits()
    {
        var stage = new Stage(options: new LeasingOptions { ParkAfter = TimeSpan.FromSeconds(1) });
        stage.ColdStart("w1", "r1", 101);
        stage.Release("w1", "r1", "i-101");

        // Two requests for another size wait at one worker, one for this size at the other; the ledger hears of the latter last.
        stage.Assign("w2", "r2", function: Large);
        stage.Assign("w2", "r3", function: Large);
        stage.Sync("w2");
        stage.Wait(1 * Second);
        stage.Tick("w1");
        stage.Sync("w1");
        Assert.Equal("Idle", stage.Slots);

        stage.Assign("w3", "r4");
        stage.Report("w3");
        Assert.Equal("Leased w3", stage.Slots);
        Assert.Equal("r4 gets i-101 Waited", stage.Sync("w3"));
    }

    [Fact]
    public void Where_all_places_are_taken_an_idle_instance_of_other_settings_makes_room()
    {
        var stage = new Stage(options: new LeasingOptions { ParkAfter = TimeSpan.FromSeconds(1), Pool = new SlotPoolOptions { MaxSlots = 1 } });
        stage.Assign("w", "r1");
        stage.Sync("w");
        stage.Created("w", 101);
        stage.Ready("w", 101);
        stage.Release("w", "r1", "i-101");
        stage.Wait(1 * Second);
        stage.Tick("w");
        stage.Sync("w");
        Assert.Equal("Idle", stage.Slots);

        Assert.Equal("", stage.Assign("w", "r2", function: Large));
        Assert.Equal("destroy 101 1", stage.Report("w"));
        stage.Tell((l, e) => l.Destroyed(stage.NowUs, new SlotTicket(101), 1, e));
        stage.Read("w");
        for (var i = 0; i < 5 && stage.Slots == ""; i++)
        {
            stage.Wait(10 * Second);
            stage.Tick("w");
            stage.Sync("w");
        }

        Assert.Equal("Creating w", stage.Slots);
    }

    [Fact]
    public void A_worker_with_nothing_to_tell_is_silent()
    {
        var stage = new Stage(options: new LeasingOptions { ParkAfter = TimeSpan.FromSeconds(2) });
        Assert.Equal(long.MaxValue, stage.Worker("w").NextReportUs);
        Assert.Equal(long.MaxValue, stage.Worker("w").NextReadUs);
        stage.ColdStart("w", "r1", 101);
        stage.Release("w", "r1", "i-101");
        stage.Wait(2 * Second);
        stage.Tick("w");
        stage.Sync("w");
        Assert.Equal("Idle", stage.Slots);
        Assert.Equal(long.MaxValue, stage.Worker("w").NextReportUs);
        Assert.Equal(long.MaxValue, stage.Worker("w").NextReadUs);
        Assert.Equal(0, stage.Worker("w").SlotCount);
    }

    [Fact]
    public void A_miss_creates_at_once_and_the_ledger_is_told_when_the_slot_is_there()
    {
        var stage = new Stage();
        Assert.Equal("create 101", stage.Assign("w", "r1"));
        stage.Report("w");
        Assert.Equal("", stage.Slots);
        stage.Created("w", 101);
        stage.Report("w");
        Assert.Equal("Creating w", stage.Slots);
        stage.Ready("w", 101);
        stage.Sync("w");
        Assert.Equal("Leased w", stage.Slots);
    }

    [Fact]
    public void Where_slots_are_limited_a_miss_asks_at_once_and_creates_only_when_the_ledger_knows()
    {
        var stage = new Stage(options: new LeasingOptions { Pool = new SlotPoolOptions { MaxSlots = 2 } });
        Assert.Equal("", stage.Assign("w", "r1"));
        Assert.Equal(stage.NowUs, stage.Worker("w").NextReportUs);
        Assert.Equal("", stage.Read("w"));
        stage.Report("w");
        Assert.Equal("Creating w", stage.Slots);
        Assert.Equal("create 101", stage.Read("w"));
        Assert.Equal("", stage.Read("w"));
    }

    [Fact]
    public void Beyond_its_tickets_or_its_longest_hold_a_worker_waits_for_its_own_ledger()
    {
        var stage = new Stage(options: new LeasingOptions { TicketsAhead = 2, HoldAhead = TimeSpan.Zero });
        Assert.Equal("create 101", stage.Assign("w", "r1"));
        Assert.Equal("create 102", stage.Assign("w", "r2"));
        Assert.Equal("", stage.Assign("w", "r3"));
        Assert.Equal("create 103", stage.Beat("w"));
        var patient = Function with { TimeoutSeconds = 900 };
        Assert.Equal("", stage.Assign("w", "r4", function: patient));
        Assert.Equal("create 104", stage.Beat("w"));
        Assert.Equal(stage.Options.HoldUs(patient), stage.Life("w").State.HoldUs);
    }

    [Fact]
    public void The_first_create_for_a_function_waits_for_nothing_where_its_hold_was_told_ahead()
    {
        var patient = Function with { TimeoutSeconds = 400 };
        var stage = new Stage(options: new LeasingOptions { HoldAhead = TimeSpan.FromSeconds(1000) });
        Assert.Equal("create 101", stage.Assign("w", "r1", function: patient));
        Assert.Equal(1000 * Second, stage.Life("w").State.HoldUs);
        Assert.Equal("", stage.Assign("w", "r2", function: patient with { TimeoutSeconds = 500 }));
    }

    [Fact]
    public void What_a_worker_holds_it_destroys_itself_and_tells_when_it_is_gone()
    {
        var stage = new Stage("ttl:5");
        stage.ColdStart("w", "r1", 101);
        stage.Release("w", "r1", "i-101");
        stage.Wait(5 * Second);
        Assert.Equal("destroy 101", stage.Tick("w"));
        Assert.Equal("", stage.Sync("w"));
        Assert.Equal("Leased w", stage.Slots);
        stage.Destroyed("w", 101);
        Assert.Equal("", stage.Report("w"));
        Assert.Equal("", stage.Slots);
    }

    [Fact]
    public void What_a_worker_cannot_destroy_the_ledger_destroys()
    {
        var stage = new Stage("direct");
        stage.ColdStart("w", "r1", 101);
        Assert.Equal("", stage.Release("w", "r1", "i-101", broken: true).Replace("destroy 101", "", StringComparison.Ordinal));
        stage.Failed("w", 101, new SlotFailure(FailureKind.Transient, "busy"));
        Assert.Equal("destroy 101 1", stage.Report("w"));
    }

    [Fact]
    public void A_create_that_waits_for_the_backends_budget_waits_for_a_new_lease_where_that_is_over()
    {
        var stage = new Stage();
        Assert.Equal("create 101", stage.Assign("w", "r1"));
        Assert.True(stage.Worker("w").HoldCreate(new SlotTicket(101)));
        Assert.Equal("True", stage.KeepHeld("w", 101));
        stage.Wait(stage.Options.WorkerLease.ToUs());
        Assert.Equal("False", stage.KeepHeld("w", 101));
        Assert.Equal("create 101", stage.Beat("w"));
    }

    [Fact]
    public void A_miss_gets_an_idle_slot_from_the_ledger_and_its_address_with_it()
    {
        var stage = new Stage(options: new LeasingOptions { ParkAfter = TimeSpan.FromSeconds(2) }) { WithAddresses = true };
        stage.ColdStart("w1", "r1", 101);
        stage.Release("w1", "r1", "i-101");
        stage.Wait(2 * Second);
        stage.Tick("w1");
        stage.Report("w1");
        stage.Assign("w2", "r2");
        Assert.Equal("r2 gets i-101 Waited at http://10.0.0.1:8080/", stage.Sync("w2"));
        Assert.Equal("Leased w2", stage.Slots);
    }

    [Fact]
    public void Whichever_comes_first_wins_and_the_surplus_goes_idle()
    {
        var stage = new Stage(options: new LeasingOptions { ParkAfter = TimeSpan.FromSeconds(2) });
        stage.ColdStart("w1", "r1", 101);
        Assert.Equal("create 201", stage.Assign("w2", "r2"));
        stage.Sync("w2");
        stage.Release("w1", "r1", "i-101");
        stage.Wait(2 * Second);
        stage.Tick("w1");
        stage.Report("w1");
        Assert.Equal("r2 gets i-101 Waited", stage.Read("w2"));
        Assert.Equal("init 201", stage.Created("w2", 201));
        Assert.Equal("", stage.Ready("w2", 201));
        Assert.Equal(1, stage.Worker("w2").Pool.IdleCount);
    }

    [Fact]
    public void Without_a_lease_nothing_is_given_out_and_with_a_new_one_at_once()
    {
        var stage = new Stage(options: new LeasingOptions { ParkAfter = TimeSpan.FromSeconds(60) });
        stage.ColdStart("w", "r1", 101);
        stage.Release("w", "r1", "i-101");
        stage.Sync("w");
        stage.Wait(stage.Options.WorkerLease.ToUs() - 5 * Second);
        stage.Tick("w");
        Assert.Equal("r2 gets i-101 Warm", stage.Assign("w", "r2"));
        stage.Release("w", "r2", "i-101");
        stage.Wait(5 * Second);
        Assert.Equal("", stage.Assign("w", "r3"));
        Assert.Equal("r3 gets i-101 Waited", stage.Sync("w"));
    }

    [Fact]
    public void A_release_elsewhere_reaches_the_instance_through_the_ledger()
    {
        var stage = new Stage();
        stage.ColdStart("w1", "r1", 101);
        stage.Sync("w1");
        stage.Release("w2", "r1", "i-101", ReleaseOutcome.Forwarded);
        stage.Report("w2");
        Assert.Equal(0, stage.Worker("w1").Pool.IdleCount);
        stage.Read("w1");
        Assert.Equal(1, stage.Worker("w1").Pool.IdleCount);

        // Once more changes nothing, wherever it lands.
        stage.Assign("w1", "r2");
        stage.Release("w2", "r1", "i-101", ReleaseOutcome.Forwarded);
        stage.Report("w2");
        stage.Sync("w1");
        stage.Release("w1", "r1", "i-101", ReleaseOutcome.UnknownAssignment);
        Assert.Equal(1, stage.Worker("w1").Pool.BusyCount);
    }

    [Fact]
    public void A_release_elsewhere_that_comes_before_its_slot_waits_for_it()
    {
        var stage = new Stage();
        stage.Assign("w1", "r1");
        stage.Created("w1", 101);
        stage.Ready("w1", 101);
        stage.Release("w2", "r1", "i-101", ReleaseOutcome.Forwarded);
        stage.Report("w2");
        stage.Reload();
        Assert.Equal("", stage.Slots);
        stage.Sync("w1");
        Assert.Equal(1, stage.Worker("w1").Pool.IdleCount);
    }

    [Fact]
    public void A_release_of_nonsense_is_told_so()
    {
        var stage = new Stage();
        stage.ColdStart("w", "r1", 101);
        stage.Release("w", "r1", "nonsense", ReleaseOutcome.UnknownAssignment);
        stage.Release("w", "r2", "i-101", ReleaseOutcome.UnknownAssignment);
    }

    [Fact]
    public void A_worker_that_leaves_hands_back_everything_even_what_is_in_use()
    {
        var stage = new Stage();
        stage.ColdStart("w1", "r1", 101);
        stage.ColdStart("w1", "r2", 102);
        stage.Release("w1", "r2", "i-102");
        stage.Leave("w1");
        stage.Report("w1");
        Assert.Equal("Entrusted, Idle", stage.Slots);
        stage.Release("w2", "r1", "i-101", ReleaseOutcome.Forwarded);
        stage.Report("w2");
        Assert.Equal("Idle, Idle", stage.Slots);
    }

    [Fact]
    public void A_dead_workers_slots_are_not_used_again_and_destroyed_when_no_request_can_hold_them()
    {
        var stage = new Stage();
        stage.ColdStart("w1", "r1", 101);
        stage.Sync("w1");
        stage.Wait(stage.Options.Lease.ToUs());
        stage.Bury("w1");
        Assert.Equal("Suspect w1", stage.Slots);
        Assert.Equal("create 201", stage.Assign("w2", "r2"));
        stage.Sync("w2");
        stage.Wait(stage.Options.HoldUs(Function) + 1);
        Assert.Equal("", stage.Wake());
        stage.Wait(2 * stage.Options.ClockSkew.ToUs());
        Assert.Equal("destroy 101 1", stage.Wake());
    }

    [Fact]
    public void What_a_dead_worker_tells_late_is_not_used_again()
    {
        var stage = new Stage();
        stage.ColdStart("w1", "r1", 101);
        Assert.Equal("create 102", stage.Assign("w1", "r2"));
        stage.Created("w1", 102);
        stage.Ready("w1", 102);
        stage.Release("w1", "r1", "i-101");
        stage.Bury("w1");
        stage.Leave("w1");
        stage.Report("w1");
        Assert.Equal("Suspect w1, Suspect w1", stage.Slots);
    }

    [Fact]
    public void A_life_that_is_over_stays_over()
    {
        var stage = new Stage();
        stage.ColdStart("w", "r1", 101);
        stage.Wait(stage.Options.Lease.ToUs());
        var effects = new List<LedgerEffect>();
        stage.Life("w").Wake(stage.NowUs, effects);
        Assert.Single(effects, e => e.Kind == LedgerEffectKind.Look);
        stage.Release("w", "r1", "i-101");
        Assert.Equal("", stage.Assign("w", "r2"));
        Assert.Equal("", stage.Beat("w"));
        Assert.True(stage.Life("w").State.Expired);
        Assert.True(stage.Worker("w").Pool.Suspended);
    }

    [Fact]
    public void A_workers_ledger_that_is_late_itself_gives_another_lease_once()
    {
        var stage = new Stage();
        stage.ColdStart("w", "r1", 101);
        var lateUs = stage.Options.Lease.ToUs() + (10 * Second);
        stage.Wait(lateUs);
        stage.Life("w").Wake(stage.NowUs, []);
        Assert.False(stage.Life("w").State.Expired);
        stage.Wait(lateUs);
        stage.Life("w").Wake(stage.NowUs, []);
        Assert.True(stage.Life("w").State.Expired);
    }
}
