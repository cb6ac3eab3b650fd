namespace FuncScaler.Pool;

/// <summary>What a pool does with what it knows of where its slots stand (<see cref="ISlotPlacement"/>).</summary>
public sealed partial class SlotPool
{
    private double PlacementPriceSeconds =>
        _options.Placement?.CreateCostGbs(Function) is > 0 and var gbs && ((IPoolState)this).LatencyPriceGbs is > 0 and var price ? gbs / price : 0;

    /// <summary>The backend wants an idle instance's memory back: it is destroyed, if it is idle still.</summary>
    /// <returns>Whether it goes, or has gone.</returns>
    public bool GiveBack(long nowUs, SlotTicket ticket, List<Effect> effects)
    {
        Advance(nowUs);
        if (_inventory.Find(ticket) is not { } slot)
        {
            return true;
        }

        if (slot.State != SlotState.Idle)
        {
            return slot.State == SlotState.Destroying;
        }

        Destroy(slot, "its memory is wanted for another function", effects);
        Settle(effects);
        return true;
    }

    /// <summary>The instance that the next request gets: the fullest with a free place, else the idle one that stands best; null for none.</summary>
    private Slot? NextUsable() => _options.Placement is null || IdleCount < 2 || _inventory.FullestFree(Places) is not null
        ? _inventory.Usable(Places)
        : Enumerable.Range(1, IdleCount).Select(depth => _inventory.IdleAt(IdleCount - depth)).MaxBy(slot => _options.Placement.Preference(slot.Ticket));
}
