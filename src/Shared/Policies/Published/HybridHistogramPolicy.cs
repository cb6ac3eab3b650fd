using FuncScaler.Statistics;

namespace FuncScaler.Policies.Published;

/// <summary>
/// Learns each function's idle times in a histogram: releases after execution, loads again shortly before the head of the distribution
/// and keeps until shortly after its tail. Source: Shahrad et al., "Serverless in the Wild: Characterizing and Optimizing the Serverless
/// Workload at a Large Cloud Provider" (USENIX ATC 2020), section 4: the hybrid histogram policy.
/// </summary>
/// <remarks>
/// As published: bins of one minute over four hours. Head: the 5th percentile, rounded down to its bin's lower bound, less 10 %. Tail: the
/// 99th, rounded up to the upper bound, plus 10 %. A head in the first bin means no release. Where the bins' counts vary little
/// (coefficient of variation under 2) the histogram says nothing: keep for its whole range. Where at least half of the idle times are out
/// of its range: forecast the next idle time, load after 85 % of it and keep until 115 %.
/// What the paper leaves open or cannot have here, and what is taken: several instances, see <see cref="IdleWindowPolicy"/>; percentiles
/// are of the idle times within the range; a histogram without observations is not representative, one with a single observation is (its
/// counts vary most); observations do not age. The paper forecasts by an ARIMA model chosen automatically per application; this is the
/// smallest one, ARIMA(1,0,0) with a constant, fitted by least squares to the last 20 idle times, with its slope held within -1 to 1; with
/// fewer than four, or none of them differing, it is their mean.
/// </remarks>
public sealed class HybridHistogramPolicy(HybridHistogramPolicyOptions options) : IdleWindowPolicy
{
    /// <summary>Out of how many idle times the next is forecast.</summary>
    public const int RecentCount = 20;

    private readonly IdleTimeHistogram _histogram = new(options.Range.ToUs());
    private readonly Queue<long> _recentUs = new();

    protected override void Observe(long idleUs, long nowUs)
    {
        _histogram.Add(idleUs);
        if (!options.Arima)
        {
            return;
        }

        if (_recentUs.Count == RecentCount)
        {
            _recentUs.Dequeue();
        }

        _recentUs.Enqueue(idleUs);
    }

    protected override IdleWindows Suggest(long nowUs)
    {
        if (_histogram.OutOfRangeShare >= options.OutOfBoundsShare && _histogram.OutOfRange > 0)
        {
            if (!options.Arima)
            {
                return new(0, options.Range.ToUs());
            }

            var forecastUs = Forecast();
            return new((long)(forecastUs * (1 - options.ForecastMargin)), (long)(forecastUs * (1 + options.ForecastMargin)));
        }

        if (_histogram.InRange == 0 || _histogram.BinCountVariation < options.LeastVariation)
        {
            return new(0, options.Range.ToUs());
        }

        return new(
            (long)(_histogram.LowerBoundUs(options.Head) * (1 - options.Margin)),
            (long)(_histogram.UpperBoundUs(options.Tail) * (1 + options.Margin)));
    }

    private double Forecast()
    {
        var mean = _recentUs.Average();
        if (_recentUs.Count < 4)
        {
            return mean;
        }

        // Least squares of each idle time on the one before.
        var series = _recentUs.ToArray();
        var pairs = series.Length - 1;
        var meanBefore = series.Take(pairs).Average();
        var meanAfter = series.Skip(1).Average();
        double covariance = 0;
        double variance = 0;
        for (var i = 0; i < pairs; i++)
        {
            covariance += (series[i] - meanBefore) * (series[i + 1] - meanAfter);
            variance += (series[i] - meanBefore) * (series[i] - meanBefore);
        }

        if (variance == 0)
        {
            return mean;
        }

        var slope = Math.Clamp(covariance / variance, -1, 1);
        return Math.Max(0, meanAfter + (slope * (series[^1] - meanBefore)));
    }
}

/// <summary>Options of <see cref="HybridHistogramPolicy"/>.</summary>
public sealed record HybridHistogramPolicyOptions
{
    /// <summary>The histogram's range, 1 to 24 h; the paper has 1 to 4 h.</summary>
    /// <value>The default is 4 h.</value>
    public TimeSpan Range { get; init; } = TimeSpan.FromHours(4);

    /// <summary>Whether to forecast where most idle times are out of the range; else instances are kept for the whole range.</summary>
    /// <value>The default is true.</value>
    public bool Arima { get; init; } = true;

    /// <summary>The least coefficient of variation of the bins' counts with which the histogram is used, 0 to 1000.</summary>
    /// <value>The default is 2, as in the paper.</value>
    public double LeastVariation { get; init; } = 2;

    /// <summary>The share of idle times out of the range from which on to forecast, 0 to 1.</summary>
    /// <value>The default is 0.5.</value>
    public double OutOfBoundsShare { get; init; } = 0.5;

    /// <summary>The percentile before which to load again, as a share, 0 to 1.</summary>
    /// <value>The default is 0.05, as in the paper.</value>
    public double Head { get; init; } = 0.05;

    /// <summary>The percentile until which to keep, as a share, 0 to 1.</summary>
    /// <value>The default is 0.99, as in the paper.</value>
    public double Tail { get; init; } = 0.99;

    /// <summary>What head and tail are widened by, as a share, 0 to 1.</summary>
    /// <value>The default is 0.1, as in the paper.</value>
    public double Margin { get; init; } = 0.1;

    /// <summary>What a forecast is widened by on either side, as a share, 0 to 1.</summary>
    /// <value>The default is 0.15, as in the paper.</value>
    public double ForecastMargin { get; init; } = 0.15;

    internal HybridHistogramPolicyOptions Read(PolicyOptionReader reader) => this with
    {
        Range = reader.Hours("hours", Range, 1, 24, main: true),
        Arima = reader.Switch("arima", Arima),
        LeastVariation = reader.Number("cv", LeastVariation, 0, 1000),
        OutOfBoundsShare = reader.Number("oob", OutOfBoundsShare, 0, 1),
    };
}
