using FuncScaler.Scoring;

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

    /// <summary>How many requests hold it.</summary>
    public int Requests { get; set; }

    /// <summary>How many requests its function allowed to hold it when it was last given to one.</summary>
    public int MostRequests { get; set; }

    /// <summary>The place that was taken last; null for none.</summary>
    public Place? Newest { get; set; }

    /// <summary>Of a busy instance, the request that came to it last; it may have left, where others hold it.</summary>
    public RequestId Request { get; set; }

    /// <summary>What the journal sees of it; null where there is no journal.</summary>
    public SlotEntry? Entry { get; set; }

    /// <summary>Where it is listed in <see cref="FreePlaces"/>; -1 for nowhere.</summary>
    public int FreePlace { get; set; } = -1;

    /// <summary>
    /// The time that requests have held it, added up over requests, µs, up to <see cref="RequestUsAtUs"/>. The increase while a request holds it,
    /// divided by that time, is how many held it on average.
    /// </summary>
    public long RequestUs { get; set; }

    public long RequestUsAtUs { get; set; }

    /// <summary>Whether a former run has asked for it too: it may exist even where its creation fails.</summary>
    public bool MayExist { get; init; }

    /// <summary>What its use adds to the memory used.</summary>
    public InstanceUse Use;

    /// <summary>Where requests do not share what is new, those that this slot was created for and that wait still; null where it was for none.</summary>
    public List<Waiter>? BoundTo { get; set; }

    /// <summary>When the backend was last asked something about it, µs.</summary>
    public long AskedUs { get; set; } = wantedUs;

    /// <summary>Since when it is idle or busy, µs.</summary>
    public long SinceUs { get; set; }

    /// <summary>
    /// When something is to be done about it, µs: idle, the end of keep-alive; busy, of the first of its assignments, or earlier where that was
    /// released; adopted, of its quarantine; destroying, the next try.
    /// </summary>
    public long DueUs { get; set; } = long.MaxValue;

    /// <summary>Of an idle instance, since when only the floor of its function holds it, µs; <see cref="long.MaxValue"/> where the policy does.</summary>
    public long HeldByFloorUs { get; set; } = long.MaxValue;

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

    /// <summary>Gets no further request, and is destroyed when the last that holds it leaves. <see cref="SlotInventory.Doom"/> sets it.</summary>
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

    /// <summary>An instance, held by one request or several.</summary>
    Busy,

    /// <summary>An instance that a former run of the scaler has left, held back while one of that run's requests may be executing in it.</summary>
    Adopted,

    /// <summary>DestroySlot is under way or will be tried again.</summary>
    Destroying,
}

/// <summary>One slot of an inventory, as it stands.</summary>
/// <param name="Ticket">Its ticket.</param>
/// <param name="State">What it is doing.</param>
/// <param name="BackendId">The backend's id; empty until known.</param>
/// <param name="Instance">The id it was initialised with; empty before.</param>
/// <param name="Request">Of a busy instance, the request that came to it last among those that hold it.</param>
/// <param name="MemoryMb">Its memory, MB.</param>
/// <param name="Requests">How many requests hold it.</param>
/// <param name="Doomed">Whether it gets no further request, and is destroyed when the last that holds it has left.</param>
public readonly record struct SlotSnapshot(
    SlotTicket Ticket,
    SlotState State,
    BackendSlotId BackendId,
    InstanceId Instance,
    RequestId Request,
    int MemoryMb,
    int Requests = 0,
    bool Doomed = false);
