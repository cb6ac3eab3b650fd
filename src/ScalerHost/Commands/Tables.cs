using System.Globalization;
using Spectre.Console;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>A table of plain text on standard output.</summary>
/// <param name="title">What it shows.</param>
/// <param name="columns">Its columns, from left to right.</param>
internal sealed class TextTable(string title, params TextColumn[] columns)
{
    private readonly List<string[]> _rows = [];

    /// <summary>Adds a row, a cell for each column.</summary>
    public void Add(params string[] cells) => _rows.Add(cells);

    /// <summary>
    /// The columns that fit into a width, as no number is ever split: those with the highest <see cref="TextColumn.LeaveOut"/> go first.
    /// </summary>
    /// <param name="width">Characters on a line.</param>
    /// <returns>The indices of those that fit, and the titles of those left out.</returns>
    public (IReadOnlyList<int> Shown, IReadOnlyList<string> LeftOut) Fit(int width)
    {
        var shown = Enumerable.Range(0, columns.Length).ToList();
        if (Unbroken(shown) <= width)
        {
            return (shown, []);
        }

        var widths = columns.Select((column, i) => WidthOf(column, i)).ToArray();
        var leftOut = new List<int>();

        while (shown.Sum(i => widths[i] + 3) + 1 > width && shown.Where(i => columns[i].LeaveOut > 0).OrderByDescending(i => columns[i].LeaveOut).ThenByDescending(i => i).ToList() is [var next, ..])
        {
            shown.Remove(next);
            leftOut.Add(next);
        }

        return (shown, [.. leftOut.Order().Select(i => columns[i].Title)]);
    }

    /// <summary>Writes it, and below it what did not fit.</summary>
    public void Write()
    {
        var console = Tables.Console();
        var (shown, leftOut) = Fit(console.Profile.Width);
        var roomy = Unbroken(shown) <= console.Profile.Width;
        var table = new Table { Title = new TableTitle(Markup.Escape(title)), Border = TableBorder.Rounded };
        foreach (var i in shown)
        {
            var column = new TableColumn(Markup.Escape(roomy ? columns[i].Title : Header(columns[i], i)));
            column.Alignment = columns[i].IsNumber ? Justify.Right : Justify.Left;
            column.NoWrap = columns[i].IsNumber;
            table.AddColumn(column);
        }

        foreach (var row in _rows)
        {
            table.AddRow([.. shown.Select(i => Markup.Escape(row[i]))]);
        }

        console.Write(table);
        if (leftOut.Count > 0)
        {
            console.WriteLine($"Left out, as the lines are too short: {string.Join("; ", leftOut)}.");
        }
    }

    private int WidthOf(TextColumn column, int index)
    {
        var longestWord = column.Title.Split(' ').Max(word => word.Length);
        return !column.IsNumber && column.Breaks ? longestWord : Math.Max(longestWord, CellsOf(index));
    }

    /// <summary>The width at which nothing stands on two lines: each column has a space on both sides and a line, and there is one line more.</summary>
    private int Unbroken(IEnumerable<int> shown) => shown.Sum(i => Math.Max(columns[i].Title.Length, CellsOf(i)) + 3) + 1;

    private int CellsOf(int index) => _rows.Select(r => r[index].Length).DefaultIfEmpty().Max();

    /// <summary>The title, broken between words where its column is narrower than it.</summary>
    private string Header(TextColumn column, int index)
    {
        if (!column.IsNumber)
        {
            return column.Title;
        }

        var width = WidthOf(column, index);
        var lines = new List<string>();
        foreach (var word in column.Title.Split(' '))
        {
            if (lines.Count > 0 && lines[^1].Length + 1 + word.Length <= width)
            {
                lines[^1] += " " + word;
            }
            else
            {
                lines.Add(word);
            }
        }

        return string.Join('\n', lines);
    }
}

/// <summary>A column of a <see cref="TextTable"/>.</summary>
/// <param name="Title">Its title.</param>
/// <param name="IsNumber">Whether it holds numbers: to the right, and never split.</param>
/// <param name="LeaveOut">How soon it is left out where lines are short; 0 for never.</param>
/// <param name="Breaks">Whether its words may stand on several lines.</param>
internal sealed record TextColumn(string Title, bool IsNumber = true, int LeaveOut = 0, bool Breaks = false);

/// <summary>Standard output for tables, plain and wide where it is not a terminal.</summary>
internal static class Tables
{
    private const int RedirectedWidth = 200;

    public static IAnsiConsole Console()
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = System.Console.IsOutputRedirected ? AnsiSupport.No : AnsiSupport.Detect,
            Out = new AnsiConsoleOutput(System.Console.Out),
        });
        if (System.Console.IsOutputRedirected)
        {
            // COLUMNS says what the reader of a pipe has room for, as for other programs.
            console.Profile.Width = int.TryParse(Environment.GetEnvironmentVariable("COLUMNS"), NumberStyles.None, CultureInfo.InvariantCulture, out var columns) && columns is >= 40 and <= 1000
                ? columns
                : RedirectedWidth;
        }

        return console;
    }

    public static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
