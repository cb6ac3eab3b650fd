using FuncScaler.ContestSimulator.Reports;

namespace FuncScaler.ContestSimulator.Experiments;

/// <summary>A mean over seeds, and how sure it is.</summary>
/// <param name="Mean">The mean.</param>
/// <param name="StandardError">Its standard error: the sample's standard deviation over the square root of their number; null for one seed.</param>
/// <param name="Count">How many there are.</param>
public readonly record struct Estimate(double Mean, double? StandardError, int Count)
{
    /// <summary>The estimate from some values; null where there is none.</summary>
    public static Estimate? Of(IEnumerable<double> values)
    {
        double[] all = [.. values];
        if (all.Length == 0)
        {
            return null;
        }

        var mean = all.Average();
        var error = all.Length < 2 ? (double?)null : Math.Sqrt(all.Sum(v => (v - mean) * (v - mean)) / (all.Length - 1) / all.Length);
        return new Estimate(mean, error, all.Length);
    }
}

/// <summary>What a policy has come to on a trace, over its seeds.</summary>
/// <param name="Policy">The policy, or the bound.</param>
/// <param name="IsBound">Whether it is the bound.</param>
/// <param name="Measures">Each measure by name; null where there is no value.</param>
/// <param name="ToBest">
/// By how much its sorting measure is above the best policy's, seed by seed; null for the bound, and for the best itself.
/// </param>
public sealed record PolicySummary(string Policy, bool IsBound, IReadOnlyDictionary<string, Estimate?> Measures, Estimate? ToBest);

/// <summary>The runs of one trace, or of one preset with several seeds.</summary>
/// <param name="Trace">Its name.</param>
/// <param name="Seeds">How many seeds there are; 1 for a trace without.</param>
/// <param name="Requests">The mean number of requests.</param>
/// <param name="Policies">The policies, the best first, and the bound last.</param>
public sealed record TraceSummary(string Trace, int Seeds, double Requests, IReadOnlyList<PolicySummary> Policies)
{
    /// <summary>Sums up runs, trace by trace, in the order of their first runs.</summary>
    /// <param name="runs">The runs.</param>
    /// <param name="sortBy">The measure that policies are sorted and compared by.</param>
    public static IReadOnlyList<TraceSummary> Of(IReadOnlyList<ExperimentRun> runs, Measure sortBy)
    {
        ArgumentNullException.ThrowIfNull(runs);
        ArgumentNullException.ThrowIfNull(sortBy);
        return [.. runs.GroupBy(r => r.Trace).Select(g => OfTrace(g.Key, [.. g], sortBy))];
    }

    private static TraceSummary OfTrace(string trace, ExperimentRun[] runs, Measure sortBy)
    {
        var policies = runs.Where(r => !r.IsBound).GroupBy(r => r.Policy)
            .Select(g => (Policy: g.Key, Runs: g.ToArray(), Mean: g.Average(r => r.Measures[sortBy.Name]!.Value)))
            .OrderBy(p => sortBy.MoreIsBetter ? -p.Mean : p.Mean)
            .ThenBy(p => p.Policy, StringComparer.Ordinal)
            .ToList();
        var best = policies.Count == 0 ? [] : policies[0].Runs.DistinctBy(BySeed).ToDictionary(BySeed, r => r.Measures[sortBy.Name]!.Value);
        var summaries = policies.Select((p, i) => new PolicySummary(
            p.Policy,
            false,
            Estimates(p.Runs),
            i == 0 ? null : Estimate.Of(p.Runs.Where(r => best.ContainsKey(BySeed(r))).Select(r => r.Measures[sortBy.Name]!.Value - best[BySeed(r)]))));
        ExperimentRun[] bounds = [.. runs.Where(r => r.IsBound)];
        return new TraceSummary(
            trace,
            runs.Select(BySeed).Distinct().Count(),
            runs.Average(r => r.Requests),
            [.. summaries, .. bounds.Length > 0 ? [new PolicySummary(ExperimentRun.BoundName, true, Estimates(bounds), null)] : Array.Empty<PolicySummary>()]);
    }

    private static (long? Seed, string Hash) BySeed(ExperimentRun run) => (run.Seed, run.TraceHash);

    private static Dictionary<string, Estimate?> Estimates(ExperimentRun[] runs) => runs[0].Measures.Keys.ToDictionary(
        name => name, name => Estimate.Of(runs.Select(r => r.Measures.GetValueOrDefault(name)).OfType<double>()));
}
