namespace FuncScaler.Policies.Published;

/// <summary>
/// Sorts functions by the lengths of their idle times, and loads each kind by a rule of its own. Source: Lee et al., "SPES: Towards Optimizing
/// Performance-Resource Trade-Off for Serverless Functions" (ICDE 2024).
/// </summary>
/// <remarks>
/// As published: time goes by minutes, and an idle time is a run of minutes without an invocation. Always warm: at most one minute in 1,000 is
/// idle. Regular: the 95th and the 5th percentile of idle times are at most a minute apart. About regular: a few idle times make up 90 %.
/// Dense: the 90th percentile is small. Successive: invocations come in waves of many minutes. Else pulsed (short idle times in part) or
/// possible (some idle time came twice), or unknown. An instance is created two minutes before a predicted arrival and let go a minute after
/// it, five minutes for dense and pulsed functions.
/// What is left open or cannot be had here, and what is taken: the authors sort after twelve days of training; here a function is sorted anew
/// at the end of each idle time by its last 256 ones, and is unknown before the third. A few are three. Small is five minutes. A wave is three
/// busy minutes or more, for every one of the last ten waves. A regular function is predicted at its median idle time, the others at
/// the idle times that make them what they are, each in turn. Functions whose invocations follow others' (correlated) are not looked for. One
/// instance is loaded for a prediction or kept always; further ones are created on demand, and kept for the minutes after a use.
/// </remarks>
public sealed class SpesPolicy(SpesPolicyOptions options) : IKeepAlivePolicy
{
    /// <summary>Out of how many idle times a function is sorted.</summary>
    public const int IdleTimesKept = 256;

    private const long MinuteUs = 60_000_000;
    private const int FewestIdleTimes = 3;
    private const int Few = 3;
    private const int WavesKept = 10;
    private const int WaveMinutes = 3;

    private readonly Queue<int> _idleMinutes = new();
    private readonly Queue<int> _waves = new();
    private readonly long _aheadUs = options.Ahead.ToUs();
    private long _firstMinute = -1;
    private long _lastMinute = -1;
    private long _waveBegan;
    private long _idleTotal;
    private int[] _predictions = [];
    private long _reviewedMinute = -1;

    public bool HasStandby => true;

    /// <summary>How the function is sorted now.</summary>
    public SpesKind Kind { get; private set; }

    private long KeepAfterUs => Kind is SpesKind.Dense or SpesKind.Pulsed ? options.KeepLong.ToUs() : options.Keep.ToUs();

