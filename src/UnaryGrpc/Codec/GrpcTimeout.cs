using System.Globalization;

namespace FuncScaler.UnaryGrpc;

/// <summary>The grpc-timeout header: at most eight digits and a unit.</summary>
public static class GrpcTimeout
{
    private const int MaxDigits = 8;
    private const long MaxValue = 99_999_999;

    // From fine to coarse. A tick is 100 ns, so a nanosecond is the one unit finer than a tick.
    private static readonly (char Unit, long Ticks)[] TickUnits =
    [
        ('u', TimeSpan.TicksPerMicrosecond),
        ('m', TimeSpan.TicksPerMillisecond),
        ('S', TimeSpan.TicksPerSecond),
        ('M', TimeSpan.TicksPerMinute),
        ('H', TimeSpan.TicksPerHour),
    ];

    /// <summary>
    /// The finest text that holds the timeout, rounded up, so that the server's deadline is not before the client's.
    /// </summary>
    public static string Format(TimeSpan timeout)
    {
        // The protocol's value is positive.
        long ticks = Math.Max(timeout.Ticks, 1);
        if (ticks <= MaxValue / TimeSpan.NanosecondsPerTick)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{ticks * TimeSpan.NanosecondsPerTick}n");
        }

        foreach ((char unit, long unitTicks) in TickUnits)
        {
            long value = ((ticks - 1) / unitTicks) + 1;
            if (value <= MaxValue)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{value}{unit}");
            }
        }

        return "99999999H";
    }

    /// <summary>Reads a timeout; zero is taken as "already over", values beyond TimeSpan as its maximum.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out TimeSpan timeout)
    {
        timeout = default;
        if (text.Length is < 2 or > MaxDigits + 1)
        {
            return false;
        }

        long value = 0;
        foreach (char digit in text[..^1])
        {
            if (!char.IsAsciiDigit(digit))
            {
                return false;
            }

            value = (value * 10) + (digit - '0');
        }

        char unit = text[^1];
        if (unit == 'n')
        {
            timeout = new TimeSpan((value + TimeSpan.NanosecondsPerTick - 1) / TimeSpan.NanosecondsPerTick);
            return true;
        }

        foreach ((char known, long unitTicks) in TickUnits)
        {
            if (unit == known)
            {
                timeout = new TimeSpan(value <= long.MaxValue / unitTicks ? value * unitTicks : long.MaxValue);
                return true;
            }
        }

        return false;
    }
}
