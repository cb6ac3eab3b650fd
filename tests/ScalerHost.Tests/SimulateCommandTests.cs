using System.Globalization;
using System.Text.Json.Nodes;

namespace FuncScaler.Tests;

/// <summary>Policies side by side in virtual time, as users run it.</summary>
public class SimulateCommandTests
{
    private static readonly string[] DocumentFields = ["trace", "requests", "results", "bestBy", "cheapest", "boundHolds"];

    private static readonly string[] ResultFields =
    [
        "policy", "isBound", "score", "resourceScore", "latencyScore", "rum", "rumWait4", "rumMemory4", "coldStartShare", "waitedShare",
        "scheduleMeanMs", "scheduleP50Ms", "scheduleP95Ms", "scheduleP99Ms", "waitSeconds", "slotGbSeconds", "executionGbSeconds",
        "wastedGbSeconds", "creates", "peakInstances", "elapsedSeconds",
    ];

    [Fact]
    public async Task The_json_document_has_the_promised_fields_and_is_sorted_by_score()
    {
        using var folder = new TemporaryFolder();
        WriteDataSet(folder);

        var result = await FuncScalerCommand.RunAsync("simulate", "--data", folder.Path, "--policy", "direct,burst:extra=1,trim=5,ttl:9", "--json");

        Assert.Equal((0, ""), (result.ExitCode, result.Errors));
        var document = JsonNode.Parse(result.Output)!.AsObject();
        Assert.Equal(DocumentFields, document.Select(p => p.Key));
        Assert.Equal(Path.GetFileName(folder.Path), (string?)document["trace"]);
        Assert.Equal(200, (long)document["requests"]!);
        var bound = document["results"]!.AsArray()[^1]!;
        Assert.Equal(("clairvoyant", true), ((string?)bound["policy"], (bool)bound["isBound"]!));
        Assert.Equal(ResultFields, bound.AsObject().Select(p => p.Key));
        var results = Policies(document);
        Assert.All(results, r => Assert.True((double)r["score"]! <= (double)bound["score"]!));
        Assert.Equal(["burst:extra=1,trim=5", "direct", "ttl:9"], results.Select(r => (string)r["policy"]!).Order(StringComparer.Ordinal));
        Assert.All(results, r => Assert.Equal(ResultFields, r!.AsObject().Select(p => p.Key)));
        AssertSorted(results.Select(r => -(double)r!["score"]!));
        foreach (var r in results)
        {
            Assert.Equal((double)r!["resourceScore"]! + (double)r["latencyScore"]!, (double)r["score"]!, 9);
            Assert.Equal(50 * (double)r["executionGbSeconds"]! / (double)r["slotGbSeconds"]!, (double)r["resourceScore"]!, 9);
            Assert.InRange((double)r["coldStartShare"]!, 0, 1);
        }
    }

    [Fact]
    public async Task Every_policy_runs_by_default_and_the_bound_is_the_tables_last_row()
    {
        using var folder = new TemporaryFolder();
        WriteDataSet(folder);

        var unnamed = await FuncScalerCommand.RunAsync("simulate", "--data", folder.Path);
        var all = await FuncScalerCommand.RunAsync("simulate", "--data", folder.Path, "--policy", "all");

        Assert.Equal((0, ""), (all.ExitCode, all.Errors));
        Assert.Equal(all.Output, unnamed.Output);
        Assert.Contains(" is best by ", all.Output, StringComparison.Ordinal);
        var rows = all.Output.Split('\n').Where(l => l.StartsWith('│')).Select(l => l.Split('│')[1].Trim()).ToList();
        Assert.Equal("policy", rows[0]);
        Assert.Equal("clairvoyant (bound)", rows[^1]);
        Assert.Equal(FuncScaler.Policies.PolicyCatalog.All.Select(p => p.Name).Order(StringComparer.Ordinal), rows[1..^1].Order(StringComparer.Ordinal));
    }

