namespace FuncScaler.Policies.Published;

/// <summary>
/// What <see cref="HybridHistogramPolicy"/> and <see cref="LsthPolicy"/> have in common: from the idle times seen so far follow two times
/// after the function's last execution, when to have it loaded again and until when to keep it loaded.
/// </summary>
/// <remarks>
/// Their papers know an application as one image that is loaded or not. With several instances this becomes: the function is idle from the
/// moment its last active request ends until the next request arrives. While any request is active, idle instances stay (at most for the
/// keep-alive time each). When the function becomes idle and is to be loaded again later, all its instances are released; at that later
/// time one is created, for whichever request is first. When it is to stay loaded, all of them stay until the keep-alive ends.
/// </remarks>
public abstract class IdleWindowPolicy : IKeepAlivePolicy
{
    // When the function became idle; -1 while it is active and before its first request.
    private long _idleSinceUs = -1;
    private bool _reviewDue;
    private IdleWindows? _windows;

    public bool HasStandby => true;

    public void RequestArrived(in PoolView pool)
    {
        if (_idleSinceUs >= 0)
        {
            Observe(pool.NowUs - _idleSinceUs, pool.NowUs);
            _idleSinceUs = -1;
        }
    }

    public bool KeepSurplus(in PoolView pool)
    {
        var windows = Look(pool);
        return _idleSinceUs < 0 || pool.NowUs >= _idleSinceUs + windows.LoadAfterUs;
    }

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot)
    {
        var windows = Look(pool);
        if (_idleSinceUs < 0)
        {
            return KeepDecision.HoldUntil(slot.SinceUs + windows.KeepUntilUs);
        }

        return pool.NowUs < _idleSinceUs + windows.LoadAfterUs ? KeepDecision.LetGoNow : KeepDecision.HoldUntil(_idleSinceUs + windows.KeepUntilUs);
    }

    public StandbyPlan Standby(in PoolView pool)
    {
        var windows = Look(pool);
        if (_idleSinceUs < 0 || windows.LoadAfterUs == 0)
        {
            return StandbyPlan.None;
        }

        var review = _reviewDue;
        _reviewDue = false;
        var loadAtUs = _idleSinceUs + windows.LoadAfterUs;
        if (pool.NowUs < loadAtUs)
        {
            return StandbyPlan.CreateAt(loadAtUs) with { ReviewIdle = review };
        }

        var missing = pool.NowUs < _idleSinceUs + windows.KeepUntilUs && pool.Idle + pool.InFlight == 0;
        return (missing ? StandbyPlan.Create(1) : StandbyPlan.None) with { ReviewIdle = review };
    }

    /// <summary>An idle time of the function has ended with a request.</summary>
    protected abstract void Observe(long idleUs, long nowUs);

    /// <summary>What the idle times seen so far suggest for the one that begins now.</summary>
    protected abstract IdleWindows Suggest(long nowUs);

    /// <summary>Notices when the function becomes idle; the windows are chosen then.</summary>
    private IdleWindows Look(in PoolView pool)
    {
        if (_idleSinceUs < 0 && pool.Statistics.Active == 0)
        {
            _idleSinceUs = pool.NowUs;
            _windows = Suggest(pool.NowUs);
            _reviewDue = true;
        }

        return _windows ??= Suggest(pool.NowUs);
    }
}

/// <summary>Two times after the end of a function's last execution.</summary>
/// <param name="LoadAfterUs">When to have an instance created again, µs; 0 to release none.</param>
/// <param name="KeepUntilUs">Until when to keep what is idle, µs.</param>
public readonly record struct IdleWindows(long LoadAfterUs, long KeepUntilUs);
