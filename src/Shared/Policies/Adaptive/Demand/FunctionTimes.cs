namespace FuncScaler.Policies.Adaptive.Demand;

/// <summary>How long a function's cold starts and executions take, also before any of them has ended.</summary>
internal static class FunctionTimes
{
    private const double DefaultColdUs = 500_000;

    /// <summary>
    /// How long an execution is assumed to last before any has ended anywhere, in cold starts. At this length most waiting requests get an
    /// instance.
    /// </summary>
    private const double UnknownDuration = 0.5;

    /// <summary>Once so many executions have ended, the executions that still run are not looked at any more.</summary>
    private const int FewExecutions = 16;

    /// <summary>The most instances that are looked at. If there are more, every second, third, … instance is looked at.</summary>
    private const int MaxLooked = 128;

    /// <summary>
    /// How long a cold start takes, µs, at least 1000. Before the function's first cold start has ended this is the mean of other
    /// functions, or the time that the present cold start has taken already, if that is longer.
    /// </summary>
    public static double ColdStartUs(in PoolView pool, AdaptiveShared shared)
    {
        if (pool.Statistics.Init.Count > 0)
        {
            // Callers divide by this time, so it is never 0.
            return Math.Max(1000, pool.Statistics.ColdStartUs);
        }

        Span<long> since = stackalloc long[MaxLooked];
        var begunUs = OldestUs(pool.NowUs, since[..pool.CopyInFlightSince(since, 1 + (pool.InFlight / MaxLooked))]);
        return Math.Max(begunUs, shared.MeanColdUs > 0 ? shared.MeanColdUs : DefaultColdUs);
    }

    /// <summary>
    /// How long an execution lasts, µs, at least 1000. While few executions have ended, the longest execution that still runs adds its age,
    /// divided by the number that have ended.
    /// </summary>
    public static double ExecutionUs(in PoolView pool, AdaptiveShared shared)
    {
        var ended = pool.Statistics.Duration.Count;
        var us = ended > 0 ? pool.Statistics.Duration.MeanUs : shared.DurationUs ?? UnknownDuration * ColdStartUs(pool, shared);
        if (ended < FewExecutions && pool.Busy > 0)
        {
            Span<long> since = stackalloc long[MaxLooked];
            us += OldestUs(pool.NowUs, since[..pool.CopyBusySince(since, 1 + (pool.Executing / MaxLooked))]) / (double)Math.Max(1, ended);
        }

        return Math.Max(1000, us);
    }

    /// <summary>
    /// How many requests can begin within a time on the instances that are busy or in flight. Each place serves one request after another.
    /// </summary>
    public static double StartsWithin(in PoolView pool, double timeUs, double executionUs)
    {
        Span<long> since = stackalloc long[MaxLooked];
        var stride = 1 + (Math.Max(pool.Executing, pool.InFlight) / MaxLooked);
        var busy = pool.CopyBusySince(since, stride);
        double starts = 0;
        for (var i = 0; i < busy; i++)
        {
            var age = pool.NowUs - since[i];
            var residual = pool.Statistics.Durations is { } known ? known.MeanBeyondUs(age) : Math.Max(executionUs, age);
            starts += (1 - Math.Exp(-timeUs / residual)) * (1 + (Math.Max(0, timeUs - residual) / executionUs));
        }

        var inFlight = pool.CopyInFlightSince(since, stride);
        for (var i = 0; i < inFlight; i++)
        {
            starts += pool.Places * (1 + (Math.Min(timeUs, pool.NowUs - since[i]) / executionUs));
        }

        return starts * stride;
    }

    private static long OldestUs(long nowUs, ReadOnlySpan<long> since)
    {
        var oldestUs = nowUs;
        foreach (var us in since)
        {
            oldestUs = Math.Min(oldestUs, us);
        }

        return nowUs - oldestUs;
    }
}
