namespace FuncScaler.Leasing.Messages;

/// <summary>
/// What a worker tells a function's ledger: everything that the ledger has not acknowledged, within a second or so. May be lost, late, repeated or overtaken: the ledger takes only reports newer than the last, and of their operations those that
/// it has not applied.
/// </summary>
public sealed record WorkerReport
{
    /// <summary>The most bytes of <see cref="Learned"/>: a ledger's state is written as a whole with each change.</summary>
    public const int MostLearnedBytes = 4 * 1024;

    public required WorkerId Worker { get; init; }

    /// <summary>Counts this worker's reports for this function, from 1.</summary>
    public required long Sequence { get; init; }

    /// <summary>
    /// The function as those callers describe it who wait, or the last one did; null when none has yet, but a release has landed there.
    /// </summary>
    public FunctionMeta? Function { get; init; }

    /// <summary>The longest that a request may hold an instance at this worker, µs, over all settings that the function has had there.</summary>
    public long HoldUs { get; init; }

    /// <summary>The number of the first of <see cref="Operations"/>; all before it are acknowledged.</summary>
    public required long FirstOperation { get; init; }

    /// <summary>What happened, in order, numbered without gaps.</summary>
    public IReadOnlyList<WorkerOperation> Operations { get; init; } = [];

    /// <summary>
    /// The instances that the requests without any would fill, of <see cref="Function"/>'s memory and runtime: as many idle ones the ledger may lease, now or
    /// when it comes by them.
    /// </summary>
    public int Waiting { get; init; }

    /// <summary>How many requests share an instance at the worker now; 0 for one at a time.</summary>
    public int Places { get; init; }

    /// <summary>The highest <see cref="LeaseGrant.Ordinal"/> the worker knows, so that none is counted against <see cref="Waiting"/> twice.</summary>
    public long LeasesSeen { get; init; }

    /// <summary>The highest <see cref="ForwardedRelease.Number"/> the worker has dealt with.</summary>
    public long ReleasesSeen { get; init; }

    /// <summary>
    /// What the worker has learned of the function, a <see cref="FuncScaler.Learned.LearnedRecord"/> of at most <see cref="MostLearnedBytes"/>; null
    /// where it is not told with this report.
    /// </summary>
    public byte[]? Learned { get; init; }

    /// <summary>The requests that it was learned from.</summary>
    public long LearnedArrivals { get; init; }

    /// <summary>Which requests hold which slots at the worker, for those who look into the ledger; at most 64.</summary>
    public IReadOnlyList<HeldSlot> Held { get; init; } = [];

    /// <summary>The worker's last report: it gives out no slot of this function any more.</summary>
    public bool Leaving { get; init; }

    /// <summary>The worker's lease was over when it sent this: what it tells may have been swept away already, so none of it is used again.</summary>
    public bool Over { get; init; }
}

/// <summary>A slot and the request that holds it.</summary>
public readonly record struct HeldSlot(SlotTicket Ticket, RequestId Request);

/// <summary>The kinds of <see cref="WorkerOperation"/>.</summary>
public enum WorkerOperationKind
{
    /// <summary>Wants to create a slot where their number is limited; done only once the ledger lists the ticket.</summary>
    Intend,

    /// <summary>The backend has created the slot, whose ticket the worker had reserved or intended.</summary>
    Created,

    /// <summary>The slot is an instance and serves at this worker.</summary>
    Ready,

    /// <summary>The worker has done with the slot.</summary>
    Return,

    /// <summary>A release came here, the instance is somewhere else.</summary>
    Release,

    /// <summary>The backend has answered a create that was given up.</summary>
    Found,

    /// <summary>Requests came and went.</summary>
    Activity,
}

/// <summary>How a slot is returned.</summary>
public enum ReturnKind
{
    /// <summary>An instance that nobody uses.</summary>
    Idle,

    /// <summary>To be destroyed.</summary>
    Broken,

    /// <summary>Never created: the backend was not asked, or has refused.</summary>
    Absent,

    /// <summary>The backend was asked and may have created it.</summary>
    Unknown,

    /// <summary>The worker stops while requests hold it; the release of the last of them frees it.</summary>
    Entrusted,

    /// <summary>The worker has destroyed it, and the backend has confirmed.</summary>
    Gone,
}

/// <summary>One thing a worker tells. Which members are set depends on <see cref="Kind"/>.</summary>
public sealed record WorkerOperation
{
    public WorkerOperationKind Kind { get; init; }

    public SlotTicket Ticket { get; init; }

    /// <summary>The lease the slot was used under; 0 until it was ready for the first time.</summary>
    public long Epoch { get; init; }

    public BackendSlotId BackendSlot { get; init; }

    public InstanceId Instance { get; init; }

    /// <summary>Of a slot that is created or to be created, its memory, MB.</summary>
    public int MemoryMb { get; init; }

    /// <summary>Likewise, the runtime it is meant for.</summary>
    public string? Runtime { get; init; }

    /// <summary>Of a ready instance, where it is reached; null where the platform has no addresses.</summary>
    public Uri? Address { get; init; }

    /// <summary>Of a release, its request; of an entrusted instance, the request that holds it, or the latest of several.</summary>
    public RequestId Request { get; init; }

    /// <summary>Of an entrusted instance, the further requests that hold it; null for none.</summary>
    public IReadOnlyList<RequestId>? AlsoHeldBy { get; init; }

    public ReturnKind Return { get; init; }

    /// <summary>Of a return, how long the instance has been idle when the report is sent; of Created and Ready, how long it took; µs.</summary>
    public long TimeUs { get; init; }

    /// <summary>Requests the instance has served.</summary>
    public int Uses { get; init; }

    /// <summary>Of a release, how long the request executed, µs.</summary>
    public long DurationUs { get; init; }

    /// <summary>Of a release or an entrusted instance, that the instance is broken: it serves no further request.</summary>
    public bool NeedDestroy { get; init; }

    /// <summary>Why a slot is to be destroyed.</summary>
    public string? Reason { get; init; }

    public Activity? Activity { get; init; }
}

/// <summary>Requests that came and went, with how long before the report was sent, µs; oldest first.</summary>
public sealed record Activity
{
    /// <summary>How long ago each request came.</summary>
    public IReadOnlyList<long> CameUs { get; init; } = [];

    /// <summary>How long ago each request went.</summary>
    public IReadOnlyList<long> WentUs { get; init; } = [];

    /// <summary>How long each of those that went had executed, µs; 0 when unknown or never.</summary>
    public IReadOnlyList<long> ExecutedUs { get; init; } = [];

    /// <summary>How long each of them had waited for its instance, or in vain, µs; null where none had waited.</summary>
    public IReadOnlyList<long>? WaitedUs { get; init; }
}
