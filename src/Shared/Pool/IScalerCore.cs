using FuncScaler.Scoring;

namespace FuncScaler.Pool;

/// <summary>
/// A decision core as its executor sees it: events in, effects out. Not safe for concurrent use; times in µs on the host's monotonic clock.
/// </summary>
public interface IScalerCore
{
    /// <summary>When something is due next, µs; <see cref="long.MaxValue"/> for never.</summary>
    long NextWakeUs { get; }

    /// <summary>What the run has cost so far, as the scaler sees it.</summary>
    ScoreLedger Ledger { get; }

    /// <summary>The pools of the functions seen so far. For reading: their events go through the core.</summary>
    IEnumerable<SlotPool> Pools { get; }

    /// <summary>Slots in all inventories.</summary>
    int SlotCount { get; }

    /// <summary>Every slot, with the function it belongs to; the key is empty for those nobody owns.</summary>
    IEnumerable<(MetaKey Function, SlotSnapshot Slot)> Inventory { get; }

    /// <summary>The function's pool; null when it was never asked for.</summary>
    SlotPool? FindPool(MetaKey function);

    /// <summary>Does what is due.</summary>
    void Tick(long nowUs, List<Effect> effects);

    void Assign(long nowUs, FunctionMeta function, RequestId request, long deadlineUs, List<Effect> effects);

    ReleaseOutcome Release(long nowUs, MetaKey function, RequestId request, InstanceId instance, in ReleaseResult result, List<Effect> effects);

    /// <summary>Whether <see cref="AssignFirst"/> or <see cref="ReleaseFirst"/> has left something to <see cref="Settle"/>.</summary>
    bool IsUnsettled => false;

    /// <summary>
    /// The decision of <see cref="Assign"/> alone, so that its caller need not wait until the scaler has learned from it. Nothing of the core may
    /// be read before <see cref="Settle"/>. A core may settle at once.
    /// </summary>
    void AssignFirst(long nowUs, FunctionMeta function, RequestId request, long deadlineUs, List<Effect> effects) =>
        Assign(nowUs, function, request, deadlineUs, effects);

    /// <summary>The same of <see cref="Release"/>: who waits has its grant before anything is learned.</summary>
    ReleaseOutcome ReleaseFirst(
        long nowUs, MetaKey function, RequestId request, InstanceId instance, in ReleaseResult result, List<Effect> effects) =>
        Release(nowUs, function, request, instance, result, effects);

    /// <summary>Does what was left, as of the time of its event. Each further event begins with it, so that the order of events stays.</summary>
    void Settle(List<Effect> effects)
    {
    }

    /// <summary>One caller of a request has gone away; the last one's going gives the request up.</summary>
    void Abandon(long nowUs, MetaKey function, RequestId request, List<Effect> effects);

    void SlotCreated(long nowUs, MetaKey function, SlotTicket ticket, BackendSlotId backendId, List<Effect> effects);

    /// <param name="address">Where the instance is reached; null where the platform has no addresses.</param>
    void SlotReady(long nowUs, MetaKey function, SlotTicket ticket, Uri? address, List<Effect> effects);

    void SlotFailed(long nowUs, MetaKey function, SlotTicket ticket, SlotFailure failure, List<Effect> effects);

    void SlotDestroyed(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects);

    /// <inheritdoc cref="SlotPool.HoldCreate"/>
    bool HoldCreate(MetaKey function, SlotTicket ticket);

    /// <inheritdoc cref="SlotPool.KeepHeldCreate"/>
    bool KeepHeldCreate(long nowUs, MetaKey function, SlotTicket ticket, List<Effect> effects);

    /// <inheritdoc cref="SlotPool.BeginCreate"/>
    void BeginCreate(long nowUs, MetaKey function, SlotTicket ticket);

    /// <summary>No new requests from now on; what is unused goes back.</summary>
    void Drain(long nowUs, List<Effect> effects);
}
