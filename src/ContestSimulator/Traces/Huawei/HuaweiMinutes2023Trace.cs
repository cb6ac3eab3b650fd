using FuncScaler.ContestSimulator.Traces.Presets;
using FuncScaler.ContestSimulator.Traces.Tables;

namespace FuncScaler.ContestSimulator.Traces.Huawei;

/// <summary>
/// A day of Huawei's traces of 2023 (CC-BY 4.0; sir-lab/data-release), public or private: wide CSV files of a value per minute and function, with
/// the columns <c>day</c>, <c>time</c> (s) and one for each function. What the files do not tell is made up from a seed, the same at every pass:
/// a request's time within its minute is uniform, in whole ms; an execution lasts for the minute's mean.
/// </summary>
/// <remarks>
/// The folder has <c>requests_minute</c>; the private trace also <c>function_delay_minute</c> (mean execution), <c>memory_limit_minute</c> and
/// <c>instances_minute</c>, whose quotient is a function's memory; each with files of <c>day_NNN.csv</c> or <c>day_NN.csv</c>, plain or gzip. What
/// is missing, for all or for single minutes, comes from <see cref="TableDefaults"/>. An empty field and "nan" are missing values.
/// </remarks>
public sealed class HuaweiMinutes2023Trace : ITrace
{
    private const int MinutesPerDay = 1440;
    private const double MostPerMinute = 1e9;
    private const double Most = 1e15;

    private readonly MinuteCount[][] _requests;
    private readonly Dictionary<int, double>?[] _durationsMs;
    private readonly double _defaultMs;
    private readonly long _beginMs;
    private readonly long _seed;

    private HuaweiMinutes2023Trace(string folder, int day, double delayMs, TableDefaults defaults, long seed)
    {
        Name = FormattableString.Invariant($"huawei2023-{Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)))}-d{day}");
        _seed = seed;
        _beginMs = day * MinutesPerDay * 60_000L;
        _defaultMs = defaults.DurationMs ?? 500;
        var requests = Read(TraceFile.Find(Path.Combine(folder, "requests_minute"), FileName(folder, "requests_minute", day)), MostPerMinute);
        var delays = ReadOptional(folder, "function_delay_minute", day);
        var memory = MeanMemory(ReadOptional(folder, "memory_limit_minute", day), ReadOptional(folder, "instances_minute", day));
        Functions =
        [
            .. requests.Functions.Select(f => new TraceFunction(
                new FunctionMeta(new MetaKey(f), "", 0, memory.TryGetValue(f, out var mb) ? mb : defaults.MemoryMb), (long)Math.Round(defaults.InitMs * 1000))),
        ];
        _requests = [.. requests.Values.Select(v => v.OrderBy(m => m.Key).Select(m => new MinuteCount(m.Key, (int)m.Value)).Where(m => m.Count > 0).ToArray())];
        _durationsMs =
        [
            .. requests.Functions.Select(f => delays?.Of(f)?.ToDictionary(m => m.Key, m => m.Value * delayMs)),
        ];
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>The functions, in the order of the columns.</summary>
    public IReadOnlyList<TraceFunction> Functions { get; }

    /// <summary>Opens a day.</summary>
    /// <param name="folder">The folder with the folder requests_minute in it.</param>
    /// <param name="day">The day, as in the files' names, from 0.</param>
    /// <param name="delayUnit">The unit of function_delay_minute, which the data's description does not tell.</param>
    /// <param name="defaults">What is taken where the files tell nothing; a duration of 500 ms where none is given.</param>
    /// <param name="seed">What everything random is derived from.</param>
    /// <exception cref="TraceFormatException">A file is missing or malformed.</exception>
    public static HuaweiMinutes2023Trace Open(
        string folder, int day, TableTimeUnit delayUnit = TableTimeUnit.Ms, TableDefaults? defaults = null, long seed = 1)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentOutOfRangeException.ThrowIfNegative(day);
        return new HuaweiMinutes2023Trace(folder, day, ColumnMap.Microseconds(delayUnit) / 1000, defaults ?? new TableDefaults(), seed);
    }

