namespace FuncScaler.SlotBackends.Runtime;

/// <summary>A scaler's state, as <c>GET /api/stats</c> shows it.</summary>
public sealed record ScalerStats(
    string Policy,
    string Backend,
    double UptimeSeconds,
    RequestStats Requests,
    SlotStats Slots,
    ScoreStats Score,
    BudgetStats? Budget,
    IReadOnlyList<FunctionStats> Functions);

/// <summary>Requests since the start.</summary>
public sealed record RequestStats(long Assigns, long Warm, long Waited, long Cold, long Rejected, long Releases, long UnknownReleases, int Waiting);

/// <summary>Slots now, and backend calls since the start.</summary>
public sealed record SlotStats(int Busy, int Idle, int InFlight, int Total, long Creates, long Destroys, long BackendFailures);

/// <summary>What a platform that rations its calls still grants; null for one that does not.</summary>
public sealed record BudgetStats(double CreatesLeft, double CreatesPerSecond, double CreatePriceSeconds, int HeldCreates, int HeldDestroys, long Throttled);

/// <summary>The contest's score as this scaler sees it: without the time that callers spend on the wire.</summary>
public sealed record ScoreStats(double Score, double ResourceScore, double LatencyScore, double ExecutionGbSeconds, double SlotGbSeconds);

/// <summary>One function.</summary>
public sealed record FunctionStats(
    string Key,
    int MemoryMb,
    long Arrivals,
    int Busy,
    int Idle,
    int InFlight,
    int Waiting,
    double MeanDurationMs,
    double MeanCreateMs,
    double MeanInitMs,
    double? GapP50Ms,
    double? GapP95Ms);
