using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Traces.Presets;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;

namespace FuncScaler.Tests.Virtual;

/// <summary>A restart in the middle of a run.</summary>
public class RestartTests
{
    private static readonly ITrace Trace = PresetCatalog.Create("smoke", 1);

    [Fact]
    public void Every_request_is_served_whatever_the_new_scaler_takes_over()
    {
        var requests = Run(null).Functions.Sum(f => f.Requests);
        foreach (var keeps in (RestartKeeps[])[RestartKeeps.All, RestartKeeps.Instances, RestartKeeps.Learned, RestartKeeps.Nothing])
        {
            Assert.Equal(requests, Run(new VirtualRestart(30_000_000, keeps)).Functions.Sum(f => f.Requests));
        }
    }

    [Fact]
    public void A_scaler_that_remembers_does_better_than_one_that_does_not() =>
        Assert.True(Run(new VirtualRestart(30_000_000)).Score.Total > Run(new VirtualRestart(30_000_000, RestartKeeps.Nothing)).Score.Total);

    [Fact]
    public void A_restart_is_deterministic() =>
        Assert.Equal(Run(new VirtualRestart(30_000_000)).Score, Run(new VirtualRestart(30_000_000)).Score);

    private static VirtualResult Run(VirtualRestart? restart) =>
        VirtualContest.Run(Trace, PolicyCatalog.Parse("adaptive"), new VirtualOptions { Restart = restart });
}
