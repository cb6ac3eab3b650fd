using System.Globalization;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>Reads <c>1..20</c>, <c>1,3,7</c> and mixtures of both.</summary>
internal static class SeedList
{
    private const int MostSeeds = 1000;

    /// <exception cref="CommandException">Not of that form, or more than 1000 seeds.</exception>
    public static List<long> Parse(string text)
    {
        var seeds = new List<long>();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            var dots = part.IndexOf("..", StringComparison.Ordinal);
            if (!TryRead(dots < 0 ? part : part[..dots], out var from) || !TryRead(dots < 0 ? part : part[(dots + 2)..], out var to) || from > to || to - from >= MostSeeds)
            {
                throw new CommandException(CommandException.BadUsage, SettingErrors.Sentence(
                    "--seeds", text, "is no list of seeds", $"write for example 1..20 or 1,3,7, at most {MostSeeds}"));
            }

            for (var seed = from; seed <= to; seed++)
            {
                seeds.Add(seed);
            }
        }

        return [.. seeds.Distinct()];
    }

    private static bool TryRead(string text, out long seed) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out seed) && seed is >= -1_000_000_000_000_000_000 and <= 1_000_000_000_000_000_000;
}
