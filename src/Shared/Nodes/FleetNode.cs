namespace FuncScaler.Nodes;

/// <summary>A node of a fleet.</summary>
internal sealed class FleetNode(NodeTicket ticket, int memoryMb, long askedUs, int rank)
{
    /// <summary>How many nodes there were with it when it was asked for.</summary>
    public int Rank { get; } = rank;

    public NodeTicket Ticket { get; } = ticket;

    public NodeState State { get; set; } = NodeState.Reserving;

    public int MemoryMb { get; set; } = memoryMb;

    /// <summary>The memory of all containers on it, in whatever state, MB.</summary>
    public int PromisedMb { get; set; }

    /// <summary>The memory of the containers that requests use or that are being created, MB.</summary>
    public int ActiveMb { get; set; }

    public HashSet<FleetSlot> Slots { get; } = [];

    /// <summary>Containers that requests use or that are being created.</summary>
    public int Active { get; set; }

    public long AskedUs { get; set; } = askedUs;

    /// <summary>Since when no container is on it, µs.</summary>
    public long EmptySinceUs { get; set; }

    /// <summary>When its release is to be asked for (again), µs; <see cref="long.MaxValue"/> while an answer is awaited.</summary>
    public long RetryUs { get; set; } = long.MaxValue;

    public int Failures { get; set; }

    /// <summary>How far memory beyond what it has may be promised, 0 to 1 of what the option allows.</summary>
    public double Trust { get; set; } = 1;

    /// <summary>A container may stand on it whose name nobody knows: it is emptied and given back.</summary>
    public bool IsTainted { get; set; }

    /// <summary>Its processors are busy beyond what serves executions well.</summary>
    public bool Slow { get; set; }

    /// <summary>The mean of <see cref="ActiveMb"/> over about the last half minute, MB.</summary>
    public double MeanActiveMb { get; set; }

    public long MeanAtUs { get; set; }
}

/// <summary>The states of a slot on its way on and off a node.</summary>
internal enum FleetSlotState
{
    /// <summary>No node has room yet.</summary>
    Waiting,

    Creating,

    Idle,

    Busy,

    Removing,
}

/// <summary>A slot of a fleet.</summary>
internal sealed class FleetSlot(SlotTicket ticket, FunctionMeta function, long askedUs)
{
    public SlotTicket Ticket { get; } = ticket;

    public FunctionMeta Function { get; } = function;

    public int MemoryMb => Function.MemoryMb;

    public long AskedUs { get; } = askedUs;

    public FleetSlotState State { get; set; }

    /// <summary>Where it stands; null while it waits.</summary>
    public FleetNode? Node { get; set; }

    /// <summary>Until when its policy found it worth its cost, µs.</summary>
    public long WorthUntilUs { get; set; }

    public long IdleSinceUs { get; set; }

    /// <summary>Its memory was asked back for another.</summary>
    public bool WantedBack { get; set; }

    /// <summary>Its memory is not asked back again before this time, µs: a request had taken it.</summary>
    public long NotAskedUntilUs { get; set; }

    public bool IsActive => State is FleetSlotState.Creating or FleetSlotState.Busy;
}
