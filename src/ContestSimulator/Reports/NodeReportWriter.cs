using FuncScaler.ContestSimulator.Nodes;
using static FuncScaler.ContestSimulator.Reports.TimeChart;

namespace FuncScaler.ContestSimulator.Reports;

/// <summary>The 2020 contest's runs as one page that loads nothing: the number of nodes over time for each scheduler, with its score.</summary>
public static class NodeReportWriter
{
    /// <summary>Writes the page.</summary>
    /// <param name="groups">For each load and pair of weights a heading, how long its runs last in µs, and the runs with their scores, the bound last.</param>
    /// <param name="output">Where to.</param>
    public static void Write(IReadOnlyList<(string Heading, long LengthUs, IReadOnlyList<(NodeResult Result, double Score)> Runs)> groups, TextWriter output)
    {
        ArgumentNullException.ThrowIfNull(groups);
        ArgumentNullException.ThrowIfNull(output);
        var html = new HtmlWriter(output);
        html.Raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
        html.Raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n");
        html.Raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>Nodes over time – FuncScaler</title>\n<style>\n");
        html.Raw(HtmlReportWriter.Style);
        html.Raw("</style>\n</head>\n<body>\n<main>\n<h1>Nodes over time</h1>\n<p>The 2020 contest in virtual time. Lower scores are better; the baseline has 1.</p>\n");
        var id = 0;
        foreach (var (heading, lengthUs, runs) in groups)
        {
            html.Write($"<h2>{heading}</h2>\n");
            html.Raw("<div class=\"charts\" style=\"display:grid;grid-template-columns:repeat(auto-fill,minmax(22rem,1fr));gap:1rem\">\n");
            var highest = runs.Max(r => r.Result.MostNodes);
            foreach (var (result, score) in runs)
            {
                html.Write($"<figure><figcaption>{result.Scheduler}: {score:0.000}, {result.NodeSeconds:0} node·s</figcaption>\n");
                Chart(html, result, lengthUs, highest, $"n{id++}");
                html.Raw("</figure>\n");
            }

            html.Raw("</div>\n");
        }

        html.Raw("</main>\n</body>\n</html>\n");
    }

    private static void Chart(HtmlWriter html, NodeResult result, long lengthUs, int highest, string id)
    {
        var xAxis = Axis.UpTo(lengthUs / 60e6, 6);
        var yAxis = Axis.Around(0, Math.Max(1, highest), 4, smallestStep: 1);
        html.Write(
            $"""
            <svg class="chart" viewBox="0 0 {Width} {Height}" role="img" aria-labelledby="{id}-t {id}-d">
            <title id="{id}-t">Nodes over time with {result.Scheduler}</title>
            <desc id="{id}-d">At most {result.MostNodes} at one time; on average {result.NodeSeconds / Math.Max(1, lengthUs / 1e6):0.0}.</desc>
            <g class="grid">
            """);
        TimeChart.Grid(html, yAxis);
        foreach (var tick in xAxis.Ticks().Where(t => xAxis.Place(t, Left, Right) < LastTick))
        {
            html.Write($"""<text x="{xAxis.Place(tick, Left, Right):0.#}" y="{Bottom + 18}" text-anchor="middle">{xAxis.Label(tick)}</text>""");
        }

        html.Write($"""<text x="{Right}" y="{Bottom + 18}" text-anchor="end">min</text></g>""");
        html.Write($"""<path class="existing" d="M{Left} {Bottom}""");
        var lastX = -1.0;
        foreach (var (atUs, nodes) in result.NodeCounts)
        {
            var x = Math.Round(Math.Min(Right, xAxis.Place(atUs / 60e6, Left, Right)), 1);

            // The bound changes with every request: what falls on one tenth of a pixel is drawn once.
            if (x > lastX)
            {
                html.Write($"H{x:0.#}V{yAxis.Place(nodes, Bottom, Top):0.#}");
                lastX = x;
            }
        }

        html.Write($"""H{Right}V{Bottom}Z"/><line class="axis" x1="{Left}" x2="{Right}" y1="{Bottom}" y2="{Bottom}"/></svg>""");
        html.Raw("\n");
    }
}
