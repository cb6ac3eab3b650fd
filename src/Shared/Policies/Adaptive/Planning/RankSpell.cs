namespace FuncScaler.Policies.Adaptive.Planning;

/// <summary>
/// How many executions a slot of a rank is asked for within a cold start's time of the end of a long gap: those are displaced if it is not
/// there, and each displaces the next.
/// </summary>
internal struct RankSpell
{
    /// <summary>Over about how many the mean is.</summary>
    private const byte MostSpells = 5;

    private long _sinceUs;
    private float _behind;
    private int _arrivals;
    private int _slots;
    private byte _spells;

    /// <summary>The mean number of executions, at least 1.</summary>
    public readonly double Executions => 1 + _behind;

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
            _spells += (byte)(_spells < MostSpells ? 1 : 0);
            _behind += (((float)_arrivals / _slots) - 1 - _behind) / _spells;
        }

        _sinceUs = atUs;
        _slots = afterGap ? 1 : 0;
        _arrivals = _slots;
    }

    /// <summary>How long all of them together wait, s, when the first waits this long and each of the others for those before it too.</summary>
    public readonly double WaitSeconds(double ownSeconds, double durationSeconds, double share)
    {
        var executions = 1 + (share * _behind);
        return (executions * ownSeconds) + (executions * (executions - 1) / 2 * durationSeconds);
    }
}
