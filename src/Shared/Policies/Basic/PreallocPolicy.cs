namespace FuncScaler.Policies.Basic;

/// <summary>
/// Creates as many instances as the function ever used at one time when it first asks, keeps them long, and releases all once it has been
/// silent. Source: version 3.0 of the fourth place of the contest of 2023 (scaler-rust): pre-create, long time-out, fast release.
/// </summary>
/// <remarks>
/// What the text leaves open, and what is taken here. The number was set by hand for each function of each data set; here it is an
/// option, or else the peak seen so far, which is nothing at a function's very first request. The source pre-creates once; here a return
/// after the silence that released everything counts as a beginning too. The text gives no times: 1300 s and eight minutes are those of
/// the team's repository for its first data set (1500 s and five minutes for the second); they count from the last use and the last
/// request, not in whole minutes. There a request also waits 2 s for a release before it creates; that is left out.
/// </remarks>
public sealed class PreallocPolicy(PreallocPolicyOptions options) : IKeepAlivePolicy
{
    private readonly long _keepAliveUs = options.KeepAlive.ToUs();
    private readonly long _silenceUs = options.Silence.ToUs();
    private long _lastArrivalUs = -1;
    private bool _begins;

    public bool HasStandby => true;

    public void RequestArrived(in PoolView pool)
    {
        _begins = _lastArrivalUs < 0 || pool.NowUs - _lastArrivalUs >= _silenceUs;
        _lastArrivalUs = pool.NowUs;
    }

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot) =>
        KeepDecision.HoldUntil(Math.Min(slot.SinceUs + _keepAliveUs, _lastArrivalUs + _silenceUs));

    public StandbyPlan Standby(in PoolView pool)
    {
        if (!_begins)
        {
            return StandbyPlan.None;
        }

        _begins = false;
        var wanted = options.Instances > 0 ? options.Instances : pool.Statistics.PeakRanks;
        return StandbyPlan.Create(Math.Max(0, wanted - pool.Busy - pool.Idle - pool.InFlight));
    }
}

/// <summary>Options of <see cref="PreallocPolicy"/>.</summary>
public sealed record PreallocPolicyOptions
{
    /// <summary>The instances to create ahead, 0 to 100,000; 0 for the most requests that were active at one time so far.</summary>
    /// <value>The default is 0.</value>
    public int Instances { get; init; }

    /// <summary>How long an idle instance is kept, from 0 to a year.</summary>
    /// <value>The default is 1300 s.</value>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(1300);

    /// <summary>The time without a request after which all instances are released, from 0 to a year.</summary>
    /// <value>The default is 480 s.</value>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(480);

    internal PreallocPolicyOptions Read(PolicyOptionReader reader) => this with
    {
        Instances = reader.Whole("n", Instances, 0, 100_000, main: true),
        KeepAlive = reader.Time("keep", KeepAlive),
        Silence = reader.Time("silence", Silence),
    };
}
