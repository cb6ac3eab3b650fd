namespace FuncScaler.Pool;

/// <summary>Limits of a <see cref="SlotPool"/>. All times in µs.</summary>
public sealed record SlotPoolOptions
{
    /// <summary>
    /// Whether a waiting request takes whatever comes first, a release or any new instance. When false each miss is tied to its own new
    /// instance, as in the contest's template and in most papers.
    /// </summary>
    public bool Waiting { get; init; } = true;

    /// <summary>
    /// How long to wait for the backend's answer to CreateSlot before another slot is tried; a later answer is still used. Default 30 s.
    /// </summary>
    public long CreateTimeoutUs { get; init; } = 30_000_000;

    /// <summary>How long to wait for the backend's answer to Init. Default 600 s: the contest knows inits of 120 s.</summary>
    public long InitTimeoutUs { get; init; } = 600_000_000;

    /// <summary>After this long without an answer DestroySlot is asked again. Default 60 s.</summary>
    public long DestroyTimeoutUs { get; init; } = 60_000_000;

    /// <summary>The first pause after a failed create or destroy; doubles with each failure in a row. Default 100 ms.</summary>
    public long RetryDelayUs { get; init; } = 100_000;

    /// <summary>The longest pause between tries. Default 10 s.</summary>
    public long MaxRetryDelayUs { get; init; } = 10_000_000;

    /// <summary>
    /// An assignment that was not released within twice the function's timeout plus this is taken to be lost, and its instance is
    /// destroyed. Functions without a timeout are exempt. 0 turns it off. Default 60 s.
    /// </summary>
    public long AssignmentGraceUs { get; init; } = 60_000_000;

    /// <summary>The most slots of one function at a time, in whatever state; 0 for no limit.</summary>
    public int MaxSlots { get; init; }

    /// <summary>
    /// What one second of a caller's waiting is worth, GBs of memory time, to policies that weigh the two; null to have it follow from
    /// the contest's score.
    /// </summary>
    public double? LatencyPriceGbs { get; init; }

    /// <summary>How long a slot that the backend lists and nobody owns is left alone before it is destroyed. Default 0.</summary>
    public long OrphanGraceUs { get; init; }

    /// <summary>
    /// What creating one more slot costs now beyond its memory: the seconds of waiting that it is expected to cause to later requests
    /// because the backend's calls are rationed. Null for a backend that rations nothing.
    /// </summary>
    public Func<double>? CreatePriceSeconds { get; init; }

    /// <summary>What instance ids begin with; the host makes it unique per process.</summary>
    public string InstancePrefix { get; init; } = "i-";

    /// <summary>The pause after so many failures in a row, µs.</summary>
    public long RetryPauseUs(int failures) => Math.Min(MaxRetryDelayUs, RetryDelayUs << Math.Min(failures - 1, 20));

    /// <summary>How long a request may hold an instance of a function before it is taken to be lost, µs; null for ever.</summary>
    public long? AssignmentLimitUs(FunctionMeta function) =>
        AssignmentGraceUs > 0 && function.TimeoutSeconds > 0 ? (2_000_000L * function.TimeoutSeconds) + AssignmentGraceUs : null;
}
