namespace FuncScaler.Pool;

/// <summary>What the core asks of its host.</summary>
public enum EffectKind
{
    /// <summary>Create a slot of <see cref="Effect.MemoryMb"/>; answer with SlotCreated or SlotFailed.</summary>
    CreateSlot,

    /// <summary>Initialise <see cref="Effect.BackendSlot"/> as <see cref="Effect.Instance"/>; answer with SlotReady or SlotFailed.</summary>
    InitSlot,

    /// <summary>
    /// Destroy the slot; answer with SlotDestroyed (also when the backend does not know it any more) or SlotFailed. Where
    /// <see cref="Effect.BackendSlot"/> is empty the create's outcome is unknown: the backend may find the slot by its ticket.
    /// </summary>
    DestroySlot,

    /// <summary>Give <see cref="Effect.Instance"/> to the caller of <see cref="Effect.Request"/>.</summary>
    Grant,

    /// <summary>Tell the caller of <see cref="Effect.Request"/> that it gets none, and why.</summary>
    Reject,
}

/// <summary>How a request got its instance.</summary>
public enum GrantKind
{
    /// <summary>An instance was idle.</summary>
    Warm,

    /// <summary>The request waited, and another request's release served it.</summary>
    Waited,

    /// <summary>The request waited for a new instance.</summary>
    Cold,
}

/// <summary>Why a request got no instance.</summary>
public enum RejectReason
{
    /// <summary>No instance within the time the caller allowed.</summary>
    DeadlineExceeded,

    /// <summary>The caller went away.</summary>
    Cancelled,

    /// <summary>The backend refuses for good, for example because the memory size does not exist.</summary>
    BackendRefused,

    /// <summary>The function's instances fail to start, one after another.</summary>
    FunctionFails,

    /// <summary>The scaler is stopping.</summary>
    ShuttingDown,

    /// <summary>Too many requests wait already, or none of the instances would be free before the caller's deadline.</summary>
    Overloaded,
}

/// <summary>One thing the core asks of its host. Which members are set depends on <see cref="Kind"/>.</summary>
public readonly record struct Effect
{
    public EffectKind Kind { get; private init; }

    /// <summary>The function whose pool asks.</summary>
    public FunctionMeta Function { get; private init; }

    public SlotTicket Ticket { get; private init; }

    public BackendSlotId BackendSlot { get; private init; }

    public InstanceId Instance { get; private init; }

    public RequestId Request { get; internal init; }

    /// <summary>Where the granted instance is reached; null where the platform has no addresses.</summary>
    public Uri? Address { get; private init; }

    /// <summary>Memory of the slot, MB.</summary>
    public int MemoryMb { get; private init; }

    public GrantKind GrantKind { get; private init; }

    public RejectReason RejectReason { get; private init; }

    /// <summary>When a rejected caller may come again, µs from now; 0 where that would not help.</summary>
    public long RetryAfterUs { get; private init; }

    /// <summary>A reason in words, for logs and callers.</summary>
    public string? Message { get; private init; }

    public static Effect CreateSlot(FunctionMeta function, SlotTicket ticket, int memoryMb) =>
        new() { Kind = EffectKind.CreateSlot, Function = function, Ticket = ticket, MemoryMb = memoryMb };

    public static Effect InitSlot(FunctionMeta function, SlotTicket ticket, BackendSlotId slot, InstanceId instance) =>
        new() { Kind = EffectKind.InitSlot, Function = function, Ticket = ticket, BackendSlot = slot, Instance = instance };

    public static Effect DestroySlot(FunctionMeta function, SlotTicket ticket, BackendSlotId slot, string reason) =>
        new() { Kind = EffectKind.DestroySlot, Function = function, Ticket = ticket, BackendSlot = slot, Message = reason };

    public static Effect Grant(FunctionMeta function, RequestId request, SlotTicket ticket, InstanceId instance, BackendSlotId slot, GrantKind kind, Uri? address = null) =>
        new() { Kind = EffectKind.Grant, Function = function, Request = request, Ticket = ticket, Instance = instance, BackendSlot = slot, GrantKind = kind, Address = address };

    public static Effect Reject(FunctionMeta function, RequestId request, RejectReason reason, string message, long retryAfterUs = 0) =>
        new() { Kind = EffectKind.Reject, Function = function, Request = request, RejectReason = reason, Message = message, RetryAfterUs = retryAfterUs };
}

/// <summary>How a backend's call failed.</summary>
public enum FailureKind
{
    /// <summary>May succeed when tried again.</summary>
    Transient,

    /// <summary>The backend asks to come again later.</summary>
    Throttled,

    /// <summary>Will fail every time.</summary>
    Permanent,
}

/// <summary>A failed create, init or destroy, as the core needs to know it.</summary>
/// <param name="Kind">What may be done about it.</param>
/// <param name="Message">For logs and callers.</param>
/// <param name="RetryAfterUs">What the backend asked to wait, µs; 0 when it did not say.</param>
/// <param name="OutcomeUnknown">The call may have taken effect all the same, as after a lost answer.</param>
public sealed record SlotFailure(FailureKind Kind, string Message, long RetryAfterUs = 0, bool OutcomeUnknown = false);

/// <summary>What the caller reports with a Release.</summary>
/// <param name="DurationUs">How long the request executed, µs; 0 when unknown.</param>
/// <param name="NeedDestroy">The instance is broken and must not serve again.</param>
public readonly record struct ReleaseResult(long DurationUs, bool NeedDestroy);

/// <summary>The answer to a Release.</summary>
public enum ReleaseOutcome
{
    /// <summary>The instance was taken back.</summary>
    Released,

    /// <summary>No such assignment: never made, released before, or expired. Nothing changed.</summary>
    UnknownAssignment,

    /// <summary>The request holds another instance than the one named. Nothing changed.</summary>
    InstanceMismatch,

    /// <summary>The instance is at another worker: the release is on its way there. Nothing will change if nothing there matches it.</summary>
    Forwarded,
}

/// <summary>A slot as the backend lists it.</summary>
/// <param name="Id">The backend's id.</param>
/// <param name="Ticket">The ticket it was created under by this run of the scaler, where the backend keeps it; else 0.</param>
/// <param name="Function">The function it is meant for, where the backend keeps that: the slot can then be adopted after a restart.</param>
public readonly record struct ListedSlot(BackendSlotId Id, SlotTicket Ticket = default, FunctionMeta? Function = null);
