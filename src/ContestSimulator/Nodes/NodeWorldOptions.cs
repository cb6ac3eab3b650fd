namespace FuncScaler.ContestSimulator.Nodes;

/// <summary>The world of the 2020 contest. Defaults are the statement's and the participants' figures, where they gave any.</summary>
public sealed record NodeWorldOptions
{
    /// <summary>A node's memory, MB.</summary>
    /// <value>The default is 4096 (ecs.c6.large).</value>
    public int NodeMemoryMb { get; init; } = 4096;

    /// <summary>A node's processors.</summary>
    /// <value>The default is 2 (ecs.c6.large).</value>
    public double NodeCpus { get; init; } = 2;

    /// <summary>The most nodes that are reserved at a time.</summary>
    /// <value>The default is 20.</value>
    public int MostNodes { get; init; } = 20;

    /// <summary>
    /// Nodes that were started before the run, so that reserving them is quick. So is one that was given back (assumed: participants saw low latencies
    /// whenever a node was to be had).
    /// </summary>
    /// <value>The default is 10 (participants).</value>
    public int WarmNodes { get; init; } = 10;

    /// <summary>The least and the most that reserving a warm node takes, s.</summary>
    /// <value>The default is 0.1 to 0.3 (assumed: participants saw low latencies).</value>
    public (double Least, double Most) WarmReserveSeconds { get; init; } = (0.1, 0.3);

    /// <summary>The same for any other node, s.</summary>
    /// <value>The default is 30 to 60 (assumed: what starting a machine takes).</value>
    public (double Least, double Most) ReserveSeconds { get; init; } = (30, 60);

    /// <summary>The least and the most that creating a container takes, s.</summary>
    /// <value>The default is 3 to 4 (participants: 3 to 4 on average).</value>
    public (double Least, double Most) CreateSeconds { get; init; } = (3, 4);

    /// <summary>What removing a container takes, s.</summary>
    /// <value>The default is 0.1 (assumed).</value>
    public double RemoveSeconds { get; init; } = 0.1;

    /// <summary>The processors that a container may use for each GB of its limit.</summary>
    /// <value>The default is 0.67 (participants).</value>
    public double CpusPerGb { get; init; } = 0.67;

    /// <summary>What a container uses before any request, MB.</summary>
    /// <value>The default is 20 (assumed).</value>
    public int ContainerBaseMb { get; init; } = 20;

    /// <summary>One way of a call over the network, s.</summary>
    /// <value>The default is 0.0005 (assumed).</value>
    public double RpcSeconds { get; init; } = 0.0005;

    /// <summary>How long a caller waits for AcquireContainer, s.</summary>
    /// <value>The default is 120 (assumed).</value>
    public double AcquireDeadlineSeconds { get; init; } = 120;

    /// <summary>How often nodes report what they use, s.</summary>
    /// <value>The default is 1.</value>
    public double StatsSeconds { get; init; } = 1;
}
