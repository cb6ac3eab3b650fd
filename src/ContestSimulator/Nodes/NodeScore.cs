namespace FuncScaler.ContestSimulator.Nodes;

/// <summary>How much calls and nodes count in the score.</summary>
/// <param name="Latency">W1, from 0.</param>
/// <param name="Nodes">W2, from 0.</param>
public readonly record struct NodeWeights(double Latency, double Nodes)
{
    /// <summary>The statement's first pair; its second is 0.75 and 0.25.</summary>
    public static NodeWeights Even { get; } = new(0.5, 0.5);

    public override string ToString() => FormattableString.Invariant($"{Latency:0.##}/{Nodes:0.##}");
}

/// <summary>The score of the 2020 contest. Source: the statement (docs/reference/contest-2020.md). Lower is better; the baseline has 1.</summary>
public static class NodeScore
{
    /// <summary>Above this share of failed requests <see cref="FailurePoints"/> are added.</summary>
    public const double MostFailures = 0.001;

    /// <summary>Points for too many failures (participants).</summary>
    public const double FailurePoints = 10;

    /// <summary>W1 times the mean over functions of RT against the baseline's, plus W2 times ND against the baseline's.</summary>
    /// <param name="weights">W1 and W2.</param>
    /// <param name="callSeconds">RT of each function: what its calls took, acquiring and executing, s.</param>
    /// <param name="nodeSeconds">ND: the nodes' time from being reserved to being released, s.</param>
    /// <param name="baselineCallSeconds">The baseline's RT of the same functions in the same order, s; a function without calls (0) does not count.</param>
    /// <param name="baselineNodeSeconds">The baseline's ND, s; above 0.</param>
    /// <param name="failedShare">The share of the requests that failed.</param>
    public static double Of(
        NodeWeights weights,
        IReadOnlyList<double> callSeconds,
        double nodeSeconds,
        IReadOnlyList<double> baselineCallSeconds,
        double baselineNodeSeconds,
        double failedShare = 0)
    {
        ArgumentNullException.ThrowIfNull(callSeconds);
        ArgumentNullException.ThrowIfNull(baselineCallSeconds);
        ArgumentOutOfRangeException.ThrowIfNotEqual(callSeconds.Count, baselineCallSeconds.Count);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(baselineNodeSeconds);
        return (weights.Latency * CallRatio(callSeconds, baselineCallSeconds))
            + (weights.Nodes * nodeSeconds / baselineNodeSeconds)
            + (failedShare > MostFailures ? FailurePoints : 0);
    }

    /// <summary>The mean over functions of RT against the baseline's; 0 without any call.</summary>
    public static double CallRatio(IReadOnlyList<double> callSeconds, IReadOnlyList<double> baselineCallSeconds)
    {
        ArgumentNullException.ThrowIfNull(callSeconds);
        ArgumentNullException.ThrowIfNull(baselineCallSeconds);
        var sum = 0.0;
        var count = 0;
        for (var i = 0; i < callSeconds.Count; i++)
        {
            if (baselineCallSeconds[i] > 0)
            {
                sum += callSeconds[i] / baselineCallSeconds[i];
                count++;
            }
        }

        return count > 0 ? sum / count : 0;
    }
}
