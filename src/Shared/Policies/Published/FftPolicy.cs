using FuncScaler.Statistics;

namespace FuncScaler.Policies.Published;

/// <summary>
/// Forecasts the concurrency of the next interval from trend and harmonics of the past ones, and has that many instances ready. Source:
/// Basu Roy, Patel and Tiwari, "IceBreaker: Warming Serverless Functions Better with Heterogeneity" (ASPLOS 2022): the function
/// invocation prediction scheme.
/// </summary>
/// <remarks>
/// As published: intervals of a minute, f(t) = a t² + b t + c + harmonics by a Fourier transform of what the quadratic leaves, over a local
/// window of 60 intervals, ten harmonics, rounded and never negative. Left out: which of two kinds of server an instance is put on, and
/// the utility score that decides it; there is one kind here.
/// What is left open, and what is taken here: the concurrency of an interval is the most requests active at one time in it; the ten
/// harmonics are the strongest. What is missing is created when the interval begins. An instance that becomes idle stays to the end of its
/// interval; then those beyond the forecast go. Until the first ten intervals of a function are over, ten minutes as in OpenWhisk, idle
/// instances stay.
/// </remarks>
public sealed class FftPolicy(FftPolicyOptions options) : IKeepAlivePolicy
{
    private const int FewestIntervals = 10;

    // The concurrency of past intervals, as a ring; _next is where the next one goes.
    private readonly double[] _past = new double[options.Window];
    private readonly long _intervalUs = options.Interval.ToUs();
    private int _pastCount;
    private int _next;

    private long _interval = -1;
    private int _active;
    private int _peak;
    private int _forecast;
    private bool _quiet;

    public bool HasStandby => true;

    private bool Learned => _pastCount >= Math.Min(FewestIntervals, options.Window);

    public void RequestArrived(in PoolView pool) => Look(pool);

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot)
    {
        Look(pool);
        var stays = !Learned || slot.SinceUs >= _interval * _intervalUs || slot.Rank <= _forecast;
        return stays ? KeepDecision.HoldUntil((_interval + 1) * _intervalUs) : KeepDecision.LetGoNow;
    }

    public StandbyPlan Standby(in PoolView pool)
    {
        Look(pool);
        var missing = Math.Max(0, _forecast - pool.Busy - pool.Idle - pool.InFlight);
        return new StandbyPlan(missing, _quiet && _peak == 0 ? long.MaxValue : (_interval + 1) * _intervalUs);
    }

    /// <summary>Follows concurrency, and forecasts when an interval has begun.</summary>
    private void Look(in PoolView pool)
    {
        var interval = pool.NowUs / _intervalUs;
        if (_interval < 0)
        {
            _interval = interval;
        }

        if (interval > _interval)
        {
            Remember(_peak);
            for (var i = Math.Min(interval - _interval - 1, _past.Length); i > 0; i--)
            {
                Remember(_active);
            }

            _interval = interval;
            _peak = _active;
            Forecast();
        }

        _active = pool.Statistics.ActiveRanks;
        _peak = Math.Max(_peak, _active);
    }

    private void Remember(int concurrency)
    {
        _past[_next] = concurrency;
        _next = (_next + 1) % _past.Length;
        _pastCount = Math.Min(_pastCount + 1, _past.Length);
    }

    private void Forecast()
    {
        // The ring is filled from its beginning, so before it is full what is used is at its beginning too.
        _quiet = !_past.AsSpan(0, _pastCount).ContainsAnyExcept(0.0);
        _forecast = 0;
        if (!Learned || _quiet)
        {
            return;
        }

        var oldest = _pastCount < _past.Length ? 0 : _next;
        var series = new double[_pastCount];
        for (var i = 0; i < series.Length; i++)
        {
            series[i] = _past[(oldest + i) % _past.Length];
        }

        var next = HarmonicForecast.Next(series, options.Harmonics, options.TrendDegree);
        _forecast = (int)Math.Clamp(Math.Round(next, MidpointRounding.AwayFromZero), 0, 1_000_000);
    }
}

/// <summary>Options of <see cref="FftPolicy"/>.</summary>
public sealed record FftPolicyOptions
{
    /// <summary>The length of an interval, from 0.1 s to a day.</summary>
    /// <value>The default is 60 s, as in the paper.</value>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The number of past intervals that the forecast is made from, 2 to 1440.</summary>
    /// <value>The default is 60, as in the paper.</value>
    public int Window { get; init; } = 60;

    /// <summary>The number of harmonics that are extrapolated, 0 to 1000.</summary>
    /// <value>The default is 10, as in the paper.</value>
    public int Harmonics { get; init; } = 10;

    /// <summary>
    /// The degree of the trend, 0 to 2. A trend is fitted before the harmonics, so it takes a part of long waves for its own; 0 forecasts purely
    /// periodic demand exactly.
    /// </summary>
    /// <value>The default is 2, as in the paper.</value>
    public int TrendDegree { get; init; } = 2;

    internal FftPolicyOptions Read(PolicyOptionReader reader) => this with
    {
        Interval = reader.Time("interval", Interval, leastSeconds: 0.1, mostSeconds: 86_400),
        Window = reader.Whole("window", Window, 2, 1440),
        Harmonics = reader.Whole("harmonics", Harmonics, 0, 1000),
        TrendDegree = reader.Whole("trend", TrendDegree, 0, 2),
    };
}
