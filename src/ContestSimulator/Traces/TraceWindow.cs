namespace FuncScaler.ContestSimulator.Traces;

/// <summary>A stretch of a trace.</summary>
/// <param name="OffsetSeconds">Where it begins, s from the start of the first request; fits <see cref="TraceSlice"/>.</param>
/// <param name="LengthSeconds">How long it is, s; its end does not belong to it.</param>
/// <param name="Requests">The requests that start in it.</param>
public readonly record struct TraceWindow(double OffsetSeconds, double LengthSeconds, long Requests)
{
    /// <summary>
    /// Finds the window of a length in which most requests start; the first of several. Exact, with constant memory: the trace is read
    /// twice at once, for the window's two ends.
    /// </summary>
    /// <param name="trace">The trace.</param>
    /// <param name="lengthSeconds">The window's length, s; more than 0.</param>
    /// <returns>A window that begins with a request; empty at 0 when the trace is empty.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The length is not more than 0.</exception>
    /// <exception cref="TraceFormatException">The trace's source is malformed.</exception>
    public static TraceWindow Busiest(ITrace trace, double lengthSeconds)
    {
        ArgumentNullException.ThrowIfNull(trace);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(lengthSeconds);
        ArgumentOutOfRangeException.ThrowIfEqual(double.IsNaN(lengthSeconds), true, nameof(lengthSeconds));
        var lengthUs = (long)Math.Min(Math.Round(lengthSeconds * 1e6), long.MaxValue / 4.0);
        using var tail = trace.ReadRequests().GetEnumerator();
        var any = tail.MoveNext();
        var firstUs = any ? tail.Current.StartUs : 0;
        long inside = 0, best = 0, bestStartUs = firstUs;
        foreach (var request in trace.ReadRequests())
        {
            while (request.StartUs - tail.Current.StartUs >= lengthUs && tail.MoveNext())
            {
                inside--;
            }

            inside++;
            if (inside > best)
            {
                best = inside;
                bestStartUs = tail.Current.StartUs;
            }
        }

        return new TraceWindow((bestStartUs - firstUs) / 1e6, lengthSeconds, best);
    }
}
