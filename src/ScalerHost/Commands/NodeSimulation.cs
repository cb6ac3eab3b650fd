using System.Globalization;
using System.Text.Json.Nodes;
using FuncScaler.ContestSimulator;
using FuncScaler.ContestSimulator.Experiments;
using FuncScaler.ContestSimulator.Nodes;
using FuncScaler.ContestSimulator.Reports;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.ScalerHost.Commands;

/// <summary><c>simulate --nodes</c>: schedulers side by side in the world of the 2020 contest.</summary>
internal static class NodeSimulation
{
    /// <summary>Runs the schedulers on each load and seed.</summary>
    /// <param name="loads">Names of loads, separated by commas.</param>
    /// <param name="schedulers">Names of schedulers, separated by commas; null for all.</param>
    /// <param name="weights">The weights; each scheduler runs with each pair.</param>
    /// <param name="seeds">The seeds.</param>
    /// <param name="lengthSeconds">How long a run lasts, s.</param>
    /// <param name="threads">Processors to use.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    public static IReadOnlyList<NodeComparison> Run(
        string loads,
        string? schedulers,
        IReadOnlyList<NodeWeights> weights,
        IReadOnlyList<long> seeds,
        double lengthSeconds,
        int threads,
        CancellationToken cancellationToken)
    {
        var names = schedulers?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [.. NodeSchedulers.Names];
        var world = new NodeWorldOptions();
        List<(string Load, NodeWeights Weights, long Seed)> rows =
        [
            .. loads.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                .SelectMany(load => weights.SelectMany(w => seeds.Select(seed => (load, w, seed)))),
        ];
        var comparisons = new NodeComparison[rows.Count];
        var ended = 0;
        using var line = new ProgressLine("simulating");
        try
        {
            Parallel.For(0, rows.Count, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellationToken }, i =>
            {
                var (load, w, seed) = rows[i];
                var trace = NodePresets.Generate(load, seed, lengthSeconds);
                var baseline = NodeContest.Run(trace, NodeSchedulers.Make(NodeSchedulers.Baseline, w, world), world, seed, cancellationToken);
                var results = names.Select(name =>
                {
                    var result = name == NodeSchedulers.Baseline
                        ? baseline
                        : NodeContest.Run(trace, NodeSchedulers.Make(name, w, world), world, seed, cancellationToken);
                    line.Report(Interlocked.Increment(ref ended) / ((double)rows.Count * names.Length));
                    return result;
                });
                comparisons[i] = new NodeComparison(load, seed, w, baseline, [.. results, NodeBound.Of(trace, world)]);
            });
        }
        catch (OperationCanceledException)
        {
            line.Dispose();
            var done = comparisons.Where(c => c is not null).ToList();
            if (done.Count > 0)
            {
                Print(done);
            }

            throw new CommandException(CommandException.Failed, $"Stopped: {done.Count} of {rows.Count} loads, weights and seeds were complete. No file was written.");
        }
        catch (AggregateException e) when (e.InnerException is ArgumentException or FormatException)
        {
            throw new CommandException(CommandException.BadUsage, e.InnerException.Message, e);
        }

        return comparisons;
    }

    /// <summary>Reads <c>0.5,0.5</c>, or several pairs with semicolons between them.</summary>
    /// <exception cref="CommandException">Not of that form.</exception>
    public static IReadOnlyList<NodeWeights> ParseWeights(string text) =>
    [
        .. text.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(pair =>
            TryParseWeights(pair, out var parsed)
                ? parsed
                : throw new CommandException(CommandException.BadUsage, SettingErrors.Sentence(
                    "--weights", text, "is no pair of weights", "write for example 0.5,0.5, or several: 0.5,0.5;0.75,0.25; the second is above 0"))),
    ];

    /// <summary>Reads <c>0.5,0.5</c>; false where it is no pair of weights, the second above 0.</summary>
    public static bool TryParseWeights(string text, out NodeWeights weights)
    {
        weights = default;
        if (text.Split(',', StringSplitOptions.TrimEntries) is not [var first, var second]
            || !double.TryParse(first, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var latency)
            || !double.TryParse(second, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var nodes)
            || !(nodes > 0))
        {
            return false;
        }

        weights = new NodeWeights(latency, nodes);
        return true;
    }

    /// <summary>A table for each load and pair of weights: means over the seeds.</summary>
    public static void Print(IReadOnlyList<NodeComparison> comparisons)
    {
        foreach (var group in comparisons.GroupBy(c => (c.Load, c.Weights)))
        {
            var runs = group.ToList();
            var table = new TextTable(
                string.Create(CultureInfo.InvariantCulture, $"{group.Key.Load}, weights {group.Key.Weights}: {runs.Average(r => r.Baseline.Calls):N0} calls, mean of {runs.Count} seeds"),
                new("scheduler", IsNumber: false),
                new("score"),
                new("± SE", LeaveOut: 3),
                new("RT / baseline"),
                new("ND / baseline"),
                new("node·s", LeaveOut: 1),
                new("most nodes", LeaveOut: 2),
                new("containers", LeaveOut: 2),
                new("failed", LeaveOut: 1),
                new("times first", LeaveOut: 3));
            foreach (var row in Rows(runs))
            {
                table.Add(
                    row.Name,
                    Tables.Number(row.Score, "0.0000"),
                    Tables.Number(row.StandardError, "0.0000"),
                    Tables.Number(row.CallRatio, "0.000"),
                    Tables.Number(row.NodeRatio, "0.000"),
                    Tables.Number(row.NodeSeconds, "N0"),
                    Tables.Number(row.MostNodes, "0.0"),
                    Tables.Number(row.Containers, "N0"),
                    Tables.Number(row.Failed, "0.0"),
                    row.IsBound ? "-" : Tables.Number(row.First, "0"));
            }

            table.Write();
            foreach (var run in runs)
            {
                if (run.Chance is { } chance)
                {
                    Console.WriteLine(string.Create(
                        CultureInfo.InvariantCulture,
                        $"The same load in {chance.Worlds} worlds that draw other times, in virtual time: {chance.Mean:0.000}, standard deviation {chance.Deviation:0.000}; real time is {(run.ScoreOf(run.Results[0]) - chance.Mean) / chance.Deviation:+0.0;-0.0} of these away."));
                }
            }
        }

        Console.WriteLine("Lower is better; the baseline has 1. The bound has no cold start and perfect packing: it is not reachable.");
    }

    /// <summary>Writes nodes.html, with the nodes over time of the first seed, and nodes.json.</summary>
    public static async Task SaveAsync(IReadOnlyList<NodeComparison> comparisons, double lengthSeconds, string folder)
    {
        Directory.CreateDirectory(folder);
        using var page = new StringWriter();
        NodeReportWriter.Write(
            [
                .. comparisons.GroupBy(c => (c.Load, c.Weights)).Select(g => g.First()).Select(c => (
                    string.Create(CultureInfo.InvariantCulture, $"{c.Load}, weights {c.Weights}, seed {c.Seed}"),
                    (long)(lengthSeconds * 1e6),
                    (IReadOnlyList<(NodeResult, double)>)[.. c.Results.Select(r => (r, c.ScoreOf(r)))])),
            ],
            page);
        await WholeFile.WriteTextAsync(Path.Combine(folder, "nodes.html"), page.ToString()).ConfigureAwait(false);
        await WholeFile.WriteTextAsync(Path.Combine(folder, "nodes.json"), Json(comparisons).ToJsonString() + "\n").ConfigureAwait(false);
    }

    /// <summary>All runs and the means as one JSON document.</summary>
    public static JsonObject Json(IReadOnlyList<NodeComparison> comparisons) => new()
    {
        ["runs"] = new JsonArray(
        [
            .. comparisons.SelectMany(c => c.Results.Select(r => new JsonObject
            {
                ["load"] = c.Load,
                ["seed"] = c.Seed,
                ["latencyWeight"] = c.Weights.Latency,
                ["nodeWeight"] = c.Weights.Nodes,
                ["scheduler"] = r.Scheduler,
                ["score"] = c.ScoreOf(r),
                ["callRatio"] = r.CallRatio(c.Baseline),
                ["nodeRatio"] = r.NodeSeconds / c.Baseline.NodeSeconds,
                ["nodeSeconds"] = r.NodeSeconds,
                ["mostNodes"] = r.MostNodes,
                ["calls"] = r.Calls,
                ["failed"] = r.Failed,
                ["containersCreated"] = r.ContainersCreated,
                ["outOfMemory"] = r.OutOfMemory,
                ["functions"] = new JsonArray(
                [
                    .. r.Functions.Select(f => new JsonObject
                    {
                        ["function"] = f.Function.Meta.Key.Value,
                        ["calls"] = f.Calls,
                        ["failed"] = f.Failed,
                        ["seconds"] = f.Seconds,
                        ["acquireSeconds"] = f.AcquireSeconds,
                    }),
                ]),
            })),
        ]),
        ["otherWorlds"] = new JsonArray(
        [
            .. comparisons.Where(c => c.Chance is not null).Select(c => new JsonObject
            {
                ["load"] = c.Load,
                ["seed"] = c.Seed,
                ["worlds"] = c.Chance!.Worlds,
                ["score"] = c.Chance.Mean,
                ["standardDeviation"] = c.Chance.Deviation,
            }),
        ]),
        ["means"] = new JsonArray(
        [
            .. comparisons.GroupBy(c => (c.Load, c.Weights)).SelectMany(g => Rows([.. g]).Select(row => new JsonObject
            {
                ["load"] = g.Key.Load,
                ["latencyWeight"] = g.Key.Weights.Latency,
                ["nodeWeight"] = g.Key.Weights.Nodes,
                ["scheduler"] = row.Name,
                ["isBound"] = row.IsBound,
                ["score"] = row.Score,
                ["standardError"] = row.StandardError,
                ["callRatio"] = row.CallRatio,
                ["nodeRatio"] = row.NodeRatio,
                ["timesFirst"] = row.First,
            })),
        ]),
    };

    private static List<Row> Rows(List<NodeComparison> runs)
    {
        var rows = new List<Row>();
        var last = runs[0].Results.Count - 1;
        for (var i = 0; i <= last; i++)
        {
            var scores = runs.Select(r => r.ScoreOf(r.Results[i])).ToList();
            var score = Estimate.Of(scores)!.Value;
            var results = runs.Select(r => r.Results[i]).ToList();
            rows.Add(new Row(
                results[0].Scheduler,
                i == last,
                score.Mean,
                score.StandardError ?? 0,
                runs.Average(r => r.Results[i].CallRatio(r.Baseline)),
                runs.Average(r => r.Results[i].NodeSeconds / r.Baseline.NodeSeconds),
                results.Average(r => r.NodeSeconds),
                results.Average(r => r.MostNodes),
                results.Average(r => r.ContainersCreated),
                results.Average(r => r.Failed),
                runs.Count(r => r.Results.Take(last).All(other => r.ScoreOf(other) >= r.ScoreOf(r.Results[i])))));
        }

        return [.. rows.OrderBy(r => r.IsBound).ThenBy(r => r.Score)];
    }

    private sealed record Row(
        string Name,
        bool IsBound,
        double Score,
        double StandardError,
        double CallRatio,
        double NodeRatio,
        double NodeSeconds,
        double MostNodes,
        double Containers,
        double Failed,
        int First);
}

/// <summary>Schedulers on one load.</summary>
/// <param name="Load">The load's name.</param>
/// <param name="Seed">Its seed.</param>
/// <param name="Weights">The weights, which schedulers may know.</param>
/// <param name="Baseline">The baseline's run.</param>
/// <param name="Results">All runs, the bound last.</param>
internal sealed record NodeComparison(string Load, long Seed, NodeWeights Weights, NodeResult Baseline, IReadOnlyList<NodeResult> Results)
{
    /// <summary>What the world's draws alone do to the score of the product; null where nobody asked.</summary>
    public Chance? Chance { get; init; }

    public double ScoreOf(NodeResult result) => result.ScoreAgainst(Baseline, Weights);
}

/// <summary>Scores of the same load in worlds that draw other times.</summary>
/// <param name="Worlds">How many.</param>
/// <param name="Mean">Their mean.</param>
/// <param name="Deviation">Their standard deviation.</param>
internal sealed record Chance(int Worlds, double Mean, double Deviation)
{
    public static Chance Of(IReadOnlyCollection<double> scores)
    {
        var mean = scores.Average();
        return new Chance(scores.Count, mean, Math.Sqrt(scores.Sum(s => (s - mean) * (s - mean)) / (scores.Count - 1)));
    }
}
