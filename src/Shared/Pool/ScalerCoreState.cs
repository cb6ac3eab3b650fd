using FuncScaler.Learned;

namespace FuncScaler.Pool;

/// <summary>What ties a <see cref="ScalerCore"/> to a state that outlives its process.</summary>
public sealed record ScalerCoreState
{
    /// <summary>The last ticket that a former run may have given. Default 0.</summary>
    public long LastTicket { get; init; }

    /// <summary>Told of every change of a slot; null for nobody.</summary>
    public ISlotJournal? Journal { get; init; }

    /// <summary>What former runs have learned; null for nothing.</summary>
    public ILearnedMemory? Learned { get; init; }
}
