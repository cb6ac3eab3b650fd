using FuncScaler.Nodes;

namespace FuncScaler.Tests.Nodes;

/// <summary>Where a fleet places slots, and which nodes it keeps.</summary>
public class NodeFleetTests
{
    [Fact]
    public void A_container_goes_to_the_node_on_which_it_leaves_the_least_memory()
    {
        var driver = new FleetDriver(new NodeFleetOptions());
        driver.Place(1, 3000);
        driver.Place(2, 2000);
        driver.SucceedAll();
        Assert.NotEqual(driver.Fleet.NodeOf(new SlotTicket(1)), driver.Fleet.NodeOf(new SlotTicket(2)));

        driver.Place(3, 1000);

        Assert.Equal(driver.Fleet.NodeOf(new SlotTicket(1)), driver.Fleet.NodeOf(new SlotTicket(3)));
    }

    [Fact]
    public void Slots_that_wait_share_the_node_that_is_being_reserved()
    {
        var driver = new FleetDriver(new NodeFleetOptions());

        for (var i = 1; i <= 4; i++)
        {
            driver.Place(i, 1024);
        }

        Assert.Equal([FleetEffectKind.ReserveNode], driver.Asked.Select(a => a.Kind));
        driver.Place(5, 1024);
        Assert.Equal(2, driver.Asked.Count);
    }

    [Fact]
    public void An_instance_that_is_worth_nothing_makes_room_before_a_node_is_reserved()
    {
        var driver = new FleetDriver(new NodeFleetOptions());
        driver.Place(1, 3000);
        driver.SucceedAll();
        driver.Fleet.Hold(new SlotTicket(1), nowUs: 0, worthUntilUs: 0);

        driver.Place(2, 3000, "g");

        Assert.Equal((FleetEffectKind.WantSlotBack, new SlotTicket(1)), driver.Told.Select(t => (t.Kind, t.Slot)).Single());
        Assert.Empty(driver.Asked);
    }

    [Fact]
    public void An_instance_that_is_worth_its_memory_stays_while_there_may_be_further_nodes()
    {
        var driver = new FleetDriver(new NodeFleetOptions { MostNodes = 2 });
        driver.Place(1, 3000);
        driver.SucceedAll();
        driver.Fleet.Hold(new SlotTicket(1), nowUs: 0, worthUntilUs: 60_000_000);

        driver.Place(2, 3000, "g");
        Assert.Equal([FleetEffectKind.ReserveNode], driver.Asked.Select(a => a.Kind));
        driver.SucceedAll();
        driver.Do((fleet, _) => fleet.Used(new SlotTicket(2), busy: true, 0));

        // No further node is to be had: the next one needs its memory.
        driver.Place(3, 3000, "h");
        Assert.Equal((FleetEffectKind.WantSlotBack, new SlotTicket(1)), driver.Told.Select(t => (t.Kind, t.Slot)).Single());
    }

    [Fact]
    public void What_requests_use_is_never_asked_back()
    {
        var driver = new FleetDriver(new NodeFleetOptions { MostNodes = 1 });
        driver.Place(1, 3000);
        driver.SucceedAll();
        driver.Do((fleet, _) => fleet.Used(new SlotTicket(1), busy: true, 0));

        driver.Place(2, 3000, "g");

        Assert.Empty(driver.Told);
        Assert.Equal(1, driver.Fleet.WaitingCount);
    }

    [Fact]
    public void Holding_costs_nothing_on_a_node_that_is_kept_and_the_whole_node_where_an_instance_is_alone()
    {
        var driver = new FleetDriver(new NodeFleetOptions());
        driver.Place(1, 1024);
        driver.Place(2, 1024);
        driver.SucceedAll();
        driver.Do((fleet, _) => fleet.Used(new SlotTicket(1), busy: true, 0));

        Assert.Equal(1, driver.Fleet.HoldingShare(new SlotTicket(2)));
        Assert.True(driver.Fleet.Hold(new SlotTicket(2), 0, worthUntilUs: 0) > 0);

        driver.Do((fleet, effects) => fleet.Remove(0, new SlotTicket(1), effects));
        driver.SucceedAll();
        Assert.Equal(4, driver.Fleet.HoldingShare(new SlotTicket(2)));
        Assert.Equal(0, driver.Fleet.Hold(new SlotTicket(2), 0, worthUntilUs: 0));
    }

