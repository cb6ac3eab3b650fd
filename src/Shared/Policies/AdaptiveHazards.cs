using FuncScaler.Statistics;

namespace FuncScaler.Policies;

/// <summary>
/// How likely an idle gap is to end in each bin it reaches: a function's own gaps, next to other functions', next to a law without a scale.
/// </summary>
/// <remarks>
/// What is known is blended bin by bin, as the mean of a Beta distribution (after the beta-Stacy process of Walker and Muliere, "Beta-Stacy
/// processes and a generalization of the Pólya-urn scheme", 1997): much data at short gaps leaves little data at long ones what it is. A
/// scale-free law of exponent 1 gives a hold of as much as a miss costs: ski rental.
/// </remarks>
internal static class AdaptiveHazards
{
    /// <summary>How many gaps of other functions it takes until they count half against what is known of shorter gaps.</summary>
    private const double OthersNeeded = 20;

    /// <summary>How many gaps of ranks that share a histogram count as one: one burst ends them all.</summary>
    private const int MostTogether = 4;

    /// <summary>How fast the expectation for a bin follows the bins before it.</summary>
    private const double Following = 0.125;

    /// <param name="own">The function's own gaps; null for none.</param>
    /// <param name="others">Those of other functions; null for too few.</param>
    /// <param name="ranks">How many ranks share the histogram.</param>
    /// <param name="priorWeight">How many gaps that reached a bin the others' count as.</param>
    /// <param name="tail">The exponent of the scale-free law: P(gap > t) falls with t to the power of minus this.</param>
    /// <param name="hazards">For each bin of <see cref="LogHistogram"/> the probability that a gap that reaches it ends in it.</param>
    public static void Estimate(HazardHistogram? own, HazardHistogram? others, int ranks, double priorWeight, double tail, Span<double> hazards)
    {
        double together = Math.Min(ranks, MostTogether);
        var scaleFree = 1 - Math.Pow(2, -tail / LogHistogram.BinsPerOctave);
        var expected = scaleFree;
        for (var bin = 0; bin < hazards.Length; bin++)
        {
            var prior = expected;
            if (others is not null)
            {
                var reached = others.ReachedOf(bin) / together;
                prior = ((others.Hazard(bin) * reached) + (OthersNeeded * expected)) / (reached + OthersNeeded);

                // Where nothing has got to yet, the law goes on as it was before.
                expected = Math.Min(scaleFree, expected + (Following * reached / (reached + OthersNeeded) * (prior - expected)));
            }

            var known = (own?.ReachedOf(bin) ?? 0) / together;
            hazards[bin] = known + priorWeight > 0 ? (((own?.Hazard(bin) ?? 0) * known) + (priorWeight * prior)) / (known + priorWeight) : prior;
        }
    }
}
