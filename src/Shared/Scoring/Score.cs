namespace FuncScaler.Scoring;

/// <summary>A result, as the contest counts it.</summary>
/// <param name="Requests">All requests.</param>
/// <param name="FailedRequests">The failed ones among them.</param>
/// <param name="ExecutionGbSeconds">Memory times execution, GB·s.</param>
/// <param name="SlotGbSeconds">Memory times the life of the slots, GB·s.</param>
/// <param name="ExecutionSeconds">Execution, s.</param>
/// <param name="AssignSeconds">What callers waited for Assign, s.</param>
/// <param name="IdleSeconds">What callers waited for Idle, s.</param>
public readonly record struct Score(
    long Requests,
    long FailedRequests,
    double ExecutionGbSeconds,
    double SlotGbSeconds,
    double ExecutionSeconds,
    double AssignSeconds,
    double IdleSeconds)
{
    /// <summary>The share of requests that did not fail, 0 to 1; 1 when there was none.</summary>
    public double SuccessRate => Requests == 0 ? 1 : 1 - ((double)FailedRequests / Requests);

    /// <summary>The resource half, 0 to 50: how much of the paid memory time was execution.</summary>
    public double ResourceScore => SlotGbSeconds > 0 ? 50 * Math.Min(1, ExecutionGbSeconds / SlotGbSeconds) : 0;

    /// <summary>The cold-start half, 0 to 50: how much of the callers' time was execution.</summary>
    public double LatencyScore =>
        ExecutionSeconds + AssignSeconds + IdleSeconds > 0
            ? 50 * ExecutionSeconds / (ExecutionSeconds + AssignSeconds + IdleSeconds)
            : 0;

    /// <summary>The score, 0 to 100: both halves, or 0 below <see cref="ScoreLedger.RequiredSuccessRate"/>.</summary>
    public double Total => SuccessRate < ScoreLedger.RequiredSuccessRate ? 0 : ResourceScore + LatencyScore;
}
