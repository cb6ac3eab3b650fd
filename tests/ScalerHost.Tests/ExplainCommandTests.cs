using System.Globalization;
using System.Text.Json.Nodes;

namespace FuncScaler.Tests;

/// <summary>Why a function is served as it is, as users ask for it.</summary>
public class ExplainCommandTests
{
    [Fact]
    public async Task Tables_and_json_say_the_same_of_a_timer()
    {
        using var folder = new TemporaryFolder();
        WriteTimer(folder);
        string[] command = ["explain", "--data", folder.Path, "--function", "timer", "--policy", "adaptive:price=0.5"];

        var tables = await FuncScalerCommand.RunAsync(command);
        var json = await FuncScalerCommand.RunAsync([.. command, "--json"]);

        Assert.Equal((0, ""), (tables.ExitCode, tables.Errors));
        Assert.Equal((0, ""), (json.ExitCode, json.Errors));
        var document = JsonNode.Parse(json.Output)!;
        Assert.Equal("timer", (string)document["function"]!);
        Assert.Equal(30, (double)document["period"]!["seconds"]!, 0.05);
        Assert.Contains("> " + (string)document["followed"]!, tables.Output, StringComparison.Ordinal);
        Assert.Contains("512 MB, 200 requests", tables.Output, StringComparison.Ordinal);
        var prices = document["prices"]!.AsArray();
        Assert.Equal(10, prices.Count);
        Assert.Contains("what if waiting had another price", tables.Output, StringComparison.Ordinal);
        foreach (var price in prices)
        {
            var gbs = (double)price!["gbsPerSecond"]!;
            Assert.Equal((double)price["memoryGbs"]! + (double)price["waitingGbs"]!, (double)price["costGbs"]!, 9);
            var row = Assert.Single(WhatIfRows(tables.Output), cells => cells[0].TrimStart('>', ' ') == gbs.ToString("0.###", CultureInfo.InvariantCulture));
            Assert.Equal((gbs == 0.5, (string)price["followed"]!), (row[0].StartsWith('>'), row[1]));
        }

        foreach (var decision in document["decisions"]!.AsArray())
        {
            var at = ((double)decision!["atSeconds"]!).ToString("0.000", CultureInfo.InvariantCulture);
            Assert.Contains(tables.Output.Split('\n'), l => l.Contains(at, StringComparison.Ordinal) && l.Contains((string)decision["what"]!, StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task A_time_can_be_chosen_between_distant_requests()
    {
        using var folder = new TemporaryFolder();
        WriteTimer(folder);

        var result = await FuncScalerCommand.RunAsync("explain", "--data", folder.Path, "--function", "timer", "--at", "30", "--json");
        var before = await FuncScalerCommand.RunAsync("explain", "--data", folder.Path, "--function", "late", "--at", "6500", "--json");
        var after = await FuncScalerCommand.RunAsync("explain", "--data", folder.Path, "--function", "late", "--at", "7000", "--json");

        // The second request is on the wire.
        Assert.Equal((30, 1), ((double)JsonNode.Parse(result.Output)!["atSeconds"]!, (int)JsonNode.Parse(result.Output)!["arrivals"]!));
        Assert.Equal(2, before.ExitCode);
        Assert.Contains("'late' has had no request in the first 6500 s: give a later --at.", before.Errors, StringComparison.Ordinal);
        Assert.Equal(7000, (double)JsonNode.Parse(after.Output)!["atSeconds"]!);
    }

    /// <summary>The cells of the rows of the table of prices.</summary>
    private static IEnumerable<string[]> WhatIfRows(string output) => output
        .Split('\n')
        .SkipWhile(l => !l.Contains("what if waiting", StringComparison.Ordinal))
        .TakeWhile(l => !l.Contains("idle gaps", StringComparison.Ordinal))
        .Where(l => l.StartsWith('│'))
        .Select(l => (string[])[.. l.Trim('│', '\r').Split('│').Select(c => c.Trim())])
        .Where(cells => cells[0] != "price");

    private static void WriteTimer(TemporaryFolder folder)
    {
        folder.File(
            "metas",
            """{"key": "timer", "runtime": "go", "timeoutInSecs": 60, "memoryInMb": 512, "initDurationInMs": 50}""",
            """{"key": "late", "runtime": "go", "timeoutInSecs": 60, "memoryInMb": 512, "initDurationInMs": 50}""");
        folder.File(
            "requests",
            [
                .. Enumerable.Range(0, 200).Select(i => Request("timer", i * 30)),
                Request("late", 6600),
            ]);
    }

    private static string Request(string key, int atSeconds) => string.Create(
        CultureInfo.InvariantCulture,
        $$"""{"metaKey": "{{key}}", "startTime": {{1_685_980_824_304 + (atSeconds * 1000L)}}, "durationsInMs": 30, "statusCode": 200}""");
}
