using FuncScaler.Statistics;

namespace FuncScaler.Policies.Published;

/// <summary>
/// Per function the forecaster of concurrency that would have cost least over the function's last block of minutes, by RUM. Source: "FeMux"
/// (EuroSys 2026; ubc-cirrus-lab/femux), in a form without training.
/// </summary>
/// <remarks>
/// As published: the mean concurrency of each minute; two hours of it (one for the harmonics) forecast the next minute; the forecast, rounded
/// up, is had ready for that minute; blocks of 504 minutes; in the first block the largest of the last ten minutes. RUM = cold-start seconds +
/// wasted GB·s / 99.69, with 0.808 s for each cold start; a minute's cold starts are the instances that were missing, at most as many as
/// requests arrived. Forecasters: autoregression, ten harmonics, a Markov chain, Holt's and simple exponential smoothing.
/// What the source does otherwise or leaves open, and what is taken here: a trained cluster of the block's features names its forecaster;
/// here each forecaster runs beside the others, and the cheapest of the last block is followed for the next one. The order of the
/// autoregression is 10, its coefficients by Yule and Walker. The Markov chain gives the mean of what followed, where the authors draw by
/// lot. Smoothing weights are the best of a grid. Missing instances are created when the minute begins; what is created on demand stays to the
/// minute's end, and counts as allocated for the whole of it.
/// </remarks>
public sealed class FemuxPolicy(FemuxPolicyOptions options) : IKeepAlivePolicy
{
    private const long MinuteUs = 60_000_000;
    private const int InputMinutes = 120;
    private const int HarmonicMinutes = 60;
    private const int Harmonics = 10;
    private const int Order = 10;
    private const int FirstMinutes = 10;
    private const double LeastForecast = 8e-6;
    private const double WastedGbsPerSecond = 99.69;

    private static readonly Func<double[], double>[] Forecasters =
    [
        series => SeriesForecasts.AutoRegressive(series, Order),
        series => HarmonicForecast.Next(series.AsSpan(Math.Max(0, series.Length - HarmonicMinutes)), Harmonics, trendDegree: 0),
        series => SeriesForecasts.MarkovChain(series),
        series => SeriesForecasts.Holt(series),
        series => SeriesForecasts.Smoothed(series),
    ];

    private readonly ConcurrencyMeter _meter = new(MinuteUs, InputMinutes);
    private readonly double[] _costs = new double[Forecasters.Length];
    private readonly int[] _forecasts = new int[Forecasters.Length];
    private int? _followed;
    private int _wanted;
    private long _arrivals;
    private long _minutesInBlock;
    private bool _quiet;

    public bool HasStandby => true;

    /// <summary>The forecasters by name, in the order of <see cref="Followed"/>.</summary>
    public static IReadOnlyList<string> Names { get; } = ["autoregressive", "harmonics", "markov-chain", "holt", "smoothed"];

    /// <summary>The forecaster followed now; null in the first block.</summary>
    public string? Followed => _followed is { } index ? Names[index] : null;

    public void RequestArrived(in PoolView pool)
    {
        Look(pool);
        _arrivals++;
    }

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot)
    {
        Look(pool);
        var minuteBeganUs = _meter.EndUs - MinuteUs;
        return slot.SinceUs >= minuteBeganUs || slot.Rank <= _wanted ? KeepDecision.HoldUntil(_meter.EndUs) : KeepDecision.LetGoNow;
    }

    public StandbyPlan Standby(in PoolView pool)
    {
        Look(pool);
        var missing = Math.Max(0, _wanted - pool.Busy - pool.Idle - pool.InFlight);
        return new StandbyPlan(missing, _quiet && pool.Statistics.Active == 0 ? long.MaxValue : _meter.EndUs);
    }

    private void Look(in PoolView pool)
    {
        var ended = _meter.Look(pool);
        if (ended == 0)
        {
            return;
        }

        // Of several minutes that have passed unseen nothing happened in the later ones: nothing was wanted, nothing is charged.
        Charge(pool.Function.MemoryGb, _meter.MeanOf(1), ended == 1 ? _arrivals : 0);
        _arrivals = 0;
        _minutesInBlock += ended;
        if (_minutesInBlock >= options.BlockMinutes)
        {
            _followed = Array.IndexOf(_costs, _costs.Min());
            Array.Clear(_costs);
            _minutesInBlock = 0;
        }

        Forecast();
    }

    /// <summary>Enters what each forecaster would have cost in the minute that has ended.</summary>
    private void Charge(double memoryGb, double concurrency, long arrivals)
    {
        var needed = Math.Ceiling(concurrency);
        for (var i = 0; i < _costs.Length; i++)
        {
            var coldStarts = Math.Min(Math.Max(0, needed - _forecasts[i]), arrivals);
            var wastedGbs = (Math.Max(needed, _forecasts[i]) - concurrency) * memoryGb * 60;
            _costs[i] += (coldStarts * options.ColdStart.TotalSeconds) + (wastedGbs / WastedGbsPerSecond);
        }
    }

    private void Forecast()
    {
        _quiet = _meter.MaxOf(InputMinutes) == 0;
        if (_quiet)
        {
            Array.Clear(_forecasts);
            _wanted = 0;
            return;
        }

        var series = new double[_meter.Count];
        _meter.CopyLast(series);
        for (var i = 0; i < Forecasters.Length; i++)
        {
            _forecasts[i] = Instances(Forecasters[i](series));
        }

        _wanted = _followed is { } followed ? _forecasts[followed] : Instances(_meter.MaxOf(FirstMinutes));
    }

    private static int Instances(double forecast) => forecast < LeastForecast ? 0 : (int)Math.Min(1_000_000, Math.Ceiling(forecast));
}

/// <summary>Options of <see cref="FemuxPolicy"/>.</summary>
public sealed record FemuxPolicyOptions
{
    /// <summary>The minutes of a block, 10 to 100,000.</summary>
    /// <value>The default is 504, as in the paper.</value>
    public int BlockMinutes { get; init; } = 504;

    /// <summary>What a cold start is taken to cost a caller, 0.001 s to an hour.</summary>
    /// <value>The default is 0.808 s, as in the paper.</value>
    public TimeSpan ColdStart { get; init; } = TimeSpan.FromSeconds(0.808);

    internal FemuxPolicyOptions Read(PolicyOptionReader reader) => this with
    {
        BlockMinutes = reader.Whole("block", BlockMinutes, 10, 100_000, main: true),
        ColdStart = reader.Time("cold", ColdStart, leastSeconds: 0.001, mostSeconds: 3600),
    };
}
