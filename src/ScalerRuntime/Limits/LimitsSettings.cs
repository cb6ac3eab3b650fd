namespace FuncScaler.Runtime.Limits;

/// <summary>The settings file of limits: floors, ceilings, schedules, concurrency and prices, by function; and which functions follow each other.</summary>
public sealed record LimitsSettings
{
    /// <summary>The limits of each function, by its key.</summary>
    public IReadOnlyDictionary<string, FunctionLimitsSettings> Functions { get; init; } = new Dictionary<string, FunctionLimitsSettings>();

    /// <summary>The limits of all functions that are not named; null for none. Default null.</summary>
    public FunctionLimitsSettings? Others { get; init; }

    /// <summary>Functions that follow each other. Default none.</summary>
    public IReadOnlyList<LimitsGroupSettings> Groups { get; init; } = [];
}

/// <summary>Two functions that follow each other.</summary>
public sealed record LimitsGroupSettings
{
    /// <summary>The key of the function whose requests come first.</summary>
    public string Parent { get; init; } = "";

    /// <summary>The key of the function that is called then; it may be the parent's, and groups may form circles.</summary>
    public string Child { get; init; } = "";

    /// <summary>How many requests of the child follow one of the parent, 1 to 1000. Default 1.</summary>
    public int FanOut { get; init; } = 1;

    /// <summary>How long after the parent's request they come, typically, 0 to an hour; null to learn it from the requests that come. Default null.</summary>
    public TimeSpan? Delay { get; init; }
}

/// <summary>The limits of one function.</summary>
public sealed record FunctionLimitsSettings
{
    /// <summary>The instances kept at all times, 0 to 100,000. Default 0.</summary>
    public int Min { get; init; }

    /// <summary>The most instances at a time, 0 to 100,000; 0 for no limit. Default 0.</summary>
    public int Max { get; init; }

    /// <summary>The most requests that wait, 1 to 1,000,000; null for what the scaler allows each function. Default null.</summary>
    public int? MaxWaiting { get; init; }

    /// <summary>The most requests that an instance serves at a time, 1 to 1000. Default 1.</summary>
    public int? Concurrency { get; init; }

    /// <summary>What a second of waiting is worth, GB·s, 0 to 10⁹; null for the scaler's own price. Default null.</summary>
    public double? LatencyPrice { get; init; }

    /// <summary>
    /// The time within which 95 of 100 requests are to have their instance, at the least memory, 1 ms to 1 h; null for none. The price follows from it,
    /// so not with <see cref="LatencyPrice"/>; for the policy <c>adaptive</c>. Default null.
    /// </summary>
    public TimeSpan? Slo { get; init; }

    /// <summary>
    /// The memory of an instance, MB, 1 to 1,048,576: for a floor or a group before the function's first request, which tells the scaler else. Default
    /// null.
    /// </summary>
    public int? MemoryMb { get; init; }

    /// <summary>The runtime that the function's requests name, with <see cref="MemoryMb"/>. Default empty.</summary>
    public string Runtime { get; init; } = "";

    /// <summary>The time-out that the function's requests name, s, 0 to 31,536,000, with <see cref="MemoryMb"/>. Default 0.</summary>
    public int TimeoutSeconds { get; init; }

    /// <summary>Other floors and ceilings at times. Where several hold at a time, the last of them in the list counts.</summary>
    public IReadOnlyList<LimitsScheduleSettings> Schedules { get; init; } = [];
}

/// <summary>A floor and a ceiling that hold at times.</summary>
public sealed record LimitsScheduleSettings
{
    /// <summary>When it begins: a cron expression of five fields, or of six with seconds first.</summary>
    public string Cron { get; init; } = "";

    /// <summary>The time zone of <see cref="Cron"/> and <see cref="Until"/>, as Europe/Berlin. Default UTC.</summary>
    public string TimeZone { get; init; } = "UTC";

    /// <summary>The floor meanwhile; null for the function's. Default null.</summary>
    public int? Min { get; init; }

    /// <summary>The ceiling meanwhile; null for the function's. Default null.</summary>
    public int? Max { get; init; }

    /// <summary>When it ends: a cron expression. Either this or <see cref="Duration"/> is given.</summary>
    public string? Until { get; init; }

    /// <summary>For how long it holds, 1 s to 31 days.</summary>
    public TimeSpan? Duration { get; init; }
}
