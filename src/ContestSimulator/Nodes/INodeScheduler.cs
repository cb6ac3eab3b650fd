namespace FuncScaler.ContestSimulator.Nodes;

/// <summary>What a scheduler of the 2020 contest asks of the platform, or answers callers.</summary>
public enum NodeActionKind
{
    /// <summary>Reserve a node, under the scheduler's number for it.</summary>
    Reserve,

    /// <summary>Give a node back.</summary>
    Release,

    /// <summary>Create a container on a node, under the scheduler's number for it.</summary>
    Create,

    /// <summary>Remove a container.</summary>
    Remove,

    /// <summary>Let a request execute in a container.</summary>
    Grant,

    /// <summary>Tell a request that it gets none.</summary>
    Reject,
}

/// <summary>One thing that a scheduler asks or answers.</summary>
/// <param name="Kind">What.</param>
/// <param name="Node">The scheduler's number of the node.</param>
/// <param name="Container">The scheduler's number of the container.</param>
/// <param name="Function">The container's function, for a creation.</param>
/// <param name="Request">The request.</param>
public readonly record struct NodeAction(
    NodeActionKind Kind, long Node = 0, long Container = 0, FunctionMeta? Function = null, RequestId Request = default);

/// <summary>
/// A scheduler of the 2020 contest: AcquireContainer and ReturnContainer come in, calls of the platform go out. Deterministic, without I/O or clock;
/// all numbers of nodes and containers are its own.
/// </summary>
public interface INodeScheduler
{
    /// <summary>Its name in tables.</summary>
    string Name { get; }

    /// <summary>When <see cref="Tick"/> is to be called next, µs; <see cref="long.MaxValue"/> for never.</summary>
    long NextWakeUs { get; }

    void Acquire(long nowUs, RequestId request, FunctionMeta function, long deadlineUs, List<NodeAction> actions);

    /// <param name="nowUs">The time.</param>
    /// <param name="request">The request.</param>
    /// <param name="function">Its function.</param>
    /// <param name="container">The container that it was granted.</param>
    /// <param name="durationUs">How long it executed, µs.</param>
    /// <param name="memoryMb">The most memory that it used, MB; 0 where that is not known.</param>
    /// <param name="failed">Whether it failed.</param>
    /// <param name="actions">Where actions are added.</param>
    void Return(long nowUs, RequestId request, FunctionMeta function, long container, long durationUs, int memoryMb, bool failed, List<NodeAction> actions);

    /// <summary>A node is reserved; false where it is not to be had.</summary>
    void Reserved(long nowUs, long node, bool succeeded, int memoryMb, List<NodeAction> actions);

    /// <summary>A node has been given back.</summary>
    void Released(long nowUs, long node, List<NodeAction> actions);

    /// <summary>A container is created, or is not.</summary>
    void Created(long nowUs, long container, bool succeeded, List<NodeAction> actions);

    /// <summary>A container has been removed.</summary>
    void Removed(long nowUs, long container, List<NodeAction> actions);

    /// <summary>What a node uses.</summary>
    void Reported(long nowUs, long node, double usedMb, double cpuShare, List<NodeAction> actions)
    {
    }

    /// <summary>Does what is due.</summary>
    void Tick(long nowUs, List<NodeAction> actions);
}
