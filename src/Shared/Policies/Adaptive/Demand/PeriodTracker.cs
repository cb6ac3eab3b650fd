using FuncScaler.Learned;

namespace FuncScaler.Policies.Adaptive.Demand;

/// <summary>
/// Finds a period in one function's arrivals while they come. It foretells that each of the last 32 arrivals happens again one period
/// later. So one period may have arrivals at several times, and bursts. It takes about 0.4 KB.
/// </summary>
internal sealed class PeriodTracker
{
    private const int Remembered = 32;
    private const double Weight = 0.15;
    private const int FewestPredictions = 3;

    private readonly long[] _arrivals = new long[Remembered];
    private int _count;
    private double _periodUs;
    private double _deviationUs;
    private double _kept;
    private int _predictions;

    /// <summary>The share of foretold arrivals that came, 0 to 1. Older arrivals count less.</summary>
    public double Reliability => _predictions >= FewestPredictions ? _kept : 0;

    /// <summary>The share of arrivals that had been foretold, 0 to 1. Older arrivals count less.</summary>
    public double Coverage { get; private set; }

    /// <summary>The period, µs; 0 when there is none.</summary>
    public double PeriodUs => _periodUs;

    /// <summary>How far from its foretold time an arrival may be, µs.</summary>
    public long MarginUs => (long)(3 * _deviationUs) + 2000;

    private long ToleranceUs => Math.Max(MarginUs, (long)(_periodUs * 0.002));

    public void Arrived(long nowUs, long shortestUs)
    {
        if (_periodUs > 0)
        {
            Judge(nowUs);
            if ((_predictions >= FewestPredictions && _kept < 0.3) || nowUs - Recent(0) > 4 * _periodUs)
            {
                _periodUs = 0;
                _predictions = 0;
                Coverage = 0;
            }
        }

        if (_periodUs == 0)
        {
            Propose(nowUs, shortestUs);
        }

        _arrivals[_count++ % Remembered] = nowUs;
    }

    /// <summary>The next foretold arrival at or after a time, µs; <see cref="long.MaxValue"/> when there is none.</summary>
    public long NextAfter(long nowUs)
    {
        if (_periodUs <= 0)
        {
            return long.MaxValue;
        }

        var next = long.MaxValue;
        for (var i = 0; i < Math.Min(_count, Remembered); i++)
        {
            var again = Recent(i) + (long)_periodUs;
            if (again < nowUs)
            {
                break;
            }

            next = again;
        }

        return next;
    }

    /// <summary>How many arrivals are foretold from one time to another.</summary>
    public int CountBetween(long fromUs, long toUs)
    {
        var count = 0;
        for (var i = 0; _periodUs > 0 && i < Math.Min(_count, Remembered); i++)
        {
            var again = Recent(i) + (long)_periodUs;
            if (again < fromUs)
            {
                break;
            }

            count += again <= toUs ? 1 : 0;
        }

        return count;
    }

    public void Write(LearnedWriter writer)
    {
        var known = Math.Min(_count, Remembered);
        writer.Whole(known);
        for (var ago = known - 1; ago >= 0; ago--)
        {
            writer.Time(Recent(ago));
        }

        writer.Number(_periodUs);
        writer.Number(_deviationUs);
        writer.Number(_kept);
        writer.Number(Coverage);
        writer.Whole(_predictions);
    }

    public void Read(LearnedReader reader)
    {
        _count = reader.Count(Remembered);
        for (var i = 0; i < _count; i++)
        {
            _arrivals[i] = reader.Time();
        }

        _periodUs = reader.Number(least: 0);
        _deviationUs = reader.Number(least: 0);
        _kept = reader.Number(least: 0);
        Coverage = reader.Number(least: 0);
        _predictions = reader.Count(int.MaxValue);
    }

    private long Recent(int ago) => _arrivals[(_count - 1 - ago) % Remembered];

    /// <summary>Compares this arrival with the arrivals that were foretold since the last one, and adjusts the period.</summary>
    private void Judge(long nowUs)
    {
        var matched = false;
        var toleranceUs = ToleranceUs;
        var lastUs = Recent(0);
        for (var i = 0; i < Math.Min(_count, Remembered); i++)
        {
            var foretoldUs = Recent(i) + (long)_periodUs;
            if (foretoldUs < lastUs - toleranceUs)
            {
                break;
            }

            var offUs = nowUs - foretoldUs;
            if (Math.Abs(offUs) <= toleranceUs)
            {
                if (!matched)
                {
                    matched = true;
                    _kept += Weight * (1 - _kept);
                    _predictions++;
                    _periodUs += 0.1 * offUs;
                    _deviationUs += 0.1 * (Math.Abs(offUs) - _deviationUs);
                }
            }
            else if (offUs > toleranceUs && foretoldUs > lastUs + toleranceUs)
            {
                _kept -= Weight * _kept;
                _predictions++;
            }
        }

        Coverage += Weight * ((matched ? 1 : 0) - Coverage);
    }

    /// <summary>Proposes a period when three arrivals are equally far apart. Later arrivals confirm or refute it.</summary>
    private void Propose(long nowUs, long shortestUs)
    {
        var known = Math.Min(_count, Remembered);
        for (var i = 0; i < known; i++)
        {
            var distanceUs = nowUs - Recent(i);
            if (distanceUs < shortestUs)
            {
                continue;
            }

            var toleranceUs = Math.Max(10_000, distanceUs / 500);
            for (var j = i + 1; j < known; j++)
            {
                var offUs = Recent(i) - Recent(j) - distanceUs;
                if (offUs > toleranceUs)
                {
                    break;
                }

                if (offUs >= -toleranceUs)
                {
                    _periodUs = distanceUs + (offUs / 2.0);
                    _deviationUs = Math.Max(2000, Math.Abs(offUs));
                    _kept = 0.5;
                    Coverage = 0.5;
                    _predictions = 0;
                    return;
                }
            }
        }
    }
}
