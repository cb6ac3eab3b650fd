namespace FuncScaler.ScalerFunctions.Durable;

/// <summary>The ledgers' time: µs since 1970, UTC.</summary>
internal static class Clock
{
    public static long NowUs(TimeProvider time) => Us(time.GetUtcNow());

    public static long Us(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    public static DateTimeOffset At(long us) => DateTimeOffset.UnixEpoch.AddTicks(us * TimeSpan.TicksPerMicrosecond);
}
