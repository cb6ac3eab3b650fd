using System.Globalization;

namespace FuncScaler.ContestSimulator.Reports;

/// <summary>The scatter of cold starts against wasted memory, as SVG of a given size: one for wide windows, one for phones.</summary>
internal static class ParetoChart
{
    private const double FontSize = 12;
    private const double Radius = 4.5;

    /// <summary>Writes the chart.</summary>
    /// <param name="html">To where.</param>
    /// <param name="points">The points; those that are not finite are left out.</param>
    /// <param name="id">A prefix for ids, unique in the document.</param>
    /// <param name="width">The width in user units, which are about CSS pixels.</param>
    /// <param name="height">The height.</param>
    public static void Write(HtmlWriter html, IReadOnlyList<SweepPoint> points, string id, double width, double height)
    {
        var plot = new Box(46, 14, width - 46 - 16, height - 14 - 46);
        var right = plot.X + plot.Width;
        var bottom = plot.Y + plot.Height;
        SweepPoint[] drawn = [.. points.Where(IsDrawn)];
        var byWait = IsByWait(points);
        // Waits differ by powers of ten: policies that create for every request would crowd all others into a corner.
        double Across(SweepPoint point) => byWait ? Math.Log10(Math.Max(0.1, point.MeanWaitMs)) : 100 * point.P75ColdShare;
        var (low, high) = drawn.Length == 0 ? (0, 1) : (drawn.Min(Across), drawn.Max(Across));
        var margin = Math.Max(0.5, (high - low) * 0.06);
        var xAxis = byWait
            ? new Axis(Math.Floor(low), Math.Max(Math.Floor(low) + 1, high + 0.05), 1)
            : Axis.Around(Math.Max(0, low - margin), Math.Min(100, high + margin), width > 500 ? 8 : 4);
        var yAxis = Axis.Around(0, drawn.Length == 0 ? 100 : Math.Max(110, 104 * drawn.Max(p => p.WastedMemoryRelative)), 6);
        double X(SweepPoint point) => xAxis.Place(Across(point), plot.X, right);
        double Y(double relative) => yAxis.Place(100 * relative, bottom, plot.Y);

        html.Write(
            $"""
            <svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{id}-t {id}-d">
            <title id="{id}-t">{(byWait ? "Mean wait" : "Cold starts")} against wasted memory</title>
            <desc id="{id}-d">Scatter of {drawn.Length} runs. Across: {(byWait ? "the mean wait, ms" : "the 75th percentile over functions of the share of cold starts, percent")}. Up: wasted memory, percent of a 10-minute keep-alive. Lower left is better. The figures are in the table below the chart.</desc>
            <g class="grid">

            """);
        foreach (var tick in yAxis.Ticks())
        {
            html.Write($"""<line x1="{plot.X}" x2="{right}" y1="{Y(tick / 100)}" y2="{Y(tick / 100)}"/>""");
        }

        html.Raw("</g>\n<g class=\"ticks\">");
        foreach (var tick in yAxis.Ticks())
        {
            html.Write($"""<text x="{plot.X - 7}" y="{Y(tick / 100) + 4}" text-anchor="end">{yAxis.Label(tick)}</text>""");
        }

        foreach (var tick in xAxis.Ticks())
        {
            var x = xAxis.Place(tick, plot.X, right);
            html.Write($"""<line x1="{x}" x2="{x}" y1="{bottom}" y2="{bottom + 4}"/><text x="{x}" y="{bottom + 18}" text-anchor="middle">{(byWait ? Math.Pow(10, tick).ToString("#,0.#", CultureInfo.InvariantCulture) : xAxis.Label(tick))}</text>""");
        }

        var placer = new LabelPlacer(new Box(plot.X + 2, plot.Y, plot.Width + 12, plot.Height + 3), FontSize);
        const string reference = "10-minute keep-alive = 100 %";
        var referenceWidth = placer.WidthOf(reference);
        // At an end of its line, clear of points; a crowded plot has to do without.
        Box[] referencePlaces =
        [
            .. from referenceX in (double[])[right - referenceWidth, plot.X + 4]
               from referenceY in (double[])[Y(1) - 17, Y(1) + 4]
               let place = new Box(referenceX, referenceY, referenceWidth, 13)
               where !drawn.Any(p => place.Grow(10).Holds(X(p), Y(p.WastedMemoryRelative)))
               select place,
        ];

        html.Write(
            $"""
            </g>
            <line class="axis" x1="{plot.X}" x2="{right}" y1="{bottom}" y2="{bottom}"/>
            <line class="reference" x1="{plot.X}" x2="{right}" y1="{Y(1)}" y2="{Y(1)}"/>
            <text class="axis-title" x="{right}" y="{height - 8}" text-anchor="end">{(byWait ? "mean wait, ms" : "p75 of functions’ cold-start share, %")}</text>

            """);
        placer.Avoid(plot.X, Y(1), right, Y(1));
        if (referencePlaces is [var referenceBox, ..])
        {
            html.Write($"""<text class="note" x="{referenceBox.X}" y="{referenceBox.Y + 10}">{reference}</text>""");
            html.Raw("\n");
            placer.Block(referenceBox);
        }

        foreach (var point in drawn)
        {
            placer.Block(Box.At(X(point), Y(point.WastedMemoryRelative), Radius));
        }

        html.Write($"""<polyline class="front" points=""");
        html.Raw("\"");
        foreach (var point in drawn.Where(p => !drawn.Any(other => IsBetter(other, p))).OrderBy(Across).ThenByDescending(p => p.WastedMemoryRelative))
        {
            html.Write($"{X(point)},{Y(point.WastedMemoryRelative)} ");
        }

        html.Raw("\"/>\n");
        bool IsBetter(SweepPoint one, SweepPoint than) => Across(one) <= Across(than) && one.WastedMemoryRelative <= than.WastedMemoryRelative
            && (Across(one) < Across(than) || one.WastedMemoryRelative < than.WastedMemoryRelative);

        foreach (var family in drawn.Where(p => p.Family != SweepFamily.Policy).GroupBy(p => p.Family).OrderBy(g => g.Key))
        {
            html.Write($"""<polyline class="sweep {Class(family.Key)}" points=""");
            html.Raw("\"");
            SweepPoint? previous = null;
            foreach (var point in family)
            {
                html.Write($"{X(point)},{Y(point.WastedMemoryRelative)} ");
                if (previous is { } last)
                {
                    placer.Avoid(X(last), Y(last.WastedMemoryRelative), X(point), Y(point.WastedMemoryRelative));
                }

                previous = point;
            }

            html.Raw("\"/>\n");
        }

        // Labels after all points, so that none covers a point that comes later; the sweeps before the single policies.
        placer.Avoid(plot.X, bottom, right, bottom);
        SweepPoint[] sorted = [.. drawn.OrderBy(p => p.Family)];
        (double X, double Y)[] at = [.. sorted.Select(p => (X(p), Y(p.WastedMemoryRelative)))];
        var labelled = Labels(sorted, at);
        var places = placer.Place([.. labelled.Select(l => (at[l.Point].X, at[l.Point].Y, l.Text))]);
        var next = 0;
        for (var i = 0; i < sorted.Length; i++)
        {
            var hasLabel = next < labelled.Count && labelled[next].Point == i;
            WritePoint(html, sorted[i], at[i].X, at[i].Y, hasLabel ? places[next] : null, hasLabel ? labelled[next].Text : "");
            next += hasLabel ? 1 : 0;
        }

        html.Raw("</svg>\n");
    }

