using System.Text.Json.Nodes;

namespace FuncScaler.Tests;

/// <summary>The 2020 contest as users run it.</summary>
public class NodeContestCommandTests
{
    [Fact]
    public async Task A_run_over_sockets_ends_without_a_failure_and_beside_virtual_time()
    {
        var result = await FuncScalerCommand.RunAsync("contest", "--edition", "2020", "--length", "3", "--seed", "4", "--worlds", "3", "--json", "--watch");

        Assert.Equal(0, result.ExitCode);
        Assert.Contains("watch it at http://127.0.0.1:", result.Errors, StringComparison.Ordinal);
        var runs = JsonNode.Parse(result.Output)!["runs"]!.AsArray();
        Assert.Equal(["adaptive, real time", "adaptive, virtual time", "baseline", "bound"], runs.Select(r => (string)r!["scheduler"]!));
        Assert.All(runs, r => Assert.Equal(0, (int)r!["failed"]!));
        Assert.Equal((int)runs[1]!["calls"]!, (int)runs[0]!["calls"]!);
        Assert.InRange((double)runs[0]!["nodeSeconds"]!, 1, 20 * 30);

        // What the world's draws alone do to the score, to judge the difference by.
        var others = JsonNode.Parse(result.Output)!["otherWorlds"]![0]!;
        Assert.Equal(3, (int)others["worlds"]!);
        Assert.InRange((double)others["score"]!, (double)runs[1]!["score"]! / 3, (double)runs[1]!["score"]! * 3);
        Assert.InRange((double)others["standardDeviation"]!, 1e-6, 1);
    }

    [Fact]
    public async Task Simulate_compares_schedulers_and_draws_the_nodes()
    {
        using var folder = new TemporaryFolder();

        var result = await FuncScalerCommand.RunAsync(
            "simulate", "--nodes", "turns", "--length", "60", "--seeds", "1,2", "--weights", "0.75,0.25", "--policy", "adaptive,diary", "--out", folder.Path);

        Assert.Equal(0, result.ExitCode);
        Assert.Contains("turns, weights 0.75/0.25", result.Output, StringComparison.Ordinal);
        Assert.Contains("Nodes over time with diary", await File.ReadAllTextAsync(Path.Combine(folder.Path, "nodes.html")), StringComparison.Ordinal);
        Assert.Equal(6, JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(folder.Path, "nodes.json")))!["runs"]!.AsArray().Count);
    }

    [Theory]
    [InlineData("simulate --nodes none --length 10", "There is no load 'none'")]
    [InlineData("simulate --nodes mixed --length 10 --weights 1", "is no pair of weights")]
    [InlineData("simulate --nodes mixed --length 10 --policy none", "There is no policy 'none'")]
    [InlineData("contest --edition 2020 --length 1 --out x", "--out does not go with --edition 2020: leave it out.")]
    [InlineData("contest --edition 2020 --length 1 --preset smoke", "--edition 2020 plays loads of its own: leave the trace out, and choose with --load.")]
    [InlineData("contest --edition 2020 --length 1 --watch --scaler 127.0.0.1:1", "--watch shows our own scheduler where --edition is 2020: leave out --scaler, or --watch.")]
    [InlineData("contest --edition 2020 --length 1 --worlds -1", "give a whole number from 0 to 1000")]
    [InlineData("contest --preset smoke --worlds 3", "--worlds is for the contest on nodes: give --edition 2020 too, or leave it out.")]
    [InlineData("contest --preset smoke --load turns", "--load is for the contest on nodes: give --edition 2020 too, or leave it out.")]
    public async Task What_is_wrong_is_said(string arguments, string message)
    {
        var result = await FuncScalerCommand.RunAsync(arguments.Split(' '));

        Assert.Equal(2, result.ExitCode);
        Assert.Contains(message, result.Errors, StringComparison.Ordinal);
    }
}
