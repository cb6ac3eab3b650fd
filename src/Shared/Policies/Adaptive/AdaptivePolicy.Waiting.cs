using FuncScaler.Policies.Adaptive.Demand;
using FuncScaler.Policies.Adaptive.Explain;

namespace FuncScaler.Policies.Adaptive;

/// <content>Waiting requests: what to create for them.</content>
public sealed partial class AdaptivePolicy
{
    /// <summary>
    /// Instances to create for requests that nothing under way will serve soon enough.
    /// </summary>
    /// <param name="pool">The pool.</param>
    /// <param name="newest">Whether the last of those who wait has just come: what others will have of a new instance counts once.</param>
    private int WantedForWaiters(in PoolView pool, bool newest)
    {
        var coldUs = ColdUs(pool);
        var durationUs = DurationUs(pool);
        var starts = StartsWithin(pool, coldUs, durationUs);
        var servers = pool.Busy + pool.InFlight;
        var outlook = Expected(_live, pool.NowUs);
        var create = 0;
        double waitGbs = double.NaN, createGbs = CreateCost(pool);
        while (create < MaxCreates)
        {
            var worth = newest && create == 0 ? PlanOf(servers + create + 1, pool).WorthGbs : 0;
            if (servers + create > 0 || pool.Waiters == 0)
            {
                var savedGbs = outlook.SavedByOneMore(pool.Waiters - starts - create, servers + create, durationUs, Price(pool), worth);
                waitGbs = create == 0 ? savedGbs : waitGbs;
                if (savedGbs <= createGbs)
                {
                    break;
                }
            }

            create++;
        }

        if (create > 0)
        {
            Record(pool, AdaptiveDecisionKind.Create, create, createGbs, waitGbs);
        }
        else if (newest)
        {
            Record(pool, AdaptiveDecisionKind.Wait, 0, waitGbs, createGbs);
        }

        return create;
    }

    /// <summary>
    /// How many arrivals are expected within the time of a cold start, until the next time this is asked: after an onset by the crowds there have
    /// been, later by the rate of the last cold start's time and, as far as surges have gone on so far, by one that is surely higher.
    /// </summary>
    private CrowdOutlook Expected(in Crowd crowd, long nowUs)
    {
        var recent = crowd.Rates.Recent(nowUs, _coldUs) - 1;
        var elapsed = (double)(nowUs - crowd.OnsetUs) / _coldUs;
        if (elapsed < 1)
        {
            return _crowds.After(crowd.SinceOnset, elapsed, Math.Max(0, recent), _options.ExpectFactor, _shared.Outlook);
        }

        recent += _surges.Expected(_shared.Surges) * crowd.Rates.Surge(nowUs, _coldUs);
        return _shared.Outlook.Start(Math.Max(0, recent) * _options.ExpectFactor);
    }

    /// <summary>How many requests what is busy or in flight can begin within a time.</summary>
    private double StartsWithin(in PoolView pool, double timeUs, double durationUs)
    {
        // Of a large crowd every so many-th is looked at.
        Span<long> since = stackalloc long[MaxLooked];
        var stride = 1 + (Math.Max(pool.Busy, pool.InFlight) / MaxLooked);
        var busy = pool.CopyBusySince(since, stride);
        double starts = 0;
        for (var i = 0; i < busy; i++)
        {
            var age = pool.NowUs - since[i];
            var residual = pool.Statistics.Durations is { } known ? known.MeanBeyondUs(age) : Math.Max(durationUs, age);
            starts += (1 - Math.Exp(-timeUs / residual)) * (1 + (Math.Max(0, timeUs - residual) / durationUs));
        }

        var inFlight = pool.CopyInFlightSince(since, stride);
        for (var i = 0; i < inFlight; i++)
        {
            starts += 1 + (Math.Min(timeUs, pool.NowUs - since[i]) / durationUs);
        }

        return starts * stride;
    }

    /// <summary>
    /// How long an execution lasts, µs. Before any has ended anywhere it is taken for half a cold start: then most of those who wait are worth an
    /// instance each. To that comes as much again as the longest has lasted already, and while few have ended a share of it.
    /// </summary>
    private double DurationUs(in PoolView pool)
    {
        var ended = pool.Statistics.Duration.Count;
        var us = ended > 0 ? pool.Statistics.Duration.MeanUs : _shared.DurationUs ?? UnknownDuration * ColdUs(pool);
        if (ended < FewExecutions && pool.Busy > 0)
        {
            Span<long> since = stackalloc long[MaxLooked];
            us += OldestUs(pool.NowUs, since[..pool.CopyBusySince(since, 1 + (pool.Busy / MaxLooked))]) / (double)Math.Max(1, ended);
        }

        return Math.Max(1000, us);
    }

    /// <summary>
    /// How long a cold start takes, µs. Before one of the function's has ended it is taken for what others' take, and for no less than the
    /// present one has taken already.
    /// </summary>
    private double ColdUs(in PoolView pool)
    {
        if (pool.Statistics.Init.Count > 0)
        {
            return pool.Statistics.ColdStartUs;
        }

        Span<long> since = stackalloc long[MaxLooked];
        var begunUs = OldestUs(pool.NowUs, since[..pool.CopyInFlightSince(since, 1 + (pool.InFlight / MaxLooked))]);
        return Math.Max(begunUs, _shared.MeanColdUs > 0 ? _shared.MeanColdUs : DefaultColdUs);
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

    /// <summary>How many requests came lately, and since the last onset.</summary>
    private struct Crowd
    {
        public ArrivalRates Rates;

        public long OnsetUs { get; private set; }

        public int SinceOnset { get; private set; }

        public void Arrived(long nowUs, bool alone, double coldUs)
        {
            if (alone && nowUs - Rates.LastUs > coldUs)
            {
                OnsetUs = nowUs;
                SinceOnset = 0;
            }

            Rates.Arrived(nowUs, coldUs);
            SinceOnset++;
        }
    }
}
