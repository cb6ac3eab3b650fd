using FuncScaler.Runtime.Soaking;

namespace FuncScaler.Tests.Simulation;

/// <summary>
/// The whole scaler in a deterministic world, which <c>funcscaler soak</c> plays too: a failing seed is replayed by
/// <c>funcscaler soak --seed N --schedules 1 --verbose</c>.
/// </summary>
public sealed class RuntimeSimulationTests
{
    /// <summary>Set to begin at another seed.</summary>
    private static long FirstSeed => long.TryParse(Environment.GetEnvironmentVariable("FUNCSCALER_SEED"), out var seed) ? seed : 0;

    /// <summary>Schedules run by default; CI asks for more.</summary>
    private static int Schedules => (int)Math.Max(1, TestLength.Count("FUNCSCALER_SCHEDULES", 40 * 150, 200_000) / 40);

    [Fact]
    public void Whatever_happens_every_promise_is_kept()
    {
        var soak = new Soak();
        for (var i = 0; i < Schedules; i++)
        {
            soak.Play(FirstSeed + i);
        }

        // A world in which nothing happens would find nothing.
        Assert.All([soak.Granted, soak.Rejected, soak.Shared], count => Assert.True(count > Schedules / 10));
        Assert.All(Enum.GetValues<SoakFault>(), fault => Assert.True(soak.Count(fault) > 0 || Schedules < 600, $"{fault} never came"));
    }

    /// <summary>
    /// Found by fresh seeds. Of a full instance one leaves and another comes, both after the last save: one who left cannot be told from who is there.
    /// A PUT of a killed process comes after the deletion of its group. A destruction waits for its budget when the slot is gone already, as a list
    /// shows, or as a former call tells that took too long. A reservation of a node ends in an error that nobody foresaw.
    /// </summary>
    [Theory]
    [InlineData(1796059570317, SoakBackend.Simulator)]
    [InlineData(127, SoakBackend.Aci)]
    [InlineData(6, SoakBackend.Aci)]
    [InlineData(1111, SoakBackend.Aci)]
    [InlineData(1, SoakBackend.Nodes)]
    public void What_was_found_once_stays_mended(long seed, SoakBackend backend) => new Soak { Backend = backend }.Play(seed);

    [Theory]
    [InlineData(SoakBackend.Simulator, 30)]
    [InlineData(SoakBackend.Aci, 3)]
    [InlineData(SoakBackend.Nodes, 3)]
    public void A_seed_always_tells_the_same_story(SoakBackend backend, int seeds)
    {
        for (var seed = 1; seed <= TestLength.Count(seeds / 3, seeds); seed++)
        {
            Assert.Equal(new Soak { Backend = backend }.Play(seed), new Soak { Backend = backend }.Play(seed));
        }
    }

    [Theory]
    [InlineData(LeftOut.Destroys, "left on the platform")]
    [InlineData(LeftOut.Intents, "left on the platform")]
    [InlineData(LeftOut.Holders, "was given to")]
    [InlineData(LeftOut.Answers, "callers have no answer")]
    [InlineData(LeftOut.DestroyAnswers, "does not come to rest")]
    [InlineData(LeftOut.Destroys, "left on the platform", SoakBackend.Aci, 2)]
    [InlineData(LeftOut.Destroys, "left on the platform", SoakBackend.Nodes)]
    [InlineData(LeftOut.NodeMemory, "than it has memory for", SoakBackend.Nodes)]
    [InlineData(LeftOut.LostAnswers, "than it has memory for", SoakBackend.Nodes)]
    internal void Each_promise_is_seen_to_be_broken(LeftOut rule, string expected, SoakBackend backend = SoakBackend.Simulator, int firstSeed = 0)
    {
        var said = new HashSet<string>();
        for (var seed = firstSeed; seed < firstSeed + 1000; seed++)
        {
            try
            {
                new Soak { Backend = backend }.Play(seed, rule);
            }
            catch (SoakException e) when (e.Message.Contains(expected, StringComparison.Ordinal))
            {
                return;
            }
            catch (SoakException e)
            {
                said.Add(e.Message.Split('\n')[0]);
            }
        }

        Assert.Fail($"\"{expected}\" was never said, but {string.Join('\n', said)}");
    }
}
