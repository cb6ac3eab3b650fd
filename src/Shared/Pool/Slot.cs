namespace FuncScaler.Pool;

/// <summary>One slot of a pool's inventory. <see cref="SlotInventory"/> alone changes its state.</summary>
internal sealed class Slot(SlotTicket ticket, int memoryMb, long wantedUs)
{
    public SlotTicket Ticket { get; } = ticket;

    /// <summary>Its memory, MB.</summary>
    public int MemoryMb { get; } = memoryMb;

    /// <summary>Since when it is paid for, µs.</summary>
    public long WantedUs { get; } = wantedUs;

    public SlotState State { get; set; }

    /// <summary>The backend's id; empty until known.</summary>
    public BackendSlotId BackendId { get; set; }

    public InstanceId Instance { get; set; }

    /// <summary>Where the instance is reached; null where the platform has no addresses.</summary>
    public Uri? Address { get; set; }

    /// <summary>Of a busy instance, the callers of its request that were given it.</summary>
    public int Callers { get; set; }

    /// <summary>Of a busy instance, the request that holds it.</summary>
    public RequestId Request { get; set; }

    /// <summary>Of a busy instance whose request is not known, that request's mark; 0 for none.</summary>
    public long RequestMark { get; set; }

    /// <summary>What the journal sees of it; null where there is no journal.</summary>
    public SlotEntry? Entry { get; set; }

    /// <summary>Where requests do not share what is new, the one that this slot was created for.</summary>
    public RequestId? BoundTo { get; set; }

    /// <summary>When the backend was last asked something about it, µs.</summary>
    public long AskedUs { get; set; } = wantedUs;

    /// <summary>Since when it is idle or busy, µs.</summary>
    public long SinceUs { get; set; }

    /// <summary>
    /// When something is to be done about it, µs: idle, the end of keep-alive; busy, of the assignment; adopted, of its quarantine;
    /// destroying, the next try.
    /// </summary>
    public long DueUs { get; set; } = long.MaxValue;

    /// <summary>For how long the request that holds it had waited, µs.</summary>
    public long WaitedUs { get; set; }

    /// <summary>Requests that it has served.</summary>
    public int Uses { get; set; }

    public int DestroyAttempts { get; set; }

    /// <summary>A destroy is under way, as opposed to waiting for its next try.</summary>
    public bool DestroyAsked { get; set; }

    public string DestroyReason { get; set; } = "";

    /// <summary>Created ahead of requests, on the policy's wish.</summary>
    public bool Standby { get; init; }

    /// <summary>In flight, but no request may count on it: its answer is overdue, or it will be destroyed.</summary>
    public bool Abandoned { get; set; }

    /// <summary>To be destroyed when its present use ends.</summary>
    public bool Doomed { get; set; }

    /// <summary>Nothing is paid for it: it is being destroyed.</summary>
    public bool Billed { get; set; }

    /// <summary>Whether it may become an instance.</summary>
    public bool InFlight => State is SlotState.Held or SlotState.Creating or SlotState.Initializing;

    /// <summary>Whether a request may count on its becoming an instance.</summary>
    public bool Counts => InFlight && !Abandoned;

    /// <summary>What whoever takes it over gets.</summary>
    public SlotCondition Condition => State switch
    {
        SlotState.Held => SlotCondition.Absent,
        SlotState.Creating => SlotCondition.Unknown,
        SlotState.Idle => SlotCondition.Sound,
        _ => SlotCondition.Broken,
    };
}

/// <summary>What is known of a slot that a pool gives up.</summary>
internal enum SlotCondition
{
    /// <summary>It was never created.</summary>
    Absent,

    /// <summary>The backend was asked and may have created it.</summary>
    Unknown,

    /// <summary>An instance, ready and unused.</summary>
    Sound,

    /// <summary>Not to be used any more.</summary>
    Broken,
}

/// <summary>The states of a slot in the inventory.</summary>
public enum SlotState
{
    /// <summary>Its creation is wanted but not yet allowed: the backend has not been asked.</summary>
    Held,

    /// <summary>CreateSlot is under way, or its outcome unknown.</summary>
    Creating,

    /// <summary>Init is under way.</summary>
    Initializing,

    /// <summary>An instance, ready and unused.</summary>
    Idle,

    /// <summary>An instance, held by a request.</summary>
    Busy,

    /// <summary>An instance that a former run of the scaler has left, held back while one of that run's requests may be executing in it.</summary>
    Adopted,

    /// <summary>DestroySlot is under way or will be tried again.</summary>
    Destroying,
}

/// <summary>One slot of an inventory, as it stands.</summary>
public readonly record struct SlotSnapshot(
    SlotTicket Ticket,
    SlotState State,
    BackendSlotId BackendId,
    InstanceId Instance,
    RequestId Request,
    int MemoryMb);
