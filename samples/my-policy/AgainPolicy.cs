using FuncScaler.Policies;
using FuncScaler.Pool;

namespace MyPolicy;

/// <summary>Holds an instance for some seconds, lets it go, and has one ready again when the last pause between requests is nearly over.</summary>
public sealed class AgainPolicy(TimeSpan hold) : IKeepAlivePolicy
{
    private readonly long _holdUs = (long)hold.TotalMicroseconds;
    private long _lastUs = -1;
    private long _pauseUs;

    public bool HasStandby => true;

    public void RequestArrived(in PoolView pool)
    {
        _pauseUs = _lastUs < 0 ? 0 : pool.NowUs - _lastUs;
        _lastUs = pool.NowUs;
    }

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot) => KeepDecision.HoldUntil(slot.SinceUs + _holdUs);

    public StandbyPlan Standby(in PoolView pool)
    {
        var againUs = _lastUs + _pauseUs - _holdUs;
        if (_pauseUs <= 2 * _holdUs || pool.NowUs >= againUs + _holdUs)
        {
            return StandbyPlan.None;
        }

        return pool.NowUs < againUs ? StandbyPlan.CreateAt(againUs)
            : pool.Busy + pool.Idle + pool.InFlight == 0 ? StandbyPlan.Create(1) : StandbyPlan.None;
    }
}

/// <summary>Offers it to <c>simulate --policy-assembly</c>.</summary>
public sealed class Source : IPolicySource
{
    public IEnumerable<PolicyEntry> Policies =>
    [
        new("again", "S", "holds S seconds (5), and has one ready again before the last pause is over", reader =>
        {
            var hold = reader.Time("hold", TimeSpan.FromSeconds(5), leastSeconds: 0.1, mostSeconds: 3600, main: true);
            return new PolicyChoice("again", _ => new AgainPolicy(hold));
        }),
    ];
}
