using FuncScaler.Leasing.Messages;

namespace FuncScaler.ScalerFunctions.Durable;

/// <summary>A provisioning that has failed.</summary>
/// <param name="Ticket">The slot.</param>
/// <param name="Failure">How.</param>
public sealed record ProvisionFailure(SlotTicket Ticket, SlotFailure Failure);

/// <summary>A slot to destroy.</summary>
/// <param name="Function">Whose ledger to tell.</param>
/// <param name="Ticket">The slot.</param>
/// <param name="Attempt">The ledger's count of its tries.</param>
/// <param name="BackendSlot">The backend's id; empty when it never became known.</param>
/// <param name="Reason">For the platform's logs.</param>
public sealed record DestroyRequest(MetaKey Function, SlotTicket Ticket, int Attempt, BackendSlotId BackendSlot, string Reason);

/// <summary>How a destroy ended.</summary>
/// <param name="Ticket">The slot.</param>
/// <param name="Attempt">The try.</param>
/// <param name="Failure">Null when the backend has confirmed that the slot is gone.</param>
public sealed record DestroyOutcome(SlotTicket Ticket, int Attempt, SlotFailure? Failure);

/// <summary>What the sweep found about one function.</summary>
/// <param name="AskedUs">When the backend was asked for its list, µs since 1970.</param>
/// <param name="Listed">The function's slots in the list; null where the backend has none or did not answer.</param>
/// <param name="Dead">Workers that the function's ledger takes for alive and that are not.</param>
public sealed record PoolSweep(long AskedUs, IReadOnlyList<ListedSlot>? Listed, IReadOnlyList<WorkerId>? Dead = null);

/// <summary>What the sweep found.</summary>
/// <param name="Pools">By entity key; those alone that have something to learn.</param>
/// <param name="Orphans">Slots that are nobody's.</param>
/// <param name="Untold">Tickets under which a dead worker may have created slots, where the backend has no list.</param>
/// <param name="Swept">Dead workers that nothing is left of once that is destroyed.</param>
/// <param name="Late">Workers whose ledgers have lost their wake-up.</param>
public sealed record SweepFindings(
    IReadOnlyDictionary<string, PoolSweep> Pools,
    IReadOnlyList<ListedSlot> Orphans,
    IReadOnlyList<SlotTicket> Untold,
    IReadOnlyList<WorkerId> Swept,
    IReadOnlyList<WorkerId> Late);

/// <summary>An operator's wish for instances at all times.</summary>
public sealed record ProvisionedWish(FunctionMeta Function, int Count);

/// <summary>An operator's limits of a function have changed.</summary>
/// <param name="Settings">The settings of its instances, where the limits tell them: it may have a floor before its first request.</param>
public sealed record LimitsNews(FunctionMeta? Settings);

/// <summary>What the backend answered to an activity. Failures are data here: orchestrations decide about them.</summary>
/// <param name="BackendSlot">Of a create, the backend's id.</param>
/// <param name="Failure">Null when it succeeded.</param>
/// <param name="Address">Of an init, where the instance is reached; null where the platform has no addresses.</param>
public sealed record BackendAnswer(BackendSlotId BackendSlot, SlotFailure? Failure, Uri? Address = null);

/// <summary>A slot to initialise.</summary>
public sealed record InitRequest(BackendSlotId BackendSlot, InstanceId Instance, FunctionMeta Function);
