using System.Globalization;

namespace FuncScaler.ContestSimulator.Reports;

/// <summary>Lines over an axis, one for each policy, as SVG of a given size: one for wide windows, one for phones.</summary>
/// <param name="Title">What it shows, for those who hear it.</param>
/// <param name="Across">What the horizontal axis counts.</param>
/// <param name="Logarithmic">Whether it counts in powers of ten.</param>
internal sealed record LineChart(string Title, string Across, bool Logarithmic)
{
    /// <summary>The most lines that can be told apart.</summary>
    public const int MostLines = 8;

    /// <summary>Writes legend and chart.</summary>
    /// <param name="html">To where.</param>
    /// <param name="lines">The lines, at most <see cref="MostLines"/>, each with points from left to right.</param>
    /// <param name="id">A prefix for ids, unique in the document.</param>
    /// <param name="upTo">The end of the vertical axis, which begins at 0; null for one that ends a little above the highest point.</param>
    public void Write(HtmlWriter html, IReadOnlyList<(string Name, IReadOnlyList<(double X, double Y)> Points)> lines, string id, double? upTo)
    {
        html.Raw("<p class=\"legend\">");
        for (var i = 0; i < lines.Count; i++)
        {
            html.Write($"""<span class="item"><svg class="key" viewBox="0 0 16 16" aria-hidden="true"><line class="line l{i}" x1="0" x2="16" y1="8" y2="8"/></svg><bdi>{lines[i].Name}</bdi></span> """);
        }

        html.Raw("</p>\n<div class=\"wide\">");
        Write(html, lines, id + "-wide", upTo, 860, 320);
        html.Raw("</div>\n<div class=\"narrow\">");
        Write(html, lines, id + "-narrow", upTo, 350, 260);
        html.Raw("</div>\n");
    }

    private void Write(HtmlWriter html, IReadOnlyList<(string Name, IReadOnlyList<(double X, double Y)> Points)> lines, string id, double? upTo, double width, double height)
    {
        var (left, right, top, bottom) = (46.0, width - 16, 10.0, height - 46);
        var all = lines.SelectMany(l => l.Points).ToList();
        var (low, high) = all.Count == 0 ? (0, 1) : (Scaled(all.Min(p => p.X)), Scaled(all.Max(p => p.X)));
        var xAxis = Logarithmic ? new Axis(Math.Floor(low), Math.Max(Math.Floor(low) + 1, high), width < 500 && high - low > 4 ? 2 : 1) : Axis.UpTo(high, width > 500 ? 8 : 4);
        var yAxis = Axis.Around(0, upTo ?? (all.Count == 0 ? 1 : Math.Max(1, 1.04 * all.Max(p => p.Y))), 5);
        html.Write(
            $"""
            <svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{id}-t"><title id="{id}-t">{Title}</title>
            <g class="grid">
            """);
        foreach (var tick in yAxis.Ticks())
        {
            var y = yAxis.Place(tick, bottom, top);
            html.Write($"""<line x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>""");
        }

        html.Raw("</g><g class=\"ticks\">");
        foreach (var tick in yAxis.Ticks())
        {
            html.Write($"""<text x="{left - 7}" y="{yAxis.Place(tick, bottom, top) + 4}" text-anchor="end">{yAxis.Label(tick)}</text>""");
        }

        foreach (var tick in xAxis.Ticks())
        {
            var x = xAxis.Place(tick, left, right);
            var label = Logarithmic ? Math.Pow(10, tick).ToString("#,0.#####", CultureInfo.InvariantCulture) : xAxis.Label(tick);
            html.Write($"""<line x1="{x}" x2="{x}" y1="{bottom}" y2="{bottom + 4}"/><text x="{x}" y="{bottom + 18}" text-anchor="{(x > right - 20 ? "end" : "middle")}">{label}</text>""");
        }

        html.Write(
            $"""
            </g>
            <line class="axis" x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}"/>
            <text class="axis-title" x="{right}" y="{height - 8}" text-anchor="end">{Across}</text>

            """);
        for (var i = 0; i < lines.Count; i++)
        {
            html.Write($"""<polyline class="line l{i}" points=""");
            html.Raw("\"");
            foreach (var (x, y) in lines[i].Points)
            {
                html.Write($"{xAxis.Place(Scaled(x), left, right):0.#},{yAxis.Place(y, bottom, top):0.#} ");
            }

            html.Write($"""
                "><title>{lines[i].Name}</title></polyline>

                """);
        }

        html.Raw("</svg>");
    }

    private double Scaled(double x) => Logarithmic ? Math.Log10(x) : x;
}