    public void RequestArrived(in PoolView pool)
    {
        var minute = pool.NowUs / MinuteUs;
        if (_firstMinute < 0)
        {
            _firstMinute = _waveBegan = minute;
        }
        else if (minute - _lastMinute > 1)
        {
            var idle = minute - _lastMinute - 1;
            _idleTotal += idle;
            Remember(_idleMinutes, (int)Math.Min(idle, int.MaxValue), IdleTimesKept);
            Remember(_waves, (int)Math.Min(_lastMinute - _waveBegan + 1, int.MaxValue), WavesKept);
            _waveBegan = minute;
            Sort(minute);
        }

        _lastMinute = minute;
        if (_idleMinutes.Count == 0 && minute - _firstMinute >= options.AlwaysAfterMinutes)
        {
            Kind = SpesKind.AlwaysWarm;
        }
    }

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot)
    {
        if (Kind == SpesKind.AlwaysWarm && slot.Rank == 1)
        {
            return KeepDecision.HoldUntil(pool.NowUs + KeepAfterUs);
        }

        var untilUs = slot.SinceUs + KeepAfterUs;
        if (slot.Rank == 1 && NextWindow(pool.NowUs) is { } window && pool.NowUs >= window.FromUs)
        {
            untilUs = Math.Max(untilUs, window.ToUs);
        }

        return KeepDecision.HoldUntil(untilUs);
    }

    public StandbyPlan Standby(in PoolView pool)
    {
        if (pool.Statistics.Active > 0 || NextWindow(pool.NowUs) is not { } window)
        {
            return StandbyPlan.None;
        }

        if (pool.NowUs < window.FromUs)
        {
            return StandbyPlan.CreateAt(window.FromUs);
        }

        if (pool.Idle + pool.InFlight == 0)
        {
            return new StandbyPlan(1, window.ToUs + 1);
        }

        // What is idle is asked about once more in the window: until now it was held for its last use alone.
        var review = _reviewedMinute != window.FromUs;
        _reviewedMinute = window.FromUs;
        return new StandbyPlan(0, window.ToUs + 1, review);
    }

    /// <summary>The window of the first prediction whose time has not passed.</summary>
    private (long FromUs, long ToUs)? NextWindow(long nowUs)
    {
        foreach (var idle in _predictions)
        {
            // The minute in which the arrival is expected, and the time around it.
            var minuteUs = (_lastMinute + idle + 1) * MinuteUs;
            var window = (FromUs: minuteUs - _aheadUs, ToUs: minuteUs + MinuteUs + KeepAfterUs);
            if (nowUs < window.ToUs)
            {
                return window;
            }
        }

        return null;
    }

    private void Sort(long minute)
    {
        (Kind, _predictions) = Classify([.. _idleMinutes], [.. _waves], _idleTotal, minute - _firstMinute + 1);
    }

    /// <summary>What a function's idle times make it.</summary>
    /// <param name="idleMinutes">Its last idle times, minutes.</param>
    /// <param name="waves">The lengths of the busy times between them, minutes.</param>
    /// <param name="idleTotal">All its idle minutes.</param>
    /// <param name="minutes">All minutes since its first invocation.</param>
    /// <returns>The kind, and the idle times after which invocations are expected, ascending.</returns>
    internal static (SpesKind Kind, int[] Predictions) Classify(int[] idleMinutes, int[] waves, long idleTotal, long minutes)
    {
        if (idleTotal * 1000 <= minutes)
        {
            return (SpesKind.AlwaysWarm, []);
        }

        if (idleMinutes.Length < FewestIdleTimes)
        {
            return (SpesKind.Unknown, []);
        }

        int[] sorted = [.. idleMinutes.Order()];
        if (Percentile(0.95) - Percentile(0.05) <= 1)
        {
            return (SpesKind.Regular, [Percentile(0.5)]);
        }

        var modes = sorted.GroupBy(m => m).OrderByDescending(g => g.Count()).ThenBy(g => g.Key).ToArray();
        if (modes.Take(Few).Sum(g => g.Count()) >= 0.9 * sorted.Length)
        {
            return (SpesKind.AboutRegular, [.. modes.Take(Few).Select(g => g.Key).Order()]);
        }

        if (Percentile(0.9) <= 5)
        {
            return (SpesKind.Dense, []);
        }

        if (waves.Length >= FewestIdleTimes && waves.Min() >= WaveMinutes)
        {
            return (SpesKind.Successive, []);
        }

        if (Percentile(0.25) <= 5)
        {
            return (SpesKind.Pulsed, []);
        }

        var repeated = modes.Where(g => g.Count() > 1).Take(Few).Select(g => g.Key).Order().ToArray();
        return repeated.Length > 0 ? (SpesKind.Possible, repeated) : (SpesKind.Unknown, []);

        int Percentile(double share) => sorted[Math.Max(0, (int)Math.Ceiling(share * sorted.Length) - 1)];
    }

    private static void Remember(Queue<int> queue, int value, int kept)
    {
        if (queue.Count == kept)
        {
            queue.Dequeue();
        }

        queue.Enqueue(value);
    }
}

/// <summary>The kinds that <see cref="SpesPolicy"/> sorts functions into.</summary>
public enum SpesKind
{
    /// <summary>Too little is known, or nothing repeats.</summary>
    Unknown,

    /// <summary>Hardly ever idle.</summary>
    AlwaysWarm,

    /// <summary>All idle times are alike.</summary>
    Regular,

    /// <summary>A few idle times make up nearly all.</summary>
    AboutRegular,

    /// <summary>Idle times are short.</summary>
    Dense,

    /// <summary>Invocations come in waves of several minutes.</summary>
    Successive,

    /// <summary>Idle times are short in part.</summary>
    Pulsed,

    /// <summary>Some idle time came more than once.</summary>
    Possible,
}

/// <summary>Options of <see cref="SpesPolicy"/>.</summary>
public sealed record SpesPolicyOptions
{
    /// <summary>How long before a predicted minute an instance is created, 0 to an hour.</summary>
    /// <value>The default is 120 s, as in the paper.</value>
    public TimeSpan Ahead { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>How long an instance is kept after a use or a predicted minute, 0 to a day.</summary>
    /// <value>The default is 60 s, as in the paper.</value>
    public TimeSpan Keep { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The same for dense and pulsed functions.</summary>
    /// <value>The default is 300 s, as in the paper.</value>
    public TimeSpan KeepLong { get; init; } = TimeSpan.FromSeconds(300);

    /// <summary>After how many busy minutes a function without an idle one is always warm, 1 to 100,000.</summary>
    /// <value>The default is 10, which is ours: the paper sorts after days.</value>
    public int AlwaysAfterMinutes { get; init; } = 10;

    internal SpesPolicyOptions Read(PolicyOptionReader reader) => this with
    {
        Ahead = reader.Time("ahead", Ahead, mostSeconds: 3600),
        Keep = reader.Time("keep", Keep, mostSeconds: 86_400),
        KeepLong = reader.Time("long", KeepLong, mostSeconds: 86_400),
        AlwaysAfterMinutes = reader.Whole("always", AlwaysAfterMinutes, 1, 100_000),
    };
}
