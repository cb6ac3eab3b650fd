using FsCheck.Fluent;
using FuncScaler.Nodes;

namespace FuncScaler.Tests.Nodes;

/// <summary>Whatever the platform answers, in whatever order: the promises of <see cref="NodeFleet"/> hold, and nothing is leaked.</summary>
public class NodeFleetProperties
{
    [Fact]
    public void No_order_of_answers_and_failures_breaks_a_promise_or_leaks_a_node()
    {
        var seen = new HashSet<string>();
        Properties.Check(Gen.Choose(0, int.MaxValue - 1).ToArbitrary(), seed => Run(seed, seen), tests: Properties.Often(300));

        Assert.Superset(
            new HashSet<string> { "reserve failed", "release failed", "create failed", "create unknown", "remove repeated", "node lost", "wanted back", "still used" },
            seen);
    }

    private static void Run(int seed, HashSet<string> seen)
    {
        var random = new Random(seed);
        var options = new NodeFleetOptions { MostNodes = random.Next(1, 5), OverCommit = random.Next(2) == 0 ? 1 : 1.5, WarmNodes = random.Next(2) };
        var driver = new FleetDriver(options);
        var rented = new HashSet<NodeTicket>();
        var standing = new Dictionary<SlotTicket, NodeTicket>();
        var wanted = new HashSet<SlotTicket>();
        var removing = new HashSet<SlotTicket>();
        var last = 0L;
        for (var step = 0; step < 300; step++)
        {
            driver.NowUs += random.Next(2_000_000);
            switch (random.Next(8))
            {
                case 0 or 1:
                    driver.Place(++last, 128 << random.Next(5), $"f{random.Next(4)}");
                    wanted.Add(new SlotTicket(last));
                    break;
                case 2 or 3 or 4 when driver.Asked.Count > 0:
                    Answer(driver.Asked[random.Next(driver.Asked.Count)], failing: random.Next(4) == 0);
                    break;
                case 5 when standing.Count > 0:
                    var used = standing.Keys.ElementAt(random.Next(standing.Count));
                    driver.Do((fleet, _) => fleet.Used(used, random.Next(2) == 0, driver.NowUs));
                    driver.Fleet.Hold(used, driver.NowUs, driver.NowUs + random.Next(10_000_000));
                    break;
                case 6 when wanted.Count > 0:
                    Remove(wanted.ElementAt(random.Next(wanted.Count)));
                    break;
                case 7 when rented.Count > 0 && random.Next(8) == 0:
                    seen.Add("node lost");
                    var lost = rented.ElementAt(random.Next(rented.Count));
                    driver.Do((fleet, effects) => fleet.NodeLost(driver.NowUs, lost, "test", effects));
                    break;
                default:
                    driver.Tick(driver.NowUs);
                    break;
            }

            Heed();
        }

        // From here on everything works: all that was there must go.
        driver.Do((fleet, effects) => fleet.Drain(driver.NowUs, effects));
        for (var round = 0; round < 200 && (rented.Count > 0 || driver.Fleet.NodeCount > 0 || wanted.Count > 0); round++)
        {
            foreach (var slot in wanted.ToList())
            {
                Remove(slot);
            }

            foreach (var asked in driver.Asked.ToList())
            {
                Answer(asked, failing: false);
            }

            driver.Tick(driver.NowUs + 1_000_000);
            Heed();
        }

        Assert.Empty(rented);
        Assert.Equal(0, driver.Fleet.NodeCount);
        Assert.Empty(wanted);

        void Remove(SlotTicket slot)
        {
            if (!removing.Add(slot))
            {
                seen.Add("remove repeated");
            }

            driver.Do((fleet, effects) => fleet.Remove(driver.NowUs, slot, effects));
        }

        void Answer(FleetEffect asked, bool failing)
        {
            var failure = new SlotFailure(random.Next(3) == 0 ? FailureKind.Throttled : FailureKind.Transient, "test", OutcomeUnknown: random.Next(2) == 0);
            if (!failing)
            {
                // The platform itself: no node is given back with containers on it, none takes a container that is not rented.
                switch (asked.Kind)
                {
                    case FleetEffectKind.ReserveNode:
                        rented.Add(asked.Node);
                        break;
                    case FleetEffectKind.ReleaseNode:
                        Assert.DoesNotContain(standing, s => s.Value == asked.Node && driver.Fleet.NodeOf(s.Key) is not null);
                        rented.Remove(asked.Node);
                        break;
                    case FleetEffectKind.CreateContainer when driver.Fleet.NodeOf(asked.Slot) is not null:
                        Assert.Contains(asked.Node, rented);
                        standing[asked.Slot] = asked.Node;
                        break;
                    case FleetEffectKind.RemoveContainer:
                        standing.Remove(asked.Slot);
                        break;
                    default:
                        break;
                }

                driver.Succeed(asked);
                return;
            }

            switch (asked.Kind)
            {
                case FleetEffectKind.ReserveNode:
                    seen.Add("reserve failed");
                    driver.Asked.Remove(asked);
                    driver.Do((fleet, effects) => fleet.ReserveFailed(driver.NowUs, asked.Node, failure, effects));
                    break;
                case FleetEffectKind.ReleaseNode:
                    seen.Add("release failed");
                    driver.Asked.Remove(asked);
                    driver.Do((fleet, effects) => fleet.ReleaseFailed(driver.NowUs, asked.Node, effects));
                    break;
                case FleetEffectKind.CreateContainer:
                    seen.Add(failure.OutcomeUnknown ? "create unknown" : "create failed");
                    driver.Asked.Remove(asked);
                    if (!failure.OutcomeUnknown && !removing.Contains(asked.Slot) && driver.Fleet.NodeOf(asked.Slot) is not null)
                    {
                        wanted.Remove(asked.Slot);
                    }

                    driver.Do((fleet, effects) => fleet.ContainerFailed(driver.NowUs, asked.Slot, failure, effects));
                    break;
                default:
                    // A removal that failed is asked for again by the core.
                    driver.Asked.Remove(asked);
                    break;
            }
        }

        void Heed()
        {
            foreach (var told in driver.Told.ToList())
            {
                driver.Told.Remove(told);
                switch (told.Kind)
                {
                    case FleetEffectKind.WantSlotBack when random.Next(3) == 0:
                        seen.Add("still used");
                        driver.Do((fleet, effects) => fleet.StillUsed(driver.NowUs, told.Slot, effects));
                        break;
                    case FleetEffectKind.WantSlotBack:
                        seen.Add("wanted back");
                        Remove(told.Slot);
                        break;
                    default:
                        wanted.Remove(told.Slot);
                        standing.Remove(told.Slot);
                        break;
                }
            }
        }
    }
}
