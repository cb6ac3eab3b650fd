using System.Globalization;
using FuncScaler.ContestSimulator.Traces.Presets;

namespace FuncScaler.ContestSimulator.Traces.Azure;

/// <summary>
/// A day of the Azure Functions trace of 2019 (Microsoft, CC-BY 4.0): invocations per minute, percentiles of execution time per function and
/// of memory per application. What the files do not tell is made up from a seed, the same at every pass:
/// <list type="bullet">
/// <item>an invocation's time within its minute: uniform, in whole ms;</item>
/// <item>an execution: drawn from the function's percentiles, straight between them, in whole ms;</item>
/// <item>memory: the application's 99th percentile (its average where that is missing), rounded up to one of the contest's steps; every
/// function of an application gets all of it;</item>
/// <item>init durations, and what is missing for single functions: <see cref="AzureTraceOptions"/>.</item>
/// </list>
/// Functions without an invocation that day are listed too; rows of the same function are added up. Memory grows with the minutes in which functions are invoked, at most 1,440
/// each, not with invocations.
/// </summary>
public sealed class AzureFunctions2019Trace : ITrace
{
    private const int MinutesPerDay = 1440;
    private const long MinuteMs = 60_000;
    private const double MostPerMinute = 1e9;
    private const double LongestMs = 30.0 * 24 * 3600 * 1000;
    private const double LargestMemoryMb = 1 << 20;

    private static readonly DateTimeOffset FirstDay = new(2019, 7, 15, 0, 0, 0, TimeSpan.Zero);
    private static readonly int[] MemoryStepsMb = [128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 8192, 16_384];

    private static readonly (double Share, string Column)[] DurationPercentiles =
    [
        (0, "percentile_Average_0"),
        (0.01, "percentile_Average_1"),
        (0.25, "percentile_Average_25"),
        (0.5, "percentile_Average_50"),
        (0.75, "percentile_Average_75"),
        (0.99, "percentile_Average_99"),
        (1, "percentile_Average_100"),
    ];

    private readonly AzureTraceOptions _options;
    private readonly long _beginMs;
    private readonly TraceFunction[] _functions;
    private readonly MinuteCount[][] _invocations;
    private readonly double[]?[] _durationsMs;

    private AzureFunctions2019Trace(
        string name, string invocationsPath, string? durationsPath, string? memoryPath, AzureTraceOptions options)
    {
        options.Validate();
        Name = name;
        _options = options;
        _beginMs = FirstDay.AddDays(options.Day - 1).ToUnixTimeMilliseconds();
        var rows = ReadInvocations(invocationsPath);
        var durations = durationsPath is null ? [] : ReadDurations(durationsPath);
        var memories = memoryPath is null ? [] : ReadMemories(memoryPath);
        var random = new TraceRandom(options.Seed, "azure2019/functions");
        _invocations = [.. rows.Select(r => r.Counts)];
        _durationsMs = [.. rows.Select(r => durations.GetValueOrDefault(r.Function))];
        _functions =
        [
            .. rows.Select(r => options.ToFunction(
                r.Function,
                memories.TryGetValue(r.Function, out var mb) || memories.TryGetValue(r.App, out mb) ? RoundUpMemoryMb(mb) : options.MemoryMb,
                random)),
        ];
    }

    /// <inheritdoc/>
    public string Name { get; private set; }

    /// <inheritdoc/>
    public IReadOnlyList<TraceFunction> Functions => _functions;

    /// <summary>Opens the three files of a day.</summary>
    /// <param name="location">
    /// A folder, or what the names of three files begin with: PREFIX for PREFIX_inv.csv, PREFIX_run.csv and PREFIX_mem.csv. In a folder the
    /// published names are looked for (invocations_per_function_md.anon.dXX.csv, function_durations_percentiles.anon.dXX.csv,
    /// app_memory_percentiles.anon.dXX.csv, where XX is the options' day), then those of the vHive loader's samples (invocations.csv,
    /// durations.csv, memory.csv), then one set with a prefix. Each may have <c>.gz</c>. Only with a prefix must there be a file of memory: days 13
    /// and 14 have none.
    /// </param>
    /// <param name="options">What the data do not tell; the defaults when null.</param>
    /// <exception cref="TraceFormatException">A file is missing or malformed.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public static AzureFunctions2019Trace Open(string location, AzureTraceOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(location);
        options ??= new AzureTraceOptions();
        if (!Directory.Exists(location))
        {
            return OpenPrefix(location, options);
        }

        var day = FormattableString.Invariant($".anon.d{options.Day:00}.csv");
        if (Exists(Path.Combine(location, "invocations_per_function_md" + day)))
        {
            return Open(
                TraceFile.Find(location, "invocations_per_function_md" + day),
                TraceFile.Find(location, "function_durations_percentiles" + day),
                FindOrNull(location, "app_memory_percentiles" + day),
                options);
        }

