using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using FuncScaler.ContestSimulator;
using FuncScaler.ContestSimulator.Reports;
using FuncScaler.ContestSimulator.Virtual;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>What <c>simulate</c> has found out.</summary>
/// <param name="TraceName">The trace.</param>
/// <param name="Results">One result per policy that was asked for.</param>
/// <param name="SweepResults">The runs of <see cref="SimulateOutput.Sweep"/>; empty where no report is written.</param>
/// <param name="Bound">What no policy can exceed.</param>
/// <param name="Prices">What the measures take for prices.</param>
/// <param name="SortBy">The measure to sort by.</param>
internal sealed record Comparison(
    string TraceName,
    IReadOnlyList<VirtualResult> Results,
    IReadOnlyList<(SweepFamily Family, string Label, VirtualResult Result)> SweepResults,
    ClairvoyantBound Bound,
    MeasurePrices Prices,
    Measure SortBy)
{
    /// <summary>The results, the best first.</summary>
    public IReadOnlyList<VirtualResult> Ranked { get; } = Rank(Results, SortBy);

    /// <summary>Results, the best first.</summary>
    public static IReadOnlyList<VirtualResult> Rank(IReadOnlyList<VirtualResult> results, Measure sortBy) =>
        [.. results.OrderBy(r => sortBy.MoreIsBetter ? -sortBy.Of(r) : sortBy.Of(r)).ThenBy(r => r.Policy, StringComparer.Ordinal)];

    public Verdict Verdict => Verdict.Of(Ranked, Bound, Prices);
}

/// <summary>What <c>simulate</c> prints and writes.</summary>
internal static class SimulateOutput
{
    /// <summary>What the bound's row is called in documents and tables.</summary>
    public const string BoundName = "clairvoyant";

    // The document is read by people and programs, and never embedded in HTML: quotes stay quotes.
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly JsonSerializerOptions Camel = new(JsonSerializerDefaults.Web);

    /// <summary>The two sweeps of the ATC'20 plot: keep-alives for all functions alike, and the hybrid histogram by its range.</summary>
    public static IReadOnlyList<(SweepFamily Family, string Label, string Policy)> Sweep { get; } =
    [
        .. ((int[])[5, 10, 20, 30, 45, 60, 90, 120]).Select(min => (SweepFamily.Fixed, Invariant($"{min} min"), Invariant($"ttl:{min * 60}"))),
        .. Enumerable.Range(1, 4).Select(h => (SweepFamily.Hybrid, Invariant($"{h} h"), Invariant($"hybrid-histogram:hours={h}"))),
    ];

    /// <summary>Writes report.html, and result.json beside it: the same bytes for the same input.</summary>
    public static async Task SaveAsync(Comparison comparison, string typedOptions, IReadOnlyList<(string Name, string Value)> settings, string folder)
    {
        var document = Json(comparison, forFile: true);
        var (version, commit) = ExperimentOutput.Build();
        var report = new SimulationReport
        {
            TraceName = comparison.TraceName,
            Requests = comparison.Bound.Requests,
            Options = typedOptions,
            Settings = settings,
            Version = commit == "unknown" ? version : $"{version}, {commit[..Math.Min(8, commit.Length)]}",
            Document = document,
            Results = comparison.Ranked,
            Bound = comparison.Bound.Concurrency == 1 ? comparison.Bound : null,
            Prices = comparison.Prices,
            Sweep = Points(comparison, [.. comparison.SweepResults, .. comparison.Ranked.Select(r => (SweepFamily.Policy, r.Policy, r))]),
        };
        using var page = new StringWriter();
        HtmlReportWriter.Write(report, page);
        await WholeFile.WriteTextAsync(Path.Combine(folder, "report.html"), page.ToString()).ConfigureAwait(false);
        await WholeFile.WriteTextAsync(Path.Combine(folder, "result.json"), document + "\n").ConfigureAwait(false);
    }

