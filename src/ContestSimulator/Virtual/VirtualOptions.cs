namespace FuncScaler.ContestSimulator.Virtual;

/// <summary>The contest's cost model, for virtual time. All times in µs.</summary>
public sealed record VirtualOptions
{
    /// <summary>What CreateSlot takes on the platform. (observed: 100 ms)</summary>
    public long CreateUs { get; init; } = 100_000;

    /// <summary>What DestroySlot takes on the platform. (observed: 20 ms)</summary>
    public long DestroyUs { get; init; } = 20_000;

    /// <summary>
    /// What a call of the platform costs besides. (observed: a cold Assign takes 104.5 ms more than its Init, at the median, for two calls)
    /// </summary>
    public long PlatformRpcUs { get; init; } = 2_000;

    /// <summary>What a caller waits for the wire and the scaler in a warm Assign.</summary>
    public long AssignRpcUs { get; init; } = 200;

    /// <summary>What a caller waits for the wire and the scaler in Idle.</summary>
    public long IdleRpcUs { get; init; } = 100;

    /// <summary>How long live slots go on costing after the last request. (observed: 300 s)</summary>
    public long TailUs { get; init; } = 300_000_000;

    /// <summary>What each create costs beyond its memory, GB·s, from 0: part of the bound's least cost, not of the score. Default 0.</summary>
    public double CreateCostGbs { get; init; }

    /// <summary>Limits of each pool.</summary>
    public SlotPoolOptions Pool { get; init; } = new();

    /// <summary>
    /// An operator's limits of each function; they hold from the first arrival on. Bounds on waiting requests are left out, as every request is to
    /// be served. How many requests share an instance is said by the trace (<see cref="Traces.SharedTrace"/>). Default null: no limits.
    /// </summary>
    public Func<MetaKey, FunctionLimits>? Limits { get; init; }

    /// <summary>
    /// Functions that follow each other, as an operator says; they hold from the first arrival on. All functions are simulated together then. Default
    /// none.
    /// </summary>
    public IReadOnlyList<FunctionGroup> Groups { get; init; } = [];

    /// <summary>Several workers under durable ledgers instead of one scaler; null, the default, for one.</summary>
    public VirtualWorkerOptions? Workers { get; init; }

    /// <summary>How many processors one run may use; functions are simulated apart where the policy lets them be. At least 1.</summary>
    public int Parallelism { get; init; } = 1;

    /// <summary>
    /// Whether to record instances over time, for <see cref="VirtualResult.Series"/>. Takes 4 KB per function that has a request; off, the
    /// run is as fast as if it could not be done.
    /// </summary>
    public bool RecordSeries { get; init; }

    /// <summary>A restart of the scaler; null for none.</summary>
    public VirtualRestart? Restart { get; init; }

    /// <summary>Looks into one function's pool at one time of the run; null for not at all.</summary>
    public VirtualInspection? Inspection { get; init; }
}

/// <summary>A look into a function's pool during a run.</summary>
/// <param name="Function">The function's key; the trace must have it.</param>
/// <param name="AtUs">When, µs since the first arrival; null for when the last request has ended. Past the tail's end it is looked then.</param>
/// <param name="Look">
/// Called once, with the time and the pool; null where the function had no request until then. Must change nothing.
/// </param>
public sealed record VirtualInspection(MetaKey Function, long? AtUs, Action<long, SlotPool?> Look);
