namespace FuncScaler.Learned;

/// <summary>Keeps what was learned of functions that have no pool at present, as <see cref="LearnedRecord"/>s.</summary>
public interface ILearnedMemory
{
    /// <summary>What all functions share; null for nothing.</summary>
    LearnedBytes? Shared { get; }

    /// <summary>What is known of a function that comes to be used; null for nothing.</summary>
    LearnedBytes? Find(MetaKey function);

    /// <summary>A function's pool is let go; this is what it has learned.</summary>
    void Keep(MetaKey function, LearnedBytes learned);

    /// <summary>A record could not be read and was ignored.</summary>
    /// <param name="function">Whose it is; its key is empty for what all functions share.</param>
    /// <param name="why">What is wrong with it.</param>
    void Ignored(MetaKey function, string why);
}
