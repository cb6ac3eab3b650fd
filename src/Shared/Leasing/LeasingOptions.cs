namespace FuncScaler.Leasing;

/// <summary>Settings of leasing, the same for the ledger and all workers. Times in µs. Reasons in docs/azure-protocol.md.</summary>
public sealed record LeasingOptions
{
    /// <summary>Limits of pools. <see cref="SlotPoolOptions.InstancePrefix"/> is the same in all workers: tickets are unique by themselves.</summary>
    public SlotPoolOptions Pool { get; init; } = new();

    /// <summary>How long the ledger holds a worker's slots for it after it last heard from it. Default 30 s.</summary>
    public long LeaseUs { get; init; } = 30_000_000;

    /// <summary>How far the wall clocks of two hosts that run the ledger may be off the true time. Default 2 s.</summary>
    public long ClockSkewUs { get; init; } = 2_000_000;

    /// <summary>How much a worker's monotonic clock may run fast or slow, as a share. Default 0.001, a hundred times a bad quartz.</summary>
    public double ClockDrift { get; init; } = 0.001;

    /// <summary>At most this often a worker reports what can wait. Default 1 s.</summary>
    public long ReportIntervalUs { get; init; } = 1_000_000;

    /// <summary>At most this often it reports what requests wait for. Default 20 ms.</summary>
    public long UrgentIntervalUs { get; init; } = 20_000;

    /// <summary>How often a worker that waits for an answer looks into the ledger. Default 50 ms.</summary>
    public long AnswerIntervalUs { get; init; } = 50_000;

    /// <summary>
    /// How often a worker with instances in use looks into the ledger for releases that landed elsewhere. Default 1 s; less gives such
    /// instances back sooner and costs storage transactions.
    /// </summary>
    public long ReadIntervalUs { get; init; } = 1_000_000;

    /// <summary>
    /// An instance that a worker has not used for this long goes back to the ledger, where every worker can have it and where it survives
    /// the worker. Default 10 s.
    /// </summary>
    public long ParkAfterUs { get; init; } = 10_000_000;

    /// <summary>How long a slot of a dead worker is kept for the request that may hold it where the function has no limit. Default 1 h.</summary>
    public long UnlimitedHoldUs { get; init; } = 3_600_000_000;

    /// <summary>How long a provisioning may go without a word before its slot is destroyed. Default 15 min, above create and init together.</summary>
    public long ProvisionTimeoutUs { get; init; } = 900_000_000;

    /// <summary>How long the ledger remembers a worker that holds nothing; no message is delayed for longer. Default 24 h.</summary>
    public long ForgetWorkerUs { get; init; } = 86_400_000_000;

    /// <summary>Most operations in one report; further ones go with the next. Default 200.</summary>
    public int MaxOperations { get; init; } = 200;

    /// <summary>Slots created ahead at once before the rate limit counts. Default 20.</summary>
    public int CreateBurst { get; init; } = 20;

    /// <summary>Slots per minute created ahead; those that requests wait for count too but do not wait. Default 20, a region's limit at ACI.</summary>
    public double CreatesPerMinute { get; init; } = 20;

    /// <summary>Tests break the protocol on purpose, to see that its simulation would notice.</summary>
    internal LeasingFault Fault { get; init; }

    /// <summary>
    /// How long a worker may use its lease after it has sent the report that renewed it, on its own clock: over before the ledger can
    /// think so, whatever clocks do within their bounds.
    /// </summary>
    public long WorkerLeaseUs => Fault == LeasingFault.NoDriftMargin
        ? LeaseUs
        : (long)((LeaseUs - (2 * ClockSkewUs)) * (1 - ClockDrift));

    /// <summary>
    /// How long after the end of a lease a request may still hold an instance, µs on the ledger's clock. What that clock may be off is
    /// allowed for in <see cref="WorkerLeaseUs"/>.
    /// </summary>
    public long HoldUs(FunctionMeta function) => (long)((Pool.AssignmentLimitUs(function) ?? UnlimitedHoldUs) / (1 - ClockDrift));

    /// <exception cref="ArgumentException">The settings contradict each other; the message says which and how to mend it.</exception>
    public void Validate()
    {
        if (WorkerLeaseUs < 4 * ReportIntervalUs)
        {
            throw new ArgumentException(
                $"The lease of {LeaseUs / 1e6} s less twice the clock skew of {ClockSkewUs / 1e6} s leaves a worker less than four reports of "
                + $"{ReportIntervalUs / 1e6} s: make the lease longer or report more often.");
        }

        if (ForgetWorkerUs < 2 * LeaseUs)
        {
            throw new ArgumentException($"Workers must be remembered for at least two leases ({2 * LeaseUs / 1e6} s).");
        }
    }
}

/// <summary>Rules of the protocol, each left out.</summary>
internal enum LeasingFault
{
    None,

    /// <summary>A worker takes a lease that it has given back from a stale view.</summary>
    NoEpochCheck,

    /// <summary>A worker uses its lease for as long, on its own clock, as the ledger does on its hosts' clocks.</summary>
    NoDriftMargin,

    /// <summary>A worker's lease begins when it reads the answer, not when it sent the report.</summary>
    LeaseFromAnswer,

    /// <summary>A worker uses its slots whether it still has a lease or not.</summary>
    NoLeaseCheck,

    /// <summary>A worker asks the backend for a slot before the ledger knows.</summary>
    ActionBeforeIntent,

    /// <summary>The ledger applies repeated operations again.</summary>
    NoDeduplication,

    /// <summary>The ledger takes any report, however old, for a sign of life.</summary>
    RenewByOldReport,

    /// <summary>The ledger gives slots of a dead worker to others once the lease has expired.</summary>
    ReuseExpired,

    /// <summary>The ledger takes a release elsewhere for proof that the instance is free.</summary>
    TrustForeignRelease,

    /// <summary>The ledger forgets a slot when its destroy was asked for, not when it was confirmed.</summary>
    ForgetDestroyed,

    /// <summary>The ledger destroys the ticket of a dead worker while its create may be under way.</summary>
    NoCreateGrace,

    /// <summary>The sweep reads the ledger before it asks the backend for its list.</summary>
    LedgerBeforeList,
}
