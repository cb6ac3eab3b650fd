using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using FuncScaler.ContestSimulator.Reports;
using FuncScaler.ContestSimulator.Virtual;
using Spectre.Console;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>What <c>simulate</c> has found out.</summary>
/// <param name="TraceName">The trace.</param>
/// <param name="Results">One result per policy that was asked for.</param>
/// <param name="SweepResults">The runs of <see cref="SimulateOutput.Sweep"/>; empty where no report is written.</param>
/// <param name="Bound">What no policy can exceed.</param>
internal sealed record Comparison(
    string TraceName,
    IReadOnlyList<VirtualResult> Results,
    IReadOnlyList<(SweepFamily Family, string Label, VirtualResult Result)> SweepResults,
    ClairvoyantBound Bound)
{
    /// <summary>The results, the best first: by score, or by cost where waiting has a price.</summary>
    public IReadOnlyList<VirtualResult> Ranked(double? latencyPriceGbs) =>
    [
        .. Results
            .OrderBy(r => latencyPriceGbs is { } price ? Cost(r, price) : -r.Score.Total)
            .ThenBy(r => r.Policy, StringComparer.Ordinal),
    ];

    /// <summary>Memory paid for and waits at their price, GB·s.</summary>
    public static double Cost(VirtualResult result, double priceGbs) =>
        result.Score.SlotGbSeconds + (priceGbs * (result.Score.AssignSeconds + result.Score.IdleSeconds));
}

/// <summary>What <c>simulate</c> prints and writes.</summary>
internal static class SimulateOutput
{
    // The document is read by people and programs, and never embedded in HTML: quotes stay quotes.
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The two sweeps of the ATC'20 plot: keep-alives for all functions alike, and the hybrid histogram by its range.</summary>
    public static IReadOnlyList<(SweepFamily Family, string Label, string Policy)> Sweep { get; } =
    [
        .. ((int[])[5, 10, 20, 30, 45, 60, 90, 120]).Select(min => (SweepFamily.Fixed, Invariant($"{min} min"), Invariant($"ttl:{min * 60}"))),
        .. Enumerable.Range(1, 4).Select(h => (SweepFamily.Hybrid, Invariant($"{h} h"), Invariant($"hybrid-histogram:hours={h}"))),
    ];

    /// <summary>Writes report.html, and result.json beside it.</summary>
    public static void Save(Comparison comparison, double? latencyPriceGbs, string typedOptions, string folder)
    {
        var report = new SimulationReport
        {
            TraceName = comparison.TraceName,
            Requests = comparison.Bound.Requests,
            Options = typedOptions,
            GeneratedAt = TimeProvider.System.GetLocalNow(),
            Results = comparison.Ranked(latencyPriceGbs),
            Bound = new ScoreBound("clairvoyant", comparison.Bound.Score, comparison.Bound.ResourceScore, comparison.Bound.LatencyScore),
            Sweep = Points(comparison, [.. comparison.SweepResults, .. comparison.Ranked(latencyPriceGbs).Select(r => (SweepFamily.Policy, r.Policy, r))]),
        };
        using (var page = new StreamWriter(Path.Combine(folder, "report.html"), append: false, new UTF8Encoding(false)))
        {
            HtmlReportWriter.Write(report, page);
        }

        File.WriteAllText(Path.Combine(folder, "result.json"), Json(comparison, latencyPriceGbs, forFile: true) + "\n");
    }