    /// <summary>In two processes, whose strings have other hash codes, and on other numbers of threads.</summary>
    [Theory]
    [InlineData("faas", 10, 40)]
    [InlineData("sparse-long", 400, 1500)]
    public async Task The_same_command_prints_the_same_twice(string preset, int usual, int full)
    {
        string[] command = ["simulate", "--preset", preset, "--seed", "4", "--length", $"{TestLength.Count(usual, full)}", "--json", "--policy"];
        var first = await FuncScalerCommand.RunAsync([.. command, "all", "--threads", "1"]);
        var second = await FuncScalerProcess.RunAsync([.. command, "all", "--threads", "3"]);

        Assert.Equal(0, first.ExitCode);
        Assert.Equal(WithoutTimes(first.Output), WithoutTimes(second.Output));
    }

    [Fact]
    public async Task A_slice_is_cut_by_time()
    {
        using var folder = new TemporaryFolder();
        WriteDataSet(folder);

        // A request every 100 ms: from 5 s, 3 s.
        var result = await FuncScalerCommand.RunAsync("simulate", "--data", folder.Path, "--from", "5", "--length", "3", "--policy", "direct", "--json");

        Assert.Equal(30, (long)JsonNode.Parse(result.Output)!["requests"]!);
    }

    [Fact]
    public async Task The_wire_the_tail_and_waiting_can_be_set()
    {
        using var folder = new TemporaryFolder();
        WriteDataSet(folder);

        var usual = await OnlyResultAsync();
        var slow = await OnlyResultAsync("--rpc-ms", "3");
        var tailed = await OnlyResultAsync("--tail", "1000");
        var tied = await OnlyResultAsync("--no-wait");

        Assert.Equal((double)usual["scheduleP50Ms"]! + 2.7, (double)slow["scheduleP50Ms"]!, 1);

        // One instance of the small function and, as its init outlasts the gap, three of the large one: 1.625 GB.
        Assert.Equal((double)usual["slotGbSeconds"]! + (700 * 1.625), (double)tailed["slotGbSeconds"]!, 3);
        Assert.NotEqual((double)usual["score"]!, (double)tied["score"]!);

        async Task<JsonNode> OnlyResultAsync(params string[] options)
        {
            var result = await FuncScalerCommand.RunAsync(["simulate", "--data", folder.Path, "--policy", "ttl:5000", "--json", .. options]);
            return Assert.Single(Policies(JsonNode.Parse(result.Output)!));
        }
    }

