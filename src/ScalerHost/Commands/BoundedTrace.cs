using FuncScaler.ContestSimulator.Traces;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>
/// The requests of a trace that end within a time limit even if each needs a cold start, so that a demonstration ends on time. What it
/// leaves out are the longest executions and initialisations: scores of such a run stand for themselves.
/// </summary>
internal sealed class BoundedTrace(string name, ITrace inner, double lengthSeconds) : ITrace
{
    private const long CreateUs = 100_000;

    public string Name => name;

    public IReadOnlyList<TraceFunction> Functions => inner.Functions;

    public IEnumerable<TraceRequest> ReadRequests()
    {
        long? firstUs = null;
        foreach (var request in inner.ReadRequests())
        {
            firstUs ??= request.StartUs;
            var endUs = request.StartUs - firstUs + CreateUs + inner.Functions[request.Function].InitDurationUs + request.DurationUs;
            if (endUs <= lengthSeconds * 1e6)
            {
                yield return request;
            }
        }
    }
}
