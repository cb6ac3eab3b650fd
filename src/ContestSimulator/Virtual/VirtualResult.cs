using FuncScaler.ContestSimulator.Platform;
using FuncScaler.Scoring;

namespace FuncScaler.ContestSimulator.Virtual;

/// <summary>What a run in virtual time has come to.</summary>
public sealed record VirtualResult
{
    public required string Policy { get; init; }

    public required string Trace { get; init; }

    public required Score Score { get; init; }

    /// <summary>Requests served by an instance that was created while they waited.</summary>
    public required long ColdStarts { get; init; }

    /// <summary>Requests that waited and were served by another's release.</summary>
    public required long Waited { get; init; }

    public required long SlotsCreated { get; init; }

    /// <summary>The most slots that existed at one time.</summary>
    public required long PeakInstances { get; init; }

    /// <summary>What callers waited for Assign and Idle together, per request.</summary>
    public required LatencyHistogram ScheduleTimes { get; init; }

    /// <summary>Per function, in the trace's order.</summary>
    public required IReadOnlyList<FunctionOutcome> Functions { get; init; }

    /// <summary>
    /// Instances over time of the functions with the most execution, in GB·s, at most <see cref="VirtualContest.MaxSeries"/>, the busiest
    /// first; empty unless <see cref="VirtualOptions.RecordSeries"/>.
    /// </summary>
    public IReadOnlyList<InstanceSeries> Series { get; init; } = [];

    /// <summary>
    /// The score up to now and then, µs since the first request arrived, at most <see cref="VirtualContest.MostScores"/> times; empty unless
    /// <see cref="VirtualOptions.RecordSeries"/>.
    /// </summary>
    public IReadOnlyList<(long AtUs, Score Score)> Scores { get; init; } = [];

    /// <summary>What workers and ledgers have sent each other; null where one scaler served.</summary>
    public WorkerTraffic? Traffic { get; init; }

    /// <summary>When the last request ended, µs since the first arrived.</summary>
    public required long EndUs { get; init; }

    /// <summary>What the run took in real time.</summary>
    public required TimeSpan Elapsed { get; init; }

    /// <summary>The share of requests with a cold start, 0 to 1.</summary>
    public double ColdStartShare => Score.Requests == 0 ? 0 : (double)ColdStarts / Score.Requests;

    /// <summary>The share of requests that waited at all, for a new instance or for another's release, 0 to 1.</summary>
    public double WaitedShare => Score.Requests == 0 ? 0 : (double)(ColdStarts + Waited) / Score.Requests;

    /// <summary>What requests waited for instances, the wire left out, s.</summary>
    public double WaitSeconds => Functions.Sum(f => f.WaitSeconds);

    /// <summary>Memory paid for and not used for execution, GB·s.</summary>
    public double WastedGbSeconds => Score.SlotGbSeconds - Score.ExecutionGbSeconds;
}

/// <summary>What a run has come to for one function.</summary>
/// <param name="Function">The function.</param>
/// <param name="Requests">Its requests.</param>
/// <param name="ColdStarts">Those that waited for a new instance.</param>
/// <param name="ExecutionGbSeconds">Its execution, GB·s: the memory in use, once for all requests that shared an instance.</param>
/// <param name="SlotGbSeconds">Its slots, GB·s.</param>
/// <param name="WaitSeconds">What its requests waited for instances, s.</param>
/// <param name="PeakInstances">The most slots it had at one time.</param>
public readonly record struct FunctionOutcome(
    FunctionMeta Function,
    long Requests,
    long ColdStarts,
    double ExecutionGbSeconds,
    double SlotGbSeconds,
    double WaitSeconds,
    int PeakInstances);
