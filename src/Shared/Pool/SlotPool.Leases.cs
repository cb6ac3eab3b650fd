namespace FuncScaler.Pool;

/// <summary>Events of pools whose slots are leased: they come ready from elsewhere, go elsewhere, and serve only while the lease holds.</summary>
public sealed partial class SlotPool
{
    private bool _suspended;

    /// <summary>Whether idle instances may not be given out at present.</summary>
    public bool Suspended => _suspended;

    /// <summary>Whether a slot is in the inventory.</summary>
    public bool Owns(SlotTicket ticket) => _slots.ContainsKey(ticket);

    /// <summary>A ready instance made elsewhere joins: a waiting request gets it, or it is idle.</summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="ticket">Its ticket, which no other slot here has.</param>
    /// <param name="backendId">The backend's id.</param>
    /// <param name="instance">The id it was initialised with.</param>
    /// <param name="uses">How many requests it has served.</param>
    /// <param name="effects">Where effects are added.</param>
    /// <param name="address">Where the instance is reached; null where the platform has no addresses.</param>
    /// <returns>False when the ticket or the backend's slot is known here already; nothing has changed then.</returns>
    public bool Join(long nowUs, SlotTicket ticket, BackendSlotId backendId, InstanceId instance, int uses, List<Effect> effects, Uri? address = null)
    {
        Advance(nowUs);
        if (_slots.ContainsKey(ticket) || !_registry.TryClaim(backendId, ticket))
        {
            return false;
        }

        var slot = new Slot(ticket, Function.MemoryMb)
        {
            State = SlotState.Idle,
            BackendId = backendId,
            Instance = instance,
            Address = address,
            CreateAskedUs = _nowUs,
            AskedUs = _nowUs,
            Uses = uses,
        };
        _slots.Add(ticket, slot);
        Ledger.SlotCreated(_nowUs, slot.MemoryMb);
        Offer(slot, GrantKind.Waited, effects);
        Settle(effects);
        return true;
    }

    /// <summary>
    /// A slot is not this pool's any more: it leaves the inventory as it is, and whoever has it now cares for it. A request that held it
    /// holds nothing from now on; one that counted on it gets another.
    /// </summary>
    public void Withdraw(long nowUs, SlotTicket ticket, List<Effect> effects)
    {
        Advance(nowUs);
        if (!_slots.TryGetValue(ticket, out var slot))
        {
            return;
        }

        if (slot.State == SlotState.Idle)
        {
            _idle.Remove(slot);
        }
        else if (slot.State == SlotState.Busy)
        {
            EndUse(slot);
        }

        Drop(slot);
        Settle(effects);
    }

    /// <summary>No instance is given out until <see cref="Resume"/>; requests wait, everything else goes on.</summary>
    public void Suspend() => _suspended = true;

    /// <summary>Instances are given out again, first to those who wait.</summary>
    public void Resume(long nowUs, List<Effect> effects)
    {
        Advance(nowUs);
        _suspended = false;
        while (_idle.Count > 0 && _waiters.First is { } node)
        {
            var slot = _idle[^1];
            _idle.RemoveAt(_idle.Count - 1);
            RemoveWaiter(node);
            Grant(slot, node.Value.Request, GrantKind.Waited, _nowUs - node.Value.ArrivedUs, node.Value.Callers, effects);
        }

        Settle(effects);
    }
}