    /// <inheritdoc/>
    public IEnumerable<TraceRequest> ReadRequests()
    {
        var sources = new List<RequestSource>();
        for (var i = 0; i < _requests.Length; i++)
        {
            if (_requests[i].Length > 0)
            {
                var durationsMs = _durationsMs[i];
                sources.Add(new MinuteRequests(
                    i, _requests[i], (minute, _) => durationsMs?.GetValueOrDefault(minute, _defaultMs) ?? _defaultMs, new TraceRandom(_seed, "huawei2023/requests", i)));
            }
        }

        if (sources.Count == 0)
        {
            yield break;
        }

        var merge = new SourceMerge(sources);
        for (var next = merge.Earliest; next.StartMs < MinutesPerDay * 60_000L; next = merge.Earliest)
        {
            yield return new TraceRequest(next.Function, (_beginMs + next.StartMs) * 1000, next.DurationMs * 1000, next.StatusCode);
            merge.Advance();
        }
    }

    /// <summary>The public trace counts its days with two digits, the private one with three.</summary>
    private static string FileName(string folder, string kind, int day)
    {
        var shorter = FormattableString.Invariant($"day_{day:00}.csv");
        var path = Path.Combine(folder, kind, shorter);
        return File.Exists(path) || File.Exists(path + ".gz") ? shorter : FormattableString.Invariant($"day_{day:000}.csv");
    }

    private static Table? ReadOptional(string folder, string kind, int day) => Directory.Exists(Path.Combine(folder, kind))
        ? Read(TraceFile.Find(Path.Combine(folder, kind), FileName(folder, kind, day)), Most)
        : null;

    private static Dictionary<string, int> MeanMemory(Table? limits, Table? instances)
    {
        var memory = new Dictionary<string, int>();
        foreach (var function in limits is not null && instances is not null ? limits.Functions : [])
        {
            var pods = instances!.Of(function);
            double[] perPod = [.. limits!.Of(function)!.Where(m => pods?.GetValueOrDefault(m.Key) > 0).Select(m => m.Value / pods![m.Key])];
            if (perPod.Length > 0 && perPod.Max() is >= 1 and <= 1 << 20)
            {
                memory[function] = (int)Math.Round(perPod.Average());
            }
        }

        return memory;
    }

    private static Table Read(string path, double most)
    {
        using var csv = new Utf8CsvReader(path);
        var time = csv.Column("time");
        var day = csv.FindColumn("day");
        int[] columns = [.. Enumerable.Range(0, csv.Names.Count).Where(c => c != time && c != day && csv.Names[c].Length > 0)];
        var values = columns.Select(_ => new Dictionary<int, double>()).ToArray();
        double? beginSeconds = null;
        while (csv.TryReadRow())
        {
            var seconds = csv.Number(time, 0, 1e10);

            // Times go on from day to day; a file holds one.
            beginSeconds ??= Math.Floor(seconds / 86_400) * 86_400;
            var minute = (int)((seconds - beginSeconds.Value) / 60);
            if (minute is < 0 or >= MinutesPerDay)
            {
                throw csv.Error(time, "it is not of the day of the first row", "a file must hold one day");
            }

            for (var i = 0; i < columns.Length; i++)
            {
                var text = csv.Bytes(columns[i]);
                if (!text.IsEmpty && !text.SequenceEqual("nan"u8) && !text.SequenceEqual("NaN"u8))
                {
                    values[i][minute] = csv.Number(columns[i], 0, most);
                }
            }
        }

        return columns.Length > 0
            ? new Table([.. columns.Select(c => csv.Names[c])], values)
            : throw TraceFile.FileError(path, "there is no function in it", "one column for each function is needed, after day and time");
    }

    private sealed record Table(string[] Functions, Dictionary<int, double>[] Values)
    {
        private readonly Dictionary<string, int> _indexes = Functions.Index().DistinctBy(f => f.Item).ToDictionary(f => f.Item, f => f.Index);

        public Dictionary<int, double>? Of(string function) => _indexes.TryGetValue(function, out var index) ? Values[index] : null;
    }
}
