using System.Text.Json.Nodes;
using FuncScaler.ContestSimulator.Experiments;
using FuncScaler.ContestSimulator.Reports;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Traces.Presets;
using FuncScaler.ContestSimulator.Traces.Tables;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;
using FuncScaler.Tests.Traces;
using Parquet;

namespace FuncScaler.Tests.Experiments;

public sealed class ExperimentTests : TraceFolderTests
{
    private static readonly Measure Score = Measures.All(new MeasurePrices()).Single(m => m.Name == "score");

    private static readonly PolicyChoice[] Policies = [PolicyCatalog.Parse("ttl:9"), PolicyCatalog.Parse("direct")];

    [Fact]
    public void Every_policy_runs_on_every_trace_and_the_bound_is_a_row_of_its_own()
    {
        using var log = new ExperimentLog(null);

        var runs = Runner().Run(Traces(1, 2), Policies, threads: 2, log);

        Assert.Equal(
            [("ttl:9", 1L), ("direct", 1), ("clairvoyant", 1), ("ttl:9", 2), ("direct", 2), ("clairvoyant", 2)],
            runs.Select(r => (r.Policy, r.Seed!.Value)));
        Assert.All(runs, r => Assert.Equal(("smoke", "0.1", "abc", 300.0, 0.3), (r.Trace, r.Version, r.Commit, r.TailSeconds, r.RpcMs)));
        Assert.Equal(2, runs.Select(r => r.TraceHash).Distinct().Count());
        var alone = VirtualContest.Run(PresetCatalog.Create("smoke", 2, 5), Policies[0], new VirtualOptions());
        Assert.Equal(alone.Score.Total, runs[3].Measures["score"]);
        Assert.True(runs[3].Measures["score"] <= runs[5].Measures["score"]);
    }

    [Fact]
    public void What_has_run_before_is_taken_from_the_log()
    {
        using (var log = new ExperimentLog(Folder))
        {
            Runner().Run(Traces(1), Policies, 1, log);
        }

        // As if a run had been stopped in the middle of a line.
        File.AppendAllText(Path.Combine(Folder, ExperimentLog.FileName), "{\"version\": \"0");
        var told = new List<(double Ended, int Of)>();
        using (var log = new ExperimentLog(Folder))
        {
            var runs = Runner().Run(Traces(1), [.. Policies, PolicyCatalog.Parse("capped")], 1, log, (ended, of) => told.Add((ended, of)));
            Assert.Equal((4, 4), told[^1]);
            Assert.Equal(4, runs.Count);
        }

        var lines = File.ReadAllLines(Path.Combine(Folder, ExperimentLog.FileName));
        Assert.Equal(["ttl:9", "direct", "clairvoyant", "capped"], lines.Where(l => l.EndsWith('}')).Select(l => (string)JsonNode.Parse(l)!["policy"]!));
    }

    [Fact]
    public void Another_build_price_or_trace_is_another_run()
    {
        var run = Run("p", 1, 50);

        Assert.Equal(run.Key, (run with { Requests = 7, ElapsedSeconds = 3 }).Key);
        Assert.All(
            (ExperimentRun[])[run with { Commit = "d" }, run with { LatencyPriceGbs = 1 }, run with { TraceHash = "i" }, run with { Seed = 2 }, run with { Waiting = false }],
            other => Assert.NotEqual(run.Key, other.Key));
    }

    // p: 50, 60, 70; q: 40, 55, 61. The means are 60 and 52; the standard errors sqrt(100 / 3) and, with deviations of 12, 3 and 9, sqrt(117 / 3).
    // Seed by seed q is behind by 10, 5 and 9: 8 in the mean, with deviations of 2, 3 and 1: sqrt(7 / 3).
    [Fact]
    public void Seeds_give_a_mean_a_standard_error_and_a_difference_seed_by_seed()
    {
        ExperimentRun[] runs =
        [
            Run("q", 1, 40), Run("p", 1, 50), Run("clairvoyant", 1, 90), Run("q", 2, 55), Run("p", 2, 60), Run("clairvoyant", 2, 91), Run("q", 3, 61), Run("p", 3, 70),
        ];

        var summary = Assert.Single(TraceSummary.Of(runs, Score));

        Assert.Equal(3, summary.Seeds);
        Assert.Equal(["p", "q", "clairvoyant"], summary.Policies.Select(p => p.Policy));
        var (p, q) = (summary.Policies[0], summary.Policies[1]);
        Assert.Equal((60, 52), (p.Measures["score"]!.Value.Mean, q.Measures["score"]!.Value.Mean));
        Assert.Equal(Math.Sqrt(100.0 / 3), p.Measures["score"]!.Value.StandardError!.Value, 9);
        Assert.Equal(Math.Sqrt(117.0 / 3), q.Measures["score"]!.Value.StandardError!.Value, 9);
        Assert.Null(p.ToBest);
        Assert.Equal(-8, q.ToBest!.Value.Mean, 9);
        Assert.Equal(Math.Sqrt(7.0 / 3), q.ToBest!.Value.StandardError!.Value, 9);
    }

