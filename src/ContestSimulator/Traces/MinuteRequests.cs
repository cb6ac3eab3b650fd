using FuncScaler.ContestSimulator.Traces.Presets;

namespace FuncScaler.ContestSimulator.Traces;

/// <summary>How many requests a function has in a minute.</summary>
/// <param name="Minute">The minute, from 0.</param>
/// <param name="Count">The requests in it, more than 0.</param>
internal readonly record struct MinuteCount(int Minute, int Count);

/// <summary>
/// The requests of one function of a trace that tells only how many there were in each minute: each at a uniform time within its minute, in whole
/// ms. The times in a minute are drawn in order, so that none has to be kept.
/// </summary>
/// <param name="function">The function's index.</param>
/// <param name="counts">Its minutes with requests, ascending.</param>
/// <param name="durationMs">Draws an execution of a minute, ms.</param>
/// <param name="random">Where everything is drawn from.</param>
internal sealed class MinuteRequests(int function, MinuteCount[] counts, Func<int, TraceRandom, double> durationMs, TraceRandom random) : RequestSource
{
    private const long MinuteMs = 60_000;

    private int _at = -1;
    private int _left;
    private double _nowMs;

    public override void Advance()
    {
        Function = function;
        if (_left == 0)
        {
            if (++_at >= counts.Length)
            {
                StartMs = long.MaxValue;
                return;
            }

            _left = counts[_at].Count;
            _nowMs = counts[_at].Minute * (double)MinuteMs;
        }

        // The least of n uniform times in what is left of the minute; then the same for the others.
        var endMs = (counts[_at].Minute + 1.0) * MinuteMs;
        _nowMs += (endMs - _nowMs) * (1 - Math.Pow(1 - random.Next(), 1.0 / _left));
        _left--;
        StartMs = Math.Min((long)_nowMs, (long)endMs - 1);
        DurationMs = (long)Math.Round(durationMs(counts[_at].Minute, random));
    }
}
