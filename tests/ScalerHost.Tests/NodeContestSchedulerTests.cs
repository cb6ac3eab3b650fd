using System.Text.Json.Nodes;

namespace FuncScaler.Tests;

/// <summary>A scheduler of the 2020 contest that runs alone.</summary>
public sealed class NodeContestSchedulerTests
{
    /// <summary>Our own scheduler, started as a contestant's is, played by a platform that only knows its address.</summary>
    [Fact]
    public async Task A_scheduler_that_serves_alone_is_played_by_its_address()
    {
        using var resources = new ReservedPort();
        using var scheduler = new ReservedPort();
        await using var serve = FuncScalerProcess.Start(
            "serve", "--contract", "2020", "--platform", $"127.0.0.1:{resources.Number}", "--grpc-port", $"{scheduler.Number}", "--http-port", "0", "--platform-timeout", "60", "--max-delay", "0");

        var result = await FuncScalerCommand.RunAsync(
            "contest", "--edition", "2020", "--length", "3", "--scaler", $"127.0.0.1:{scheduler.Number}", "--port", $"{resources.Number}", "--worlds", "0", "--json");

        Assert.Equal(0, result.ExitCode);
        var live = JsonNode.Parse(result.Output)!["runs"]![0]!;
        Assert.Equal($"127.0.0.1:{scheduler.Number}", (string)live["scheduler"]!);
        Assert.Equal(0, (int)live["failed"]!);
    }
}