    [Fact]
    public void One_seed_has_no_standard_error()
    {
        var summary = Assert.Single(TraceSummary.Of([Run("p", 1, 50)], Score));

        Assert.Null(summary.Policies[0].Measures["score"]!.Value.StandardError);
    }

    [Fact]
    public async Task The_three_files_have_the_same_rows_and_Parquet_keeps_what_is_null()
    {
        using var log = new ExperimentLog(null);
        var runs = Runner().Run(Traces(1), Policies, 1, log);

        await ResultFiles.WriteAsync(runs, Folder);

        var csv = await File.ReadAllLinesAsync(Path.Combine(Folder, "results.csv"));
        var json = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(Folder, "results.json")))!.AsArray();
        Assert.Equal(4, csv.Length);
        Assert.Equal(runs[0].Fields().Select(f => f.Name), csv[0].Split(','));
        Assert.Equal(csv[0].Split(','), json[0]!.AsObject().Select(f => f.Key));
        Assert.Equal(runs.Select(r => r.Key), json.Select(r => ExperimentRun.FromJson(r!.AsObject()).Key));
        await using var reader = await ParquetReader.CreateAsync(Path.Combine(Folder, "results.parquet"));
        Assert.Equal(csv[0].Split(','), reader.Schema.GetDataFields().Select(f => f.Path.ToString()));
        using var group = reader.OpenRowGroupReader(0);
        var scores = new double?[3];
        var shares = new double?[3];
        await group.ReadAsync<double>(Field("score"), scores.AsMemory());
        await group.ReadAsync<double>(Field("coldStartShare"), shares.AsMemory());
        Assert.Equal(runs.Select(r => r.Measures["score"]), scores);
        Assert.Equal(runs.Select(r => r.Measures["coldStartShare"]), shares);
        Assert.Null(shares[2]);

        Parquet.Schema.DataField Field(string name) => reader.Schema.GetDataFields().Single(f => f.Path.ToString() == name);
    }

    [Fact]
    public void A_trace_and_its_copy_have_the_same_hash_and_another_has_not()
    {
        var path = Put("t.csv", "k,t,d\nf,1,1\nf,2,1\n");
        var copy = Put("u.csv", "k,t,d\nf,1,1\nf,2,1\n");
        var other = Put("v.csv", "k,t,d\nf,1,1\nf,2,2\n");
        var map = ColumnMap.Parse("key=k,start=t,duration=d", null, hasDefaultDuration: false);

        Assert.Equal(TraceHash.Of(CsvTrace.Open(path, map)), TraceHash.Of(CsvTrace.Open(copy, map)));
        Assert.NotEqual(TraceHash.Of(CsvTrace.Open(path, map)), TraceHash.Of(CsvTrace.Open(other, map)));
        Assert.NotEqual(
            TraceHash.Of(CsvTrace.Open(path, map)), TraceHash.Of(CsvTrace.Open(path, map, new TableDefaults { MemoryMb = 512 })));
    }

    [Fact]
    public void A_malformed_trace_ends_the_experiment_with_its_own_sentence()
    {
        using var log = new ExperimentLog(null);
        var bad = new ExperimentTrace("bad", null, () => new FuncScaler.Tests.Platform.ListTrace([], [], "line 7 is broken"));

        Assert.Equal("line 7 is broken", Assert.Throws<TraceFormatException>(() => Runner().Run([bad], Policies, 2, log)).Message);
    }

    private static ExperimentRunner Runner() => new(new VirtualOptions(), new MeasurePrices(), ("0.1", "abc"));

    private static ExperimentTrace[] Traces(params long[] seeds) =>
        [.. seeds.Select(seed => new ExperimentTrace("smoke", seed, () => PresetCatalog.Create("smoke", seed, 5)))];

    private static ExperimentRun Run(string policy, long seed, double score) => new()
    {
        Version = "0",
        Commit = "c",
        Trace = "t",
        Seed = seed,
        TraceHash = "h",
        TailSeconds = 300,
        RpcMs = 0.3,
        Waiting = true,
        Policy = policy,
        Requests = 10,
        Measures = new Dictionary<string, double?> { ["score"] = score },
    };
}
