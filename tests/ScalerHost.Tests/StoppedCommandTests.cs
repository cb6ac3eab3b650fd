namespace FuncScaler.Tests;

/// <summary>Ctrl+C: what is done is printed, and no file is left that would pass for the whole.</summary>
public class StoppedCommandTests
{
    [Fact]
    public async Task Generate_leaves_nothing()
    {
        using var folder = new TemporaryFolder();
        var output = Path.Combine(folder.Path, "data");
        await using var process = FuncScalerProcess.Start("generate", "--preset", "faas", "--length", "100000000", "--out", output);
        await Eventually.HoldsAsync(() => File.Exists(Path.Combine(output, "requests.part")));

        process.Terminate();
        var result = await process.WaitAsync();

        Assert.Equal((1, "", "error: Stopped: no file was written.\n"), result);
        Assert.Empty(Directory.GetFiles(output));
    }

    [Fact]
    public async Task An_experiment_prints_the_traces_that_are_complete_and_goes_on_later()
    {
        using var folder = new TemporaryFolder();
        var log = Path.Combine(folder.Path, "runs.jsonl");
        await using var process = FuncScalerProcess.Start(
            "simulate", "--preset", "smoke,faas", "--seeds", "1..200", "--policy", "ttl:1", "--threads", "1", "--out", folder.Path);
        await Eventually.HoldsAsync(() => File.Exists(log) && File.ReadLines(log).Count() >= 4);

        process.Terminate();
        var result = await process.WaitAsync();

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("ttl:1", result.Output, StringComparison.Ordinal);
        Assert.Contains("of 400 traces were complete. What has run is in ", result.Errors, StringComparison.Ordinal);
        Assert.Equal(["runs.jsonl"], Directory.GetFiles(folder.Path).Select(Path.GetFileName));
    }
}
