namespace FuncScaler.Nodes;

/// <summary>The states of a node.</summary>
public enum NodeState
{
    /// <summary>The platform was asked for it.</summary>
    Reserving,

    /// <summary>It takes containers.</summary>
    Ready,

    /// <summary>It takes no further containers, and goes when it is empty.</summary>
    Draining,

    /// <summary>The platform was asked to take it back, or will be asked again.</summary>
    Releasing,
}
