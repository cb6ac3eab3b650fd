using FuncScaler.Runtime.State;

namespace FuncScaler.Runtime.Soaking;

/// <summary>A simulated world's process has ended while it saved a batch.</summary>
internal sealed class KilledWhileSavingException : Exception;

/// <summary>
/// What outlives the process in a simulated world: a store in memory, or a database on the disk. While a batch is saved other things happen, and
/// the process may end; then all of the batch is there, or nothing of it.
/// </summary>
/// <param name="inner">What keeps the state.</param>
/// <param name="dice">Decides.</param>
/// <param name="log">What happens is told there.</param>
/// <param name="saved">Told of each batch that was saved before the process ended.</param>
/// <param name="meanwhile">What happens while a batch is saved.</param>
internal sealed class SimulatedStore(IStateStore inner, Dice dice, SoakLog log, Action saved, Action meanwhile) : IStateStore
{
    /// <summary>Everything works.</summary>
    public bool Well { get; set; }

    /// <summary>The disk has room. Where it has none the scaler serves on, and after a kill only the backend's list tells what it created meanwhile.</summary>
    public bool HasRoom { get; init; }

    /// <summary>For the test of the tests: forgets slots whose creation is under way.</summary>
    public bool ForgetsIntents { get; init; }

    /// <summary>The disk is full for now.</summary>
    private int FullFor { get; set; }

    public SavedState Load() => inner.Load();

    public void Save(StateBatch batch)
    {
        if (Well)
        {
            Keep(batch);
            saved();
            return;
        }

        meanwhile();
        var fate = dice.Next(100);
        if (!HasRoom && (FullFor > 0 || fate < 3))
        {
            FullFor = FullFor > 0 ? FullFor - 1 : dice.Next(5);
            log.Add("the disk is full");
            log.Count(SoakFault.DiskFull);
            throw new StateStoreException("database or disk is full");
        }

        if (fate < 94)
        {
            Keep(batch);
            saved();
            meanwhile();
            return;
        }

        log.Count(SoakFault.KillWhileSaving);
        if (fate < 97)
        {
            Keep(batch);
        }

        log.Add(fate < 97 ? "killed when all was saved" : "killed before anything was saved");
        throw new KilledWhileSavingException();
    }

    public void Dispose() => inner.Dispose();

    private void Keep(StateBatch batch)
    {
        log.Add($"save {string.Join(' ', batch.Slots.Select(s => $"{s.Ticket}:{s.State}"))} gone {string.Join(' ', batch.Gone)}, {batch.Learned.Count} learned");
        if (ForgetsIntents)
        {
            batch.Slots.RemoveAll(s => s.State == SlotState.Creating);
        }

        inner.Save(batch);
    }
}
