using FuncScaler.Runtime.State;

namespace FuncScaler.Tests.State;

/// <summary>A store in memory that can be made to wait, and to fail.</summary>
internal sealed class GatedStore : IStateStore
{
    private readonly MemoryStateStore _inner = new();
    private readonly ManualResetEventSlim _open = new(true);
    private readonly Lock _gate = new();
    private volatile bool _waiting;

    public bool Failing { get; set; }

    /// <summary>Whether a batch waits for the store to be open.</summary>
    public bool Waiting => _waiting;

    public void Close() => _open.Reset();

    public void Open() => _open.Set();

    public SavedState Load()
    {
        lock (_gate)
        {
            return _inner.Load();
        }
    }

    public void Save(StateBatch batch)
    {
        _waiting = !_open.IsSet;
        _open.Wait();
        _waiting = false;
        if (Failing)
        {
            throw new StateStoreException("database or disk is full");
        }

        lock (_gate)
        {
            _inner.Save(batch);
        }
    }

    public void Dispose()
    {
        // What it has is the next runtime's.
    }
}
