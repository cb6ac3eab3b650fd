namespace FuncScaler.ContestSimulator.Reports;

/// <summary>What the charts over time share: their size, the grid, and the numbers at the left.</summary>
internal static class TimeChart
{
    public const double Width = 360;
    public const double Height = 164;
    public const double Left = 38;
    public const double Right = 350;
    public const double Top = 10;
    public const double Bottom = 134;

    /// <summary>The unit stands at the right end of the horizontal axis; a number there would run into it.</summary>
    public const double LastTick = Right - 26;

    /// <summary>Closes the group of grid lines that is open, and opens the one of numbers, which the caller closes.</summary>
    public static void Grid(HtmlWriter html, Axis yAxis)
    {
        foreach (var tick in yAxis.Ticks())
        {
            html.Write($"""<line x1="{Left}" x2="{Right}" y1="{yAxis.Place(tick, Bottom, Top):0.#}" y2="{yAxis.Place(tick, Bottom, Top):0.#}"/>""");
        }

        html.Raw("</g><g class=\"ticks\">");
        foreach (var tick in yAxis.Ticks())
        {
            html.Write($"""<text x="{Left - 6}" y="{yAxis.Place(tick, Bottom, Top) + 4:0.#}" text-anchor="end">{yAxis.Label(tick)}</text>""");
        }
    }
}
