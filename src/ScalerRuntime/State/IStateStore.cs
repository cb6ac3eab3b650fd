namespace FuncScaler.Runtime.State;

/// <summary>
/// Where a scaler's state outlives its process. Used by one thread at a time. Every failure is a <see cref="StateStoreException"/>; what was
/// saved before stays as it was. One contract-test suite runs against every store.
/// </summary>
public interface IStateStore : IDisposable
{
    /// <summary>What was saved. An empty store gives a new run.</summary>
    SavedState Load();

    /// <summary>Saves all of a batch or nothing of it. Once this returns a power cut does not undo it.</summary>
    void Save(StateBatch batch);
}

/// <summary>A store cannot do what it was asked.</summary>
public sealed class StateStoreException : Exception
{
    public StateStoreException()
    {
    }

    public StateStoreException(string message)
        : base(message)
    {
    }

    public StateStoreException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>What is stored is damaged, and cannot be used any more.</summary>
    public bool Damaged { get; init; }
}
