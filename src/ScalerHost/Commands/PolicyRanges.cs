using System.Globalization;
using FuncScaler.Policies;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>
/// Reads a list of policies in which <c>all</c> stands for every policy, and <c>A..B</c> in an option for several values: A, B, and what lies
/// between them of 1, 2 and 5 times the powers of ten.
/// </summary>
internal static class PolicyRanges
{
    private const int MostPolicies = 1000;

    /// <exception cref="CommandException">There is no such policy, a range is none, or there are more than 1000 policies.</exception>
    public static List<PolicyChoice> Parse(string text, IReadOnlyList<PolicyEntry> among)
    {
        var names = new List<string>();
        foreach (var part in PolicyCatalog.SplitList(text))
        {
            names.AddRange(part == "all" ? among.Select(p => p.Name) : Expand(part));
            if (names.Count > MostPolicies)
            {
                throw new CommandException(CommandException.BadUsage, $"--policy asks for more than {MostPolicies} policies: give smaller ranges.");
            }
        }

        if (names.Count == 0)
        {
            throw new CommandException(CommandException.BadUsage, "--policy '' names no policy: write for example adaptive,ttl:60 or all.");
        }

        return [.. names.Distinct().Select(n => CommonOptions.ParsePolicy(n, among))];
    }

    private static List<string> Expand(string choice)
    {
        var dots = choice.IndexOf("..", StringComparison.Ordinal);
        if (dots < 0)
        {
            return [choice];
        }

        var begin = choice.LastIndexOfAny([':', '=', ','], dots) + 1;
        var end = choice.IndexOf(',', dots);
        end = end < 0 ? choice.Length : end;
        if (!TryRead(choice[begin..dots], out var from) || !TryRead(choice[(dots + 2)..end], out var to) || !(from < to) || from < 0)
        {
            throw new CommandException(
                CommandException.BadUsage, $"--policy '{RemoteWords.Clean(choice)}': '{RemoteWords.Clean(choice[begin..end])}' is no range: write two numbers of 0 or more, the smaller first, for example ttl:1..1800.");
        }

        // Each value may have a further range behind it.
        return [.. Values(from, to).SelectMany(v => Expand(choice[..begin] + v.ToString(CultureInfo.InvariantCulture) + choice[end..]))];
    }

    private static IEnumerable<decimal> Values(decimal from, decimal to)
    {
        yield return from;
        for (var power = 0.001m; power <= to; power *= 10)
        {
            foreach (var value in (decimal[])[power, 2 * power, 5 * power])
            {
                if (value > from && value < to)
                {
                    yield return value / 1.000000000000000000000000000000m;
                }
            }
        }

        yield return to;
    }

    private static bool TryRead(string text, out decimal value) =>
        decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out value) && value <= 1e9m;
}
