using System.Runtime.CompilerServices;
using FuncScaler.Statistics;

namespace FuncScaler.Policies;

/// <summary>
/// During which parts of an idle gap to have an instance ready, counted from the gap's beginning: the first part holds the instance that
/// was just used, each later one is begun by creating it again ahead of time.
/// </summary>
internal struct AdaptivePlan
{
    /// <summary>The most parts a plan has.</summary>
    public const int MaxParts = 4;

    private Parts _parts;

    /// <summary>The number of parts after the first.</summary>
    public int Prewarms { get; private set; }

    /// <summary>How long to hold the instance at first, µs.</summary>
    public readonly long HoldUs => _parts[0].UntilUs;

    /// <summary>When the last part ends, µs.</summary>
    public readonly long EndUs => _parts[Prewarms].UntilUs;

    /// <summary>How much cheaper a gap is with an instance at its beginning than without one, GBs.</summary>
    public float WorthGbs { get; set; }

    public static AdaptivePlan HoldFor(double us)
    {
        var plan = default(AdaptivePlan);
        plan._parts[0] = new Part(0, (long)us);
        return plan;
    }

    /// <summary>Adds a part; false when there is no room for it.</summary>
    public bool Add(long fromUs, long untilUs)
    {
        if (Prewarms == MaxParts - 1)
        {
            return false;
        }

        _parts[++Prewarms] = new Part(fromUs, untilUs);
        return true;
    }

    /// <summary>A part after the first, in order of time, from 1.</summary>
    public readonly (long FromUs, long UntilUs) Prewarm(int index) => (_parts[index].FromUs, _parts[index].UntilUs);

    /// <summary>Until which age of the gap an instance that is ready at one is kept, µs; the age itself for not at all.</summary>
    public readonly long KeepUntilUs(long ageUs, long leadUs)
    {
        for (var i = 0; i <= Prewarms; i++)
        {
            if (ageUs >= _parts[i].FromUs - leadUs && ageUs < _parts[i].UntilUs)
            {
                return _parts[i].UntilUs;
            }
        }

        return ageUs;
    }

    /// <summary>What a gap of this length costs under the plan.</summary>
    /// <param name="gapUs">The gap, µs.</param>
    /// <param name="leadUs">How long a cold start takes, µs.</param>
    /// <param name="heldUs">For how long memory was held, creation ahead of time included, µs.</param>
    /// <param name="lateUs">How long the request that ends the gap waits for an instance under way, µs.</param>
    /// <returns>Whether an instance was ready, or under way.</returns>
    public readonly bool Serves(long gapUs, long leadUs, out long heldUs, out long lateUs)
    {
        heldUs = 0;
        lateUs = 0;
        for (var i = 0; i <= Prewarms; i++)
        {
            var part = _parts[i];
            var fromUs = i == 0 ? 0 : part.FromUs - leadUs;
            if (gapUs < fromUs)
            {
                return false;
            }

            if (gapUs <= part.UntilUs)
            {
                heldUs += gapUs - fromUs;
                lateUs = Math.Max(0, part.FromUs - gapUs);
                return true;
            }

            heldUs += part.UntilUs - fromUs;
        }

        return false;
    }

    private readonly record struct Part(long FromUs, long UntilUs);

    [InlineArray(MaxParts)]
    private struct Parts
    {
        private Part _first;
    }
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
            prewarm[bin] = createCost + holdCost < coldCost;
            cold = Math.Min(coldCost, createCost + holdCost);
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

    private static long HoldFrom(ReadOnlySpan<bool> hold, ref int next)
    {
        var first = next;
        while (next < LogHistogram.BinCount && hold[next])
        {
            next++;
        }

        if (next == first)
        {
            next += first == 0 ? 0 : 1;
            return first == 0 ? 0 : BoundUs(first);
        }

        return BoundUs(next - 1);
    }

    private static long BoundUs(int bin) =>
        (long)(bin == LogHistogram.BinCount - 1 ? 2 * LogHistogram.LowerBoundUs(bin) : LogHistogram.UpperBoundUs(bin));
}
