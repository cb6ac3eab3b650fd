namespace FuncScaler.Runtime.Leasing;

/// <summary>The ledgers' time: µs since 1970, UTC.</summary>
public static class LedgerClock
{
    public static long NowUs(TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        return Us(time.GetUtcNow());
    }

    public static long Us(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    public static DateTimeOffset At(long us) => DateTimeOffset.UnixEpoch.AddTicks(us * TimeSpan.TicksPerMicrosecond);
}