    /// <summary>The document of <c>--json</c>; the file's has the bound and the sweeps besides.</summary>
    public static string Json(Comparison comparison, double? latencyPriceGbs, bool forFile)
    {
        var results = comparison.Ranked(latencyPriceGbs).Select(r =>
        {
            var result = new JsonObject
            {
                ["policy"] = r.Policy,
                ["score"] = r.Score.Total,
                ["resourceScore"] = r.Score.ResourceScore,
                ["latencyScore"] = r.Score.LatencyScore,
                ["coldStartShare"] = r.ColdStartShare,
                ["scheduleP50Ms"] = r.ScheduleTimes.PercentileMs(0.5),
                ["scheduleP95Ms"] = r.ScheduleTimes.PercentileMs(0.95),
                ["scheduleP99Ms"] = r.ScheduleTimes.PercentileMs(0.99),
                ["slotGbSeconds"] = r.Score.SlotGbSeconds,
                ["executionGbSeconds"] = r.Score.ExecutionGbSeconds,
                ["peakInstances"] = r.PeakInstances,
                ["elapsedSeconds"] = r.Elapsed.TotalSeconds,
            };
            if (latencyPriceGbs is { } price)
            {
                result["cost"] = Comparison.Cost(r, price);
            }

            return result;
        });
        var document = new JsonObject
        {
            ["trace"] = comparison.TraceName,
            ["requests"] = comparison.Bound.Requests,
            ["results"] = new JsonArray([.. results]),
        };
        if (forFile)
        {
            var bound = comparison.Bound;
            document["bound"] = new JsonObject
            {
                ["policy"] = "clairvoyant",
                ["score"] = bound.Score,
                ["resourceScore"] = bound.ResourceScore,
                ["latencyScore"] = bound.LatencyScore,
                ["slotGbSeconds"] = bound.SlotGbSeconds,
                ["executionGbSeconds"] = bound.ExecutionGbSeconds,
            };
            if (latencyPriceGbs is { } price)
            {
                document["bound"]!["cost"] = bound.LeastCost(price);
            }

            var sweep = comparison.SweepResults.Zip(Points(comparison, comparison.SweepResults), (run, point) => new JsonObject
            {
                ["policy"] = run.Result.Policy,
                ["p75ColdStartShare"] = point.P75ColdShare,
                ["wastedMemoryRelative"] = double.IsFinite(point.WastedMemoryRelative) ? point.WastedMemoryRelative : null,
                ["coldStartShare"] = run.Result.ColdStartShare,
                ["wastedGbSeconds"] = run.Result.WastedGbSeconds,
            });
            document["sweep"] = new JsonArray([.. sweep]);
        }

        return document.ToJsonString(Indented);
    }

    /// <summary>The table on standard output, the bound as its last row.</summary>
    public static void Print(Comparison comparison, double? latencyPriceGbs)
    {
        var bound = comparison.Bound;
        var table = new Table
        {
            Title = new TableTitle(Invariant($"{Markup.Escape(comparison.TraceName)}: {bound.Requests:N0} requests")),
            Border = TableBorder.Rounded,
        };
        table.AddColumn("policy");
        var cost = latencyPriceGbs is null ? Array.Empty<string>() : ["cost GBs"];
        foreach (var column in (string[])["score", .. cost, "resource part", "cold-start part", "cold starts", "p50 ms", "p95 ms", "p99 ms", "wasted GBs", "peak"])
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        foreach (var r in comparison.Ranked(latencyPriceGbs))
        {
            table.AddRow(
            [
                Markup.Escape(r.Policy),
                Tables.Number(r.Score.Total, "0.00"),
                .. CostCell(price => Comparison.Cost(r, price)),
                Tables.Number(r.Score.ResourceScore, "0.00"),
                Tables.Number(r.Score.LatencyScore, "0.00"),
                Tables.Number(100 * r.ColdStartShare, "0.00") + " %",
                Tables.Number(r.ScheduleTimes.PercentileMs(0.5), "0.0"),
                Tables.Number(r.ScheduleTimes.PercentileMs(0.95), "0.0"),
                Tables.Number(r.ScheduleTimes.PercentileMs(0.99), "0.0"),
                Tables.Number(r.WastedGbSeconds, "N0"),
                Tables.Number(r.PeakInstances, "N0"),
            ]);
        }

        table.AddRow(
        [
            "clairvoyant (bound)",
            Tables.Number(bound.Score, "0.00"),
            .. CostCell(bound.LeastCost),
            Tables.Number(bound.ResourceScore, "0.00"),
            Tables.Number(bound.LatencyScore, "0.00"),
            "",
            "",
            "",
            "",
            Tables.Number(bound.SlotGbSeconds - bound.ExecutionGbSeconds, "N0"),
            "",
        ]);
        Tables.Write(table);

        string[] CostCell(Func<double, double> costAt) => latencyPriceGbs is { } price ? [Tables.Number(costAt(price), "N0")] : [];
    }

    private static IReadOnlyList<SweepPoint> Points(
        Comparison comparison, IReadOnlyList<(SweepFamily Family, string Label, VirtualResult Result)> runs) =>
        ParetoSweep.Points(comparison.SweepResults.Single(s => s.Result.Policy == ParetoSweep.ReferencePolicy).Result, runs);

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
