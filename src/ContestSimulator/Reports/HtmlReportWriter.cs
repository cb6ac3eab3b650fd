using System.Security.Cryptography;
using System.Text;
using FuncScaler.ContestSimulator.Virtual;

namespace FuncScaler.ContestSimulator.Reports;

/// <summary>
/// Writes a <see cref="SimulationReport"/> as one HTML file that needs nothing else: no network, no fonts, and no script to be read.
/// The same report gives the same bytes. The file is well-formed XML too.
/// </summary>
public static class HtmlReportWriter
{
    /// <summary>Writes the report.</summary>
    public static void Write(SimulationReport report, TextWriter output)
    {
        ArgumentNullException.ThrowIfNull(report);
        ArgumentNullException.ThrowIfNull(output);
        var html = new HtmlWriter(output);
        VirtualResult[] ranked = [.. report.Results.OrderByDescending(r => r.Score.Total)];
        WriteHead(html, report);
        html.Raw("<body>\n<main>\n");
        WriteSummary(html, report, ranked);
        WriteScores(html, report, ranked);
        WriteFigures(html, report, ranked);
        WriteOverTime(html, ranked);
        WriteWaits(html, ranked);
        if (report.Sweep.Count > 0)
        {
            WritePareto(html, report.Sweep);
        }

        WritePolicies(html, report, ranked);
        html.Raw("</main>\n<script>");
        html.Raw(Script);
        html.Raw("</script>\n</body>\n</html>\n");
    }

    private const string BoundName = "clairvoyant";

    internal static string Style { get; } = Resource("report.css");

    private static string Script { get; } = Resource("report.js");

    // The page may run this one script and load nothing at all, whatever a function is called.
    private static string ContentSecurityPolicy { get; } =
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        + $"script-src 'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Script)))}'";

    private static string Resource(string name)
    {
        using var stream = typeof(HtmlReportWriter).Assembly.GetManifestResourceStream(typeof(HtmlReportWriter), name)
            ?? throw new InvalidOperationException($"The assembly carries no {name}.");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }

