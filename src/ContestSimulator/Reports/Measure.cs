using FuncScaler.ContestSimulator.Virtual;

namespace FuncScaler.ContestSimulator.Reports;

/// <summary>What the measures that weigh memory against waiting take for prices.</summary>
public sealed record MeasurePrices
{
    /// <summary>What a second in Assign and Idle is worth, GB·s, from 0. Default null: there is no measure <c>cost</c>.</summary>
    public double? LatencyPriceGbs { get; init; }

    /// <summary>What each create costs beyond its memory, GB·s, from 0. Default 0.</summary>
    public double CreateCostGbs { get; init; }

    /// <summary>What a GB·s costs, in any currency, above 0. Default null: there is no measure <c>money</c>.</summary>
    public double? GbSecondPrice { get; init; }

    /// <summary>What a second in Assign and Idle costs, in the same currency, from 0. Default 0.</summary>
    public double WaitingSecondPrice { get; init; }
}

/// <summary>How a measure is written down.</summary>
public enum MeasureForm
{
    /// <summary>With two digits after the point.</summary>
    Points,

    /// <summary>Milliseconds, with one digit after the point.</summary>
    Milliseconds,

    /// <summary>A share of 0 to 1, written in percent.</summary>
    Share,

    /// <summary>A number of things.</summary>
    Whole,

    /// <summary>An amount of any size: at least three significant digits from 1 on.</summary>
    Amount,

    /// <summary>An amount of money: four significant digits.</summary>
    Money,
}

/// <summary>
/// A figure of a run that runs can be compared by. Its name is that of the JSON field and of the CSV column, its title heads the columns of
/// the table and of the report.
/// </summary>
/// <param name="Name">The name in documents and for <c>--sort-by</c>.</param>
/// <param name="Title">What columns are headed with, unit included.</param>
/// <param name="Form">How it is written for people.</param>
/// <param name="MoreIsBetter">Whether the largest value is the best one; else the smallest is.</param>
/// <param name="Of">Its value for a run.</param>
/// <param name="OfBound">Its value in the bound's row; null where the bound says nothing about it.</param>
public sealed record Measure(
    string Name,
    string Title,
    MeasureForm Form,
    bool MoreIsBetter,
    Func<VirtualResult, double> Of,
    Func<ClairvoyantBound, double?> OfBound)
{
    /// <summary>The value for people, the same in every culture.</summary>
    public string Write(double value) => Form switch
    {
        MeasureForm.Points => FormattableString.Invariant($"{value:0.00}"),
        MeasureForm.Milliseconds => FormattableString.Invariant($"{value:#,0.0}"),
        MeasureForm.Share => FormattableString.Invariant($"{100 * value:0.00} %"),
        MeasureForm.Whole => FormattableString.Invariant($"{value:#,0}"),
        MeasureForm.Amount => Math.Abs(value) switch
        {
            < 9.995 => FormattableString.Invariant($"{value:0.00}"),
            < 99.95 => FormattableString.Invariant($"{value:0.0}"),
            _ => FormattableString.Invariant($"{value:#,0}"),
        },
        MeasureForm.Money => WriteMoney(value),
        _ => throw new InvalidOperationException($"Nothing is known of {Form}."),
    };

    private static string WriteMoney(double value)
    {
        var digits = value == 0 ? 0 : Math.Clamp(3 - (int)Math.Floor(Math.Log10(Math.Abs(value))), 0, 12);
        return value.ToString($"N{digits}", System.Globalization.CultureInfo.InvariantCulture);
    }
}

/// <summary>The measures, each defined once, whoever shows them.</summary>
public static class Measures
{
    /// <summary>
    /// How many GB·s of wasted memory count as much as a second of cold start in RUM. Source: FeMux (EuroSys 2026), representative unified
    /// metric.
    /// </summary>
    public const double RumGbs = 99.69;

    /// <summary>What columns of the table are chosen from where nothing is asked for, in order.</summary>
    private static readonly string[] Usual =
    [
        "score", "cost", "money", "resourceScore", "latencyScore", "rum", "coldStartShare", "waitedShare", "scheduleMeanMs", "scheduleP95Ms",
        "scheduleP99Ms", "wastedGbSeconds", "creates", "peakInstances",
    ];

