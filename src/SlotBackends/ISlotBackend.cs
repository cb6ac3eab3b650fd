using FuncScaler.SlotBackends.Budget;

namespace FuncScaler.SlotBackends;

/// <summary>
/// Where slots come from. Every method may be called concurrently; every failure is a <see cref="SlotBackendException"/>, except that
/// cancellation by the caller surfaces as <see cref="OperationCanceledException"/>. One contract-test suite runs against every adapter.
/// </summary>
public interface ISlotBackend : IAsyncDisposable
{
    /// <summary>A short name for logs and statistics.</summary>
    string Name { get; }

    /// <summary>What the platform rations; null when it rations nothing that is known beforehand.</summary>
    ICallBudget? Budget => null;

    /// <summary>
    /// An instance has ended by itself, as soon as the backend learns of it; <see cref="ListAsync"/> has it no more. Raised on any thread.
    /// A backend that learns of it from its list alone never raises this.
    /// </summary>
    event Action<LostSlot>? SlotLost
    {
        add
        {
        }

        remove
        {
        }
    }

    /// <summary>Where slots share nodes, what pools ask about that; null where each slot stands for itself.</summary>
    ISlotPlacement? Placement => null;

    /// <summary>
    /// The memory of an idle instance is wanted for another function. Raised on any thread. The answer is false where a request uses it: then it stays.
    /// </summary>
    event Func<MetaKey, SlotTicket, bool>? SlotWantedBack
    {
        add
        {
        }

        remove
        {
        }
    }

    /// <summary>Creates a slot of the function's memory. A slot may exist although this fails: see <see cref="SlotFailure.OutcomeUnknown"/>.</summary>
    /// <param name="ticket">The scaler's number for it; an adapter that can, names the slot after it, so that it can be found again.</param>
    /// <param name="function">The function it is meant for.</param>
    /// <param name="cancellationToken">Gives the call up; the outcome is then unknown.</param>
    Task<BackendSlotId> CreateAsync(SlotTicket ticket, FunctionMeta function, CancellationToken cancellationToken);

    /// <summary>Makes a slot an instance of the function. Repeating it with the same instance id succeeds.</summary>
    /// <returns>Where the instance is reached; null where the platform has no addresses.</returns>
    Task<Uri?> InitAsync(BackendSlotId slot, InstanceId instance, FunctionMeta function, CancellationToken cancellationToken);

    /// <summary>Destroys a slot. Repeating it succeeds.</summary>
    /// <param name="ticket">The scaler's number for it.</param>
    /// <param name="slot">The backend's id; empty when it never became known, then an adapter that can finds the slot by its ticket.</param>
    /// <param name="reason">For the platform's logs.</param>
    /// <param name="cancellationToken">Gives the call up.</param>
    /// <returns>False when the platform did not know the slot (any more).</returns>
    Task<bool> DestroyAsync(SlotTicket ticket, BackendSlotId slot, string reason, CancellationToken cancellationToken);

    /// <summary>
    /// The slots that exist: ours among them for certain, and those nobody owns where the platform can tell. An adapter whose platform
    /// has no list checks <paramref name="known"/> one by one.
    /// </summary>
    /// <returns>Null when the platform gives no way to find out.</returns>
    Task<IReadOnlyList<ListedSlot>?> ListAsync(IReadOnlyCollection<SlotSnapshot> known, CancellationToken cancellationToken);
}

/// <summary>An instance that has ended by itself.</summary>
/// <param name="Ticket">The scaler's number for it.</param>
/// <param name="Id">The backend's id.</param>
/// <param name="Reason">What is known of why, for logs.</param>
public readonly record struct LostSlot(SlotTicket Ticket, BackendSlotId Id, string Reason);

/// <summary>A backend's call has failed, in a way that says what may be done about it.</summary>
public sealed class SlotBackendException : Exception
{
    public SlotBackendException()
        : this(new SlotFailure(FailureKind.Transient, "the backend failed"))
    {
    }

    public SlotBackendException(string message)
        : this(new SlotFailure(FailureKind.Transient, message))
    {
    }

    public SlotBackendException(string message, Exception innerException)
        : this(new SlotFailure(FailureKind.Transient, message), innerException)
    {
    }

    public SlotBackendException(SlotFailure failure, Exception? innerException = null)
        : base(failure.Message, innerException)
    {
        Failure = failure;
    }

    /// <summary>What kind of failure, and for how long to wait.</summary>
    public SlotFailure Failure { get; }

    /// <summary>The platform could not be reached: what it knows of our slots is in doubt.</summary>
    public bool PlatformUnreachable { get; init; }
}
