using FuncScaler.Learned;

namespace FuncScaler.Runtime.State;

/// <summary>A store for tests: several runtimes, one after the other, may be given the same one. It is not disposed of by them.</summary>
public sealed class MemoryStateStore : IStateStore
{
    private readonly string _run = Guid.NewGuid().ToString("N")[..8];
    private readonly Dictionary<SlotTicket, SavedSlot> _slots = [];
    private readonly Dictionary<MetaKey, LearnedBytes> _learned = [];
    private StateClock _clock;
    private long _lastTicket;

    public SavedState Load() => new(_run, _clock, _lastTicket, [.. _slots.Values.OrderBy(s => s.Ticket.Value)], new(_learned));

    public void Save(StateBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        (_clock, _lastTicket) = (batch.Clock, Math.Max(_lastTicket, batch.LastTicket));
        batch.Slots.ForEach(slot => _slots[slot.Ticket] = slot);
        batch.Gone.ForEach(ticket => _slots.Remove(ticket));
        foreach (var (function, learned) in batch.Learned)
        {
            _learned[function] = learned;
        }

        batch.Forgotten.ForEach(function => _learned.Remove(function));
    }

    public void Dispose()
    {
        // What it has is the next runtime's.
    }
}
