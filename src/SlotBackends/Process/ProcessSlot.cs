namespace FuncScaler.SlotBackends.Process;

/// <summary>A reserved slot, and its process once it was started.</summary>
internal sealed class ProcessSlot(SlotTicket ticket, int memoryMb, ProcessCommand command)
{
    /// <summary>Held while the slot is started or ended, so that neither overtakes the other.</summary>
    public SemaphoreSlim Gate { get; } = new(1, 1);

    public SlotTicket Ticket { get; } = ticket;

    public int MemoryMb { get; } = memoryMb;

    public ProcessCommand Command { get; } = command;

    public InstanceId? Instance { get; set; }

    public Uri? Address { get; set; }

    public SupervisedProcess? Process { get; set; }

    /// <summary>Its start has failed: it waits to be destroyed.</summary>
    public bool Failed { get; set; }

    public bool Ended { get; set; }

    public bool Exists => !Ended && !Failed && Process is not { HasExited: true };
}
