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

    /// <summary>
    /// Of a busy instance the mark of the request by which the next run finds out who holds it: of the last that came to it, or of one that this run
    /// does not know itself; <see cref="RequestMarks.Unknown"/> where it does not even know that one's mark.
    /// </summary>
    public long Mark
    {
        get
        {
            // An instance that more than one may have shared serves no others then.
            for (var place = _slot.Requests == 1 || _slot.Doomed ? _slot.Newest : null; place is not null; place = place.Older)
            {
                if (place.IsUnknown)
                {
                    return place.Mark == 0 ? RequestMarks.Unknown : place.Mark;
                }
            }

            return RequestMarks.Of(_slot.Request);
        }
    }

    /// <summary>Of a busy instance the requests that are known to hold it, the last to come first.</summary>
    public IEnumerable<RequestId> Requests
    {
        get
        {
            for (var place = _slot.Newest; place is not null; place = place.Older)
            {
                if (!place.IsUnknown)
                {
                    yield return place.Request;
                }
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
