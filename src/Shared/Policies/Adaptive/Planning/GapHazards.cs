using FuncScaler.Statistics;

namespace FuncScaler.Policies.Adaptive.Planning;

/// <summary>
/// How likely an idle gap is to end in each bin it reaches: a function's own gaps, next to other functions', next to a law without a scale.
/// </summary>
/// <remarks>
/// What is known is blended bin by bin, as the mean of a Beta distribution (after the beta-Stacy process of Walker and Muliere, "Beta-Stacy
/// processes and a generalization of the Pólya-urn scheme", 1997): much data at short gaps leaves little data at long ones what it is. A
/// scale-free law of exponent 1 gives a hold of as much as a miss costs: ski rental.
/// </remarks>
internal static class GapHazards
{
    /// <summary>How many gaps of other functions it takes until they count half against what is known of shorter gaps.</summary>
    private const double OthersNeeded = 20;

    /// <summary>How many gaps of ranks that share a histogram count as one: one burst ends them all.</summary>
    private const int MostTogether = 4;

    /// <summary>How many bins to either side tell something of one.</summary>
    private const int Near = 2;

    /// <summary>
    /// How many gaps at most those bins count as together: few gaps leave bins empty between full ones, which says little.
    /// </summary>
    private const double NearWeight = 1;

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

            if (own is null)
            {
                hazards[bin] = prior;
                continue;
            }

            var known = own.ReachedOf(bin) / together;
            var (near, reachedNear) = BesideOf(own, bin);
            var beside = Math.Min(NearWeight, reachedNear / together);
            var weight = known + beside + priorWeight;
            hazards[bin] = weight > 0 ? ((own.Hazard(bin) * known) + (near * beside) + (priorWeight * prior)) / weight : prior;
        }
    }

    /// <summary>The hazard of the bins beside one, and how many gaps reached them; the farther, the less they count.</summary>
    private static (double Hazard, double Reached) BesideOf(HazardHistogram gaps, int bin)
    {
        double ended = 0, reached = 0;
        for (var distance = 1; distance <= Near; distance++)
        {
            var share = 1 - (distance / (Near + 1.0));
            foreach (var beside in (ReadOnlySpan<int>)[bin - distance, bin + distance])
            {
                var reachedHere = beside < 0 ? 0 : share * gaps.ReachedOf(beside);
                reached += reachedHere;
                ended += reachedHere * gaps.Hazard(beside);
            }
        }

        return (reached > 0 ? ended / reached : 0, reached);
    }
}
