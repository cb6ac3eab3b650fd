namespace FuncScaler.Leasing;

/// <summary>Settings of leasing, the same for the ledger and all workers. Reasons in docs/explanation/azure-protocol.md.</summary>
public sealed record LeasingOptions
{
    /// <summary>
    /// Limits of pools. <see cref="SlotPoolOptions.InstancePrefix"/> is the same in all workers: tickets are unique by themselves. Every
    /// assignment must have a limit, for nobody else can say when a dead worker's instances are free.
    /// </summary>
    public SlotPoolOptions Pool { get; init; } = new();

    /// <summary>
    /// How long a worker's slots are held for it after its ledger last heard from it. Default 30 s; leaves a worker at least four reports,
    /// see <see cref="WorkerLease"/>.
    /// </summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How far the wall clocks of two hosts that run the ledger may be off the true time. Default 2 s; from 0 on.</summary>
    public TimeSpan ClockSkew { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// How much a worker's monotonic clock may run fast or slow, as a share. Default 0.001, a hundred times a bad quartz; from 0 to below 1.
    /// </summary>
    public double ClockDrift { get; init; } = 0.001;

    /// <summary>At most this often a worker reports what can wait. Default 1 s; above 0.</summary>
    public TimeSpan ReportInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>At most this often a worker reports requests that came and went, where there is nothing else to tell. Default 10 s; above 0.</summary>
    public TimeSpan ActivityInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>At most this often it reports what requests wait for. Default 20 ms; above 0.</summary>
    public TimeSpan UrgentInterval { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>
    /// After this long a worker that waits for an answer looks into the ledger; then after twice as long, up to <see cref="ReadInterval"/>.
    /// Default 50 ms; above 0.
    /// </summary>
    public TimeSpan AnswerInterval { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// How often a worker looks into the ledger, for releases that landed elsewhere, while an instance has been in use for longer than this.
    /// Default 1 s; above 0. Less gives such instances back sooner and costs storage transactions.
    /// </summary>
    public TimeSpan ReadInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long a miss waits for an instance that the ledger is known to have, before a slot is created for it. Default 250 ms; from 0 on.
    /// </summary>
    public TimeSpan AskPatience { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// A worker without slots and requests lets its lease go after this. Default 10 min; above 0. Its next miss waits for a new lease.
    /// </summary>
    public TimeSpan RestAfter { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Tickets that a worker reserves beyond those it has used. Default 256; at least 2.</summary>
    public int TicketsAhead { get; init; } = 256;

    /// <summary>
    /// How long requests may hold an instance that a worker creates before it has told its ledger of the function. Default 61 min, enough for
    /// timeouts up to 29 min and for functions without one; from 0 on. The first create for a function that may hold one for longer waits for
    /// a beat. What a worker had created and not told when it died is kept for this long.
    /// </summary>
    public TimeSpan HoldAhead { get; init; } = TimeSpan.FromMinutes(61);

    /// <summary>
    /// An instance that a worker has not used for this long goes back to the ledger, where every worker can have it and where it survives
    /// the worker. Default 1 min; from 0 on.
    /// </summary>
    public TimeSpan ParkAfter { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// A worker tells a ledger what it has learned of the function at most this often, with a report that is due anyway, and when it stops. Default
    /// 10 min; above 0.
    /// </summary>
    public TimeSpan LearnedInterval { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// How long a provisioning may go without a word before its slot is destroyed. Default 15 min, above create and init together; above 0.
    /// </summary>
    public TimeSpan ProvisionTimeout { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>
    /// How long the ledger remembers a worker that holds nothing; no message is delayed for longer. Default 24 h; at least two leases.
    /// </summary>
    public TimeSpan ForgetWorkerAfter { get; init; } = TimeSpan.FromHours(24);

    /// <summary>
    /// The ledger asks to be woken at multiples of this. Default 1 s; above 0. A store that keeps whole seconds would deliver an earlier time
    /// too soon, and again until it is due.
    /// </summary>
    public TimeSpan WakeGrid { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Most operations in one report; further ones go with the next. Default 200; at least 1.</summary>
    public int MaxOperations { get; init; } = 200;

    /// <summary>Slots created ahead at once before the rate limit counts. Default 20; at least 1.</summary>
    public int CreateBurst { get; init; } = 20;

    /// <summary>
    /// Slots per minute created ahead; those that requests wait for count too but do not wait. Default 20, a region's limit at ACI; above 0.
    /// </summary>
    public double CreatesPerMinute { get; init; } = 20;

    /// <summary>
    /// How long a worker may use its lease after it has sent the report that renewed it, on its own clock: over before the ledger can
    /// think so, whatever clocks do within their bounds.
    /// </summary>
    public TimeSpan WorkerLease => (Lease - (2 * ClockSkew)) * (1 - ClockDrift);

    /// <summary>
    /// How long after the end of a lease a request may still hold an instance, µs on the ledger's clock. What that clock may be off is
    /// allowed for in <see cref="WorkerLease"/>.
    /// </summary>
    internal long HoldUs(FunctionMeta function) => (long)(Pool.AssignmentLimitUs(function)!.Value / (1 - ClockDrift));

    /// <summary>
    /// How long after the end of a worker's life its slots may be in use or come into being, µs. The life ends by one clock and the slots' end
    /// is found by another.
    /// </summary>
    internal long DeathGraceUs(long holdUs) => Math.Max(holdUs, Pool.CreateTimeout.ToUs()) + (2 * ClockSkew.ToUs());

    /// <exception cref="ArgumentException">
    /// A setting is out of its range, or two contradict each other; the message says which, and how to mend it.
    /// </exception>
    public void Validate()
    {
        Pool.Validate();
        foreach (var (name, time) in new[]
        {
            (nameof(ReportInterval), ReportInterval), (nameof(UrgentInterval), UrgentInterval), (nameof(AnswerInterval), AnswerInterval),
            (nameof(ReadInterval), ReadInterval), (nameof(ProvisionTimeout), ProvisionTimeout),
            (nameof(WakeGrid), WakeGrid), (nameof(ActivityInterval), ActivityInterval), (nameof(RestAfter), RestAfter), (nameof(LearnedInterval), LearnedInterval),
        })
        {
            Check(time > TimeSpan.Zero, $"{name} is {time} and must be above 0.");
        }

        Check(ClockSkew >= TimeSpan.Zero, $"{nameof(ClockSkew)} is {ClockSkew} and must be 0 or more.");
        Check(ParkAfter >= TimeSpan.Zero, $"{nameof(ParkAfter)} is {ParkAfter} and must be 0 or more.");
        Check(ClockDrift is >= 0 and < 1, $"{nameof(ClockDrift)} is {ClockDrift} and must be from 0 to below 1.");
        Check(HoldAhead >= TimeSpan.Zero, $"{nameof(HoldAhead)} is {HoldAhead} and must be 0 or more.");
        Check(AskPatience >= TimeSpan.Zero, $"{nameof(AskPatience)} is {AskPatience} and must be 0 or more.");
        Check(TicketsAhead >= 2, $"{nameof(TicketsAhead)} is {TicketsAhead} and must be at least 2.");
        Check(MaxOperations >= 1, $"{nameof(MaxOperations)} is {MaxOperations} and must be at least 1.");
        Check(CreateBurst >= 1, $"{nameof(CreateBurst)} is {CreateBurst} and must be at least 1.");
        Check(CreatesPerMinute > 0, $"{nameof(CreatesPerMinute)} is {CreatesPerMinute} and must be above 0.");
        Check(
            Pool.AssignmentGrace >= TimeSpan.Zero && Pool.NoTimeoutLimit > TimeSpan.Zero,
            "Leased instances need a limit of each assignment: set "
            + $"{nameof(SlotPoolOptions.AssignmentGrace)} and {nameof(SlotPoolOptions.NoTimeoutLimit)} to finite times.");
        Check(
            WorkerLease >= 4 * ReportInterval,
            $"The lease of {Lease.TotalSeconds} s less twice the clock skew of {ClockSkew.TotalSeconds} s leaves a worker less than four reports "
            + $"of {ReportInterval.TotalSeconds} s: make the lease longer or report more often.");
        Check(ForgetWorkerAfter >= 2 * Lease, $"Workers must be remembered for at least two leases ({2 * Lease.TotalSeconds} s).");

        static void Check(bool holds, string otherwise)
        {
            if (!holds)
            {
                throw new ArgumentException(otherwise);
            }
        }
    }
}
