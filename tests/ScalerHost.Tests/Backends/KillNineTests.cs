using System.Diagnostics;
using FuncScaler.Tests.FakeArm;
using Xunit.Abstractions;

namespace FuncScaler.Tests.Backends;

/// <summary>
/// The scaler on container instances, killed without warning in the middle of creating, initialising and destroying. FUNCSCALER_KILLS sets
/// how many times, FUNCSCALER_TEST_SEED when.
/// </summary>
public class KillNineTests(ITestOutputHelper output)
{
    private static readonly long Kills = TestLength.Count("FUNCSCALER_KILLS", 1, 4);

    [Fact]
    public async Task After_a_restart_and_one_sweep_the_groups_are_those_of_the_ledger()
    {
        using var folder = new TemporaryFolder();
        await using var fake = await FakeArmServer.StartAsync();
        var random = new Random((int)Properties.Seed);
        fake.MaxGroupsPerRegion = 1000;
        fake.Plant("slots", "somebody-elses");
        var settings = Path.Combine(folder.Path, "aci.json");
        await File.WriteAllTextAsync(settings, FakeArmSettings.Of(fake, "chaos", maxGroupsPerRegion: 12));
        var owners = new Ownership();
        var figures = new Figures();
        var watch = Stopwatch.StartNew();
        for (var kill = 0; kill <= Kills; kill++)
        {
            fake.Provisioning = TimeSpan.FromMilliseconds(random.Next(5, 150));
            fake.Deleting = TimeSpan.FromMilliseconds(random.Next(1, 80));
            if (kill > 0 && kill < Kills && random.Next(5) == 0)
            {
                // In the middle of the sweep, or before, or just after.
                await ChaosScaler.StartAndKillAsync(settings, TimeSpan.FromMilliseconds(random.Next(200, 1000)));
                figures.KilledEarly();
                continue;
            }

            var found = fake.Groups.Count - 1;
            await using var scaler = await ChaosScaler.StartAsync(settings);
            figures.Found(found);
            await ExpectLedgerAsync(scaler, fake);
            if (kill == Kills)
            {
                await scaler.TerminateAsync();
                break;
            }

            using var stop = new CancellationTokenSource();
            var load = Task.WhenAll(Enumerable.Range(0, 6).Select(i => scaler.LoadAsync(owners, new Random(random.Next()), $"{kill}-{i}", stop.Token)));
            await owners.GrantedAsync(random.Next(25), TimeSpan.FromSeconds(10));
            await Task.Delay(random.Next(100), CancellationToken.None);
            await scaler.KillAsync();
            figures.Killed(fake);
            await stop.CancelAsync();
            await load;
            owners.ScalerDied();
        }

        output.WriteLine($"{Kills} kills in {watch.Elapsed.TotalSeconds:0} s, {owners.Grants} grants, {fake.Created} groups created; {figures}");
        Assert.Equal(["slots/somebody-elses"], fake.Groups.Select(g => g.Id));
        Assert.Empty(owners.Violations);
        Assert.True(owners.Grants > 0);
    }

    /// <summary>One sweep was made before the scaler served; deletions that it began are given the time they take.</summary>
    private static async Task ExpectLedgerAsync(ChaosScaler scaler, FakeArmServer fake)
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            var ledger = await scaler.LedgerAsync();
            var groups = fake.Groups.Select(g => g.Id).Where(id => id != "slots/somebody-elses").Order(StringComparer.Ordinal).ToList();
            Assert.Equal(ledger.Distinct().Count(), ledger.Count);
            if (groups.SequenceEqual(ledger.Order(StringComparer.Ordinal)))
            {
                return;
            }

            Assert.True(
                watch.Elapsed < TimeSpan.FromSeconds(20),
                $"ledger: {string.Join(", ", ledger)}; groups: {string.Join(", ", fake.Groups.Select(g => $"{g.Id} {g.StateAt(fake.Now)}"))}");
            await Task.Delay(10);
        }
    }

    /// <summary>In the middle of what the scaler was killed.</summary>
    private sealed class Figures
    {
        private int _early;
        private int _found;
        private int _creating;
        private int _initialising;
        private int _deleting;
        private int _ready;

        public void Found(int groups) => _found += groups;

        public void KilledEarly() => _early++;

        public void Killed(FakeArmServer fake)
        {
            foreach (var group in fake.Groups.Where(g => g.Name != "somebody-elses"))
            {
                switch (group.StateAt(fake.Now))
                {
                    case "Creating":
                        _creating++;
                        break;
                    case "Deleting":
                        _deleting++;
                        break;
                    default:
                        _ = group.Inits.Count == 0 ? _initialising++ : _ready++;
                        break;
                }
            }
        }

        public override string ToString() =>
            $"{_early} kills while starting; at the others {_creating} groups were being created, {_initialising} created and not initialised, {_ready} ready, {_deleting} being deleted; {_found} were found after restarts";
    }
}
