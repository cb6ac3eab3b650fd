using System.Collections.Concurrent;
using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Nodes;

namespace FuncScaler.Tests.Nodes;

/// <summary>Nodes and containers that exist in memory, with scripted failures.</summary>
internal sealed class MemoryNodePlatform : INodePlatform
{
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<string, byte>> _nodes = new();
    private int _last;

    /// <summary>What the next creation of a container fails with; null for success.</summary>
    public SlotFailure? NextCreateFails { get; set; }

    /// <summary>What the next reservation fails with; null for success.</summary>
    public SlotFailure? NextReserveFails { get; set; }

    /// <summary>What the next reservation ends in that the contract does not foresee; null for nothing.</summary>
    public Exception? NextReserveThrows { get; set; }

    /// <summary>Creations of containers wait for it.</summary>
    public Task CreatesWaitFor { get; set; } = Task.CompletedTask;

    public IReadOnlyCollection<string> Nodes => [.. _nodes.Keys];

    /// <summary>Containers as node/container.</summary>
    public IReadOnlyCollection<string> Containers => [.. _nodes.SelectMany(n => n.Value.Keys.Select(c => $"{n.Key}/{c}"))];

    public void Lose(string container) => _nodes[container.Split('/')[0]].TryRemove(container.Split('/')[1], out _);

    public Task<ReservedNode> ReserveAsync(CancellationToken cancellationToken)
    {
        if (NextReserveFails is { } failure)
        {
            NextReserveFails = null;
            throw new SlotBackendException(failure);
        }

        if (NextReserveThrows is { } thrown)
        {
            NextReserveThrows = null;
            throw thrown;
        }

        var id = $"n{Interlocked.Increment(ref _last)}";
        _nodes[id] = new ConcurrentDictionary<string, byte>();
        return Task.FromResult(new ReservedNode(id, new Uri($"http://{id}:1"), 4096));
    }

    public Task ReleaseAsync(ReservedNode node, CancellationToken cancellationToken)
    {
        _nodes.TryRemove(node.Id, out _);
        return Task.CompletedTask;
    }

    public async Task<string> CreateContainerAsync(ReservedNode node, SlotTicket ticket, FunctionMeta function, CancellationToken cancellationToken)
    {
        if (NextCreateFails is { } failure)
        {
            NextCreateFails = null;
            throw new SlotBackendException(failure);
        }

        await CreatesWaitFor;
        var id = $"c{ticket}";
        _nodes[node.Id][id] = 0;
        return id;
    }

    public Task RemoveContainerAsync(ReservedNode node, string container, CancellationToken cancellationToken)
    {
        _nodes.GetValueOrDefault(node.Id)?.TryRemove(container, out _);
        return Task.CompletedTask;
    }

    public Task<NodeLoad> GetLoadAsync(ReservedNode node, CancellationToken cancellationToken) => Task.FromResult(new NodeLoad(
        0, 0, _nodes.TryGetValue(node.Id, out var containers) ? [.. containers.Keys] : throw new SlotBackendException("the node is gone")));

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
