namespace FuncScaler.ScalerHost.Commands;

/// <summary>Finds what a misspelt name was probably meant to be.</summary>
internal static class Nearest
{
    /// <summary>The name that takes the fewest changes of a letter; null where all are too far from what was written.</summary>
    /// <param name="written">What was written.</param>
    /// <param name="names">What can be written.</param>
    public static string? Of(string written, IEnumerable<string> names)
    {
        // Nothing that is typed by hand is longer, and the work grows with the square.
        if (written.Length is 0 or > 40)
        {
            return null;
        }

        var most = Math.Max(1, written.TrimStart('-').Length / 3);
        return names
            .Select(name => (Name: name, Changes: Changes(written, name)))
            .Where(n => n.Changes <= most)
            .OrderBy(n => n.Changes).ThenBy(n => n.Name, StringComparer.Ordinal)
            .Select(n => n.Name)
            .FirstOrDefault();
    }

    /// <summary>"did you mean …? " where there is such a name, else nothing.</summary>
    public static string Question(string written, IEnumerable<string> names) => Of(written, names) is { } name ? $"did you mean {name}? " : "";

    /// <summary>How many letters must be added, left out, replaced or swapped with their neighbour.</summary>
    private static int Changes(string from, string to)
    {
        var rows = new int[from.Length + 1, to.Length + 1];
        for (var i = 0; i <= from.Length; i++)
        {
            for (var j = 0; j <= to.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    rows[i, j] = i + j;
                    continue;
                }

                var same = from[i - 1] == to[j - 1] ? 0 : 1;
                rows[i, j] = Math.Min(Math.Min(rows[i - 1, j], rows[i, j - 1]) + 1, rows[i - 1, j - 1] + same);
                if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
                {
                    rows[i, j] = Math.Min(rows[i, j], rows[i - 2, j - 2] + 1);
                }
            }
        }

        return rows[from.Length, to.Length];
    }
}
