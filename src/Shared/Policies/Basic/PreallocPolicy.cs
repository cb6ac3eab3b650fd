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
    private long _lastArrivalUs = -1;
    private bool _begins;

    public bool HasStandby => true;

    public void RequestArrived(in PoolView pool)
    {
        _begins = _lastArrivalUs < 0 || pool.NowUs - _lastArrivalUs >= options.SilenceUs;
        _lastArrivalUs = pool.NowUs;
    }

    public long KeepUntilUs(in PoolView pool, in IdleSlot slot) =>
        Math.Min(slot.SinceUs + options.KeepAliveUs, _lastArrivalUs + options.SilenceUs);

    public StandbyPlan Standby(in PoolView pool)
    {
        if (!_begins)
        {
            return StandbyPlan.None;
        }

        _begins = false;
        var wanted = options.Instances > 0 ? options.Instances : pool.Statistics.PeakActive;
        return new StandbyPlan(Math.Max(0, wanted - pool.Busy - pool.Idle - pool.InFlight), long.MaxValue);
    }
}

/// <param name="Instances">How many instances to create ahead; 0 for the most requests that were active at one time so far.</param>
/// <param name="KeepAliveSeconds">How long an idle instance is kept, s, from 0.</param>
/// <param name="SilenceSeconds">After how long without a request all are released, s, from 0.</param>
public sealed record PreallocPolicyOptions(int Instances = 0, double KeepAliveSeconds = 1300, double SilenceSeconds = 480)
{
    internal long KeepAliveUs { get; } = (long)(KeepAliveSeconds * 1e6);

    internal long SilenceUs { get; } = (long)(SilenceSeconds * 1e6);

    internal static PreallocPolicyOptions Read(PolicyOptionReader reader) => new(
        reader.Whole("n", 0, 0, 100_000, main: true),
        reader.Seconds("keep", 1300),
        reader.Seconds("silence", 480));
}
