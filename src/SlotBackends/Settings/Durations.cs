using System.Globalization;

namespace FuncScaler.SlotBackends.Settings;

/// <summary>Times as people write them.</summary>
public static class Durations
{
    /// <summary>How a time can be written, for messages.</summary>
    public const string Forms = "as \"3s\", \"500ms\", \"00:00:03\" or 3, which is in seconds";

    private const double LongestSeconds = 1e9;

    private static readonly (string Unit, double Seconds)[] Units = [("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];

    // .NET's own reader takes "3:00" for hours and minutes, and "24:00:00" for days: here all three parts are wanted, each within its range.
    private static readonly string[] Clock = [@"hh\:mm\:ss", @"hh\:mm\:ss\.FFFFFFF", @"d\.hh\:mm\:ss", @"d\.hh\:mm\:ss\.FFFFFFF"];

    /// <summary>Reads "3s", "250ms", "2m", "1h", "1d", "00:00:03", "1.00:00:00", or "3", which is three seconds.</summary>
    /// <returns>False for anything else.</returns>
    public static bool TryParse(string? text, out TimeSpan value)
    {
        value = default;
        text = text?.Trim() ?? "";
        if (text.Contains(':', StringComparison.Ordinal))
        {
            return TimeSpan.TryParseExact(text, Clock, CultureInfo.InvariantCulture, out value);
        }

        var (unit, seconds) = Units.FirstOrDefault(u => text.EndsWith(u.Unit, StringComparison.Ordinal), ("", 1));
        return double.TryParse(text[..^unit.Length], NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            && TryMake(number * seconds, out value);
    }

    /// <summary>Makes a time of seconds.</summary>
    /// <returns>False for what is no number, and for more than some thirty years.</returns>
    public static bool TryMake(double seconds, out TimeSpan value)
    {
        value = default;
        if (!(Math.Abs(seconds) < LongestSeconds))
        {
            return false;
        }

        value = TimeSpan.FromSeconds(seconds);
        return true;
    }
}
