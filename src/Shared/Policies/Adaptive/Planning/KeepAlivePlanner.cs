using FuncScaler.Statistics;

namespace FuncScaler.Policies.Adaptive.Planning;

/// <summary>
/// The optimal plan for gaps of a known distribution, by backward recursion over its histogram with the states warm and cold
/// (docs/explanation/adaptive.md).
/// </summary>
internal static class KeepAlivePlanner
{
    /// <param name="hazards">For each bin of <see cref="LogHistogram"/> the probability that a gap that reaches it ends in it.</param>
    /// <param name="memoryGb">Memory of an instance, GB: what a second of holding costs.</param>
    /// <param name="coldSeconds">Create and init, s.</param>
    /// <param name="createCostGbs">What creating an instance costs, GB·s.</param>
    /// <param name="missCostGbs">What a miss costs, GB·s: a cold start, or a wait where that is cheaper.</param>
    public static KeepAlivePlan Plan(ReadOnlySpan<double> hazards, double memoryGb, double coldSeconds, double createCostGbs, double missCostGbs)
    {
        Span<bool> hold = stackalloc bool[LogHistogram.BinCount];
        Span<bool> prewarm = stackalloc bool[LogHistogram.BinCount];
        double warm = 0, cold = 0;
        for (var bin = LogHistogram.BinCount - 1; bin >= 0; bin--)
        {
            var hazard = hazards[bin];
            var lengthSeconds = (LogHistogram.EndUs(bin) - LogHistogram.LowerBoundUs(bin)) / 1e6;
            var holdCost = (memoryGb * lengthSeconds * (1 - (hazard / 2))) + ((1 - hazard) * warm);
            var coldCost = (hazard * missCostGbs) + ((1 - hazard) * cold);

            // An instance created when the gap begins is ready a cold start later, and not before.
            var inTime = LogHistogram.LowerBoundUs(bin) >= coldSeconds * 1e6;
            prewarm[bin] = inTime && createCostGbs + holdCost < coldCost;
            cold = prewarm[bin] ? createCostGbs + holdCost : coldCost;
            hold[bin] = holdCost <= cold;
            warm = Math.Min(holdCost, cold);
        }

        return Execute(hold, prewarm, (long)(coldSeconds * 1e6), (float)Math.Max(0, cold - warm));
    }

    /// <summary>Follows the decisions through a gap that does not end.</summary>
    private static KeepAlivePlan Execute(ReadOnlySpan<bool> hold, ReadOnlySpan<bool> prewarm, long leadUs, float worth)
    {
        var next = HeldFrom(hold, 0);
        var plan = KeepAlivePlan.HoldFor(next == 0 ? 0 : (long)LogHistogram.EndUs(next - 1));
        plan.WorthGbs = worth;
        while (true)
        {
            while (next < LogHistogram.BinCount && !prewarm[next])
            {
                next++;
            }

            if (next == LogHistogram.BinCount)
            {
                return plan;
            }

            var from = next;
            next = HeldFrom(hold, from);
            if (LogHistogram.LowerBoundUs(from) - leadUs <= plan.EndUs)
            {
                // There is no time to give the instance back and to create it again.
                plan.GoOnUntil(next - 1);
            }
            else if (!plan.Add(from, next - 1))
            {
                return plan;
            }
        }
    }

    /// <summary>The first bin, from a given bin on, in which the instance is not held.</summary>
    private static int HeldFrom(ReadOnlySpan<bool> hold, int next)
    {
        while (next < LogHistogram.BinCount && hold[next])
        {
            next++;
        }

        return next;
    }
}
