namespace FuncScaler.ContestSimulator.Virtual;

/// <summary>Which worker a request goes to.</summary>
public enum WorkerRouting
{
    /// <summary>Any, for each Assign and each Idle anew, as a front end does that knows nothing of functions.</summary>
    Random,

    /// <summary>A function's requests, and their Idle, meet at one worker, by rendezvous hashing of its key.</summary>
    Function,

    /// <summary>So do those of functions that follow each other (<see cref="FunctionGroup"/>): they go where those of the first one go.</summary>
    Group,
}

/// <summary>
/// Several workers under durable ledgers in place of one scaler, as the Functions app runs them, on a network that loses nothing.
/// </summary>
public sealed record VirtualWorkerOptions
{
    /// <summary>The most workers of one run.</summary>
    public const int MostWorkers = 64;

    /// <summary>How many, 1 to <see cref="MostWorkers"/>.</summary>
    public int Count { get; init; } = 1;

    /// <summary>Which of them a request goes to. Default: any.</summary>
    public WorkerRouting Routing { get; init; }

    /// <summary>Decides about random routing.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>
    /// From sending a report, a beat or an orchestration's answer until the ledger's new state can be read, µs. Default 350 ms: what the parts of
    /// a signal took with Azurite on a busy machine, put, load, run and commit.
    /// </summary>
    public long SignalUs { get; init; } = 350_000;

    /// <summary>What reading a ledger's state takes, µs. Default 10 ms.</summary>
    public long ReadUs { get; init; } = 10_000;
}

/// <summary>What workers and ledgers have sent each other in a run.</summary>
public sealed record WorkerTraffic
{
    /// <summary>Reports of functions that workers have sent to ledgers.</summary>
    public long Reports { get; set; }

    /// <summary>Signs of life.</summary>
    public long Beats { get; set; }

    /// <summary>Ledgers read, the workers' own included.</summary>
    public long Reads { get; set; }

    /// <summary>Slots that ledgers have created ahead or destroyed, each by an orchestration.</summary>
    public long Orchestrations { get; set; }

    /// <summary>Releases that landed at another worker than the one that holds the instance.</summary>
    public long ForwardedReleases { get; set; }
}