    /// <summary>All measures, in the order of documents. <c>cost</c> and <c>money</c> are there only where they have a price.</summary>
    public static IReadOnlyList<Measure> All(MeasurePrices prices)
    {
        ArgumentNullException.ThrowIfNull(prices);
        var measures = new List<Measure> { new("score", "score", MeasureForm.Points, true, r => r.Score.Total, Alone(b => b.Score)) };
        if (prices.LatencyPriceGbs is { } latencyPrice)
        {
            measures.Add(new("cost", "cost GB·s", MeasureForm.Amount, false, r => Cost(r, latencyPrice, prices), b => b.LeastCost(latencyPrice)));
        }

        if (prices.GbSecondPrice is { } gbSecond)
        {
            var worth = prices.WaitingSecondPrice / gbSecond;
            measures.Add(new("money", "money", MeasureForm.Money, false, r => gbSecond * Cost(r, worth, prices), b => gbSecond * b.LeastCost(worth)));
        }

        measures.AddRange(
        [
            new("resourceScore", "resource score", MeasureForm.Points, true, r => r.Score.ResourceScore, Alone(b => b.ResourceScore)),
            new("latencyScore", "latency score", MeasureForm.Points, true, r => r.Score.LatencyScore, Alone(b => b.LatencyScore)),
            Rum("rum", "RUM s", RumGbs),
            Rum("rumWait4", "RUM s, waits x 4", 4 * RumGbs),
            Rum("rumMemory4", "RUM s, memory x 4", RumGbs / 4),
            new("coldStartShare", "cold starts", MeasureForm.Share, false, r => r.ColdStartShare, NotBounded),
            new("waitedShare", "waited", MeasureForm.Share, false, r => r.WaitedShare, NotBounded),
            new("scheduleMeanMs", "schedule mean ms", MeasureForm.Milliseconds, false, r => r.ScheduleTimes.MeanMs, NotBounded),
            new("scheduleP50Ms", "schedule p50 ms", MeasureForm.Milliseconds, false, r => r.ScheduleTimes.PercentileMs(0.5), NotBounded),
            new("scheduleP95Ms", "schedule p95 ms", MeasureForm.Milliseconds, false, r => r.ScheduleTimes.PercentileMs(0.95), NotBounded),
            new("scheduleP99Ms", "schedule p99 ms", MeasureForm.Milliseconds, false, r => r.ScheduleTimes.PercentileMs(0.99), NotBounded),
            new("waitSeconds", "wait s", MeasureForm.Amount, false, r => r.WaitSeconds, NotBounded),
            new("slotGbSeconds", "slot GB·s", MeasureForm.Amount, false, r => r.Score.SlotGbSeconds, Alone(b => b.SlotGbSeconds)),
            new("executionGbSeconds", "execution GB·s", MeasureForm.Amount, true, r => r.Score.ExecutionGbSeconds, Alone(b => b.ExecutionGbSeconds)),
            new("wastedGbSeconds", "wasted GB·s", MeasureForm.Amount, false, r => r.WastedGbSeconds, Alone(b => b.SlotGbSeconds - b.ExecutionGbSeconds)),
            new("creates", "creates", MeasureForm.Whole, false, r => r.SlotsCreated, NotBounded),
            new("peakInstances", "peak instances", MeasureForm.Whole, false, r => r.PeakInstances, NotBounded),
        ]);
        return measures;

        static Measure Rum(string name, string title, double gbs) => new(
            name, title, MeasureForm.Amount, false, r => r.WaitSeconds + (r.WastedGbSeconds / gbs), Alone(b => b.LeastOverhead(gbs) / gbs));

        static double? NotBounded(ClairvoyantBound bound) => null;

        // Only the cost is bounded where instances serve several requests at a time.
        static Func<ClairvoyantBound, double?> Alone(Func<ClairvoyantBound, double> of) => b => b.Concurrency == 1 ? of(b) : null;
    }

    /// <summary>The measures that a table shows: the usual ones, and the one it is sorted by.</summary>
    public static IReadOnlyList<Measure> Shown(MeasurePrices prices, Measure sortedBy)
    {
        ArgumentNullException.ThrowIfNull(sortedBy);
        var shown = All(prices).Where(m => Usual.Contains(m.Name)).OrderBy(m => Array.IndexOf(Usual, m.Name)).ToList();
        if (!shown.Exists(m => m.Name == sortedBy.Name))
        {
            shown.Insert(1, sortedBy);
        }

        return shown;
    }

    /// <summary>
    /// Memory paid for, creates at their price, and what callers waited in Assign and Idle at a price, GB·s: a straight line over the price.
    /// </summary>
    public static double Cost(VirtualResult result, double latencyPriceGbs, MeasurePrices prices)
    {
        ArgumentNullException.ThrowIfNull(result);
        ArgumentNullException.ThrowIfNull(prices);
        return result.Score.SlotGbSeconds + (prices.CreateCostGbs * result.SlotsCreated)
            + (latencyPriceGbs * (result.Score.AssignSeconds + result.Score.IdleSeconds));
    }
}
