namespace FuncScaler.Leasing.Messages;

/// <summary>
/// A worker's sign of life to its own ledger: renews its one lease, which covers its slots of all functions, and reserves tickets ahead, so
/// that it may create slots before it has told anybody. May be lost, late, repeated or overtaken: only the newest counts.
/// </summary>
public sealed record WorkerBeat
{
    public required WorkerId Worker { get; init; }

    /// <summary>Counts this worker's beats, from 1.</summary>
    public required long Sequence { get; init; }

    /// <summary>An earlier beat was acknowledged: a ledger that does not know the worker has forgotten it, and refuses.</summary>
    public bool Renewal { get; init; }

    /// <summary>The worker's tickets are above this.</summary>
    public long FirstTicket { get; init; }

    /// <summary>The highest ticket that the worker may use.</summary>
    public long ReserveTo { get; init; }

    /// <summary>No ticket up to this one is unknown to its function's ledger, unless nothing was created under it or it is gone.</summary>
    public long SettledTo { get; init; }

    /// <summary>The longest that a request may hold an instance of this worker's, µs, over all functions it serves.</summary>
    public long HoldUs { get; init; }

    /// <summary>The worker has no slots and has told all; it uses neither slot nor ticket before a later beat is acknowledged.</summary>
    public bool Resting { get; init; }

    /// <summary>The worker's last beat: it gives nothing out any more, and creates nothing.</summary>
    public bool Leaving { get; init; }
}
