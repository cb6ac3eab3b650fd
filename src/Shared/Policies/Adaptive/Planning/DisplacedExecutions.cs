using FuncScaler.Learned;

namespace FuncScaler.Policies.Adaptive.Planning;

/// <summary>
/// How many executions are displaced while an instance of a rank is missing. These are the requests of that rank within a cold start after
/// a long gap. Each of them has to use another instance, and waits for those before it.
/// </summary>
internal struct DisplacedExecutions
{
    /// <summary>The number of long gaps that the mean is over.</summary>
    private const byte Remembered = 5;

    private long _sinceUs;
    private float _behind;
    private int _arrivals;
    private int _slots;
    private byte _counted;

    /// <summary>The mean number of executions, at least 1.</summary>
    public readonly double Mean => 1 + _behind;

    /// <summary>A request for one of the slots arrived.</summary>
    /// <param name="atUs">When, µs.</param>
    /// <param name="afterGap">Whether its slot had been unused for longer than a cold start, or was never used.</param>
    /// <param name="coldUs">How long a cold start takes, µs.</param>
    public void Arrived(long atUs, bool afterGap, double coldUs)
    {
        if (_slots > 0 && atUs - _sinceUs < coldUs)
        {
            _arrivals++;
            _slots += afterGap ? 1 : 0;
            return;
        }

        if (_slots > 0)
        {
            _counted += (byte)(_counted < Remembered ? 1 : 0);
            _behind += (((float)_arrivals / _slots) - 1 - _behind) / _counted;
        }

        _sinceUs = atUs;
        _slots = afterGap ? 1 : 0;
        _arrivals = _slots;
    }

    public readonly void Write(LearnedWriter writer)
    {
        writer.Number(_behind);
        writer.Byte(_counted);
    }

    public void Read(LearnedReader reader)
    {
        _behind = (float)reader.Number(least: 0);
        _counted = Math.Min(Remembered, reader.Byte());
    }

    /// <summary>How long all displaced executions together wait, s.</summary>
    /// <param name="ownSeconds">
    /// How long the first execution waits, s. Each further execution waits as long, and for the executions before it.
    /// </param>
    /// <param name="durationSeconds">How long an execution lasts, s.</param>
    /// <param name="share">The share of the executions behind the first that counts, from 0.</param>
    public readonly double WaitSeconds(double ownSeconds, double durationSeconds, double share)
    {
        var executions = 1 + (share * _behind);
        return (executions * ownSeconds) + (executions * (executions - 1) / 2 * durationSeconds);
    }
}
