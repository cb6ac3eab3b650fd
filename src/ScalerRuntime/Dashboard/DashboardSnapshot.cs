namespace FuncScaler.Runtime.Dashboard;

/// <summary>What the dashboard shows of a scaler at a moment, as <c>GET /api/dashboard</c> answers it.</summary>
/// <param name="Policy">The policy that serves functions; null for a platform, which decides nothing.</param>
/// <param name="Totals">Totals since the start; the scheduling times are in <paramref name="Point"/>.</param>
/// <param name="Point">The figures that the charts over time show.</param>
/// <param name="FunctionCount">Functions that were asked for and are not forgotten; those of several settings count once for each.</param>
/// <param name="Largest">The functions with the most instances, at most <see cref="DashboardFeed.Listed"/>.</param>
/// <param name="Busiest">Those with the most requests per second.</param>
/// <param name="MostWaiting">Those with the most requests that wait.</param>
/// <param name="MostWasteful">Those with the most memory that executes nothing.</param>
/// <param name="Failing">Those whose instances fail to start.</param>
/// <param name="FailingCount">How many fail to start; only the first are listed.</param>
public sealed record DashboardSnapshot(
    string? Policy,
    DashboardTotals Totals,
    DashboardPoint Point,
    int FunctionCount,
    IReadOnlyList<FunctionView> Largest,
    IReadOnlyList<FunctionView> Busiest,
    IReadOnlyList<FunctionView> MostWaiting,
    IReadOnlyList<FunctionView> MostWasteful,
    IReadOnlyList<FunctionView> Failing,
    int FailingCount);

/// <summary>One moment of the charts. Rates are of the time since the point before; null for the first, and after a pause.</summary>
/// <param name="AtSeconds">When, s since the scaler's start.</param>
/// <param name="Warm">Requests per second that found an idle instance.</param>
/// <param name="Waited">Requests per second that another's release served.</param>
/// <param name="Cold">Requests per second that waited for a new instance.</param>
/// <param name="Rejected">Requests per second that got no instance.</param>
/// <param name="Waiting">Requests without an instance.</param>
/// <param name="Busy">Instances that execute a request.</param>
/// <param name="Idle">Instances that are ready and unused.</param>
/// <param name="InFlight">Slots that are being created or initialised.</param>
/// <param name="HeldGb">Memory of all slots, GB.</param>
/// <param name="UsedGb">Memory of those that execute a request, GB.</param>
/// <param name="P50Ms">Half of the Assigns of the last ten seconds took no longer, ms; null where there were none.</param>
/// <param name="P95Ms">As before, 95 %.</param>
/// <param name="P99Ms">As before, 99 %.</param>
/// <param name="PriceGbsPerSecond">What a second of waiting is worth to the policy, GB·s; null where it puts no price on it.</param>
public sealed record DashboardPoint(
    double AtSeconds,
    double? Warm,
    double? Waited,
    double? Cold,
    double? Rejected,
    int Waiting,
    int Busy,
    int Idle,
    int InFlight,
    double HeldGb,
    double UsedGb,
    double? P50Ms,
    double? P95Ms,
    double? P99Ms,
    double? PriceGbsPerSecond);

/// <summary>One function, as the dashboard lists it.</summary>
/// <param name="ArrivalsPerSecond">Requests per second, of the last half minute mostly.</param>
/// <param name="MeanWaiting">Requests without an instance, of the last half minute mostly.</param>
/// <param name="UnusedGb">Memory that executes nothing, GB, of the last half minute mostly.</param>
/// <param name="MeanDurationMs">Mean execution, ms; 0 where none has ended.</param>
/// <param name="MeanColdStartMs">Mean create and init together, ms; 0 where none has ended.</param>
/// <param name="Failing">What callers are told at once because its instances fail to start; null where they do not.</param>
public sealed record FunctionView(
    string Key,
    string Runtime,
    int MemoryMb,
    long Arrivals,
    int Busy,
    int Idle,
    int InFlight,
    int Waiting,
    double ArrivalsPerSecond,
    double MeanWaiting,
    double UnusedGb,
    double MeanDurationMs,
    double MeanColdStartMs,
    string? Failing)
{
    /// <summary>Requests that execute.</summary>
    public int Executing { get; init; }

    /// <summary>How many requests an instance serves at a time now.</summary>
    public int RequestsPerInstance { get; init; } = 1;
}

/// <summary>How functions are put in order.</summary>
public enum FunctionOrder
{
    /// <summary>The most requests per second first.</summary>
    Busiest,

    /// <summary>The most requests that wait first.</summary>
    Waiting,

    /// <summary>The most memory that executes nothing first.</summary>
    Wasteful,

    /// <summary>The most instances first.</summary>
    Largest,

    /// <summary>By key.</summary>
    Key,
}

/// <summary>Functions that a search has found.</summary>
/// <param name="Found">How many there are.</param>
/// <param name="Functions">The first of them.</param>
public sealed record FunctionSearch(int Found, IReadOnlyList<FunctionView> Functions);
