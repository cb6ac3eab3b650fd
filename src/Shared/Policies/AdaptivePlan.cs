using FuncScaler.Statistics;

namespace FuncScaler.Policies;

/// <summary>
/// How long to hold the instance of a rank after its gap has begun, when to create it again ahead of time, and how long to hold it then.
/// </summary>
/// <param name="HoldUs">Hold for this long, µs.</param>
/// <param name="PrewarmAtUs">Begin to create at this time of the gap, µs; <see cref="long.MaxValue"/> for never.</param>
/// <param name="PrewarmUntilUs">And hold until this time of the gap, µs.</param>
internal readonly record struct AdaptivePlan(long HoldUs, long PrewarmAtUs, long PrewarmUntilUs)
{
    public static AdaptivePlan HoldFor(double us) => new((long)us, long.MaxValue, 0);
}

/// <summary>
/// The optimal plan for gaps of a known distribution, by backward recursion over its histogram with the states warm and cold
/// (docs/adaptive.md).
/// </summary>
internal static class AdaptivePlanner
{
    /// <param name="shares">The probability of each bin of <see cref="LogHistogram"/>; what is missing to 1 is "never".</param>
    /// <param name="memoryGb">Memory of an instance, GB: what a second of holding costs.</param>
    /// <param name="coldSeconds">Create and init, s.</param>
    /// <param name="missCostGbs">What a miss costs, GBs: a cold start, or a wait where that is cheaper.</param>
    public static AdaptivePlan Plan(ReadOnlySpan<double> shares, double memoryGb, double coldSeconds, double missCostGbs)
    {
        Span<bool> hold = stackalloc bool[LogHistogram.BinCount];
        Span<bool> prewarm = stackalloc bool[LogHistogram.BinCount];
        var createCost = memoryGb * coldSeconds;
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
            var held = Math.Min(holdCost, coldCost);
            prewarm[bin] = createCost + held < coldCost;
            cold = Math.Min(coldCost, createCost + held);
            hold[bin] = holdCost <= cold;
            warm = Math.Min(holdCost, cold);
            survival = atStart;
        }

        var next = 0;
        while (next < LogHistogram.BinCount && hold[next])
        {
            next++;
        }

        var holdUs = next == 0 ? 0 : BoundUs(next - 1);
        while (next < LogHistogram.BinCount && !prewarm[next])
        {
            next++;
        }

        if (next == LogHistogram.BinCount)
        {
            return new AdaptivePlan(holdUs, long.MaxValue, 0);
        }

        var prewarmAtUs = Math.Max(holdUs, (long)(LogHistogram.LowerBoundUs(next) - (coldSeconds * 1e6)));
        while (next < LogHistogram.BinCount && hold[next])
        {
            next++;
        }

        return new AdaptivePlan(holdUs, prewarmAtUs, BoundUs(Math.Max(0, next - 1)));
    }

    private static long BoundUs(int bin) =>
        (long)(bin == LogHistogram.BinCount - 1 ? 2 * LogHistogram.LowerBoundUs(bin) : LogHistogram.UpperBoundUs(bin));
}
