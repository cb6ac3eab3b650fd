using FuncScaler.ContestSimulator.Virtual;

namespace FuncScaler.ContestSimulator.Reports;

/// <summary>Makes the points of the plot of cold starts against wasted memory out of results.</summary>
/// <remarks>
/// The plot of "Serverless in the Wild" (ATC'20), with functions in place of the paper's applications: the third quartile over functions
/// of the share of a function's requests that were cold starts, against the memory time that was not execution, normalised to a
/// keep-alive of 10 minutes.
/// </remarks>
public static class ParetoSweep
{
    /// <summary>The policy that wasted memory is relative to.</summary>
    public const string ReferencePolicy = "ttl:600";

    /// <summary>Makes the points, in the order given.</summary>
    /// <param name="reference">The result of <see cref="ReferencePolicy"/> on the same trace.</param>
    /// <param name="runs">The results, with their sweeps and labels.</param>
    public static IReadOnlyList<SweepPoint> Points(
        VirtualResult reference, IEnumerable<(SweepFamily Family, string Label, VirtualResult Result)> runs)
    {
        ArgumentNullException.ThrowIfNull(reference);
        ArgumentNullException.ThrowIfNull(runs);
        return
        [
            .. runs.Select(run => new SweepPoint(
                run.Family, run.Label, P75ColdShare(run.Result), Relative(run.Result.WastedGbSeconds, reference.WastedGbSeconds))
            {
                MeanWaitMs = run.Result.ScheduleTimes.MeanMs,
            }),
        ];
    }

    /// <summary>
    /// The smallest cold-start share, 0 to 1, that at least three quarters of the functions do not exceed. Functions without a request do
    /// not count, and every other counts once, however many requests it has; 0 when there is none.
    /// </summary>
    public static double P75ColdShare(VirtualResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        double[] shares = [.. result.Functions.Where(f => f.Requests > 0).Select(f => (double)f.ColdStarts / f.Requests).Order()];
        return shares.Length == 0 ? 0 : shares[((3 * shares.Length) + 3) / 4 - 1];
    }

    // Where the reference wastes nothing, as on an empty trace, nothing is as much as it; more is beyond any scale and not drawn.
    private static double Relative(double wasted, double reference) =>
        reference > 0 ? wasted / reference : wasted > 0 ? double.PositiveInfinity : 1;
}
