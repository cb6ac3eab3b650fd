using System.Globalization;

namespace FuncScaler.ContestSimulator.Traces;

/// <summary>
/// A part of a trace, cut by time and read as a stream: requests keep their starts, and the functions stay the same. The parts before
/// and after one cut, put together, are the whole.
/// </summary>
public sealed class TraceSlice : ITrace
{
    private readonly ITrace _trace;
    private readonly long _fromUs;
    private readonly long _toUs;

    /// <summary>Cuts a part out of a trace.</summary>
    /// <param name="trace">The whole.</param>
    /// <param name="fromSeconds">Where the part begins, s from the start of the first request; 0 or more.</param>
    /// <param name="lengthSeconds">How long it is, s, more than 0; to the end when null. Its end does not belong to it.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is negative, not finite, or zero where it must not be.</exception>
    public TraceSlice(ITrace trace, double fromSeconds, double? lengthSeconds = null)
    {
        ArgumentNullException.ThrowIfNull(trace);
        ArgumentOutOfRangeException.ThrowIfNegative(fromSeconds);
        ArgumentOutOfRangeException.ThrowIfEqual(double.IsFinite(fromSeconds), false, nameof(fromSeconds));
        if (lengthSeconds is { } length)
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length, nameof(lengthSeconds));
            ArgumentOutOfRangeException.ThrowIfEqual(double.IsNaN(length), true, nameof(lengthSeconds));
        }

        _trace = trace;
        _fromUs = ToMicroseconds(fromSeconds);
        _toUs = ToMicroseconds(fromSeconds + (lengthSeconds ?? double.PositiveInfinity));
        Name = string.Create(
            CultureInfo.InvariantCulture,
            $"{trace.Name}@{fromSeconds:0.###}s{(lengthSeconds is { } shown ? $"+{shown:0.###}s" : "")}");
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public IReadOnlyList<TraceFunction> Functions => _trace.Functions;

    /// <inheritdoc/>
    public IEnumerable<TraceRequest> ReadRequests()
    {
        long? first = null;
        foreach (var request in _trace.ReadRequests())
        {
            first ??= request.StartUs;
            var offsetUs = request.StartUs - first.Value;
            if (offsetUs >= _toUs)
            {
                yield break;
            }

            if (offsetUs >= _fromUs)
            {
                yield return request;
            }
        }
    }

    private static long ToMicroseconds(double seconds) => seconds >= long.MaxValue / 1e6 ? long.MaxValue : (long)Math.Round(seconds * 1e6);
}
