namespace FuncScaler.ContestSimulator.Nodes;

/// <summary>What happens in a <see cref="NodeWorld"/>.</summary>
public enum WorldEventKind
{
    /// <summary>A node is reserved, or (failed) is not.</summary>
    Reserved,

    /// <summary>A container is created, or (failed) is not: its node has gone.</summary>
    Created,

    /// <summary>A container is gone that was to be removed.</summary>
    Removed,

    /// <summary>An execution has ended, or (failed) has died with its container.</summary>
    Ended,
}

/// <summary>Something that happens in a <see cref="NodeWorld"/>.</summary>
/// <param name="Kind">What.</param>
/// <param name="Id">The caller's number of the call that this answers.</param>
/// <param name="Node">The node; 0 where there is none.</param>
/// <param name="Container">The container; 0 where there is none.</param>
/// <param name="Failed">Whether the call has failed.</param>
/// <param name="DurationUs">Of an execution, how long it took, µs.</param>
/// <param name="MemoryMb">Of an execution, the memory that a container with it alone uses, MB.</param>
public readonly record struct WorldEvent(
    WorldEventKind Kind, long Id, int Node = 0, long Container = 0, bool Failed = false, long DurationUs = 0, int MemoryMb = 0);

/// <summary>What a node uses now.</summary>
/// <param name="Node">The node.</param>
/// <param name="UsedMb">Memory in use, MB.</param>
/// <param name="CpuShare">The share of its processors in use, 0 to 1.</param>
public readonly record struct NodeUse(int Node, double UsedMb, double CpuShare);

/// <summary>A node's time with the scheduler.</summary>
/// <param name="Node">The node.</param>
/// <param name="ReservedUs">When it was handed over, µs.</param>
/// <param name="ReleasedUs">When it was given back, µs; null while it has not been.</param>
public readonly record struct NodeTerm(int Node, long ReservedUs, long? ReleasedUs);
