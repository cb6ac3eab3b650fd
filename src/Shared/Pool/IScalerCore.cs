namespace FuncScaler.Pool;

/// <summary>
/// A decision core as its executor sees it: events in, effects out. Not safe for concurrent use; times in µs on the host's monotonic clock.
/// </summary>
public interface IScalerCore
{
    /// <summary>When something is due next, µs; <see cref="long.MaxValue"/> for never.</summary>
    long NextWakeUs { get; }

    void Assign(long nowUs, FunctionMeta function, RequestId request, long deadlineUs, List<Effect> effects);

    ReleaseOutcome Release(long nowUs, MetaKey function, RequestId request, InstanceId instance, in ReleaseResult result, List<Effect> effects);

    /// <summary>The caller of a request has gone away.</summary>
    void Abandon(long nowUs, MetaKey function, RequestId request, List<Effect> effects);

    void SlotCreated(long nowUs, MetaKey function, SlotTicket ticket, BackendSlotId backendId, List<Effect> effects);

    /// <param name="address">Where the instance is reached; null where the platform has no addresses.</param>
    void SlotReady(long nowUs, MetaKey function, SlotTicket ticket, Uri? address, List<Effect> effects);

    void SlotFailed(long nowUs, MetaKey function, SlotTicket ticket, SlotFailure failure, List<Effect> effects);

    void SlotDestroyed(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects);

    /// <summary>No new requests from now on; what is unused goes back.</summary>
    void Drain(long nowUs, List<Effect> effects);
}
