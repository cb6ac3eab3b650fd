using FuncScaler.Learned;
using FuncScaler.Statistics;

namespace FuncScaler.Policies.Adaptive.Demand;

/// <summary>
/// How much waiting one cold start causes: requests that arrive while it lasts wait for the rest of it. This is counted after each pause,
/// as if there had been a cold start, whether or not there was.
/// </summary>
internal struct ColdStartPile
{
    private const byte Remembered = 5;

    private long _sinceUs = long.MinValue;
    private float _now;
    private float _mean = 1;
    private int _requests;
    private byte _piles;
    private BurstSizes _bursts;

    public ColdStartPile()
    {
    }

    /// <summary>The mean over the last five pauses, in waits of a whole cold start; at least 1.</summary>
    public readonly float Mean => _mean;

    /// <summary>The sizes of the bursts.</summary>
    public readonly BurstSizes Bursts => _bursts;

    /// <summary>A request arrived.</summary>
    /// <param name="arrival">The request.</param>
    /// <param name="afterPause">Whether its slot had been unused for longer than a cold start, or was never used.</param>
    /// <param name="coldUs">How long a cold start takes, µs.</param>
    public void Arrived(in RankedArrival arrival, bool afterPause, double coldUs)
    {
        if (_sinceUs != long.MinValue)
        {
            var age = arrival.ArrivedUs - _sinceUs;
            if (age < coldUs)
            {
                // A request of a higher rank waits for another instance in any case, so it adds nothing to this wait.
                _requests++;
                _now += arrival.Rank == 1 ? (float)(1 - (age / coldUs)) : 0;
                return;
            }

            // The first pile replaces the value that the mean began with.
            _piles += (byte)(_piles < Remembered ? 1 : 0);
            _mean += (_now - _mean) / _piles;
            _bursts.Add(_requests);
            _sinceUs = long.MinValue;
        }

        if (arrival.Rank == 1 && afterPause)
        {
            _sinceUs = arrival.ArrivedUs;
            _now = 1;
            _requests = 1;
        }
    }

    public readonly void Write(LearnedWriter writer)
    {
        writer.Byte(_sinceUs == long.MinValue ? (byte)0 : (byte)1);
        writer.Time(_sinceUs == long.MinValue ? writer.NowUs : _sinceUs);
        writer.Number(_now);
        writer.Number(_mean);
        writer.Whole(_requests);
        writer.Byte(_piles);
        _bursts.Write(writer);
    }

    public void Read(LearnedReader reader)
    {
        var on = reader.Byte() == 1;
        _sinceUs = reader.Time();
        _sinceUs = on ? _sinceUs : long.MinValue;
        _now = (float)reader.Number(least: 0);
        _mean = (float)reader.Number(least: 0);
        _requests = Math.Max(on ? 1 : 0, reader.Count(int.MaxValue));
        _piles = Math.Min(Remembered, reader.Byte());
        _bursts.Read(reader);
    }
}