    [Fact]
    public async Task A_price_of_waiting_adds_the_cost_and_sorts_by_it()
    {
        using var folder = new TemporaryFolder();
        WriteDataSet(folder);
        string[] command = ["simulate", "--data", folder.Path, "--policy", "direct,ttl:9,ttl:300", "--rpc-ms", "0"];

        var cheap = Policies(JsonNode.Parse((await FuncScalerCommand.RunAsync([.. command, "--json", "--latency-price", "0"])).Output)!);
        var dear = Policies(JsonNode.Parse((await FuncScalerCommand.RunAsync([.. command, "--json", "--latency-price", "1e6"])).Output)!);
        var table = await FuncScalerCommand.RunAsync([.. command, "--latency-price", "2.5"]);

        Assert.All(cheap, r => Assert.Equal([.. ResultFields[..3], "cost", .. ResultFields[3..]], r!.AsObject().Select(p => p.Key)));
        Assert.All(cheap, r => Assert.Equal((double)r!["slotGbSeconds"]!, (double)r["cost"]!));
        Assert.All(dear, r => Assert.True((double)r!["cost"]! > (double)r["slotGbSeconds"]!));
        AssertSorted(cheap.Select(r => (double)r!["cost"]!));
        AssertSorted(dear.Select(r => (double)r!["cost"]!));
        Assert.Equal("direct", (string?)dear[^1]!["policy"]);
        Assert.Contains("cost GB·s", table.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_price_of_waiting_reaches_the_policies_that_weigh_it()
    {
        string[] command = ["simulate", "--preset", "faas", "--length", "20", "--policy", "adaptive,ttl:9", "--json", "--latency-price"];
        var cheap = Policies(JsonNode.Parse((await FuncScalerCommand.RunAsync([.. command, "0.01"])).Output)!);
        var dear = Policies(JsonNode.Parse((await FuncScalerCommand.RunAsync([.. command, "100"])).Output)!);

        Assert.True(Of("adaptive", dear) > Of("adaptive", cheap), "where waiting is dear, more memory is held");
        Assert.Equal(Of("ttl:9", cheap), Of("ttl:9", dear));

        // The default said aloud is the default.
        var said = Policies(JsonNode.Parse((await FuncScalerCommand.RunAsync([.. command, "auto"])).Output)!);
        Assert.Equal(Of("adaptive", Policies(JsonNode.Parse((await FuncScalerCommand.RunAsync(command[..^1])).Output)!)), Of("adaptive", said));

        static double Of(string policy, IEnumerable<JsonNode> results) => (double)results.Single(r => (string)r["policy"]! == policy)["slotGbSeconds"]!;
    }

    [Fact]
    public async Task A_report_and_the_results_are_written_side_by_side()
    {
        using var folder = new TemporaryFolder();
        WriteDataSet(folder);
        var output = Path.Combine(folder.Path, "out", "deep");

        var result = await FuncScalerCommand.RunAsync("simulate", "--data", folder.Path, "--policy", "ttl:9,capped", "--json", "--out", output);

        Assert.Equal((0, ""), (result.ExitCode, result.Errors));
        Assert.Equal(["report.html", "result.json", "results.csv", "results.json", "results.parquet"], Directory.GetFiles(output).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal));
        var page = await File.ReadAllTextAsync(Path.Combine(output, "report.html"));
        Assert.Contains("ttl:9", page, StringComparison.Ordinal);
        Assert.Contains("120 min", page, StringComparison.Ordinal);
        Assert.Contains("4 h", page, StringComparison.Ordinal);
        var printed = JsonNode.Parse(result.Output)!.AsObject();
        var written = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(output, "result.json")))!.AsObject();
        Assert.Equal([.. DocumentFields, "sweep"], written.Select(p => p.Key));
        Assert.Equal(12, written["sweep"]!.AsArray().Count);
        Assert.Equal(1, (double)written["sweep"]!.AsArray().Single(p => (string)p!["policy"]! == "ttl:600")!["wastedMemoryRelative"]!);
        written.Remove("sweep");
        foreach (var row in printed["results"]!.AsArray())
        {
            // The file is the same whenever it is made.
            Assert.True(row!.AsObject().Remove("elapsedSeconds"));
        }

