namespace FuncScaler.Pool;

/// <summary>Told of every change of a slot, within the event that changes it and before any effect of that event leaves the core.</summary>
public interface ISlotJournal
{
    /// <summary>A slot has joined the inventory, changed its state, or left (<see cref="SlotEntry.Gone"/>). Must be quick: it is part of every assign.</summary>
    void SlotChanged(SlotEntry slot);
}
