namespace FuncScaler.ContestSimulator.Traces.Presets;

/// <summary>How long the controllers' Init is.</summary>
internal static class ControllerInits
{
    /// <summary>13 to 56 ms, or those of the long edition.</summary>
    public static long[] Draw(int count, PresetEdition edition, TraceRandom random) =>
        edition == PresetEdition.Long ? LongEdition.DrawInitsMs(count, random) : Draw(count, 13, 56, random);

    /// <summary>One from each of <paramref name="count"/> equal parts of the range, both ends of which belong to it.</summary>
    public static long[] Draw(int count, long leastMs, long greatestMs, TraceRandom random) =>
        [.. FunctionSet.Strata(count, random).Select(u => leastMs + (long)(u * (greatestMs - leastMs + 1)))];
}

/// <summary>Calls at a fixed period, at several phases of it, with jitter that does not add up.</summary>
internal sealed class TimerSource : RequestSource
{
    private readonly DurationModel _duration;
    private readonly TraceRandom _random;
    private readonly double _periodMs;
    private readonly double _jitterMs;
    private readonly double[] _phasesMs;
    private readonly double _extraShare;
    private long _tick = -1;
    private long _plannedMs;
    private long _extraMs = long.MaxValue;

    /// <param name="function">The function.</param>
    /// <param name="duration">Its executions.</param>
    /// <param name="random">Its own random numbers.</param>
    /// <param name="periodMs">The period, ms.</param>
    /// <param name="jitterMs">The standard deviation of the jitter, ms; small against the period.</param>
    /// <param name="phases">How many callers there are, each with its own phase.</param>
    /// <param name="extraShare">The share of calls that is followed by one outside the period.</param>
    public TimerSource(
        int function, DurationModel duration, TraceRandom random, double periodMs, double jitterMs, int phases = 1, double extraShare = 0)
    {
        Function = function;
        _duration = duration;
        _random = random;
        _periodMs = periodMs;
        _jitterMs = jitterMs;
        _extraShare = extraShare;

        // Spread over the period, so that jitter does not change the callers' order.
        _phasesMs = [.. Enumerable.Range(0, phases).Select(i => (i + random.Next(0.05, 0.95)) * periodMs / phases)];
        Plan();
    }

    public override void Advance()
    {
        if (_extraMs < _plannedMs)
        {
            StartMs = Math.Max(StartMs, _extraMs);
            _extraMs = long.MaxValue;
        }
        else
        {
            StartMs = Math.Max(StartMs, _plannedMs);
            if (_extraMs == long.MaxValue && _random.Next() < _extraShare)
            {
                _extraMs = _plannedMs + (long)(_periodMs * _random.Next(0.05, 0.95));
            }

            Plan();
        }

        DurationMs = _duration.Sample(_random);
    }

    private void Plan()
    {
        _tick++;
        var (round, caller) = Math.DivRem(_tick, _phasesMs.Length);
        _plannedMs = Math.Max(0, (long)((round * _periodMs) + _phasesMs[caller] + (_jitterMs * _random.NextNormal())));
    }
}

/// <summary>Calls that know nothing of each other.</summary>
internal sealed class PoissonSource : RequestSource
{
    private readonly DurationModel _duration;
    private readonly TraceRandom _random;
    private readonly double _meanGapMs;
    private double _nowMs;

    public PoissonSource(int function, DurationModel duration, double meanGapMs, TraceRandom random)
    {
        Function = function;
        _duration = duration;
        _meanGapMs = meanGapMs;
        _random = random;
    }

    public override void Advance()
    {
        _nowMs += _meanGapMs * _random.NextExponential();
        StartMs = (long)_nowMs;
        DurationMs = _duration.Sample(_random);
    }
}
