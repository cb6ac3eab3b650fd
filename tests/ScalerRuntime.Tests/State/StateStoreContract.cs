using FuncScaler.Learned;
using FuncScaler.Runtime.State;

namespace FuncScaler.Tests.State;

/// <summary>What any store of a scaler's state does.</summary>
public abstract class StateStoreContract : IDisposable
{
    private static readonly FunctionMeta Function = new(new MetaKey("f"), "go", 60, 128);

    /// <summary>Opens the same store again, as a process does that comes after another.</summary>
    protected abstract IStateStore Open();

    public virtual void Dispose() => GC.SuppressFinalize(this);

    [Fact]
    public void An_empty_store_has_a_run_and_nothing_else()
    {
        using var store = Open();

        var saved = store.Load();

        Assert.Equal(8, saved.Run.Length);
        Assert.Equal((0, 0, 0), (saved.LastTicket, saved.Slots.Count, saved.Learned.Count));
    }

    [Fact]
    public void What_was_saved_is_there_when_it_is_opened_again()
    {
        string run;
        using (var store = Open())
        {
            run = store.Load().Run;
            store.Save(Batch(7, [Slot(5, SlotState.Busy, request: "r"), Slot(6, SlotState.Creating, backend: "")]));
        }

        using var again = Open();
        var saved = again.Load();

        Assert.Equal(run, saved.Run);
        Assert.Equal(7, saved.LastTicket);
        Assert.Equal(new StateClock(10, 20), saved.Clock);
        Assert.Equal([Slot(5, SlotState.Busy, request: "r"), Slot(6, SlotState.Creating, backend: "")], saved.Slots);
    }

    [Fact]
    public void A_later_batch_replaces_slots_and_takes_out_what_is_gone()
    {
        using var store = Open();
        store.Load();
        store.Save(Batch(7, [Slot(5, SlotState.Busy, request: "r"), Slot(6, SlotState.Idle)]));

        var batch = Batch(8, [Slot(5, SlotState.Idle)]);
        batch.Gone.Add(new SlotTicket(6));
        store.Save(batch);

        Assert.Equal([Slot(5, SlotState.Idle)], store.Load().Slots);
    }

    [Fact]
    public void The_last_record_of_a_function_stays_and_old_ones_are_forgotten()
    {
        using var store = Open();
        store.Load();
        var batch = Batch(1, []);
        batch.Learned[new MetaKey("old")] = new LearnedBytes(new byte[] { 1 }, 100);
        batch.Learned[new MetaKey("f")] = new LearnedBytes(new byte[] { 2 }, 100);
        store.Save(batch);

        batch = Batch(1, []);
        batch.Learned[new MetaKey("f")] = new LearnedBytes(new byte[] { 3, 4 }, 300);
        batch.Forgotten.Add(new MetaKey("old"));
        store.Save(batch);

        var (function, learned) = Assert.Single(store.Load().Learned);
        Assert.Equal("f", function.Value);
        Assert.Equal((300, "0304"), (learned.WrittenUs, Convert.ToHexString(learned.Record.Span)));
    }

    internal static SavedSlot Slot(long ticket, SlotState state, string backend = "b", string? request = null) =>
        new(new SlotTicket(ticket), Function, state, backend, "i-" + ticket, "http://127.0.0.1:1/", request, 30);

    internal static StateBatch Batch(long lastTicket, List<SavedSlot> slots)
    {
        var batch = new StateBatch { LastTicket = lastTicket, Clock = new StateClock(10, 20) };
        batch.Slots.AddRange(slots);
        return batch;
    }
}

public sealed class MemoryStateStoreTests : StateStoreContract
{
    private readonly MemoryStateStore _store = new();

    protected override IStateStore Open() => _store;
}
