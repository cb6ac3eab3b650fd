using System.Text.Json.Serialization;

namespace FuncScaler.Runtime.Dashboard;

/// <summary>What a dashboard reads a scaler's figures from.</summary>
public interface IDashboardSource
{
    /// <summary>The policy that serves functions; null for a platform, which decides nothing.</summary>
    string? PolicyName { get; }

    /// <summary>
    /// Whether to measure how long each Assign takes. It costs some nanoseconds a call; false, the default, costs nothing.
    /// </summary>
    bool MeasuresScheduling { get; set; }

    /// <summary>
    /// Reads all functions, a few at a time, so that no request waits behind a long list. One reader at a time.
    /// </summary>
    /// <param name="function">Called once for each function, with the pools locked: it must only take the figures down.</param>
    DashboardTotals Read(FunctionReader function);
}

/// <summary>Takes down one function's figures.</summary>
public delegate void FunctionReader(in FunctionReading function);

/// <summary>One function's figures at a moment; of one whose callers use several settings, those of one memory and runtime.</summary>
/// <param name="Key">The function's key.</param>
/// <param name="Runtime">Its runtime.</param>
/// <param name="MemoryMb">Memory of an instance, MB.</param>
/// <param name="Arrivals">Requests so far.</param>
/// <param name="Busy">Instances that execute a request.</param>
/// <param name="Idle">Instances that are ready and unused.</param>
/// <param name="InFlight">Slots that are being created or initialised.</param>
/// <param name="Waiting">Requests without an instance.</param>
/// <param name="MeanDurationMs">Mean execution, ms; 0 where none has ended.</param>
/// <param name="MeanColdStartMs">Mean create and init together, ms; 0 where none has ended.</param>
/// <param name="Failing">What callers are told at once because its instances fail to start; null where they do not.</param>
public readonly record struct FunctionReading(
    string Key,
    string Runtime,
    int MemoryMb,
    long Arrivals,
    int Busy,
    int Idle,
    int InFlight,
    int Waiting,
    double MeanDurationMs,
    double MeanColdStartMs,
    string? Failing)
{
    /// <summary>Requests that execute.</summary>
    public int Executing { get; init; } = Busy;

    /// <summary>How many requests an instance serves at a time now.</summary>
    public int RequestsPerInstance { get; init; } = 1;
}

/// <summary>A scaler's totals at a moment.</summary>
/// <param name="AtSeconds">The time on the scaler's clock, s since its start.</param>
/// <param name="Backend">Where its slots come from.</param>
/// <param name="Requests">Requests since the start.</param>
/// <param name="Calls">Backend calls since the start.</param>
/// <param name="Decisions">What the policy decided since the start; null for a platform.</param>
/// <param name="Score">Memory time and score since the start.</param>
/// <param name="Budget">What the platform still grants; null for one that does not ration.</param>
/// <param name="PriceGbsPerSecond">What a second of waiting is worth to the policy, GB·s; null where it puts no price on it.</param>
/// <param name="SchedulingTimes">Counts of all Assigns that were measured so far, for <see cref="DashboardFeed"/>.</param>
public sealed record DashboardTotals(
    double AtSeconds,
    string Backend,
    RequestStats Requests,
    CallStats Calls,
    DecisionStats? Decisions,
    ScoreStats Score,
    BudgetStats? Budget,
    double? PriceGbsPerSecond,
    [property: JsonIgnore] long[] SchedulingTimes)
{
    /// <summary>Of a platform: what the scaler did wrong, a sentence each; null for a scaler.</summary>
    public IReadOnlyList<string>? Misuses { get; init; }
}

/// <summary>Backend calls since the start.</summary>
public sealed record CallStats(long Creates, long Destroys, long Failures, long Throttled);

/// <summary>What the policy decided since the start, in instances and requests.</summary>
/// <param name="CreatedOnMiss">Instances created at once for a request that found none.</param>
/// <param name="CreatedAhead">Instances created otherwise: ahead of a request, or again after a failure.</param>
/// <param name="Waits">Requests that were let wait for what comes first.</param>
/// <param name="GivenBack">Instances given back.</param>
public sealed record DecisionStats(long CreatedOnMiss, long CreatedAhead, long Waits, long GivenBack);
