namespace FuncScaler.Runtime.Soaking;

/// <summary>
/// A simulated world's time. It moves only when the world says so, and timers fire meanwhile, in the order of their due times and then of their
/// creation. The wall clock may be set apart from it. Not safe for concurrent use.
/// </summary>
internal sealed class SoakClock : TimeProvider
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>More in one step are a loop that waits for nothing.</summary>
    private const int MostTimers = 200_000;

    private readonly PriorityQueue<(SoakTimer Timer, long Version), (long DueTicks, long Order)> _due = new();
    private long _nowTicks;
    private long _order;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <summary>How far the wall clock is ahead of where it would be without jumps.</summary>
    public TimeSpan WallOffset { get; set; }

    public override long GetTimestamp() => _nowTicks;

    public override DateTimeOffset GetUtcNow() => Start.AddTicks(_nowTicks) + WallOffset;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new SoakTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Moves on, and fires what falls due on the way.</summary>
    public void Advance(TimeSpan by)
    {
        var until = _nowTicks + by.Ticks;
        var fired = 0;
        while (_due.TryPeek(out var item, out var priority) && priority.DueTicks <= until)
        {
            _due.Dequeue();
            if (item.Timer.Version == item.Version)
            {
                _nowTicks = Math.Max(_nowTicks, priority.DueTicks);
                SoakException.Unless(++fired < MostTimers, $"more than {MostTimers} timers fire in {by}");
                item.Timer.Rearm();
                item.Timer.Fire();
            }
        }

        _nowTicks = until;
    }

    /// <summary>Moves on without firing anything: the process stands still.</summary>
    public void Skip(TimeSpan by) => _nowTicks += by.Ticks;

    /// <summary>Forgets all timers: the process has ended.</summary>
    public void DropTimers() => _due.Clear();

    private sealed class SoakTimer(SoakClock owner, TimerCallback callback, object? state) : ITimer
    {
        private TimeSpan _period = Timeout.InfiniteTimeSpan;

        /// <summary>Rises when the timer is changed or fires; below 0 once it is disposed.</summary>
        public long Version { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            if (Version < 0)
            {
                return false;
            }

            _period = period;
            Set(dueTime);
            return true;
        }

        public void Rearm() => Set(_period > TimeSpan.Zero ? _period : Timeout.InfiniteTimeSpan);

        public void Fire() => callback(state);

        public void Dispose() => Version = -1;

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
