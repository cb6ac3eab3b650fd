namespace FuncScaler.Leasing.Messages;

/// <summary>
/// What a worker reads of a function's ledger: everything that concerns it, as of one revision. Views may be stale, repeated or missed;
/// the newest one says all.
/// </summary>
public sealed record LedgerView
{
    public required WorkerId Worker { get; init; }

    /// <summary>Grows with every change of the ledger.</summary>
    public long Revision { get; init; }

    /// <summary>The newest of the worker's reports that the ledger has taken.</summary>
    public long Sequence { get; init; }

    /// <summary>The last of the worker's operations that the ledger has applied.</summary>
    public long Operation { get; init; }

    /// <summary>Every slot that the ledger holds for this worker and that is ready.</summary>
    public IReadOnlyList<LeaseGrant> Leases { get; init; } = [];

    /// <summary>Every slot that this worker may create.</summary>
    public IReadOnlyList<SlotTicket> Tickets { get; init; } = [];

    /// <summary>Releases of this worker's slots that landed elsewhere.</summary>
    public IReadOnlyList<ForwardedRelease> Releases { get; init; } = [];

    /// <summary>Slots that nobody uses and that fit what the worker last reported: where its requests wait it may have them.</summary>
    public int Idle { get; init; }

    /// <summary>Instances that an operator wishes to be there at all times: a worker gives back what it does not want, instead of destroying it.</summary>
    public int Provisioned { get; init; }

    /// <summary>What the function's floor and ceiling have cost, of all workers together; null for nothing.</summary>
    public LimitsCost? LimitsCost { get; init; }
}

/// <summary>A slot leased to a worker.</summary>
/// <param name="Ticket">The slot.</param>
/// <param name="Epoch">Counts the leases of this slot.</param>
/// <param name="Ordinal">Counts the leases of this worker.</param>
/// <param name="BackendSlot">The backend's id.</param>
/// <param name="Instance">The id it was initialised with.</param>
/// <param name="Address">Where it is reached; null where the platform has no addresses.</param>
/// <param name="MemoryMb">Its memory, MB.</param>
/// <param name="Runtime">The runtime it was initialised for.</param>
/// <param name="Uses">Requests it has served.</param>
public sealed record LeaseGrant(
    SlotTicket Ticket,
    long Epoch,
    long Ordinal,
    BackendSlotId BackendSlot,
    InstanceId Instance,
    Uri? Address,
    int MemoryMb,
    string Runtime,
    int Uses);

/// <summary>A release that landed at another worker.</summary>
/// <param name="Number">Counts those of one worker.</param>
/// <param name="Request">The request.</param>
/// <param name="Instance">The instance it says it held.</param>
/// <param name="DurationUs">How long it executed, µs.</param>
/// <param name="NeedDestroy">That the instance is broken.</param>
public sealed record ForwardedRelease(long Number, RequestId Request, InstanceId Instance, long DurationUs, bool NeedDestroy);