        if (Exists(Path.Combine(location, VHiveTraceWriter.InvocationsFile)))
        {
            var opened = Open(
                TraceFile.Find(location, VHiveTraceWriter.InvocationsFile),
                TraceFile.Find(location, VHiveTraceWriter.DurationsFile),
                FindOrNull(location, VHiveTraceWriter.MemoryFile),
                options);
            opened.Name = "azure2019-" + Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(location)));
            return opened;
        }

        const string ending = "_inv.csv";
        string[] found = [.. Directory.GetFiles(location).Select(f => f.EndsWith(".gz", StringComparison.Ordinal) ? f[..^3] : f).Distinct()];
        found = [.. found.Where(f => f.EndsWith(ending, StringComparison.Ordinal))];
        return found.Length == 1
            ? OpenPrefix(found[0][..^ending.Length], options)
            : throw new TraceFormatException(
                $"The folder \"{location}\" has neither \"invocations_per_function_md{day}\" nor \"{VHiveTraceWriter.InvocationsFile}\" nor exactly one "
                + $"file \"*{ending}\" (found {found.Length}); name the files' common prefix, or choose another day.");
    }

    /// <summary>Opens files wherever they are.</summary>
    /// <param name="invocationsPath">Invocations per minute.</param>
    /// <param name="durationsPath">Percentiles of execution time; null when there is none (then the options' duration is used).</param>
    /// <param name="memoryPath">Percentiles of memory; null when there is none, as for days 13 and 14 (then the options' memory is used).</param>
    /// <param name="options">What the data do not tell; the defaults when null.</param>
    /// <inheritdoc cref="Open(string, AzureTraceOptions?)" path="/exception"/>
    public static AzureFunctions2019Trace Open(
        string invocationsPath, string? durationsPath, string? memoryPath, AzureTraceOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(invocationsPath);
        TraceFile.Require(invocationsPath, "the invocations per minute");
        if (durationsPath is not null)
        {
            TraceFile.Require(durationsPath, "the percentiles of execution time");
        }

        if (memoryPath is not null)
        {
            TraceFile.Require(memoryPath, "the percentiles of memory");
        }

        // "200" of 200_inv.csv; "d01" of invocations_per_function_md.anon.d01.csv.
        var parts = Path.GetFileName(invocationsPath).Split('.');
        var name = parts is [_, "anon", var day, ..] ? day : parts[0].Replace("_inv", "", StringComparison.Ordinal);
        return new AzureFunctions2019Trace("azure2019-" + name, invocationsPath, durationsPath, memoryPath, options ?? new AzureTraceOptions());
    }

    /// <inheritdoc/>
    public IEnumerable<TraceRequest> ReadRequests()
    {
        var sources = new List<RequestSource>();
        for (var i = 0; i < _functions.Length; i++)
        {
            if (_invocations[i].Length > 0)
            {
                var percentiles = _durationsMs[i];
                sources.Add(new MinuteRequests(
                    i,
                    _invocations[i],
                    (_, random) => percentiles is null ? _options.DurationMs : SampleDuration(percentiles, random.Next()),
                    new TraceRandom(_options.Seed, "azure2019/requests", i)));
            }
        }

        if (sources.Count == 0)
        {
            yield break;
        }

        var merge = new SourceMerge(sources);
        for (var next = merge.Earliest; next.StartMs < MinutesPerDay * MinuteMs; next = merge.Earliest)
        {
            yield return new TraceRequest(next.Function, (_beginMs + next.StartMs) * 1000, next.DurationMs * 1000, next.StatusCode);
            merge.Advance();
        }
    }

    private static AzureFunctions2019Trace OpenPrefix(string prefix, AzureTraceOptions options)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(prefix))!;
        var name = Path.GetFileName(prefix);
        return Open(
            TraceFile.Find(folder, name + "_inv.csv"),
            TraceFile.Find(folder, name + "_run.csv"),
            TraceFile.Find(folder, name + "_mem.csv"),
            options);
    }

    /// <summary>A file that not every day has.</summary>
    private static string? FindOrNull(string folder, string name) => Exists(Path.Combine(folder, name)) ? TraceFile.Find(folder, name) : null;

    private static bool Exists(string path) => File.Exists(path) || File.Exists(path + ".gz");

    private static int RoundUpMemoryMb(double memoryMb)
    {
        foreach (var step in MemoryStepsMb)
        {
            if (memoryMb <= step)
            {
                return step;
            }
        }

        return (int)Math.Ceiling(memoryMb / 1024) * 1024;
    }

    private static List<(string Function, string App, MinuteCount[] Counts)> ReadInvocations(string path)
    {
        using var csv = new Utf8CsvReader(path);
        var function = csv.Column("HashFunction");
        var app = csv.Column("HashApp");
        var minutes = MinuteColumns(csv);
        var rows = new List<(string Function, string App, MinuteCount[] Counts)>();
        var indexes = new Dictionary<string, int>();
        var counts = new List<MinuteCount>(MinutesPerDay);
        while (csv.TryReadRow())
        {
            counts.Clear();
            foreach (var (minute, column) in minutes)
            {
                var count = csv.Bytes(column) is [(byte)'0'] ? 0 : csv.Number(column, 0, MostPerMinute);
                if (count > 0)
                {
                    counts.Add(new MinuteCount(minute, (int)count));
                }
            }

            var key = ReadKey(csv, function);
            if (indexes.TryAdd(key, rows.Count))
            {
                rows.Add((key, csv.Text(app), [.. counts]));
                continue;
            }

            // One function on several rows, for example after it moved to another trigger: its invocations belong together.
            var (_, firstApp, first) = rows[indexes[key]];
            rows[indexes[key]] = (key, firstApp, Sum(first, counts));
        }

        return rows.Count > 0 ? rows : throw TraceFile.FileError(path, "there is no function in it", "one row per function is needed");
    }

    /// <summary>
    /// The columns of minutes, in order: the numbers 1 to 1440, a part of them, or minute_1 to minute_1440. A slice may begin anywhere.
    /// </summary>
    private static List<(int Minute, int Column)> MinuteColumns(Utf8CsvReader csv)
    {
        var minutes = new List<(int Minute, int Column)>();
        for (var column = 0; column < csv.Names.Count; column++)
        {
            var name = csv.Names[column].AsSpan();
            name = name.StartsWith("minute_", StringComparison.Ordinal) ? name["minute_".Length..] : name;
            if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is >= 1 and <= MinutesPerDay)
            {
                minutes.Add((number - 1, column));
            }
        }

        minutes.Sort();
        return minutes.Count > 0
            ? minutes
            : throw TraceFile.LineError(csv.Path, csv.LineNumber, "there is no column of a minute (\"1\" to \"1440\", or \"minute_1\")", "check that this is the file meant");
    }

    private static Dictionary<string, double[]> ReadDurations(string path)
    {
        using var csv = new Utf8CsvReader(path);
        var function = csv.Column("HashFunction");
        int[] columns = [.. DurationPercentiles.Select(p => csv.Column(p.Column))];
        var durations = new Dictionary<string, double[]>();
        while (csv.TryReadRow())
        {
            // Negative durations, should there be any, count as none.
            double[] percentiles = [.. columns.Select(c => Math.Max(0, csv.Number(c, double.MinValue, LongestMs)))];
            for (var i = 1; i < percentiles.Length; i++)
            {
                if (percentiles[i] < percentiles[i - 1])
                {
                    throw csv.Error(columns[i], "it is less than the percentile before it", "percentiles must not decrease");
                }
            }

            durations.TryAdd(ReadKey(csv, function), percentiles);
        }

        return durations;
    }

    private static Dictionary<string, double> ReadMemories(string path)
    {
        using var csv = new Utf8CsvReader(path);
        var function = csv.FindColumn("HashFunction");
        var app = function >= 0 ? function : csv.Column("HashApp");
        var memory = csv.FindColumn("AverageAllocatedMb_pct99");
        memory = memory >= 0 ? memory : csv.Column("AverageAllocatedMb");
        var memories = new Dictionary<string, double>();
        while (csv.TryReadRow())
        {
            // Samples of the vHive loader tell it per function, the originals per application. An application may stand under several owners: the
            // larger memory counts.
            var mb = csv.Number(memory, 0, LargestMemoryMb);
            var key = csv.Text(app);
            memories[key] = Math.Max(mb, memories.GetValueOrDefault(key));
        }

        return memories;
    }

    private static string ReadKey(Utf8CsvReader csv, int column)
    {
        var key = csv.Text(column);
        return key.Length > 0 ? key : throw csv.Error(column, "it is empty", "every row needs it");
    }

    private static MinuteCount[] Sum(IEnumerable<MinuteCount> one, IEnumerable<MinuteCount> other) =>
    [
        .. one.Concat(other)
            .GroupBy(c => c.Minute)
            .OrderBy(g => g.Key)
            .Select(g => new MinuteCount(g.Key, g.Sum(c => c.Count))),
    ];

    private static double SampleDuration(double[] percentiles, double share)
    {
        var i = 1;
        while (share > DurationPercentiles[i].Share)
        {
            i++;
        }

        var (from, to) = (DurationPercentiles[i - 1].Share, DurationPercentiles[i].Share);
        return percentiles[i - 1] + ((percentiles[i] - percentiles[i - 1]) * (share - from) / (to - from));
    }
}