    private static void WriteHead(HtmlWriter html, SimulationReport report)
    {
        html.Write(
            $"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8"/>
            <meta http-equiv="Content-Security-Policy" content="{ContentSecurityPolicy}"/>
            <meta name="viewport" content="width=device-width, initial-scale=1"/>
            <meta name="color-scheme" content="light dark"/>
            <meta name="generator" content="FuncScaler"/>
            <link rel="icon" href="data:,"/>
            <title>{report.TraceName} – FuncScaler simulation</title>
            <style>

            """);
        html.Raw(Style);
        html.Raw("</style>\n</head>\n");
    }

    private static void WriteSummary(HtmlWriter html, SimulationReport report, VirtualResult[] ranked)
    {
        html.Write(
            $"""
            <header>
            <p class="kicker">FuncScaler simulation</p>
            <h1><bdi>{report.TraceName}</bdi></h1>

            """);
        if (ranked is [var best, ..])
        {
            html.Write($"""<p class="lead"><strong><bdi>{best.Policy}</bdi></strong> scores <strong>{best.Score.Total:0.0}</strong> of 100""");
            if (ranked.Length > 1)
            {
                html.Write($""", the most of {ranked.Length} policies""");
            }

            if (report.Bound is { } bound)
            {
                html.Write($"""; the bound is {bound.Score:0.0}""");
            }

            html.Raw(".</p>\n");
        }

        html.Write($"""<dl class="facts"><div><dt>Requests</dt><dd>{report.Requests:#,0}</dd></div>""");
        if (ranked is [var any, ..])
        {
            html.Write(
                $"""<div><dt>Functions</dt><dd>{any.Functions.Count:#,0}</dd></div><div><dt>Last request ended after</dt><dd>{Duration(any.EndUs)}</dd></div>""");
        }

        html.Write(
            $"""
            <div><dt>Version</dt><dd>{report.Version}</dd></div>
            """);
        foreach (var (name, value) in report.Settings)
        {
            html.Write($"""<div><dt>{name}</dt><dd>{value}</dd></div>""");
        }

        html.Write(
            $"""
            </dl>
            <p class="options"><code>{report.Options}</code></p>

            """);
        if (report.Document is { } document)
        {
            html.Write($"""<p class="download"><a download="result.json" href="data:application/json;base64,{Convert.ToBase64String(Encoding.UTF8.GetBytes(document))}">Save the figures as JSON</a></p>""");
        }

        html.Raw("</header>\n");
    }

    private static void WriteScores(HtmlWriter html, SimulationReport report, VirtualResult[] ranked)
    {
        html.Raw(
            """
            <section aria-labelledby="scores">
            <h2 id="scores">Scores</h2>
            <p>The score is the sum of two halves of 50: how much of the memory paid for was execution, and how much of the callers’ time was.</p>
            <p class="legend"><span class="item"><span class="key resource"></span>resource score</span> <span class="item"><span class="key latency"></span>latency score</span>
            """);
        if (report.Bound is not null)
        {
            html.Raw(" <span class=\"item\"><span class=\"key bound\"></span>upper bound on this trace</span>");
        }

        html.Raw("</p>\n<ol class=\"bars\">\n");
        if (report.Bound is { } bound)
        {
            WriteBar(html, report.Bound, BoundName, bound.Score, bound.ResourceScore, bound.LatencyScore, "bound-row");
        }

        foreach (var result in ranked)
        {
            WriteBar(html, report.Bound, result.Policy, result.Score.Total, result.Score.ResourceScore, result.Score.LatencyScore, null);
        }

        html.Raw("""<li class="scale" aria-hidden="true"><span class="name"></span><svg class="bar"><g class="ticks">""");
        foreach (var tick in (int[])[0, 25, 50, 75, 100])
        {
            html.Write($"""<line x1="{tick}%" x2="{tick}%" y1="0" y2="4"/><text x="{tick}%" y="16" text-anchor="{(tick == 0 ? "start" : tick == 100 ? "end" : "middle")}">{tick}</text>""");
        }

        html.Raw("</g></svg><span class=\"sum\"></span></li>\n</ol>\n");
    }

    private static void WriteBar(
        HtmlWriter html, ClairvoyantBound? bound, string name, double score, double resource, double latency, string? rowClass)
    {
        html.Write(
            $"""
            <li class="{rowClass ?? "row"}"><span class="name"><bdi>{name}</bdi></span><svg class="bar" role="img"><title>{name}: {score:0.0} of 100, resource score {resource:0.0} of 50, latency score {latency:0.0} of 50</title>
            """);
        foreach (var tick in (int[])[0, 25, 50, 75, 100])
        {
            html.Write($"""<line class="gridline" x1="{tick}%" x2="{tick}%" y1="0" y2="100%"/>""");
        }

        // A score without its halves is one that too many failed requests have cost: shown, but faintly.
        html.Raw(score > 0 || resource + latency == 0 ? "<g>" : "<g class=\"void\">");
        html.Write($"""<rect class="resource" x="0" y="5" width="{resource}%" height="18"/><rect class="latency" x="{resource}%" y="5" width="{latency}%" height="18"/></g>""");
        if (bound is not null)
        {
            html.Write($"""<line class="bound" x1="{bound.Score}%" x2="{bound.Score}%" y1="0" y2="100%"/>""");
        }

        html.Write($"""</svg><span class="sum"><b>{score:0.0}</b> <small>{resource:0.0} + {latency:0.0}</small></span></li>""");
        html.Raw("\n");
    }

    private static void WriteFigures(HtmlWriter html, SimulationReport report, VirtualResult[] ranked)
    {
        html.Raw(
            """
            <p class="caption" id="figures">Figures of the policies. The times in ms are what a caller waits for Assign and Idle together.</p>
            <div class="scroll" role="region" aria-labelledby="figures" tabindex="0"><table class="sortable figures" aria-labelledby="figures">
            <thead><tr><th scope="col">policy</th>
            """);
        var measures = Measures.All(report.Prices);
        foreach (var measure in measures)
        {
            html.Write($"""<th scope="col">{measure.Title}</th>""");
        }

        html.Raw("</tr></thead>\n<tbody>\n\n");
        if (report.Bound is { } bound)
        {
            html.Write($"""<tr class="bound-row"><th scope="row"><bdi>{BoundName}</bdi></th>""");
            foreach (var measure in measures)
            {
                html.Write($"""<td>{(measure.OfBound(bound) is { } value ? measure.Write(value) : "–")}</td>""");
            }

            html.Raw("</tr>\n");
        }

        foreach (var result in ranked)
        {
            html.Write($"""<tr><th scope="row"><bdi>{result.Policy}</bdi></th>""");
            foreach (var measure in measures)
            {
                html.Write($"""<td>{measure.Write(measure.Of(result))}</td>""");
            }

            html.Raw("</tr>\n");
        }

        html.Raw("</tbody></table></div>\n");
        if (report.Bound is not null && ranked.Length > 1)
        {
            foreach (var sentence in Verdict.Of(ranked, report.Bound, report.Prices).Sentences())
            {
                html.Write($"""<p>{sentence}</p>""");
                html.Raw("\n");
            }
        }

        html.Raw("</section>\n");
    }

    private static void WriteOverTime(HtmlWriter html, VirtualResult[] ranked)
    {
        if (ranked.All(r => r.Scores.Count < 2))
        {
            return;
        }

        html.Write($"""
            <section aria-labelledby="over-time">
            <h2 id="over-time">Score over time</h2>
            <p>What each run would have scored had it ended then. It ends with the tail, in which nothing executes.{Which(ranked)}</p>

            """);
        var hours = ranked[0].Scores[^1].AtUs > 2 * 3_600_000_000L;
        new LineChart("Score over time", hours ? "hours since the first request" : "seconds since the first request", Logarithmic: false).Write(
            html, [.. Drawn(ranked).Select(r => (r.Policy, (IReadOnlyList<(double, double)>)[.. r.Scores.Select(s => (s.AtUs / (hours ? 3.6e9 : 1e6), s.Score.Total))]))], "over-time", upTo: null);
        html.Raw("</section>\n");
    }

    private static void WriteWaits(HtmlWriter html, VirtualResult[] ranked)
    {
        if (ranked.All(r => r.ScheduleTimes.Count == 0))
        {
            return;
        }

        // A logarithmic axis has no zero: what waits less than a tenth of a millisecond stands there.
        html.Write($"""
            <section aria-labelledby="waits">
            <h2 id="waits">Waits</h2>
            <p>The share of requests that wait no longer, in Assign and Idle together. Upper left is better.{Which(ranked)}</p>
            <p class="unit">requests, %</p>

            """);
        double[] shares = [.. Enumerable.Range(0, 100).Select(i => i / 100.0), 0.995, 0.999, 1];
        new LineChart("Distribution of waits", "wait, ms", Logarithmic: true).Write(
            html, [.. Drawn(ranked).Select(r => (r.Policy, (IReadOnlyList<(double, double)>)[.. shares.Select(s => (Math.Max(0.1, r.ScheduleTimes.PercentileMs(s)), 100 * s))]))], "waits", upTo: 100);
        html.Raw("</section>\n");
    }

    private static IEnumerable<VirtualResult> Drawn(VirtualResult[] ranked) => ranked.Take(LineChart.MostLines);

    private static string Which(VirtualResult[] ranked) => ranked.Length > LineChart.MostLines ? FormattableString.Invariant($" The best {LineChart.MostLines} of {ranked.Length} policies are drawn.") : "";

    private static void WritePareto(HtmlWriter html, IReadOnlyList<SweepPoint> points)
    {
        var byWait = ParetoChart.IsByWait(points);
        html.Write(
            $"""
            <section aria-labelledby="pareto">
            <h2 id="pareto">{(byWait ? "Mean wait" : "Cold starts")} against wasted memory</h2>
            <p>{(byWait ? "Three quarters of the functions have the same share of cold starts in every run, so the mean wait stands across" : "Three quarters of the functions have at most this share of cold starts")}; wasted memory is what was paid and did not execute, relative to keeping every instance for 10 minutes. Lower left is better.</p>
            <p class="legend">
            """);
        foreach (var family in points.Where(ParetoChart.IsDrawn).Select(p => p.Family).Distinct().Order())
        {
            html.Raw("<span class=\"item\"><svg class=\"key\" viewBox=\"-8 -8 16 16\" aria-hidden=\"true\">" + ParetoChart.Mark(family) + "</svg>");
            html.Write($"""{ParetoChart.Name(family)}</span> """);
        }

        html.Raw(
            """
            <span class="item"><svg class="key" viewBox="0 0 16 16" aria-hidden="true"><line class="front" x1="0" x2="16" y1="8" y2="8"/></svg>Pareto front: no run is better by both</span>
            </p>
            <p class="unit">wasted memory, % of a 10-minute keep-alive</p>
            <div class="wide">
            """);
        ParetoChart.Write(html, points, "pareto-wide", 860, 470);
        html.Raw("</div>\n<div class=\"narrow\">");
        ParetoChart.Write(html, points, "pareto-narrow", 350, 440);
        html.Raw(
            """
            </div>
            <details><summary>Figures of the plot</summary>
            <div class="scroll" role="region" aria-label="Figures of the plot" tabindex="0"><table class="sortable">
            <thead><tr><th scope="col">Run</th><th scope="col">Family</th><th scope="col">p75 cold-start share, %</th><th scope="col">Mean wait, ms</th><th scope="col">Wasted memory, %</th></tr></thead>
            <tbody>

            """);
        foreach (var point in points)
        {
            html.Write($"""<tr><th scope="row"><bdi>{point.Label}</bdi></th><td class="text">{ParetoChart.Name(point.Family)}</td><td>{point.P75ColdShare * 100:0.00}</td><td>{point.MeanWaitMs:#,0.0}</td><td>{point.WastedMemoryRelative * 100:#,0.0}</td></tr>""");
            html.Raw("\n");
        }

        html.Raw("</tbody></table></div></details>\n</section>\n");
    }

    private static void WritePolicies(HtmlWriter html, SimulationReport report, VirtualResult[] ranked)
    {
        html.Raw(
            """
            <section aria-labelledby="functions" class="policies">
            <h2 id="functions">Functions</h2>
            <p>Each policy, the best first: instances over time of its busiest functions, and what it has come to for each function.</p>

            """);
        // One scale per function over all policies, so that the eye can compare them.
        var highest = ranked.SelectMany(r => r.Series)
            .GroupBy(s => s.Function.Key)
            .ToDictionary(g => g.Key, g => g.Max(s => Enumerable.Range(0, s.ExistingUs.Count).Select(s.MeanExisting).DefaultIfEmpty().Max()));
        for (var i = 0; i < ranked.Length; i++)
        {
            var result = ranked[i];
            html.Write($"""<details class="policy"{(i == 0 ? " open=" : "")}""");
            html.Raw(i == 0 ? "\"open\">" : ">");
            html.Write($"""<summary><h3><bdi>{result.Policy}</bdi></h3> <span>{result.Score.Total:0.0}</span></summary>""");
            html.Raw("\n");
            if (result.Series.Count > 0)
            {
                WriteSeries(html, result, highest, i);
            }

            WriteFunctions(html, report, result, i);
            html.Raw("</details>\n");
        }

        html.Raw("</section>\n");
    }

    private static void WriteSeries(HtmlWriter html, VirtualResult result, Dictionary<MetaKey, double> highest, int index)
    {
        html.Write(
            $"""
            <p class="legend"><span class="item"><span class="key existing"></span>existing, paid</span> <span class="item"><span class="key busy"></span>busy with a request</span> <span class="item"><span class="key reference"></span>last request ended</span></p>
            <p class="unit">instances, mean of every {Duration(result.Series[0].BucketUs)}</p>
            <div class="series">

            """);
        for (var i = 0; i < result.Series.Count; i++)
        {
            var series = result.Series[i];
            html.Write(
                $"""
                <figure><figcaption><b><bdi>{series.Function.Key.Value}</bdi></b> <span>{series.Function.MemoryMb:#,0} MB, peak {series.PeakInstances:#,0}</span></figcaption>

                """);
            InstanceChart.Write(html, series, result.Policy, highest[series.Function.Key], result.EndUs, $"s{index}-{i}");
            html.Raw("</figure>\n");
        }

        html.Raw("</div>\n");
    }

    private static void WriteFunctions(HtmlWriter html, SimulationReport report, VirtualResult result, int index)
    {
        FunctionOutcome[] busiest = [.. result.Functions.OrderByDescending(f => f.ExecutionGbSeconds).ThenByDescending(f => f.Requests)];
        var named = Math.Min(busiest.Length, Math.Max(1, report.MaxFunctionRows));
        html.Write(
            $"""
            <p class="caption" id="f{index}">Functions with <bdi>{result.Policy}</bdi>, the busiest first{(named < busiest.Length ? $": {named} of {busiest.Length}" : "")}</p>
            <div class="scroll" role="region" aria-labelledby="f{index}" tabindex="0"><table class="sortable filterable" aria-labelledby="f{index}">
            <thead><tr><th scope="col">Function</th><th scope="col">Memory, MB</th><th scope="col">Requests</th><th scope="col">Cold starts</th><th scope="col">Cold starts, %</th><th scope="col">Wait, s</th><th scope="col">Execution, GB·s</th><th scope="col">Slot, GB·s</th><th scope="col">Use, %</th><th scope="col">Peak instances</th></tr></thead>
            <tbody>

            """);
        foreach (var function in busiest.AsSpan(0, named))
        {
            html.Write($"""<tr><th scope="row"><bdi>{function.Function.Key.Value}</bdi></th><td>{function.Function.MemoryMb:#,0}</td>""");
            WriteOutcome(html, function.Requests, function.ColdStarts, function.WaitSeconds, function.ExecutionGbSeconds, function.SlotGbSeconds);
            html.Write($"""<td>{function.PeakInstances:#,0}</td></tr>""");
            html.Raw("\n");
        }

        html.Raw("</tbody>\n");
        if (named < busiest.Length)
        {
            var others = busiest[named..];
            html.Write($"""<tfoot><tr><th scope="row">{others.Length:#,0} {(others.Length == 1 ? "other" : "others")}</th><td>–</td>""");
            WriteOutcome(
                html,
                others.Sum(f => f.Requests),
                others.Sum(f => f.ColdStarts),
                others.Sum(f => f.WaitSeconds),
                others.Sum(f => f.ExecutionGbSeconds),
                others.Sum(f => f.SlotGbSeconds));
            html.Raw("<td>–</td></tr></tfoot>\n");
        }

        html.Raw("</table></div>\n");
    }

    private static void WriteOutcome(HtmlWriter html, long requests, long coldStarts, double waitSeconds, double executed, double paid)
    {
        var coldShare = requests == 0 ? 0 : (double)coldStarts / requests;
        var use = paid > 0 ? executed / paid : 0;
        html.Write($"""<td>{requests:#,0}</td><td>{coldStarts:#,0}</td><td>{coldShare * 100:0.0}</td><td>{waitSeconds:#,0.0}</td><td>{executed:#,0.0}</td><td>{paid:#,0.0}</td><td>{use * 100:0.0}</td>""");
    }

    private static string Duration(long us) => us switch
    {
        < 1_000_000 => FormattableString.Invariant($"{us / 1e3:0.#} ms"),
        < 180_000_000 => FormattableString.Invariant($"{us / 1e6:0.##} s"),
        < 180 * 60_000_000L => FormattableString.Invariant($"{us / 60e6:0.#} min"),
        < 72 * 3_600_000_000L => FormattableString.Invariant($"{us / 3600e6:0.#} h"),
        _ => FormattableString.Invariant($"{us / 86_400e6:0.#} days"),
    };
}
