namespace FuncScaler.Runtime;

/// <summary>A scaler's state, as <c>GET /api/stats</c> shows it.</summary>
public sealed record ScalerStats(
    string Policy,
    string Backend,
    double UptimeSeconds,
    RequestStats Requests,
    SlotStats Slots,
    ScoreStats Score,
    BudgetStats? Budget,
    int FunctionCount,
    IReadOnlyList<FunctionStats> Functions);

/// <summary>Which functions to describe, in the order in which they were first asked for.</summary>
/// <param name="Offset">How many to pass over; 0 by default.</param>
/// <param name="Limit">The most to describe; 0 stands for the default of 1,000.</param>
public readonly record struct StatsPage(int Offset, int Limit)
{
    /// <summary>The most functions described where no limit is given.</summary>
    public const int DefaultLimit = 1000;

    internal bool Contains(int number) => number >= Offset && number - Offset < (Limit > 0 ? Limit : DefaultLimit);
}

/// <summary>Requests since the start.</summary>
public sealed record RequestStats(long Assigns, long Warm, long Waited, long Cold, long Rejected, long Releases, long UnknownReleases, int Waiting);

/// <summary>Slots now, and backend calls since the start.</summary>
public sealed record SlotStats(int Busy, int Idle, int InFlight, int Total, long Creates, long Destroys, long BackendFailures);

/// <summary>What a platform that rations its calls still grants; null for one that does not.</summary>
public sealed record BudgetStats(double CreatesLeft, double CreatesPerSecond, double CreatePriceSeconds, int HeldCreates, int HeldDestroys, long Throttled);

/// <summary>The contest's score as this scaler sees it: without the time that callers spend on the wire.</summary>
public sealed record ScoreStats(double Score, double ResourceScore, double LatencyScore, double ExecutionGbSeconds, double SlotGbSeconds);

/// <summary>One function; of one whose callers use several settings, those of one memory and runtime.</summary>
/// <param name="Failing">
/// What callers are told at once because the function's instances fail to start; null where they do not.
/// </param>
public sealed record FunctionStats(
    string Key,
    int MemoryMb,
    string Runtime,
    long Arrivals,
    int Busy,
    int Idle,
    int InFlight,
    int Waiting,
    double MeanDurationMs,
    double MeanCreateMs,
    double MeanInitMs,
    double? GapP50Ms,
    double? GapP95Ms,
    string? Failing)
{
    /// <summary>Requests that execute: as many as <see cref="Busy"/>, unless instances serve several at a time.</summary>
    public int Executing { get; init; }

    /// <summary>How many requests an instance serves at a time now; at most what the function allows.</summary>
    public int RequestsPerInstance { get; init; } = 1;

    /// <summary>The instances that an operator wants kept at all times; 0 for none.</summary>
    public int MinInstances { get; init; }

    /// <summary>The most instances that an operator allows; 0 for no limit.</summary>
    public int MaxInstances { get; init; }

    /// <summary>What these limits have cost so far against the policy's own plan; null where there never were any.</summary>
    public LimitsCost? LimitsCost { get; init; }
}
