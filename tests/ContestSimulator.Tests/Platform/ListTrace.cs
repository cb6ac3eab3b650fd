using FuncScaler.ContestSimulator.Traces;

namespace FuncScaler.Tests.Platform;

/// <summary>A trace in memory, which may turn out to be malformed behind its last request.</summary>
internal sealed class ListTrace(
    IReadOnlyList<TraceFunction> functions, IReadOnlyList<TraceRequest> requests, string? malformed = null) : ITrace
{
    public string Name => "list";

    public IReadOnlyList<TraceFunction> Functions { get; } = functions;

    public static TraceFunction Function(string key, int memoryMb, int initMs) =>
        new(new FunctionMeta(new MetaKey(key), "go", 10, memoryMb), initMs * 1000L);

    public static TraceRequest Request(int startMs, int durationMs, int function = 0, int statusCode = 200) =>
        new(function, startMs * 1000L, durationMs * 1000L, statusCode);

    public IEnumerable<TraceRequest> ReadRequests()
    {
        foreach (var request in requests)
        {
            yield return request;
        }

        if (malformed is not null)
        {
            throw new TraceFormatException(malformed);
        }
    }
}
