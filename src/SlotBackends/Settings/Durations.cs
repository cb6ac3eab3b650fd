using System.Globalization;

namespace FuncScaler.SlotBackends.Settings;

/// <summary>Times as people write them.</summary>
public static class Durations
{
    private static readonly (string Unit, double Seconds)[] Units = [("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];

    /// <summary>Reads "3s", "250ms", "2m", "1h", "1d", "00:00:03", or "3", which is three seconds.</summary>
    /// <returns>False for anything else.</returns>
    public static bool TryParse(string? text, out TimeSpan value)
    {
        value = default;
        text = text?.Trim() ?? "";
        if (text.Contains(':', StringComparison.Ordinal))
        {
            return TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out value);
        }

        var (unit, seconds) = Units.FirstOrDefault(u => text.EndsWith(u.Unit, StringComparison.Ordinal), ("", 1));
        if (!double.TryParse(text[..^unit.Length], NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            || Math.Abs(number * seconds) >= 1e9)
        {
            return false;
        }

        value = TimeSpan.FromSeconds(number * seconds);
        return true;
    }
}
