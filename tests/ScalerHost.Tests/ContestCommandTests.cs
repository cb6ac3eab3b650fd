using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FuncScaler.Tests;

/// <summary>The main command, as a process over real sockets.</summary>
public class ContestCommandTests
{
    private static readonly string[] OfficialFields =
    [
        "id", "requestFilePath", "metaFilePath", "startTime", "endTime", "totalRequestsCount", "failedRequestsCount", "successRate",
        "invocationLatencyInSecs", "invocationExecutionTimeInSecs", "invocationExecutionTimeInGBs", "invocationScheduleTimeInSecs",
        "invocationIdleTimeInSecs", "totalSlotTimeInGBs", "totalLiveSlotCount", "score",
    ];

    [Theory]
    [InlineData("ttl:300")]
    [InlineData("direct")]
    [InlineData("capped")]
    public async Task It_prints_the_results_as_one_json_array_and_writes_them_to_files(string policy)
    {
        using var folder = new TemporaryFolder();
        WriteDataSet(folder, requests: 60);
        var output = Path.Combine(folder.Path, "out");

        var result = await FuncScalerCommand.RunAsync(
            "contest", "--data", folder.Path, "--policy", policy, "--tail", "0", "--json", "--out", output);

        Assert.Equal(0, result.ExitCode);
        var document = Assert.Single(JsonNode.Parse(result.Output)!.AsArray())!.AsObject();
        Assert.Equal(OfficialFields, document.Select(p => p.Key).Take(OfficialFields.Length));
        Assert.Equal(60, (long)document["totalRequestsCount"]!);
        Assert.Equal(0, (long)document["failedRequestsCount"]!);
        Assert.Equal(100, (double)document["successRate"]!);
        Assert.Equal(60 * 0.005, (double)document["invocationExecutionTimeInSecs"]!, 6);
        var recomputed = (50 * (double)document["invocationExecutionTimeInGBs"]! / (double)document["totalSlotTimeInGBs"]!)
            + (50 * (double)document["invocationExecutionTimeInSecs"]!
                / ((double)document["invocationExecutionTimeInSecs"]! + (double)document["invocationScheduleTimeInSecs"]! + (double)document["invocationIdleTimeInSecs"]!));
        Assert.Equal(recomputed, (double)document["score"]!, 3);
        var file = Assert.Single(Directory.GetFiles(output));
        Assert.Equal($"result_{Path.GetFileName(folder.Path)}.json", Path.GetFileName(file));
        Assert.True(JsonNode.DeepEquals(document, JsonNode.Parse(await File.ReadAllTextAsync(file))));
    }

    [Fact]
    public async Task The_table_has_a_line_with_success_rate_and_score_parts()
    {
        using var folder = new TemporaryFolder();
        WriteDataSet(folder, requests: 10);

        var result = await FuncScalerCommand.RunAsync("contest", "--data", folder.Path, "--policy", "ttl:1", "--tail", "0");

        Assert.Equal(0, result.ExitCode);
        Assert.Contains("latency score", result.Output, StringComparison.Ordinal);
        var line = result.Output.Split('\n').Single(l => l.Contains(Path.GetFileName(folder.Path), StringComparison.Ordinal));
        Assert.Contains("100 %", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Watching_prints_where_and_leaves_standard_output_to_the_results()
    {
        using var folder = new TemporaryFolder();
        WriteDataSet(folder, requests: 10);

        var result = await FuncScalerCommand.RunAsync("contest", "--data", folder.Path, "--policy", "ttl:1", "--tail", "0", "--watch", "--json");

        Assert.Equal(0, result.ExitCode);
        Assert.Matches(@": watch it at http://127\.0\.0\.1:\d+/", result.Errors);
        Assert.Single(JsonNode.Parse(result.Output)!.AsArray());
    }

    [Fact]
    public async Task Of_another_scaler_the_platform_is_watched()
    {
        // A port that nobody listens on: the run ends at once, after the page is there.
        var result = await FuncScalerCommand.RunAsync("contest", "--preset", "dense", "--scaler", "127.0.0.1:1", "--scaler-timeout", "0", "--port", "0", "--watch");

        Assert.Equal(1, result.ExitCode);
        Assert.Matches(@"dense: watch it at http://127\.0\.0\.1:\d+/", result.Errors);
    }

    [Fact]
    public async Task A_generated_data_set_can_be_played()
    {
        using var folder = new TemporaryFolder();
        var data = Path.Combine(folder.Path, "data");

        var generated = await FuncScalerCommand.RunAsync("generate", "--preset", "dense", "--seed", "7", "--length", "3", "--out", data, "--gzip");
        Assert.Equal((0, ""), (generated.ExitCode, generated.Errors));
        var played = await FuncScalerCommand.RunAsync("contest", "--data", data, "--length", "2", "--tail", "0", "--json");

        Assert.Equal(0, played.ExitCode);
        using var document = JsonDocument.Parse(played.Output);
        Assert.Equal(100, document.RootElement[0].GetProperty("successRate").GetDouble());
    }

    private static void WriteDataSet(TemporaryFolder folder, int requests)
    {
        folder.File(
            "metas",
            """{"key": "f0", "runtime": "go", "timeoutInSecs": 60, "memoryInMb": 128, "initDurationInMs": 10}""",
            """{"key": "f1", "runtime": "python", "timeoutInSecs": 60, "memoryInMb": 512, "initDurationInMs": 30}""");
        folder.File("requests", [.. Enumerable.Range(0, requests).Select(i => string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"metaKey": "f{{i % 2}}", "startTime": {{1_685_980_824_304 + (i * 10)}}, "durationsInMs": 5, "statusCode": {{(i % 20 == 7 ? 408 : 200)}}}"""))]);
    }
}