    /// <summary>
    /// Whether the horizontal axis is the mean wait: where functions are so rare, or so busy, that the cold-start shares of all runs are alike, they
    /// would stand above each other.
    /// </summary>
    public static bool IsByWait(IReadOnlyList<SweepPoint> points)
    {
        double[] shares = [.. points.Where(IsDrawn).Select(p => p.P75ColdShare)];
        return shares.Length > 1 && shares.Max() - shares.Min() < 0.0005;
    }

    public static bool IsDrawn(SweepPoint point) => double.IsFinite(point.P75ColdShare) && double.IsFinite(point.WastedMemoryRelative);

    public static string Class(SweepFamily family) => family switch
    {
        SweepFamily.Fixed => "fixed",
        SweepFamily.Hybrid => "hybrid",
        _ => "single",
    };

    public static string Name(SweepFamily family) => family switch
    {
        SweepFamily.Fixed => "fixed keep-alive",
        SweepFamily.Hybrid => "hybrid histogram, by range",
        _ => "compared policies",
    };

    /// <summary>The mark of a family around 0, 0, for the plot and its legend: told apart by shape, not by colour alone.</summary>
    public static string Mark(SweepFamily family) => family switch
    {
        SweepFamily.Fixed => """<circle class="mark fixed" r="4.5"/>""",
        SweepFamily.Hybrid => """<path class="mark hybrid" d="M0 -5.6L5.6 0L0 5.6L-5.6 0Z"/>""",
        _ => """<rect class="mark single" x="-4" y="-4" width="8" height="8"/>""",
    };

    /// <summary>What to write at which point: runs of a sweep that come to the same share a label, "45 min – 120 min".</summary>
    private static List<(int Point, string Text)> Labels(SweepPoint[] points, (double X, double Y)[] at)
    {
        var labels = new List<(int Point, string Text)>();
        for (var i = 0; i < points.Length; i++)
        {
            var first = i;
            while (points[first].Family != SweepFamily.Policy
                && i + 1 < points.Length
                && points[i + 1].Family == points[first].Family
                && Math.Max(Math.Abs(at[i + 1].X - at[first].X), Math.Abs(at[i + 1].Y - at[first].Y)) < Radius / 2)
            {
                i++;
            }

            labels.Add((first, first == i ? Short(points[i].Label) : $"{Short(points[first].Label)} – {Short(points[i].Label)}"));
        }

        return labels;
    }

    private static void WritePoint(HtmlWriter html, SweepPoint point, double x, double y, Box? place, string label)
    {
        if (place is { } far)
        {
            var (toX, toY) = far.Nearest(x, y);
            if (Math.Sqrt(((toX - x) * (toX - x)) + ((toY - y) * (toY - y))) > 12)
            {
                html.Write($"""<line class="leader" x1="{x}" y1="{y}" x2="{toX}" y2="{toY}"/>""");
            }
        }

        html.Write($"""<g transform="translate({x} {y})"><title>{Name(point.Family)}, {point.Label}: p75 cold-start share {point.P75ColdShare * 100:0.0} %, mean wait {point.MeanWaitMs:#,0.0} ms, wasted memory {point.WastedMemoryRelative * 100:#,0} %</title>""");
        html.Raw(Mark(point.Family));
        html.Raw("</g>");
        if (place is { } box)
        {
            html.Write($"""<text class="label {Class(point.Family)}" x="{box.X + (box.Width / 2)}" y="{box.Y + (FontSize * 0.92)}" text-anchor="middle">{label}</text>""");
        }

        html.Raw("\n");
    }

    private static string Short(string label) => label.Length <= 22 ? label : label[..(char.IsHighSurrogate(label[20]) ? 20 : 21)] + "…";
}