    /// <summary>The document of <c>--json</c>; the file's has the sweeps besides, and not how long the runs took. The bound is the last of its results.</summary>
    public static string Json(Comparison comparison, bool forFile)
    {
        var measures = Measures.All(comparison.Prices);
        var verdict = comparison.Verdict;
        var document = new JsonObject
        {
            ["trace"] = comparison.TraceName,
            ["requests"] = comparison.Bound.Requests,
            ["results"] = new JsonArray(
            [
                .. comparison.Ranked.Select(r => Row(r.Policy, isBound: false, m => m.Of(r), r.Elapsed.TotalSeconds, r.Traffic)),
                Row(BoundName, isBound: true, m => m.OfBound(comparison.Bound), elapsedSeconds: null),
            ]),
            ["bestBy"] = new JsonArray(
            [
                .. verdict.BestBy.Select(b => new JsonObject
                {
                    ["measure"] = b.Measure.Name,
                    ["policy"] = b.Result.Policy,
                    ["value"] = b.Measure.Of(b.Result),
                    ["bound"] = b.Bound,
                }),
            ]),
            ["cheapest"] = new JsonArray(
            [
                .. verdict.Cheapest.Select(c => new JsonObject { ["policy"] = c.Policy, ["fromPriceGbs"] = c.FromPriceGbs, ["toPriceGbs"] = c.ToPriceGbs }),
            ]),
            ["boundHolds"] = ClairvoyantBound.Holds(comparison.Bound.Concurrency),
        };
        if (forFile)
        {
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

        JsonObject Row(string policy, bool isBound, Func<Measure, double?> valueOf, double? elapsedSeconds, WorkerTraffic? traffic = null)
        {
            var row = new JsonObject { ["policy"] = policy, ["isBound"] = isBound };
            foreach (var measure in measures)
            {
                row[measure.Name] = valueOf(measure);
            }

            if (!forFile)
            {
                row["elapsedSeconds"] = elapsedSeconds;
            }

            if (traffic is not null)
            {
                row["traffic"] = JsonSerializer.SerializeToNode(traffic, Camel);
            }

            return row;
        }
    }

    /// <summary>The table on standard output, the bound as its last row, and what follows from it in sentences.</summary>
    public static void Print(Comparison comparison)
    {
        Print(comparison.TraceName, comparison.Ranked, comparison.Bound, Measures.Shown(comparison.Prices, comparison.SortBy));
        if (comparison.Results.Count > 1)
        {
            foreach (var sentence in comparison.Verdict.Sentences())
            {
                Console.WriteLine(sentence);
            }
        }

        foreach (var run in comparison.Ranked.Where(r => r.Traffic is not null))
        {
            var (sent, per) = (run.Traffic!, 1e6 / Math.Max(1, run.Score.Requests));
            Console.WriteLine(Invariant(
                $"{run.Policy}, per million requests: {sent.Reports * per:N0} reports, {sent.Beats * per:N0} beats, {sent.Reads * per:N0} reads, {sent.Orchestrations * per:N0} orchestrations, {sent.ForwardedReleases * per:N0} forwarded releases."));
        }

        Console.WriteLine(ClairvoyantBound.Holds(comparison.Bound.Concurrency));
    }

    /// <summary>The table on standard output.</summary>
    /// <param name="traceName">The trace.</param>
    /// <param name="results">The rows, in their order; at least one.</param>
    /// <param name="bound">The last row; null for none.</param>
    /// <param name="measures">The columns, the most important first.</param>
    public static void Print(string traceName, IReadOnlyList<VirtualResult> results, ClairvoyantBound? bound, IReadOnlyList<Measure> measures)
    {
        var table = new TextTable(
            Invariant($"{traceName}: {bound?.Requests ?? results[0].Score.Requests:N0} requests"),
            [new("policy", IsNumber: false), .. measures.Select((m, i) => new TextColumn(m.Title, LeaveOut: LeaveOut(m, i)))]);
        foreach (var r in results)
        {
            table.Add([r.Policy, .. measures.Select(m => m.Write(m.Of(r)))]);
        }

        if (bound is not null)
        {
            table.Add([$"{BoundName} (bound)", .. measures.Select(m => m.OfBound(bound) is { } value ? m.Write(value) : "")]);
        }

        table.Write();

        // What it is sorted by stands first, or second beside the score; what the others weigh stands longest.
        static int LeaveOut(Measure measure, int index) => index < 2 || measure.Name is "cost" or "money" ? 0 : measure.Name switch
        {
            "wastedGbSeconds" or "coldStartShare" => 1,
            "resourceScore" or "scheduleP95Ms" => 2,
            "latencyScore" or "scheduleMeanMs" => 3,
            _ => 4,
        };
    }

    private static IReadOnlyList<SweepPoint> Points(
        Comparison comparison, IReadOnlyList<(SweepFamily Family, string Label, VirtualResult Result)> runs) =>
        ParetoSweep.Points(comparison.SweepResults.Single(s => s.Result.Policy == ParetoSweep.ReferencePolicy).Result, runs);

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
