namespace FuncScaler.Pool;

/// <summary>One slot of an inventory as its journal sees it: its present state, for reading between events.</summary>
public sealed class SlotEntry
{
    private readonly Slot _slot;

    internal SlotEntry(Slot slot, FunctionMeta function)
    {
        _slot = slot;
        Function = function;
    }

    /// <summary>The function that it was made for, with the settings of that time; its key is empty for a slot that nobody owns.</summary>
    public FunctionMeta Function { get; }

    public SlotTicket Ticket => _slot.Ticket;

    public SlotState State => _slot.State;

    /// <summary>The backend's id; empty until known.</summary>
    public BackendSlotId BackendId => _slot.BackendId;

    public InstanceId Instance => _slot.Instance;

    /// <summary>Of a busy instance the request that came to it last among those that hold it.</summary>
    public RequestId Request => _slot.Request;

    /// <summary>Of a busy instance the requests that hold it, the last to come first.</summary>
    public IEnumerable<RequestId> Requests
    {
        get
        {
            for (var place = _slot.Newest; place is not null; place = place.Older)
            {
                yield return place.Request;
            }
        }
    }

    /// <summary>Where the instance is reached; null where the platform has no addresses.</summary>
    public Uri? Address => _slot.Address;

    /// <summary>Since when it is idle or busy, µs.</summary>
    public long SinceUs => _slot.SinceUs;

    /// <summary>Whether it has left the inventory: the backend has confirmed that it is gone, or it never was.</summary>
    public bool Gone { get; internal set; }

    /// <summary>For the journal: where it keeps something about the slot.</summary>
    public int Place { get; set; } = -1;

    /// <summary>For the journal: whether a change is yet to be written down.</summary>
    public bool Changed { get; set; }
}
