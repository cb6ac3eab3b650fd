namespace FuncScaler.Runtime.Limits;

/// <summary>Tells a scaler which limits are in force: when a plan is given, and whenever one of its schedules begins or ends.</summary>
/// <param name="set">Tells the scaler of a function's limits, with the settings of its instances where they are known.</param>
/// <param name="setOthers">Tells the scaler of the limits of all functions of which nothing else is said.</param>
/// <param name="time">The clock and its timers.</param>
public sealed class LimitsClock(Action<MetaKey, FunctionLimits, FunctionMeta?> set, Action<FunctionLimits> setOthers, TimeProvider time) : IDisposable
{
    /// <summary>A timer is set for no longer than this: a wall clock may be set while it runs.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();

    /// <summary>What the scaler was told last, where that is not nothing.</summary>
    private readonly Dictionary<MetaKey, FunctionLimits> _inForce = [];

    private LimitsPlan _plan = LimitsPlan.None;
    private FunctionLimits _othersInForce = FunctionLimits.None;
    private ITimer? _timer;
    private bool _disposed;

    /// <summary>Another plan holds from now on.</summary>
    public void Follow(LimitsPlan plan)
    {
        lock (_gate)
        {
            _plan = plan;
            Apply();
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _timer?.Dispose();
        }
    }

    private void Apply()
    {
        if (_disposed)
        {
            return;
        }

        var now = time.GetUtcNow();
        if (_plan.OthersAt(now) is var others && others != _othersInForce)
        {
            setOthers(others);
            _othersInForce = others;
        }

        foreach (var function in (MetaKey[])[.. _plan.Functions.Union(_inForce.Keys)])
        {
            var limits = _plan.At(function, now);
            if (limits == _inForce.GetValueOrDefault(function, FunctionLimits.None))
            {
                continue;
            }

            set(function, limits, _plan.SettingsOf(function));
            _inForce[function] = limits;
            if (limits == FunctionLimits.None)
            {
                _inForce.Remove(function);
            }
        }

        var due = _plan.NextChange(now) is { } next ? next - now : Timeout.InfiniteTimeSpan;
        due = due > Longest ? Longest : due;
        _timer ??= time.CreateTimer(static state => ((LimitsClock)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _timer.Change(due, Timeout.InfiniteTimeSpan);
    }

    private void OnTimer()
    {
        lock (_gate)
        {
            Apply();
        }
    }
}
