using FuncScaler.Policies.Adaptive.Choosing;
using FuncScaler.Policies.Adaptive.Demand;
using FuncScaler.Policies.Adaptive.Explain;

namespace FuncScaler.Policies.Adaptive.Planning;

/// <summary>
/// Which instances to create ahead of requests: for arrivals that the function's period foretells, else as the plans say.
/// </summary>
internal sealed class Prewarming(FunctionDemand demand, FunctionPlans plans, Choice choice, DecisionLog log)
{
    /// <summary>The most ranks that are looked at.</summary>
    private const int MaxLooked = 128;

    /// <summary>The most instances created for a foretold arrival.</summary>
    private const int MostForPeriod = 16;

    private long _createdForUs = long.MinValue;

    /// <param name="pool">The pool; no request waits in it.</param>
    /// <param name="coldUs">How long a cold start takes, µs.</param>
    public StandbyPlan Decide(in PoolView pool, double coldUs)
    {
        var reviewUs = long.MaxValue;
        var followed = choice.Followed(pool);
        var create = pool.Busy + pool.Idle + pool.InFlight == 0 && Candidates.IsPeriodic(followed)
            ? ForPeriod(pool, coldUs, followed, ref reviewUs)
            : 0;
        if (create == 0)
        {
            create = ByPlan(pool, coldUs, followed, ref reviewUs);
        }

        return new StandbyPlan(create, reviewUs);
    }

    private int ForPeriod(in PoolView pool, double coldUs, int followed, ref long reviewUs)
    {
        if (!demand.TryForetell(pool.NowUs, out var arrivalUs) || arrivalUs == _createdForUs)
        {
            return 0;
        }

        var period = demand.Period;
        var beginUs = arrivalUs - (long)coldUs - period.MarginUs;
        if (beginUs > pool.NowUs)
        {
            reviewUs = Math.Min(reviewUs, beginUs);
            return 0;
        }

        _createdForUs = arrivalUs;
        var together = period.CountBetween(arrivalUs, arrivalUs + (long)Math.Min(coldUs, pool.Statistics.Duration.MeanUs));
        var create = Math.Clamp((together + pool.Places - 1) / pool.Places, 1, MostForPeriod);
        var heldGbs = pool.Function.MemoryGb * 2 * period.MarginUs / 1e6;
        var priceGbs = choice.PriceGbs(pool);
        var createGbs = plans.CreateGbs(priceGbs, pool);
        log.Add(
            pool.NowUs,
            DecisionKind.PrewarmByPeriod,
            create,
            followed,
            create * (createGbs + heldGbs),
            create * (createGbs + (priceGbs * coldUs / 1e6)));
        return create;
    }

    private int ByPlan(in PoolView pool, double coldUs, int followed, ref long reviewUs)
    {
        // Only the number of instances counts. Which instance serves which rank does not matter.
        var create = 0;
        var have = pool.Idle + pool.InFlight;
        var wanted = 0;
        var ranks = Math.Min(pool.Statistics.RanksSeen, pool.Busy + MaxLooked);
        for (var rank = pool.Busy + 1; rank <= ranks; rank++)
        {
            if (pool.Statistics.FreedAtUs(rank) is not { } gapStartUs)
            {
                continue;
            }

            ref readonly var plan = ref plans.For(rank, pool).Of(followed);
            var age = pool.NowUs - gapStartUs;
            wanted += age < plan.HoldUs ? 1 : 0;
            for (var i = 1; i <= plan.Prewarms; i++)
            {
                var (fromUs, untilUs) = plan.Prewarm(i);
                if (age < fromUs - coldUs)
                {
                    reviewUs = Math.Min(reviewUs, gapStartUs + fromUs - (long)coldUs);
                    break;
                }

                if (age < untilUs)
                {
                    wanted++;
                    if (wanted > have)
                    {
                        have++;
                        create++;
                    }

                    break;
                }
            }
        }

        if (create > 0)
        {
            log.Add(pool.NowUs, DecisionKind.PrewarmByPlan, create, followed);
        }

        return create;
    }
}
