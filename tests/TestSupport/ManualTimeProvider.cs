namespace FuncScaler.Tests;

/// <summary>
/// Time that moves only when a test says so. Timers fire inside <see cref="Advance"/>, on the caller's thread, in the order of their due
/// times and then of their creation, each at its own due time; so whatever runs only on this clock is deterministic.
/// Safe for concurrent use, except that one thread at a time may advance.
/// </summary>
public sealed class ManualTimeProvider(DateTimeOffset start) : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly PriorityQueue<(ManualTimer Timer, long Version), (long DueTicks, long Order)> _due = new();
    private long _nowTicks;
    private long _order;

    /// <summary>A clock that starts on 1 January 2026.</summary>
    public ManualTimeProvider()
        : this(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero))
    {
    }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <summary>Timers that are set now.</summary>
    public int ActiveTimers
    {
        get
        {
            lock (_gate)
            {
                return _due.UnorderedItems.Count(item => item.Element.Timer.Version == item.Element.Version);
            }
        }
    }

    public override long GetTimestamp() => Interlocked.Read(ref _nowTicks);

    public override DateTimeOffset GetUtcNow() => start.AddTicks(GetTimestamp());

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ArgumentNullException.ThrowIfNull(callback);
        var timer = new ManualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Moves the time forward, firing every timer that falls due on the way, those set on the way included.</summary>
    /// <remarks>
    /// Without a synchronisation context, so that awaiting code goes on before this returns, unless it asks for another thread.
    /// </remarks>
    public void Advance(TimeSpan by)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(by, TimeSpan.Zero);
        var until = GetTimestamp() + by.Ticks;
        Inline(() =>
        {
            while (TakeDue(until) is { } timer)
            {
                timer.Fire();
            }

            Interlocked.Exchange(ref _nowTicks, until);
        });
    }

    /// <summary>Moves the time to the next timer that is set and fires it.</summary>
    /// <returns>False when no timer is set, or none before <paramref name="limit"/> from now.</returns>
    public bool AdvanceToNextTimer(TimeSpan limit)
    {
        var fired = false;
        Inline(() =>
        {
            if (TakeDue(GetTimestamp() + limit.Ticks) is { } timer)
            {
                fired = true;
                timer.Fire();
            }
        });
        return fired;
    }

    /// <summary>Runs an action without a synchronisation context, as <see cref="Advance"/> runs timers.</summary>
    public static void Inline(Action action)
    {
        ArgumentNullException.ThrowIfNull(action);
        var context = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            action();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(context);
        }
    }

    private ManualTimer? TakeDue(long untilTicks)
    {
        lock (_gate)
        {
            while (_due.TryPeek(out var item, out var priority) && priority.DueTicks <= untilTicks)
            {
                _due.Dequeue();
                if (item.Timer.Version == item.Version)
                {
                    Interlocked.Exchange(ref _nowTicks, Math.Max(_nowTicks, priority.DueTicks));
                    item.Timer.Rearm();
                    return item.Timer;
                }
            }

            return null;
        }
    }

    private sealed class ManualTimer(ManualTimeProvider owner, TimerCallback callback, object? state) : ITimer
    {
        private TimeSpan _period = Timeout.InfiniteTimeSpan;

        // Rises when the timer is changed, fired or disposed; what was queued for an earlier version does not count.
        public long Version { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (owner._gate)
            {
                if (Version < 0)
                {
                    return false;
                }

                _period = period;
                Set(dueTime);
                return true;
            }
        }

        public void Rearm() => Set(_period > TimeSpan.Zero ? _period : Timeout.InfiniteTimeSpan);

        public void Fire() => callback(state);

        public void Dispose()
        {
            lock (owner._gate)
            {
                Version = -1;
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private void Set(TimeSpan dueTime)
        {
            Version++;
            if (dueTime != Timeout.InfiniteTimeSpan)
            {
                owner._due.Enqueue((this, Version), (owner._nowTicks + dueTime.Ticks, owner._order++));
            }
        }
    }
}
