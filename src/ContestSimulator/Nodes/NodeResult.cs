namespace FuncScaler.ContestSimulator.Nodes;

/// <summary>What became of one function's calls.</summary>
/// <param name="Function">The function.</param>
/// <param name="Calls">Its calls.</param>
/// <param name="Failed">Those that failed.</param>
/// <param name="Seconds">What they took, acquiring and executing, s: the score's RT.</param>
/// <param name="AcquireSeconds">What acquiring took of it, s.</param>
public sealed record NodeOutcome(NodeFunction Function, int Calls, int Failed, double Seconds, double AcquireSeconds);

/// <summary>A run of a scheduler in the world of the 2020 contest.</summary>
public sealed record NodeResult
{
    public required string Scheduler { get; init; }

    public required string Trace { get; init; }

    public required IReadOnlyList<NodeOutcome> Functions { get; init; }

    /// <summary>The nodes' time from being reserved to being given back, s: the score's ND.</summary>
    public required double NodeSeconds { get; init; }

    /// <summary>The number of nodes from each time on, µs.</summary>
    public required IReadOnlyList<(long AtUs, int Nodes)> NodeCounts { get; init; }

    public required int ContainersCreated { get; init; }

    /// <summary>Containers that died for want of memory.</summary>
    public required int OutOfMemory { get; init; }

    public int Calls => Functions.Sum(f => f.Calls);

    public int Failed => Functions.Sum(f => f.Failed);

    public int MostNodes => NodeCounts.Count == 0 ? 0 : NodeCounts.Max(c => c.Nodes);

    public double FailedShare => Calls == 0 ? 0 : (double)Failed / Calls;

    /// <summary>The score against a baseline's run on the same trace.</summary>
    public double ScoreAgainst(NodeResult baseline, NodeWeights weights)
    {
        ArgumentNullException.ThrowIfNull(baseline);
        return NodeScore.Of(
            weights, [.. Functions.Select(f => f.Seconds)], NodeSeconds, [.. baseline.Functions.Select(f => f.Seconds)], baseline.NodeSeconds, FailedShare);
    }

    /// <summary>The mean over functions of RT against the baseline's.</summary>
    public double CallRatio(NodeResult baseline)
    {
        ArgumentNullException.ThrowIfNull(baseline);
        return NodeScore.CallRatio([.. Functions.Select(f => f.Seconds)], [.. baseline.Functions.Select(f => f.Seconds)]);
    }

    /// <summary>How many nodes there were from each time on, from their terms.</summary>
    internal static IReadOnlyList<(long AtUs, int Nodes)> Count(IEnumerable<NodeTerm> terms)
    {
        var changes = new SortedDictionary<long, int>();
        foreach (var term in terms)
        {
            changes[term.ReservedUs] = changes.GetValueOrDefault(term.ReservedUs) + 1;
            if (term.ReleasedUs is { } releasedUs)
            {
                changes[releasedUs] = changes.GetValueOrDefault(releasedUs) - 1;
            }
        }

        var counts = new List<(long, int)>();
        var nodes = 0;
        foreach (var (atUs, change) in changes)
        {
            counts.Add((atUs, nodes += change));
        }

        return counts;
    }
}
