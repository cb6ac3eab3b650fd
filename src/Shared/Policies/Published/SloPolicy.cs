namespace FuncScaler.Policies.Published;

/// <summary>
/// Lets requests wait as long as their time limit allows: creates only where a request would wait longer than its slack. Source: Gunasekaran et
/// al., "Fifer: Tackling Resource Underutilization in the Serverless Era" (Middleware 2020): slack, and scaling by queueing delay.
/// </summary>
/// <remarks>
/// As published: slack = SLO less execution; an instance is created where the wait of those in the queue would exceed it. Batches of ⌊slack /
/// execution⌋ + 1 requests an instance are left out: an instance executes requests at the same time here, and as many as its function allows.
/// So is the prediction of load by a neural network.
/// What is left open, and what is taken here: a request's wait is what it has waited plus what is expected, where the k-th in line takes
/// the k-th release to come; an execution under way lasts for the rest of the function's mean, 0 once it is over; beyond as many as are busy
/// the next ones come a mean execution later. Of the line the first 256 are looked at. Before the first execution of a function is known,
/// each request that must wait gets an instance. An instance under way counts for as many of the requests that would wait too long as it serves at a time. Idle
/// instances are kept for 10 minutes, the authors' idle time-out.
/// </remarks>
public sealed class SloPolicy(SloPolicyOptions options) : IKeepAlivePolicy
{
    private const int MostLookedAt = 256;

    private readonly WaitingSince _waiting = new();
    private readonly long _limitUs = options.Limit.ToUs();
    private readonly long _keepAliveUs = options.KeepAlive.ToUs();

    public bool HasStandby => true;

    public void RequestArrived(in PoolView pool) => _waiting.Arrived(pool.NowUs);

    public int CreateOnMiss(in PoolView pool) => Late(pool, out _);

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot) => KeepDecision.HoldUntil(slot.SinceUs + _keepAliveUs);

    public StandbyPlan Standby(in PoolView pool)
    {
        if (_waiting.FirstUs(pool) is null)
        {
            return StandbyPlan.None;
        }

        var late = Late(pool, out var nextUs);
        return new StandbyPlan(late, nextUs);
    }

    /// <summary>How many instances are missing for requests that would wait too long.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="nextUs">When another one will have waited too long, should nothing happen, µs.</param>
    private int Late(in PoolView pool, out long nextUs)
    {
        nextUs = long.MaxValue;
        if (_waiting.FirstUs(pool) is null)
        {
            return 0;
        }

        if (pool.Statistics.Duration.Count == 0)
        {
            return pool.Missing;
        }

        var meanUs = pool.Statistics.Duration.MeanUs;
        var slackUs = Math.Max(0, _limitUs - meanUs);
        Span<long> ends = stackalloc long[MostLookedAt];
        ends = ends[..pool.CopyBusySince(ends)];
        for (var i = 0; i < ends.Length; i++)
        {
            ends[i] = Math.Max(pool.NowUs, ends[i] + (long)meanUs);
        }

        ends.Sort();
        var late = 0;
        var place = 0;
        foreach (var arrivedUs in _waiting.AllUs)
        {
            // Those that are served by instances under way leave the others their places in line.
            var inLine = place - Math.Min(late, pool.InFlight * pool.Places);
            var servedUs = ends.Length == 0 ? double.PositiveInfinity : ends[inLine % ends.Length] + (inLine / ends.Length * meanUs);
            if (servedUs - arrivedUs > slackUs)
            {
                late++;
            }
            else if (nextUs == long.MaxValue)
            {
                nextUs = Math.Max(pool.NowUs + 1000, arrivedUs + (long)slackUs + 1);
            }

            if (++place == MostLookedAt)
            {
                break;
            }
        }

        return Math.Max(0, ((late + pool.Places - 1) / pool.Places) - pool.InFlight);
    }
}

/// <summary>Options of <see cref="SloPolicy"/>.</summary>
public sealed record SloPolicyOptions
{
    /// <summary>Within which time a request should be answered, execution included, 0 to a day; given in ms.</summary>
    /// <value>The default is 1000 ms, as in the paper.</value>
    public TimeSpan Limit { get; init; } = TimeSpan.FromMilliseconds(1000);

    /// <summary>How long an idle instance is kept, from 0 to a year.</summary>
    /// <value>The default is 600 s, as in the paper.</value>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(600);

    internal SloPolicyOptions Read(PolicyOptionReader reader) => this with
    {
        Limit = TimeSpan.FromMilliseconds(reader.Number("ms", Limit.TotalMilliseconds, 0, 86_400_000, main: true)),
        KeepAlive = reader.Time("keep", KeepAlive),
    };
}
