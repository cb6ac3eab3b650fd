namespace FuncScaler.ContestSimulator.Traces.Tables;

/// <summary>A unit of time in a table.</summary>
public enum TableTimeUnit
{
    /// <summary>Seconds.</summary>
    S,

    /// <summary>Milliseconds.</summary>
    Ms,

    /// <summary>Microseconds.</summary>
    Us,

    /// <summary>Nanoseconds.</summary>
    Ns,
}

/// <summary>
/// Which columns of a table say what, and in which units. A column is named by its header. Of start, duration and end two must be there, or one
/// of start and end, and a default duration.
/// </summary>
public sealed record ColumnMap
{
    /// <summary>The names that <see cref="Parse"/> knows.</summary>
    public static IReadOnlyList<string> Fields { get; } = ["key", "start", "duration", "end", "memory", "init", "status"];

    private static readonly string[] Times = ["start", "duration", "end"];

    /// <summary>The columns whose values, joined by a slash, name the function.</summary>
    public required IReadOnlyList<string> Key { get; init; }

    /// <summary>When the request arrived.</summary>
    public string? Start { get; init; }

    /// <summary>How long it executed.</summary>
    public string? Duration { get; init; }

    /// <summary>When its execution ended.</summary>
    public string? End { get; init; }

    /// <summary>Its function's memory, MB.</summary>
    public string? Memory { get; init; }

    /// <summary>Its function's init.</summary>
    public string? Init { get; init; }

    /// <summary>Its status; 200 where there is no column.</summary>
    public string? Status { get; init; }

    /// <summary>The unit of start and end, where they are numbers and not ISO times.</summary>
    public TableTimeUnit TimeUnit { get; init; } = TableTimeUnit.S;

    /// <summary>The unit of durations.</summary>
    public TableTimeUnit DurationUnit { get; init; } = TableTimeUnit.S;

    /// <summary>The unit of inits.</summary>
    public TableTimeUnit InitUnit { get; init; } = TableTimeUnit.S;

    /// <summary>How many µs a unit has.</summary>
    public static double Microseconds(TableTimeUnit unit) => unit switch
    {
        TableTimeUnit.S => 1e6,
        TableTimeUnit.Ms => 1e3,
        TableTimeUnit.Us => 1,
        TableTimeUnit.Ns => 1e-3,
        _ => throw new ArgumentOutOfRangeException(nameof(unit), unit, "It is no unit of time."),
    };

    /// <summary>Reads <c>key=COL,start=COL,…</c> and <c>ms</c>, or <c>s,duration=ms,init=us</c>.</summary>
    /// <param name="map">The columns; a key of several columns has them joined by +.</param>
    /// <param name="units">The unit of all times, and of single ones by the names start, duration and init; seconds when null.</param>
    /// <param name="hasDefaultDuration">Whether a duration is given for requests without one.</param>
    /// <exception cref="FormatException">Not of that form; the message says what is wrong and how to mend it.</exception>
    public static ColumnMap Parse(string map, string? units, bool hasDefaultDuration)
    {
        ArgumentNullException.ThrowIfNull(map);
        var columns = new Dictionary<string, string>();
        foreach (var part in map.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            var field = equals < 0 ? part : part[..equals].Trim();
            if (equals < 0 || !Fields.Contains(field) || equals + 1 == part.Length)
            {
                throw new FormatException($"'{part}' maps nothing: write FIELD=COLUMN, where FIELD is one of {string.Join(", ", Fields)}.");
            }

            if (!columns.TryAdd(field, part[(equals + 1)..].Trim()))
            {
                throw new FormatException($"{field} is mapped twice: map it once.");
            }
        }

        if (!columns.TryGetValue("key", out var key))
        {
            throw new FormatException("no column is the key: write key=COLUMN, or key=COLUMN+COLUMN.");
        }

        var times = Times.Count(columns.ContainsKey);
        if (times < 2 && !(hasDefaultDuration && (columns.ContainsKey("start") || columns.ContainsKey("end"))))
        {
            throw new FormatException("two of start, duration and end are needed: map two, or one of start and end and give a duration by --defaults duration=MS.");
        }

        var (time, duration, init) = ParseUnits(units ?? "s");
        return new ColumnMap
        {
            Key = key.Split('+', StringSplitOptions.TrimEntries),
            Start = columns.GetValueOrDefault("start"),
            Duration = columns.GetValueOrDefault("duration"),
            End = columns.GetValueOrDefault("end"),
            Memory = columns.GetValueOrDefault("memory"),
            Init = columns.GetValueOrDefault("init"),
            Status = columns.GetValueOrDefault("status"),
            TimeUnit = time,
            DurationUnit = duration,
            InitUnit = init,
        };
    }

    private static (TableTimeUnit Time, TableTimeUnit Duration, TableTimeUnit Init) ParseUnits(string text)
    {
        var units = new Dictionary<string, TableTimeUnit>();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? "" : part[..equals].Trim();
            TableTimeUnit? unit = part[(equals + 1)..].Trim() switch
            {
                "s" => TableTimeUnit.S,
                "ms" => TableTimeUnit.Ms,
                "us" => TableTimeUnit.Us,
                "ns" => TableTimeUnit.Ns,
                _ => null,
            };
            if (unit is null || name is not ("" or "start" or "duration" or "init"))
            {
                throw new FormatException($"'{part}' is no unit: write s, ms, us or ns, and start=, duration= or init= before it for these alone.");
            }

            units[name] = unit.Value;
        }

        var otherwise = units.GetValueOrDefault("", TableTimeUnit.S);
        return (units.GetValueOrDefault("start", otherwise), units.GetValueOrDefault("duration", otherwise), units.GetValueOrDefault("init", otherwise));
    }
}
