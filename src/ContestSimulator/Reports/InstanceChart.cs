using FuncScaler.ContestSimulator.Virtual;
using static FuncScaler.ContestSimulator.Reports.TimeChart;

namespace FuncScaler.ContestSimulator.Reports;

/// <summary>Instances of one function over time, as SVG: what existed as an outline, what was busy filled.</summary>
internal static class InstanceChart
{
    /// <summary>Writes the chart.</summary>
    /// <param name="html">To where.</param>
    /// <param name="series">The series.</param>
    /// <param name="policy">The policy, for the description.</param>
    /// <param name="highest">The top of the vertical axis: the same for all policies of a function, so that they can be compared.</param>
    /// <param name="lastEndUs">When the last request ended.</param>
    /// <param name="id">A prefix for ids, unique in the document.</param>
    public static void Write(HtmlWriter html, InstanceSeries series, string policy, double highest, long lastEndUs, string id)
    {
        var (unitUs, unit) = UnitOf(series.EndUs);
        var xAxis = Axis.UpTo(series.EndUs / unitUs, 6);
        var yAxis = Axis.Around(0, highest, 3);
        html.Write(
            $"""
            <svg class="chart" viewBox="0 0 {Width} {Height}" role="img" aria-labelledby="{id}-t {id}-d">
            <title id="{id}-t">Instances of {series.Function.Key.Value} over time with {policy}</title>
            <desc id="{id}-d">At most {series.PeakInstances} at one time; on average {series.ExistingUs.Sum() / Math.Max(1.0, series.EndUs)} existed and {series.BusyUs.Sum() / Math.Max(1.0, series.EndUs)} were busy.</desc>
            <g class="grid">
            """);
        TimeChart.Grid(html, yAxis);
        foreach (var tick in xAxis.Ticks())
        {
            var x = xAxis.Place(tick, Left, Right);
            if (x < LastTick)
            {
                html.Write($"""<line x1="{x:0.#}" x2="{x:0.#}" y1="{Bottom}" y2="{Bottom + 4}"/><text x="{x:0.#}" y="{Bottom + 18}" text-anchor="middle">{xAxis.Label(tick)}</text>""");
            }
        }

        html.Write($"""<text x="{Right}" y="{Bottom + 18}" text-anchor="end">{unit}</text></g>""");
        html.Raw("\n");
        Area(html, "existing", series, series.MeanExisting, yAxis);
        Area(html, "busy", series, series.MeanBusy, yAxis);
        var lastX = series.EndUs == 0 ? Right : Left + ((double)lastEndUs / series.EndUs * (Right - Left));
        html.Write(
            $"""
            <line class="reference" x1="{lastX:0.#}" x2="{lastX:0.#}" y1="{Top - 4}" y2="{Bottom}"/>
            <line class="axis" x1="{Left}" x2="{Right}" y1="{Bottom}" y2="{Bottom}"/>
            </svg>

            """);
    }

    private static void Area(HtmlWriter html, string name, InstanceSeries series, Func<int, double> mean, Axis yAxis)
    {
        html.Write($"""<path class="{name}" d="M{Left} {Bottom}""");
        var lastY = Bottom;
        var x = Left;
        for (var bucket = 0; bucket < series.ExistingUs.Count; bucket++)
        {
            var y = Math.Round(yAxis.Place(mean(bucket), Bottom, Top), 1);
            if (y != lastY)
            {
                html.Write($"H{x:0.#}V{y:0.#}");
                lastY = y;
            }

            x = Left + ((double)Math.Min(series.EndUs, (bucket + 1) * series.BucketUs) / series.EndUs * (Right - Left));
        }

        html.Write($"""H{Right}V{Bottom}Z"/>""");
        html.Raw("\n");
    }

    private static (double Us, string Name) UnitOf(long endUs) => endUs switch
    {
        <= 180_000_000 => (1e6, "s"),
        <= 180 * 60_000_000L => (60e6, "min"),
        <= 72 * 3_600_000_000L => (3600e6, "h"),
        _ => (86_400e6, "days"),
    };
}
