namespace FuncScaler.Nodes;

/// <summary>What a fleet asks of its host, or tells it.</summary>
public enum FleetEffectKind
{
    /// <summary>Reserve a node; answer with NodeReserved or ReserveFailed.</summary>
    ReserveNode,

    /// <summary>Give a node back; answer with NodeReleased or ReleaseFailed.</summary>
    ReleaseNode,

    /// <summary>Create a container on a node; answer with ContainerCreated or ContainerFailed.</summary>
    CreateContainer,

    /// <summary>Remove a container from a node; answer with ContainerRemoved or RemoveFailed.</summary>
    RemoveContainer,

    /// <summary>A slot that was to be placed gets no container; tell the core with <see cref="FleetEffect.Failure"/>.</summary>
    SlotFailed,

    /// <summary>A slot is gone that was to be removed; tell the core.</summary>
    SlotRemoved,

    /// <summary>A slot has gone by itself, with its node; tell the core.</summary>
    SlotLost,

    /// <summary>The memory of an idle instance is wanted for another function: ask the core to give it back, if it is idle still.</summary>
    WantSlotBack,
}

/// <summary>One thing a fleet asks of its host, or tells it.</summary>
/// <param name="Kind">What.</param>
/// <param name="Node">On which node; 0 where none is concerned.</param>
/// <param name="Slot">Which slot; 0 where none is concerned.</param>
/// <param name="Function">The slot's function; null where none is concerned.</param>
/// <param name="Failure">Why a slot failed or was lost; else null.</param>
public readonly record struct FleetEffect(
    FleetEffectKind Kind, NodeTicket Node = default, SlotTicket Slot = default, FunctionMeta? Function = null, SlotFailure? Failure = null);
