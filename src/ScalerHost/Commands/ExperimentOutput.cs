using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using FuncScaler.ContestSimulator.Experiments;
using FuncScaler.ContestSimulator.Reports;
using FuncScaler.ContestSimulator.Virtual;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>What <c>simulate</c> prints of several traces or seeds.</summary>
internal static class ExperimentOutput
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The version and the commit of this build.</summary>
    public static (string Version, string Commit) Build()
    {
        var full = typeof(ExperimentOutput).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";
        var plus = full.IndexOf('+', StringComparison.Ordinal);
        return plus < 0 ? (full, "unknown") : (full[..plus], full[(plus + 1)..]);
    }

    /// <summary>All runs as one JSON document, and their summary.</summary>
    public static string Json(IReadOnlyList<ExperimentRun> runs, IReadOnlyList<TraceSummary> summaries, Measure sortBy, int concurrency) => new JsonObject
    {
        ["runs"] = new JsonArray([.. runs.Select(r => r.ToJson())]),
        ["summary"] = new JsonArray(
        [
            .. summaries.SelectMany(s => s.Policies.Select(p => new JsonObject
            {
                ["trace"] = s.Trace,
                ["seeds"] = s.Seeds,
                ["policy"] = p.Policy,
                ["isBound"] = p.IsBound,
                ["means"] = new JsonObject(p.Measures.Select(m => KeyValuePair.Create(m.Key, (JsonNode?)m.Value?.Mean))),
                ["standardErrors"] = new JsonObject(p.Measures.Select(m => KeyValuePair.Create(m.Key, (JsonNode?)m.Value?.StandardError))),
                ["comparedBy"] = sortBy.Name,
                ["differenceToBest"] = p.ToBest?.Mean,
                ["differenceStandardError"] = p.ToBest?.StandardError,
            })),
        ]),
        ["boundHolds"] = ClairvoyantBound.Holds(concurrency),
    }.ToJsonString(Indented);

    /// <summary>A table for each trace, and one over all where there are several.</summary>
    public static void Print(IReadOnlyList<TraceSummary> summaries, MeasurePrices prices, Measure sortBy, bool markdown, int concurrency)
    {
        var shown = Measures.Shown(prices, sortBy);
        foreach (var summary in summaries)
        {
            var several = summary.Seeds > 1;
            Write(
                FormattableString.Invariant($"{summary.Trace}: {summary.Requests:N0} requests{(several ? $", mean of {summary.Seeds} seeds" : "")}"),
                ["policy", .. shown.Select(m => m.Title), .. several ? (string[])[$"{sortBy.Title} beside the best"] : []],
                summary.Policies.Select(p => (string[])
                [
                    Name(p),
                    .. shown.Select(m => p.Measures.GetValueOrDefault(m.Name) is { } value ? Text(m, value, m.Name == sortBy.Name) : ""),
                    .. several ? (string[])[p.ToBest is { } difference ? Difference(sortBy, difference) : ""] : [],
                ]),
                markdown);
        }

        if (summaries.Count > 1)
        {
            PrintAcross(summaries, sortBy, markdown);
        }

        Console.WriteLine(ClairvoyantBound.Holds(concurrency));
    }

    /// <summary>
    /// The measure that is sorted by, a column for each trace. Scores are of one scale, so they have a mean; of other measures traces would count by their
    /// size, so it is the geometric mean of how many times the best policy's value a policy has.
    /// </summary>
    private static void PrintAcross(IReadOnlyList<TraceSummary> summaries, Measure sortBy, bool markdown)
    {
        var best = summaries.ToDictionary(s => s.Trace, s => s.Policies.Where(p => !p.IsBound).Select(p => Value(s, p.Policy)).DefaultIfEmpty().FirstOrDefault());
        var policies = summaries.SelectMany(s => s.Policies).GroupBy(p => (p.IsBound, p.Policy)).Select(g => (g.Key.IsBound, First: g.First(), Whole: Whole(g.Key.Policy)));
        Write(
            $"{sortBy.Title} on each trace",
            ["policy", sortBy.MoreIsBetter ? "mean" : "times the best", .. summaries.Select(s => s.Trace)],
            policies.OrderBy(p => p.IsBound).ThenBy(p => sortBy.MoreIsBetter ? -p.Whole : p.Whole).Select(p => (string[])
            [
                Name(p.First),
                p.Whole is not { } whole ? "" : sortBy.MoreIsBetter ? sortBy.Write(whole) : FormattableString.Invariant($"{whole:0.00}"),
                .. summaries.Select(s => Value(s, p.First.Policy) is { } value ? sortBy.Write(value) : ""),
            ]),
            markdown);

        double? Whole(string policy)
        {
            double[] values = [.. summaries.Select(s => sortBy.MoreIsBetter ? Value(s, policy) : Value(s, policy) / best[s.Trace]).OfType<double>()];
            return values.Length < summaries.Count ? null : sortBy.MoreIsBetter ? values.Average() : Math.Exp(values.Average(Math.Log));
        }

        double? Value(TraceSummary summary, string policy) =>
            summary.Policies.FirstOrDefault(p => p.Policy == policy)?.Measures.GetValueOrDefault(sortBy.Name)?.Mean;
    }

    private static string Name(PolicySummary policy) => policy.IsBound ? $"{policy.Policy} (bound)" : policy.Policy;

    private static string Text(Measure measure, Estimate value, bool withError) =>
        measure.Write(value.Mean) + (withError && value.StandardError is { } error ? " ± " + measure.Write(error) : "");

    private static string Difference(Measure measure, Estimate value) =>
        (value.Mean >= 0 ? "+" : "-") + measure.Write(Math.Abs(value.Mean)) + (value.StandardError is { } error ? " ± " + measure.Write(error) : "");

    private static void Write(string title, string[] columns, IEnumerable<string[]> rows, bool markdown)
    {
        if (markdown)
        {
            Console.WriteLine($"**{title}**\n");
            Console.WriteLine($"| {string.Join(" | ", columns)} |");
            Console.WriteLine($"|---|{string.Concat(columns.Skip(1).Select(_ => "---:|"))}");
            foreach (var row in rows)
            {
                Console.WriteLine($"| `{row[0].Replace(" (bound)", "` (bound)", StringComparison.Ordinal)}{(row[0].EndsWith(')') ? "" : "`")} | {string.Join(" | ", row.Skip(1))} |");
            }

            Console.WriteLine();
            return;
        }

        var table = new TextTable(title, [new(columns[0], IsNumber: false), .. columns.Skip(1).Select((column, i) => new TextColumn(column, LeaveOut: i))]);
        foreach (var row in rows)
        {
            table.Add(row);
        }

        table.Write();
    }
}