        Assert.True(JsonNode.DeepEquals(printed, written));
    }

    [Fact]
    public async Task Any_measure_can_be_sorted_by_and_prices_add_money()
    {
        using var folder = new TemporaryFolder();
        WriteDataSet(folder);
        string[] command = ["simulate", "--data", folder.Path, "--policy", "direct,ttl:9,ttl:300", "--gb-second", "0.002", "--waiting-second", "0.01", "--create-cost", "3"];

        var byMoney = Policies(JsonNode.Parse((await FuncScalerCommand.RunAsync([.. command, "--json", "--sort-by", "money"])).Output)!);
        var byWait = Policies(JsonNode.Parse((await FuncScalerCommand.RunAsync([.. command, "--json", "--sort-by", "waitSeconds"])).Output)!);
        var table = await FuncScalerCommand.RunAsync([.. command, "--sort-by", "rumWait4", "--markdown"]);

        AssertSorted(byMoney.Select(r => (double)r["money"]!));
        AssertSorted(byWait.Select(r => (double)r["waitSeconds"]!));
        Assert.Contains("| RUM s, waits x 4 |", table.Output, StringComparison.Ordinal);
        Assert.All(byMoney, r => Assert.InRange(
            (double)r["money"]!,
            0.002 * ((double)r["slotGbSeconds"]! + (3 * (double)r["creates"]!)),
            (0.002 * ((double)r["slotGbSeconds"]! + (3 * (double)r["creates"]!))) + (0.01 * ((double)r["waitSeconds"]! + 0.0601))));
    }

    [Fact]
    public async Task Traces_seeds_and_ranges_of_policies_make_an_experiment_that_a_file_describes()
    {
        using var folder = new TemporaryFolder();
        WriteDataSet(folder);
        var output = Path.Combine(folder.Path, "out");
        var file = folder.File("experiment.json", """
            // One data set, one preset with three seeds.
            { "data": "${DESK_TEST_DATA}", "preset": ["smoke"], "seeds": "1..2,5", "length": 20, "policy": "ttl:1..5,direct", "sort-by": "rum", "json": true }
            """);
        Environment.SetEnvironmentVariable("DESK_TEST_DATA", folder.Path);

        var result = await FuncScalerCommand.RunAsync("simulate", "--experiment", file, "--out", output);
        var again = await FuncScalerCommand.RunAsync("simulate", "--experiment", file, "--out", output);

        Assert.Equal((0, ""), (result.ExitCode, result.Errors));
        Assert.Equal(result.Output, again.Output);
        var document = JsonNode.Parse(result.Output)!;
        var runs = document["runs"]!.AsArray();
        Assert.Equal(4 * 5, runs.Count);
        Assert.Equal(["ttl:1", "ttl:2", "ttl:5", "direct", "clairvoyant"], runs.Take(5).Select(r => (string)r!["policy"]!));
        Assert.Equal([null, 1L, 2L, 5L], runs.Select(r => (long?)r!["seed"]).Distinct());
        var smoke = document["summary"]!.AsArray().Where(s => (string)s!["trace"]! == "smoke").ToList();
        Assert.All(smoke, s => Assert.Equal(3, (int)s!["seeds"]!));
        AssertSorted(smoke.SkipLast(1).Select(s => (double)s!["means"]!["rum"]!));
        Assert.NotNull(smoke[0]!["standardErrors"]!["rum"]);
        Assert.Equal(["results.csv", "results.json", "results.parquet", "runs.jsonl"], Directory.GetFiles(output).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_bound_can_be_had_alone_and_says_for_which_scalers_it_holds()
    {
        var table = await FuncScalerCommand.RunAsync("simulate", "--preset", "smoke", "--length", "60", "--bound-only");
        var markdown = await FuncScalerCommand.RunAsync("simulate", "--preset", "smoke", "--length", "60", "--bound-only", "--markdown");

        Assert.Equal((0, ""), (table.ExitCode, table.Errors));
        Assert.Contains("clairvoyant (bound)", table.Output, StringComparison.Ordinal);
        Assert.Contains("serve each function's requests in order of arrival", table.Output, StringComparison.Ordinal);
        Assert.Contains("| `clairvoyant` (bound) | ", markdown.Output, StringComparison.Ordinal);
    }

    private static List<JsonNode> Policies(JsonNode document) => [.. document["results"]!.AsArray().Where(r => !(bool)r!["isBound"]!).Select(r => r!)];

    private static void AssertSorted(IEnumerable<double> values) => Assert.Equal(values.Order(), values);

    private static string WithoutTimes(string json) =>
        string.Join('\n', json.Split('\n').Where(l => !l.Contains("elapsedSeconds", StringComparison.Ordinal)));

    private static void WriteDataSet(TemporaryFolder folder)
    {
        folder.File(
            "metas",
            """{"key": "f0", "runtime": "go", "timeoutInSecs": 60, "memoryInMb": 128, "initDurationInMs": 10}""",
            """{"key": "f1", "runtime": "python", "timeoutInSecs": 60, "memoryInMb": 512, "initDurationInMs": 300}""");
        folder.File("requests", [.. Enumerable.Range(0, 200).Select(i => string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"metaKey": "f{{i % 2}}", "startTime": {{1_685_980_824_304 + (i * 100)}}, "durationsInMs": 50, "statusCode": 200}"""))]);
    }
}
