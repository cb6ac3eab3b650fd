using FuncScaler.Leasing.Messages;

namespace FuncScaler.Leasing.Ledger;

/// <summary>
/// The durable truth about one life of a worker. Only <see cref="WorkerLedger"/> changes it; others read. Times are µs since 1970 by the
/// clocks of the hosts that ran the ledger.
/// </summary>
public sealed class WorkerState
{
    /// <summary>The format this code writes.</summary>
    public const int CurrentFormat = 1;

    public int Format { get; set; } = CurrentFormat;

    /// <summary>Grows with every change.</summary>
    public long Revision { get; set; }

    /// <summary>The latest time seen.</summary>
    public long NowUs { get; set; }

    public WorkerId Worker { get; set; }

    /// <summary>Its newest beat.</summary>
    public long Sequence { get; set; }

    /// <summary>When its lease ends, or when it ended, µs.</summary>
    public long ExpiresUs { get; set; }

    /// <summary>This life is over, for good: later beats are refused.</summary>
    public bool Expired { get; set; }

    /// <summary>The lease was made longer once without a beat, because the ledger itself was late.</summary>
    public bool Extended { get; set; }

    /// <summary>What it may have created without telling was looked for and destroyed.</summary>
    public bool Swept { get; set; }

    /// <inheritdoc cref="WorkerBeat.FirstTicket"/>
    public long FirstTicket { get; set; }

    /// <inheritdoc cref="WorkerBeat.ReserveTo"/>
    public long ReservedTo { get; set; }

    /// <inheritdoc cref="WorkerBeat.SettledTo"/>
    public long SettledTo { get; set; }

    /// <inheritdoc cref="WorkerBeat.HoldUs"/>
    public long HoldUs { get; set; }

    /// <summary>The wake-up that was asked for, µs; <see cref="long.MaxValue"/> for none.</summary>
    public long WakeAtUs { get; set; } = long.MaxValue;

    /// <summary>Whether a ticket is one of this worker's.</summary>
    public bool Has(long ticket) => ticket > FirstTicket && ticket <= FirstTicket + TicketSpace.Size;

    /// <summary>When no request can hold an instance of this worker's any more, µs; <see cref="long.MaxValue"/> while it lives.</summary>
    public long UnusedFromUs(LeasingOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Expired ? ExpiresUs + HoldUs + (2 * options.ClockSkew.ToUs()) : long.MaxValue;
    }

    /// <summary>
    /// When no request can hold an instance of this worker's any more and no create of its can take effect, µs; <see cref="long.MaxValue"/>
    /// while it lives.
    /// </summary>
    public long DeadFromUs(LeasingOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Expired ? ExpiresUs + options.DeathGraceUs(HoldUs) : long.MaxValue;
    }
}
