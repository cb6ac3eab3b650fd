using FuncScaler.Statistics;

namespace FuncScaler.Policies.Adaptive.Planning;

/// <summary>
/// For each bin of a histogram, the probability that an idle gap that reaches the bin ends in it. Three sources are blended: the function's
/// own gaps, the gaps of other functions, and a power law.
/// </summary>
/// <remarks>
/// The sources are blended bin by bin, as the mean of a Beta distribution (after the beta-Stacy process of Walker and Muliere, "Beta-Stacy
/// processes and a generalization of the Pólya-urn scheme", 1997). So much data on short gaps does not make little data on long gaps look
/// better. A power law of exponent 1 leads to a hold that costs as much as a miss, as in the ski-rental problem.
/// </remarks>
internal static class GapHazards
{
    /// <summary>If so many gaps of other functions reached a bin, they count as much as the expectation from shorter gaps does.</summary>
    private const double OthersNeeded = 20;

    /// <summary>At most so many gaps of ranks that share a histogram count as one gap, because one burst ends them all.</summary>
    private const int MostTogether = 4;

    /// <summary>How many bins on either side of a bin are used for its estimate.</summary>
    private const int Near = 2;

    /// <summary>
    /// The bins on both sides together count as at most so many gaps. With few gaps there are empty bins between full bins, and their
    /// emptiness says little.
    /// </summary>
    private const double NearWeight = 1;

    /// <summary>How fast the expectation for a bin follows the bins before it.</summary>
    private const double Following = 0.125;

    /// <param name="own">The gaps of the function; null for none.</param>
    /// <param name="others">The gaps of other functions; null if there are too few.</param>
    /// <param name="ranks">How many ranks share the histogram.</param>
    /// <param name="priorWeight">How many gaps of the function the gaps of other functions count as, in each bin.</param>
    /// <param name="tail">The exponent of the power law: P(gap > t) falls with t to the power of minus this.</param>
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

                // In bins that no gap has reached yet, the expectation stays the same.
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

    /// <summary>The hazard of the bins on both sides of a bin, and how many gaps reached them. Bins farther away count less.</summary>
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
