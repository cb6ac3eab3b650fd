using FuncScaler.Runtime.State;

namespace FuncScaler.Runtime;

/// <summary>Settings of a <see cref="ScalerRuntime"/>.</summary>
public sealed record ScalerRuntimeOptions
{
    /// <summary>Limits of each pool.</summary>
    public SlotPoolOptions Pool { get; init; } = new();

    /// <summary>What the instance ids of one run of a scaler may begin with: no other run will use it.</summary>
    public static string NewInstancePrefix() => $"i-{Guid.NewGuid().ToString("N")[..8]}-";

    /// <summary>How long a request waits for an instance when its caller sets no deadline. Default 10 minutes.</summary>
    public TimeSpan AssignTimeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// A request is answered this long before its caller's deadline (but keeps at least nine tenths of its time), so that the caller gets
    /// the reason and not just its own time-out. Default 100 ms.
    /// </summary>
    public TimeSpan DeadlineMargin { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>How often the inventory is compared with the backend's list; null for only after the backend was unreachable.</summary>
    public TimeSpan? ReconcileInterval { get; init; }

    /// <summary>The pause before the backend is asked for its list again when that failed. Default 500 ms.</summary>
    public TimeSpan ReconcileRetryDelay { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Keeps slots, assignments and what is learned over restarts; null for nothing. Disposed with the runtime.</summary>
    public DurableState? State { get; init; }

    /// <summary>Whether its requests and slots count in the metrics. Not so for a rehearsal.</summary>
    internal bool Measured { get; init; } = true;
}

/// <summary>An instance given to a request.</summary>
/// <param name="Instance">The instance.</param>
/// <param name="Kind">How the request came by it.</param>
/// <param name="Address">Where it is reached; null where the platform has no addresses.</param>
public readonly record struct AssignedInstance(InstanceId Instance, GrantKind Kind, Uri? Address);

/// <summary>A request got no instance.</summary>
public sealed class AssignRejectedException : Exception
{
    public AssignRejectedException()
    {
    }

    public AssignRejectedException(string message)
        : base(message)
    {
    }

    public AssignRejectedException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <param name="reason">Why.</param>
    /// <param name="message">The same in words.</param>
    /// <param name="retryAfter">When the caller may come again; null where that would not help.</param>
    public AssignRejectedException(RejectReason reason, string message, TimeSpan? retryAfter = null)
        : base(message)
    {
        Reason = reason;
        RetryAfter = retryAfter;
    }

    public RejectReason Reason { get; }

    /// <summary>When the caller may come again; null where that would not help.</summary>
    public TimeSpan? RetryAfter { get; }
}
