using System.Globalization;

namespace FuncScaler.Pool;

/// <summary>What one second of a caller's waiting is worth, GB·s of memory time.</summary>
public static class WaitingPrice
{
    /// <summary>
    /// What a scaler that serves starts with, GB·s: the price of RUM ("FeMux", EuroSys 2026), 99.69, in a round number.
    /// </summary>
    public const double Published = 100;

    /// <summary>The highest price, GB·s.</summary>
    public const double Most = 1e9;

    /// <summary>The word for the price that leads to the contest's best score.</summary>
    public const string Auto = "auto";

    /// <summary>Reads <see cref="Auto"/>, which is null, or a number from 0 to <see cref="Most"/>.</summary>
    public static bool TryParse(string? text, out double? priceGbs)
    {
        priceGbs = null;
        if (text == Auto)
        {
            return true;
        }

        var isPrice = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value is >= 0 and <= Most;
        priceGbs = isPrice ? value : null;
        return isPrice;
    }

    /// <summary>In words, for people who start a scaler.</summary>
    public static string Describe(double? priceGbs) => priceGbs is { } price
        ? string.Create(CultureInfo.InvariantCulture, $"a second of waiting is worth {price:0.###} GB·s")
        : "a second of waiting is worth what leads to the best contest score";
}
