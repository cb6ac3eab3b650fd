namespace FuncScaler.SlotBackends.Nodes;

/// <summary>A node as the platform handed it over.</summary>
/// <param name="Id">The platform's id.</param>
/// <param name="Service">Where its own service is reached.</param>
/// <param name="MemoryMb">Its memory, MB.</param>
public sealed record ReservedNode(string Id, Uri Service, int MemoryMb);

/// <summary>What a node uses.</summary>
/// <param name="UsedMb">Memory in use, MB.</param>
/// <param name="CpuShare">The share of its processors in use, 0 to 1.</param>
/// <param name="Containers">The ids of the containers on it.</param>
public sealed record NodeLoad(double UsedMb, double CpuShare, IReadOnlyCollection<string> Containers);

/// <summary>
/// A platform that rents nodes out and runs containers on them. Every failure is a <see cref="SlotBackendException"/>, except that cancellation by the
/// caller surfaces as <see cref="OperationCanceledException"/>. Every method may be called concurrently.
/// </summary>
public interface INodePlatform : IAsyncDisposable
{
    /// <summary>Reserves a node. <see cref="FailureKind.Throttled"/> says that no further one is to be had for now.</summary>
    Task<ReservedNode> ReserveAsync(CancellationToken cancellationToken);

    /// <summary>Gives a node back. Repeating it succeeds.</summary>
    Task ReleaseAsync(ReservedNode node, CancellationToken cancellationToken);

    /// <summary>Creates a container for a function.</summary>
    /// <returns>Its id on the node.</returns>
    Task<string> CreateContainerAsync(ReservedNode node, SlotTicket ticket, FunctionMeta function, CancellationToken cancellationToken);

    /// <summary>Removes a container. Repeating it succeeds.</summary>
    Task RemoveContainerAsync(ReservedNode node, string container, CancellationToken cancellationToken);

    /// <summary>What a node uses, and what is on it.</summary>
    Task<NodeLoad> GetLoadAsync(ReservedNode node, CancellationToken cancellationToken);
}