    [Fact]
    public void An_empty_node_is_held_for_as_long_as_reserving_it_again_would_be_dearer()
    {
        // 2 s to reserve it, and 8 GB·s for a second of waiting on 4 GB: 2 · (1 + 8 / 4) = 6 s.
        var driver = new FleetDriver(new NodeFleetOptions { PriceGbs = () => 8 });
        driver.Place(1, 1024);
        driver.NowUs = 2_000_000;
        driver.SucceedAll();
        driver.Do((fleet, effects) => fleet.Remove(driver.NowUs, new SlotTicket(1), effects));
        driver.SucceedAll();

        driver.Tick(7_999_999);
        Assert.Empty(driver.Asked);
        driver.Tick(8_001_000);
        Assert.Equal([FleetEffectKind.ReleaseNode], driver.Asked.Select(a => a.Kind));
    }

    [Fact]
    public void The_emptiest_node_is_drained_when_the_others_have_room_for_what_is_needed()
    {
        var driver = new FleetDriver(new NodeFleetOptions());
        driver.Place(1, 3000);
        driver.Place(2, 1200);
        driver.Place(3, 800);
        driver.SucceedAll();
        Assert.Equal(driver.Fleet.NodeOf(new SlotTicket(1)), driver.Fleet.NodeOf(new SlotTicket(3)));
        driver.Do((fleet, _) => fleet.Used(new SlotTicket(2), busy: true, 0));
        driver.Do((fleet, _) => fleet.Used(new SlotTicket(3), busy: true, 0));
        driver.Do((fleet, effects) => fleet.Remove(0, new SlotTicket(1), effects));
        driver.SucceedAll();

        for (var second = 1; second <= 300; second++)
        {
            driver.Tick(second * 1_000_000);
        }

        Assert.Equal(driver.Fleet.NodeOf(new SlotTicket(3)), Assert.Single(driver.Fleet.Nodes, n => n.State == NodeState.Draining).Node);
    }

    [Fact]
    public void A_slot_that_no_node_could_ever_take_fails_for_good()
    {
        var driver = new FleetDriver(new NodeFleetOptions());

        driver.Place(1, 5000);

        Assert.Equal(FailureKind.Permanent, Assert.Single(driver.Told).Failure!.Kind);
    }

    [Fact]
    public void A_lost_node_takes_its_slots_along_and_is_given_back()
    {
        var driver = new FleetDriver(new NodeFleetOptions());
        driver.Place(1, 1024);
        driver.SucceedAll();

        driver.Do((fleet, effects) => fleet.NodeLost(0, new NodeTicket(1), "no answer", effects));

        Assert.Equal((FleetEffectKind.SlotLost, new SlotTicket(1)), driver.Told.Select(t => (t.Kind, t.Slot)).Single());
        Assert.Equal([FleetEffectKind.ReleaseNode], driver.Asked.Select(a => a.Kind));
    }

    [Fact]
    public void With_over_commitment_a_node_near_its_memory_takes_nothing_further()
    {
        var driver = new FleetDriver(new NodeFleetOptions { MostNodes = 1, OverCommit = 2 });
        driver.Place(1, 3000);
        driver.SucceedAll();
        driver.Do((fleet, _) => fleet.Used(new SlotTicket(1), busy: true, 0));
        driver.Do((fleet, effects) => fleet.NodeReported(0, new NodeTicket(1), usedMb: 4000, cpuShare: 0, effects));

        driver.Place(2, 3000);
        Assert.Equal(1, driver.Fleet.WaitingCount);

        for (var i = 0; i < 10; i++)
        {
            driver.Do((fleet, effects) => fleet.NodeReported(0, new NodeTicket(1), usedMb: 500, cpuShare: 0, effects));
        }

        Assert.Equal(0, driver.Fleet.WaitingCount);
    }
}
