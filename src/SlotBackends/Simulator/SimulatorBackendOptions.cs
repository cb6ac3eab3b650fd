namespace FuncScaler.SlotBackends.Simulator;

/// <summary>Settings of a <see cref="SimulatorBackend"/>.</summary>
public sealed record SimulatorBackendOptions
{
    /// <summary>
    /// How long CreateSlot may take. Long on purpose: giving the call up would lose a slot whose id nobody knows, and the pool tries
    /// another slot much sooner. Default 5 minutes.
    /// </summary>
    public TimeSpan CreateTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// What the ids of CreateSlot requests begin with, before the ticket: a repeated request has the same id, and a platform that heeds ids
    /// answers it with the same slot. Null for ids that are never the same.
    /// </summary>
    public string? Run { get; init; }

    /// <summary>How long Init may take; the contest knows inits of 120 s. Default 10 minutes.</summary>
    public TimeSpan InitTimeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long DestroySlot may take. Default 30 s.</summary>
    public TimeSpan DestroyTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Tries after the first one, for throttling and transport errors. Default 3; 0 for none.</summary>
    public int MaxRetries { get; init; } = 3;

    /// <summary>The pause before the first retry; doubles with each, with jitter. Default 50 ms.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Where the jitter comes from, 0 to 1; null for a shared random source.</summary>
    public Func<double>? Randomizer { get; init; }
}
