using FuncScaler.Leasing.Messages;

namespace FuncScaler.Leasing.Ledger;

/// <summary>
/// The durable truth about one function's slots. Only <see cref="PoolLedger"/> changes it; others read. Times are µs since 1970 by the
/// clocks of the hosts that ran the ledger.
/// </summary>
public sealed class LedgerState
{
    /// <summary>The format this code writes.</summary>
    public const int CurrentFormat = 4;

    public int Format { get; set; } = CurrentFormat;

    /// <summary>Grows with every change.</summary>
    public long Revision { get; set; }

    /// <summary>The latest time seen; time does not go back when the ledger moves to a host whose clock is behind.</summary>
    public long NowUs { get; set; }

    /// <summary>The function; null until its first report.</summary>
    public FunctionMeta? Function { get; set; }

    /// <summary>The last ticket given to a slot created ahead; 0 before the first.</summary>
    public long LastTicket { get; set; }

    /// <summary>How many requests share an instance, as the last report said; 0 for one at a time.</summary>
    public int Places { get; set; }

    /// <summary>Instances to have at all times, by an operator's wish.</summary>
    public int Provisioned { get; set; }

    /// <summary>The longest that a request may have to hold an instance, µs, over all settings the function has had.</summary>
    public long HoldUs { get; set; }

    /// <summary>The wake-up that was asked for, µs; <see cref="long.MaxValue"/> for none.</summary>
    public long WakeAtUs { get; set; } = long.MaxValue;

    /// <summary>When the policy wishes to be asked again, µs.</summary>
    public long ReviewAtUs { get; set; } = long.MaxValue;

    /// <summary>No slot is created ahead before this time, µs.</summary>
    public long StandbyNotBeforeUs { get; set; }

    /// <summary>Failed provisionings since the last success.</summary>
    public int FailuresInARow { get; set; }

    /// <summary>What the backend said when it last failed a provisioning.</summary>
    public string? LastFailure { get; set; }

    /// <summary>What is left of the rate limit.</summary>
    public CreateBudget Budget { get; set; }

    public Dictionary<long, LedgerSlot> Slots { get; set; } = [];

    public Dictionary<string, LedgerWorker> Workers { get; set; } = [];

    /// <summary>Releases of slots that the ledger has not heard of yet: their worker is about to tell. Oldest first; few, and not for long.</summary>
    public List<EarlyRelease> Early { get; set; } = [];

    /// <summary>What a worker has learned of the function, for workers to come; null for nothing.</summary>
    public byte[]? Learned { get; set; }

    /// <summary>The requests that it was learned from.</summary>
    public long LearnedArrivals { get; set; }

    /// <summary>When it was told, µs.</summary>
    public long LearnedAtUs { get; set; }

    /// <summary>
    /// What was learned for <see cref="FunctionLimits.Slo"/>, from the requests of all workers, as a <see cref="FuncScaler.Learned.LearnedRecord"/>; null for nothing.
    /// </summary>
    public byte[]? Slo { get; set; }

    /// <summary>The memory time of idle slots that only a floor held, until they were used or let go, MB·µs.</summary>
    public double FloorMbUs { get; set; }

    /// <summary>How long requests waited at workers while the ceiling let no further slot be made, µs.</summary>
    public long CeilingWaitUs { get; set; }

    /// <summary>Past requests, from which the policy learns again whenever the ledger is loaded.</summary>
    public ActivityHistory History { get; set; } = new();
}

/// <summary>A release that came before its slot.</summary>
/// <param name="AtUs">When it came, µs.</param>
/// <param name="Ticket">The slot.</param>
/// <param name="Release">The release; it has no number yet.</param>
public sealed record EarlyRelease(long AtUs, long Ticket, ForwardedRelease Release);

/// <summary>The states of a slot in a ledger.</summary>
public enum LedgerSlotState
{
    /// <summary>A worker, or where it has no owner a provisioning, may be creating or initialising it.</summary>
    Creating,

    /// <summary>Ready, unused, and nobody's.</summary>
    Idle,

    /// <summary>Ready; its owner alone decides who uses it.</summary>
    Leased,

    /// <summary>Its owner is gone and some request may still hold it: not used again, destroyed when no request can hold it any more.</summary>
    Suspect,

    /// <summary>The owner has left, known requests hold it: free when the last of them releases it, destroyed when one does not.</summary>
    Entrusted,

    /// <summary>Being destroyed until the backend confirms.</summary>
    Destroying,
}

/// <summary>A slot in a ledger.</summary>
public sealed class LedgerSlot
{
    public LedgerSlotState State { get; set; }

    /// <summary>The worker whose slot it is; null for none.</summary>
    public WorkerId? Owner { get; set; }

    /// <summary>Counts its leases.</summary>
    public long Epoch { get; set; }

    /// <summary>Counts the leases of its owner.</summary>
    public long Ordinal { get; set; }

    /// <summary>The backend's id; empty until known.</summary>
    public BackendSlotId BackendSlot { get; set; }

    public InstanceId Instance { get; set; }

    /// <summary>Where the instance is reached; null where the platform has no addresses.</summary>
    public Uri? Address { get; set; }

    public int MemoryMb { get; set; }

    public string Runtime { get; set; } = "";

    /// <summary>Who hold it, as far as the owner has told; null for nobody.</summary>
    public List<RequestId>? Holders { get; set; }

    /// <summary>It is entrusted, and broken: destroyed when nobody holds it any more.</summary>
    public bool Broken { get; set; }

    /// <summary>When its creation was asked for, µs.</summary>
    public long CreatedUs { get; set; }

    /// <summary>When it came into its state, or for an idle one since when it is unused, µs.</summary>
    public long SinceUs { get; set; }

    /// <summary>When something is to be done about it, µs; <see cref="long.MaxValue"/> for never.</summary>
    public long DueUs { get; set; } = long.MaxValue;

    /// <summary>Since when only a floor holds it, and the policy would let it go, µs; 0 where that is not so.</summary>
    public long HeldByFloorUs { get; set; }

    /// <summary>Requests served.</summary>
    public int Uses { get; set; }

    /// <summary>Tries to destroy it.</summary>
    public int Attempts { get; set; }

    /// <summary>Why it is destroyed.</summary>
    public string? Reason { get; set; }
}

/// <summary>A worker, as a ledger knows it.</summary>
public sealed class LedgerWorker
{
    /// <summary>Its newest report.</summary>
    public long Sequence { get; set; }

    /// <summary>Its last operation that was applied.</summary>
    public long Operation { get; set; }

    /// <summary>Until when it is given slots without another report, or when its life ended, µs.</summary>
    public long ExpiresUs { get; set; }

    /// <summary>Its life is over, and its slots have been taken from it.</summary>
    public bool Expired { get; set; }

    /// <summary>The function as it last described it; null before.</summary>
    public FunctionMeta? Function { get; set; }

    /// <summary>Slots it still waits for, of that memory and runtime.</summary>
    public int Waiting { get; set; }

    /// <summary>The leases it has been given, ever.</summary>
    public long Granted { get; set; }

    /// <summary>Its requests that came and have not gone.</summary>
    public int Active { get; set; }

    /// <summary>The number of the last release forwarded to it.</summary>
    public long LastRelease { get; set; }

    /// <summary>Releases that it has not dealt with.</summary>
    public List<ForwardedRelease> Releases { get; set; } = [];
}
