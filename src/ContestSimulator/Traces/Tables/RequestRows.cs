namespace FuncScaler.ContestSimulator.Traces.Tables;

/// <summary>One row of a table of requests.</summary>
/// <param name="StartUs">When it arrived, µs since the table's epoch.</param>
/// <param name="DurationUs">How long it executed, µs.</param>
/// <param name="StatusCode">200, or what a broken instance answered.</param>
/// <param name="MemoryMb">Its function's memory, MB; null where the row does not tell.</param>
/// <param name="InitUs">Its function's init, µs; null where the row does not tell.</param>
internal readonly record struct RequestRow(long StartUs, long DurationUs, int StatusCode, int? MemoryMb, long? InitUs);

/// <summary>A table of requests, read row by row; each pass gives the same rows.</summary>
internal interface IRequestRows : IDisposable
{
    /// <summary>Where the reader is, for errors: file and line or row.</summary>
    TraceFormatException Error(string problem, string remedy);

    /// <summary>The function of the row read last, as UTF-8; valid until the next row.</summary>
    ReadOnlySpan<byte> Key { get; }

    /// <summary>Moves to the next row.</summary>
    /// <exception cref="TraceFormatException">The row is malformed.</exception>
    bool TryRead(out RequestRow row);
}

/// <summary>What is taken for functions of which a table tells nothing.</summary>
public sealed record TableDefaults
{
    /// <summary>The memory, MB, 1 to 1,048,576.</summary>
    /// <value>The default is 256 MB.</value>
    public int MemoryMb { get; init; } = 256;

    /// <summary>The init, ms, 0 or more.</summary>
    /// <value>The default is 500 ms.</value>
    public double InitMs { get; init; } = 500;

    /// <summary>The execution, ms, where a table has no column for it.</summary>
    /// <value>The default is null: the table must tell it.</value>
    public double? DurationMs { get; init; }
}
