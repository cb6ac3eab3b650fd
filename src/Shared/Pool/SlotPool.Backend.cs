namespace FuncScaler.Pool;

/// <summary>What hosts know of their backend besides its answers: that it takes no creations now, and what it lists.</summary>
public sealed partial class SlotPool
{
    /// <summary>
    /// The host holds a creation back, because the backend takes no more of them now: no time-out runs until <see cref="BeginCreate"/>.
    /// </summary>
    /// <returns>False when the slot is not waiting to be created (any more).</returns>
    public bool HoldCreate(SlotTicket ticket)
    {
        if (_inventory.Find(ticket) is not { State: SlotState.Creating, Abandoned: false } slot)
        {
            return false;
        }

        _inventory.Become(slot, SlotState.Held, _nowUs);
        return true;
    }

    /// <summary>Whether a creation that is held back is still wanted; where not, it leaves the inventory and must not be carried out.</summary>
    public bool KeepHeldCreate(long nowUs, SlotTicket ticket, List<Effect> effects)
    {
        Advance(nowUs);
        if (_inventory.Find(ticket) is not { State: SlotState.Held or SlotState.Creating } slot)
        {
            return false;
        }

        var needed = slot.BoundTo is { } bound ? bound.Count > 0 : _line.Count > (long)(InFlightCount - _inventory.Held) * Places;
        if (!slot.Doomed && (needed || (slot.Standby && !_draining)))
        {
            return true;
        }

        if (slot.MayExist)
        {
            Destroy(slot, "a former run had asked for it, and nobody wants it any more", effects);
        }
        else
        {
            Drop(slot);
        }

        Settle(effects);
        return false;
    }

    /// <summary>The host asks the backend now for a slot whose creation it has held back.</summary>
    public void BeginCreate(long nowUs, SlotTicket ticket)
    {
        Advance(nowUs);
        if (_inventory.Find(ticket) is { State: SlotState.Held } slot)
        {
            _inventory.Become(slot, SlotState.Creating, _nowUs);
            slot.AskedUs = _nowUs;
            WakeBy(DueOf(slot));
        }
    }

    /// <summary>
    /// Compares the inventory with the backend's own list. Slots of ours that it does not know are given up (a busy one when it is
    /// released), also those whose CreateSlot went unanswered; a slot that answers a lost creation is taken as created.
    /// </summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="askedUs">When the list was asked for: younger slots may be missing from it.</param>
    /// <param name="listed">The list, possibly of all pools' slots.</param>
    /// <param name="effects">Where effects are added.</param>
    public void Reconcile(long nowUs, long askedUs, IReadOnlyDictionary<BackendSlotId, ListedSlot> listed, List<Effect> effects)
    {
        ArgumentNullException.ThrowIfNull(listed);
        Advance(nowUs);
        _registry.Worked(askedUs);
        foreach (var slot in listed.Values)
        {
            if (slot.Ticket != default && _inventory.Find(slot.Ticket) is { } own && own.BackendId == default)
            {
                SlotCreated(nowUs, slot.Ticket, slot.Id, effects);
            }
        }

        foreach (var slot in _inventory.All.Where(s => IsMissing(s, askedUs, listed)).ToList())
        {
            if (slot.State == SlotState.Busy)
            {
                _inventory.Doom(slot);
                continue;
            }

            var retry = slot.State == SlotState.Initializing;
            Drop(slot);
            if (retry)
            {
                RetryLater(slot, new SlotFailure(FailureKind.Transient, "the backend does not know the slot any more"), effects);
            }
        }

        Settle(effects);
    }

    /// <summary>Takes a slot that the backend lists and nobody owns into the inventory, to destroy it.</summary>
    public void Adopt(long nowUs, BackendSlotId backendId, List<Effect> effects)
    {
        Advance(nowUs);
        Adopt(backendId, "the backend lists it and nobody owns it", _options.OrphanGrace.ToUs(), effects);
        Settle(effects);
    }

    /// <summary>
    /// Takes an instance of this function that a former run of the scaler has left into the inventory: held back until none of that run's
    /// requests can still execute in it, then initialised again and offered.
    /// </summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="backendId">The backend's id; nothing happens when a ticket holds it already.</param>
    /// <param name="usableFromUs">Until when it is held back.</param>
    /// <param name="effects">Where effects are added.</param>
    public void AdoptInstance(long nowUs, BackendSlotId backendId, long usableFromUs, List<Effect> effects)
    {
        Advance(nowUs);
        var slot = new Slot(_registry.NextTicket(), Function.MemoryMb, _nowUs) { DueUs = _draining ? _nowUs : usableFromUs };
        if (_inventory.TryClaim(slot, backendId))
        {
            _inventory.Add(slot, SlotState.Adopted);
            WakeBy(slot.DueUs);
        }

        Settle(effects);
    }

    private void Adopt(BackendSlotId backendId, string reason, long graceUs, List<Effect> effects)
    {
        var slot = new Slot(_registry.NextTicket(), Function.MemoryMb, _nowUs) { DestroyReason = reason };
        if (!_inventory.TryClaim(slot, backendId))
        {
            return;
        }

        _inventory.Add(slot, SlotState.Destroying);
        if (graceUs > 0 && !_draining)
        {
            slot.DueUs = _nowUs + graceUs;
            WakeBy(slot.DueUs);
            return;
        }

        AskDestroy(slot, effects);
    }

    /// <summary>
    /// Whether a list that was asked for at a time should have held the slot. A CreateSlot that was overdue by then and is not in the
    /// list had no effect; should its answer come all the same, the slot is adopted and destroyed.
    /// </summary>
    private bool IsMissing(Slot slot, long askedUs, IReadOnlyDictionary<BackendSlotId, ListedSlot> listed) => slot.State == SlotState.Creating
        ? slot.AskedUs + _createTimeoutUs <= askedUs
        : slot.BackendId != default && slot.AskedUs < askedUs && !listed.ContainsKey(slot.BackendId);

    int IPoolState.CopyBusySince(Span<long> into, int stride)
    {
        var count = 0;
        var seen = 0;
        foreach (var place in _inventory.InUse)
        {
            if (count == into.Length)
            {
                break;
            }

            if (seen++ % stride == 0)
            {
                into[count++] = place.SinceUs;
            }
        }

        return count;
    }

    int IPoolState.CopyInFlightSince(Span<long> into, int stride)
    {
        var count = 0;
        var seen = 0;
        if (InFlightCount > 0)
        {
            foreach (var slot in _inventory.All)
            {
                if (slot.Counts && count < into.Length && seen++ % stride == 0)
                {
                    into[count++] = slot.WantedUs;
                }
            }
        }

        return count;
    }
}
