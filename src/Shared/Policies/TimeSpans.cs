namespace FuncScaler.Policies;

/// <summary>From the times of options, which people read and write, to those of the core.</summary>
internal static class TimeSpans
{
    /// <summary>A time in whole µs.</summary>
    public static long Us(this TimeSpan time) => time.Ticks / TimeSpan.TicksPerMicrosecond;
}
