namespace FuncScaler.Policies.Published;

/// <summary>
/// Every two seconds as many instances as the mean concurrency of a minute asks for, or that of six seconds in a panic. Requests queue
/// meanwhile. Source: Knative's autoscaler (knative/serving, <c>pkg/autoscaler/scaling/autoscaler.go</c>, defaults of
/// <c>config/core/configmaps/autoscaler.yaml</c>).
/// </summary>
/// <remarks>
/// As published. With S and P the mean concurrency of the stable and the panic window, ready = max(1, instances) and target = utilisation times
/// the concurrency limit: stable = ⌈S / target⌉ and panic = ⌈P / target⌉, each held within ⌊ready / 2⌋ and ⌈1000 · ready⌉. A panic
/// begins, and goes on, while ⌈P / target⌉ / ready is at least 2; it ends a stable window after the last such tick. In it the larger of
/// both is wanted, and never less than before in the same panic. The last instance goes a grace period after the stable window has become empty.
/// What is left open or cannot be had here, and what is taken: concurrency is the mean over time, where Knative samples it; requests that
/// wait count, as Knative's activator counts them; windows not yet full are averaged over what there is; ticks come at whole multiples of
/// two seconds on the pool's clock; at zero the first request creates one instance at once, as the activator's poke does, and all others are
/// the ticks' affair; a busy instance that is too many goes when it is released.
/// </remarks>
public sealed class KpaPolicy : IKeepAlivePolicy
{
    private readonly KpaPolicyOptions _options;
    private readonly ConcurrencyMeter _meter;
    private readonly int _stableTicks;
    private readonly int _panicTicks;
    private int _wanted = 1;
    private int _panicPeak;
    private long? _panicUs;
    private long? _emptySinceUs;
    private bool _reviewDue;

    public KpaPolicy(KpaPolicyOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        var tickUs = options.Tick.ToUs();
        _stableTicks = Ticks(options.StableWindow);
        _panicTicks = Ticks(options.StableWindow * options.PanicShare);
        _meter = new ConcurrencyMeter(tickUs, _stableTicks);

        int Ticks(TimeSpan window) => (int)Math.Max(1, window.ToUs() / tickUs);
    }

    public bool HasStandby => true;

    public void RequestArrived(in PoolView pool) => Look(pool);

    /// <summary>Requests queue until a tick has instances created; the pool creates the first.</summary>
    public int CreateOnMiss(in PoolView pool) => 0;

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot)
    {
        Look(pool);
        return slot.Rank <= _wanted ? KeepDecision.HoldForGood : KeepDecision.LetGoNow;
    }

    public StandbyPlan Standby(in PoolView pool)
    {
        Look(pool);
        var review = _reviewDue;
        _reviewDue = false;
        var asleep = pool.Busy + pool.Idle + pool.InFlight + pool.Waiters == 0 && _wanted == 0;
        var missing = asleep ? 0 : Math.Max(0, _wanted - pool.Busy - pool.Idle - pool.InFlight);
        return new StandbyPlan(missing, asleep ? long.MaxValue : _meter.EndUs, review);
    }

    private void Look(in PoolView pool)
    {
        if (_meter.Look(pool) > 0)
        {
            Tick(pool);
        }
    }

    private void Tick(in PoolView pool)
    {
        var ready = Math.Max(1, pool.Busy + pool.Idle);
        var most = Math.Ceiling(_options.MaxScaleUp * ready);
        var least = Math.Floor(ready / _options.MaxScaleDown);
        var stableMean = _meter.MeanOf(_stableTicks);
        var panicWish = Math.Ceiling(_meter.MeanOf(_panicTicks) / _options.Target);
        var stable = Math.Clamp(Math.Ceiling(stableMean / _options.Target), least, most);
        var panic = Math.Clamp(panicWish, least, most);
        if (panicWish / ready >= _options.PanicThreshold)
        {
            _panicPeak = _panicUs is null ? 0 : _panicPeak;
            _panicUs = pool.NowUs;
        }
        else if (pool.NowUs > _panicUs + _options.StableWindow.ToUs())
        {
            _panicUs = null;
        }

        var wanted = stable;
        if (_panicUs is not null)
        {
            wanted = Math.Max(Math.Max(stable, panic), _panicPeak);
            _panicPeak = (int)wanted;
        }

        // To zero: not before the window is empty, and a grace period later.
        _emptySinceUs = stableMean > 0 || pool.Statistics.Active > 0 ? null : _emptySinceUs ?? pool.NowUs;
        if (wanted < 1 && !(pool.NowUs >= _emptySinceUs + _options.Grace.ToUs()))
        {
            wanted = 1;
        }

        _wanted = (int)Math.Min(wanted, 1_000_000);
        _reviewDue |= pool.Busy + pool.Idle > _wanted;
    }
}

/// <summary>Options of <see cref="KpaPolicy"/>.</summary>
public sealed record KpaPolicyOptions
{
    /// <summary>How often is decided, 0.1 s to an hour.</summary>
    /// <value>The default is 2 s, as in Knative.</value>
    public TimeSpan Tick { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The stable window, 1 s to an hour.</summary>
    /// <value>The default is 60 s, as in Knative.</value>
    public TimeSpan StableWindow { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The panic window as a share of the stable one, 0.01 to 1.</summary>
    /// <value>The default is 0.1, as in Knative.</value>
    public double PanicShare { get; init; } = 0.1;

    /// <summary>How much of the desired to the ready instances begins a panic, 1.1 to 10.</summary>
    /// <value>The default is 2, as in Knative.</value>
    public double PanicThreshold { get; init; } = 2;

    /// <summary>The mean concurrency aimed at per instance, 0.01 to 1.</summary>
    /// <value>The default is 0.7, Knative's 70 % of a limit of 1.</value>
    public double Target { get; init; } = 0.7;

    /// <summary>Up to how many times the ready instances are wanted at a tick, 1 to 1,000,000.</summary>
    /// <value>The default is 1000, as in Knative.</value>
    public double MaxScaleUp { get; init; } = 1000;

    /// <summary>By how much the ready instances are divided at a tick at most, 1 to 1,000,000.</summary>
    /// <value>The default is 2, as in Knative.</value>
    public double MaxScaleDown { get; init; } = 2;

    /// <summary>How long the last instance is kept once the stable window is empty, 0 to a year.</summary>
    /// <value>The default is 30 s, as in Knative.</value>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(30);

    internal KpaPolicyOptions Read(PolicyOptionReader reader) => this with
    {
        Tick = reader.Time("tick", Tick, leastSeconds: 0.1, mostSeconds: 3600),
        StableWindow = reader.Time("window", StableWindow, leastSeconds: 1, mostSeconds: 3600, main: true),
        PanicShare = reader.Number("panic", PanicShare, 0.01, 1),
        PanicThreshold = reader.Number("threshold", PanicThreshold, 1.1, 10),
        Target = reader.Number("target", Target, 0.01, 1),
        MaxScaleUp = reader.Number("up", MaxScaleUp, 1, 1e6),
        MaxScaleDown = reader.Number("down", MaxScaleDown, 1, 1e6),
        Grace = reader.Time("grace", Grace),
    };
}
