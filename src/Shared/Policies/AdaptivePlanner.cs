using FuncScaler.Statistics;

namespace FuncScaler.Policies;

/// <summary>
/// The optimal plan for gaps of a known distribution, by backward recursion over its histogram with the states warm and cold
/// (docs/adaptive.md).
/// </summary>
internal static class AdaptivePlanner
{
    /// <param name="shares">The probability of each bin of <see cref="LogHistogram"/>; what is missing to 1 is "never".</param>
    /// <param name="memoryGb">Memory of an instance, GB: what a second of holding costs.</param>
    /// <param name="coldSeconds">Create and init, s.</param>
    /// <param name="createCostGbs">What creating an instance costs, GBs.</param>
    /// <param name="missCostGbs">What a miss costs, GBs: a cold start, or a wait where that is cheaper.</param>
    public static AdaptivePlan Plan(ReadOnlySpan<double> shares, double memoryGb, double coldSeconds, double createCostGbs, double missCostGbs)
    {
        Span<bool> hold = stackalloc bool[LogHistogram.BinCount];
        Span<bool> prewarm = stackalloc bool[LogHistogram.BinCount];
        double survival = 1;
        foreach (var share in shares)
        {
            survival -= share;
        }

        // From the last bin to the first; survival is the probability that the gap reaches the bin's end, then its beginning.
        double warm = 0, cold = 0;
        survival = Math.Max(survival, 1e-12);
        for (var bin = LogHistogram.BinCount - 1; bin >= 0; bin--)
        {
            var share = shares[bin];
            var atStart = survival + share;
            var hazard = share / atStart;
            var lengthSeconds = bin == LogHistogram.BinCount - 1
                ? LogHistogram.LowerBoundUs(bin) / 1e6
                : (LogHistogram.UpperBoundUs(bin) - LogHistogram.LowerBoundUs(bin)) / 1e6;
            var holdCost = (memoryGb * lengthSeconds * (1 - (hazard / 2))) + ((1 - hazard) * warm);
            var coldCost = (hazard * missCostGbs) + ((1 - hazard) * cold);
            prewarm[bin] = createCostGbs + holdCost < coldCost;
            cold = Math.Min(coldCost, createCostGbs + holdCost);
            hold[bin] = holdCost <= cold;
            warm = Math.Min(holdCost, cold);
            survival = atStart;
        }

        return Execute(hold, prewarm, (long)(coldSeconds * 1e6), (float)Math.Max(0, cold - warm));
    }

    /// <summary>Follows the decisions through a gap that does not end.</summary>
    private static AdaptivePlan Execute(ReadOnlySpan<bool> hold, ReadOnlySpan<bool> prewarm, long leadUs, float worth)
    {
        var next = 0;
        var untilUs = HoldFrom(hold, ref next);
        var plan = AdaptivePlan.HoldFor(untilUs);
        while (true)
        {
            while (next < LogHistogram.BinCount && !prewarm[next])
            {
                next++;
            }

            if (next == LogHistogram.BinCount)
            {
                break;
            }

            var fromUs = (long)LogHistogram.LowerBoundUs(next);
            var againUntilUs = HoldFrom(hold, ref next);
            if (plan.Prewarms == 0 && fromUs - leadUs <= untilUs)
            {
                // No time to give it back and make it again.
                untilUs = againUntilUs;
                plan = AdaptivePlan.HoldFor(untilUs);
            }
            else if (!plan.Add(Math.Max(fromUs, untilUs + leadUs), againUntilUs))
            {
                break;
            }
            else
            {
                untilUs = againUntilUs;
            }
        }

        plan.WorthGbs = worth;
        return plan;
    }

    /// <summary>Until when it is held from a bin on.</summary>
    private static long HoldFrom(ReadOnlySpan<bool> hold, ref int next)
    {
        while (next < LogHistogram.BinCount && hold[next])
        {
            next++;
        }

        return next == 0 ? 0 : BoundUs(next - 1);
    }

    private static long BoundUs(int bin) =>
        (long)(bin == LogHistogram.BinCount - 1 ? 2 * LogHistogram.LowerBoundUs(bin) : LogHistogram.UpperBoundUs(bin));
}
