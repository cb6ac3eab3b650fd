using FuncScaler.Learned;

namespace FuncScaler.ContestSimulator.Virtual;

/// <summary>What a shard's core would have on disk: its slots and what it has learned.</summary>
internal sealed class VirtualMemory : ILearnedMemory, ISlotJournal
{
    private readonly Dictionary<MetaKey, LearnedBytes> _learned = [];
    private readonly Dictionary<SlotTicket, SlotEntry> _slots = [];

    public LearnedBytes? Shared { get; private set; }

    /// <summary>The most bytes that one function took.</summary>
    public int MostBytes { get; private set; }

    public LearnedBytes? Find(MetaKey function) => _learned.TryGetValue(function, out var bytes) ? bytes : null;

    public void Keep(MetaKey function, LearnedBytes learned)
    {
        _learned[function] = learned;
        MostBytes = Math.Max(MostBytes, learned.Record.Length);
    }

    public void Ignored(MetaKey function, string why) => throw new InvalidOperationException($"What was learned of '{function.Value}' cannot be read: {why}.");

    public void SlotChanged(SlotEntry slot)
    {
        if (slot.Gone)
        {
            _slots.Remove(slot.Ticket);
        }
        else
        {
            _slots[slot.Ticket] = slot;
        }
    }

    /// <summary>Takes in what a core knows as it ends.</summary>
    public void Take(ScalerCore core, long nowUs)
    {
        foreach (var pool in core.Pools)
        {
            Keep(pool.Function.Key, new LearnedBytes(pool.WriteLearned(nowUs), nowUs));
        }

        Shared = core.WriteShared(nowUs) is { } shared ? new LearnedBytes(shared, nowUs) : null;
    }

    public void Forget()
    {
        _learned.Clear();
        Shared = null;
    }

    /// <summary>The slots, and none from then on.</summary>
    public List<(FunctionMeta Function, RestoredSlot Slot)> TakeSlots(bool idle)
    {
        List<(FunctionMeta, RestoredSlot)> slots =
        [
            .. _slots.Values.OrderBy(s => s.SinceUs).ThenBy(s => s.Ticket.Value).Select(s => (s.Function, new RestoredSlot(
                s.Ticket,
                (s.State == SlotState.Idle && !idle) || s.State == SlotState.Initializing ? SlotState.Destroying : s.State,
                s.BackendId,
                s.Instance,
                s.Address,
                s.State == SlotState.Busy ? [.. s.Requests.Reverse()] : [],
                0,
                s.SinceUs))),
        ];
        _slots.Clear();
        return slots;
    }
}
