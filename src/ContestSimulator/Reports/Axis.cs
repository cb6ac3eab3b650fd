using System.Globalization;

namespace FuncScaler.ContestSimulator.Reports;

/// <summary>A linear axis: values from <see cref="Low"/> to <see cref="High"/>, with ticks at round values.</summary>
internal readonly record struct Axis(double Low, double High, double Step)
{
    /// <summary>An axis that holds the values, with about that many steps of 1, 2 or 5 times a power of ten.</summary>
    public static Axis Around(double low, double high, int steps, double smallestStep = 0)
    {
        if (!(high > low))
        {
            high = low + 1;
        }

        var rough = (high - low) / steps;
        var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        var step = Math.Max(smallestStep, power * (rough / power) switch
        {
            <= 1.0001 => 1,
            <= 2.0001 => 2,
            <= 5.0001 => 5,
            _ => 10,
        });
        return new Axis(Math.Floor((low / step) + 1e-9) * step, Math.Ceiling((high / step) - 1e-9) * step, step);
    }

    /// <summary>An axis that ends where the values end, with ticks at round values up to there.</summary>
    public static Axis UpTo(double high, int steps) => Around(0, high, steps) with { High = high > 0 ? high : 1 };

    /// <summary>The ticks, the lowest first.</summary>
    public IEnumerable<double> Ticks()
    {
        var count = (int)Math.Floor(((High - Low) / Step) + 1e-6);
        for (var i = 0; i <= count; i++)
        {
            yield return Low + (i * Step);
        }
    }

    /// <summary>Where a value lies on a line from <paramref name="from"/> to <paramref name="to"/>.</summary>
    public double Place(double value, double from, double to) => from + ((value - Low) / (High - Low) * (to - from));

    /// <summary>A tick's text, with as many digits as the steps need.</summary>
    public string Label(double tick)
    {
        var digits = Math.Max(0, (int)Math.Ceiling(-Math.Log10(Step) - 1e-9));
        return (Math.Abs(tick) < Step / 1e6 ? 0 : tick).ToString("#,0." + new string('#', digits), CultureInfo.InvariantCulture);
    }
}
