namespace FuncScaler.Nodes;

/// <summary>One node as it stands.</summary>
/// <param name="Node">The fleet's number for it.</param>
/// <param name="State">Its state.</param>
/// <param name="MemoryMb">Its memory, MB.</param>
/// <param name="PromisedMb">The memory of the containers on it, those that are being created or removed included, MB.</param>
/// <param name="Slots">Containers on it.</param>
/// <param name="Busy">Containers on it that requests use.</param>
public readonly record struct NodeSnapshot(NodeTicket Node, NodeState State, int MemoryMb, int PromisedMb, int Slots, int Busy);
