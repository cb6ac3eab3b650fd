namespace FuncScaler.Runtime.Limits;

/// <summary>Tells a scaler which limits are in force: when a plan is given, and whenever one of its schedules begins or ends.</summary>
/// <param name="set">
/// Tells the scaler of a function's limits, with the settings of its instances where they are known; null where the plan does not name it any more.
/// </param>
/// <param name="setOthers">Tells the scaler of the limits of all functions of which nothing else is said.</param>
/// <param name="time">The clock and its timers.</param>
/// <param name="setGroups">Tells the scaler of the groups of functions; null for one that takes none.</param>
public sealed class LimitsClock(
    Action<MetaKey, FunctionLimits?, FunctionMeta?> set,
    Action<FunctionLimits> setOthers,
    TimeProvider time,
    Action<IReadOnlyCollection<FunctionGroup>>? setGroups = null) : IDisposable
{
    /// <summary>A timer is set for no longer than this: a wall clock may be set while it runs.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();

    /// <summary>What the scaler was told last of the functions that the plan names.</summary>
    private readonly Dictionary<MetaKey, FunctionLimits> _inForce = [];

    private LimitsPlan _plan = LimitsPlan.None;
    private FunctionLimits _othersInForce = FunctionLimits.None;
    private IReadOnlyList<FunctionGroup> _groupsInForce = [];
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
            var limits = _plan.Names(function) ? _plan.At(function, now) : null;
            if (limits == _inForce.GetValueOrDefault(function))
            {
                continue;
            }

            set(function, limits, _plan.SettingsOf(function));
            if (limits is null)
            {
                _inForce.Remove(function);
            }
            else
            {
                _inForce[function] = limits;
            }
        }

        if (setGroups is not null && !_plan.Groups.SequenceEqual(_groupsInForce))
        {
            setGroups(_plan.Groups);
            _groupsInForce = _plan.Groups;
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
