namespace FuncScaler.ContestSimulator.Traces;

/// <summary>A function of a trace: what a scaler is told of it, and how long its initialisation takes, which a scaler must learn.</summary>
/// <param name="Meta">What a scaler is told.</param>
/// <param name="InitDurationUs">The duration of Init, µs.</param>
public sealed record TraceFunction(FunctionMeta Meta, long InitDurationUs)
{
    /// <summary>What its creates take, µs, where the trace tells; null for the platform's own time.</summary>
    public long? CreateUs { get; init; }

    /// <summary>
    /// How much longer an execution lasts for each further request that its instance serves when it begins, as a share of its own length, from 0.
    /// With 1, k requests take k times as long, as where they share a processor. Default 0: sharing costs no time.
    /// </summary>
    public double Slowdown { get; init; }
}

/// <summary>One request of a trace.</summary>
/// <param name="Function">The index of its function in <see cref="ITrace.Functions"/>.</param>
/// <param name="StartUs">When it arrives, µs since the trace's epoch.</param>
/// <param name="DurationUs">How long it executes, µs.</param>
/// <param name="StatusCode">200, or what the broken instance answers.</param>
public readonly record struct TraceRequest(int Function, long StartUs, long DurationUs, int StatusCode);

/// <summary>
/// A trace: functions, and requests in order of arrival. Reading streams, so that memory does not grow with the trace's length, and may
/// be repeated: every pass yields the same requests.
/// </summary>
public interface ITrace
{
    /// <summary>A short name for tables and result files, for example "dataSet_3".</summary>
    string Name { get; }

    /// <summary>The functions; requests refer to them by index.</summary>
    IReadOnlyList<TraceFunction> Functions { get; }

    /// <summary>The requests, their <see cref="TraceRequest.StartUs"/> never decreasing.</summary>
    /// <exception cref="TraceFormatException">The source is malformed.</exception>
    IEnumerable<TraceRequest> ReadRequests();
}

/// <summary>A trace that cannot be read: the message names the file, the line and the field, and says how to mend it.</summary>
public sealed class TraceFormatException : Exception
{
    /// <summary>The most characters of a message: it quotes what a file says.</summary>
    private const int LongestMessage = 1000;

    public TraceFormatException()
    {
    }

    public TraceFormatException(string message)
        : base(RemoteWords.Clean(message, LongestMessage))
    {
    }

    public TraceFormatException(string message, Exception innerException)
        : base(RemoteWords.Clean(message, LongestMessage), innerException)
    {
    }
}
