namespace FuncScaler.Tests;

/// <summary>The real clock, so many times faster: for what waits minutes on a schedule and calls over sockets in between.</summary>
public sealed class FastTimeProvider(double factor) : TimeProvider
{
    private readonly long _start = System.GetTimestamp();
    private readonly DateTimeOffset _startUtc = System.GetUtcNow();

    public override long TimestampFrequency => System.TimestampFrequency;

    public override long GetTimestamp() => _start + (long)((System.GetTimestamp() - _start) * factor);

    public override DateTimeOffset GetUtcNow() => _startUtc + ((System.GetUtcNow() - _startUtc) * factor);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        new FastTimer(System.CreateTimer(callback, state, Shorten(dueTime), Shorten(period)), this);

    private TimeSpan Shorten(TimeSpan time) => time <= TimeSpan.Zero ? time : time / factor;

    private sealed class FastTimer(ITimer timer, FastTimeProvider owner) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(owner.Shorten(dueTime), owner.Shorten(period));

        public void Dispose() => timer.Dispose();

        public ValueTask DisposeAsync() => timer.DisposeAsync();
    }
}
