using System.Globalization;
using System.Text;
using FuncScaler.ContestSimulator.Traces.Tables;

namespace FuncScaler.ContestSimulator.Traces.Huawei;

/// <summary>
/// The request table of Huawei's public cloud trace of 2025 (CC-BY 4.0; sir-lab/data-release): a CSV file, or a folder of them, with the columns
/// <c>time_worker</c>, <c>funcName</c>, <c>userID</c>, <c>podID</c> and <c>totalCost_worker</c>, times in s, each name with or without
/// <c>(s)</c>. A function is funcName, userID and the pod's pool, as in the data's own funcID; its memory is the last part of the pool's name.
/// </summary>
/// <remarks>
/// With the table of cold starts a function's creates take podAllocationCost + schedulingCost, its inits deployCodeCost + deployDependencyCost,
/// each the mean over its cold starts; a function without one gets the mean of all. Without the table <see cref="TableDefaults"/> hold.
/// </remarks>
public static class HuaweiRequests2025Trace
{
    /// <summary>Opens the table, and reads it once.</summary>
    /// <param name="requestsPath">The file of requests, or a folder of such files, which are read in the order of their names.</param>
    /// <param name="coldStartsPath">The file of cold starts, or a folder of them; null for none.</param>
    /// <param name="defaults">What is taken where the tables tell nothing.</param>
    /// <exception cref="TraceFormatException">A file is missing or malformed.</exception>
    public static TableTrace Open(string requestsPath, string? coldStartsPath = null, TableDefaults? defaults = null)
    {
        var files = Files(requestsPath, "the table of requests");
        var name = "huawei2025-" + Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(requestsPath))).Split('.')[0];
        var coldStarts = coldStartsPath is null ? null : ColdStarts.Read(Files(coldStartsPath, "the table of cold starts"));
        return new TableTrace(name, () => new Rows(files), defaults ?? new TableDefaults(), coldStarts is null ? null : coldStarts.Of);
    }

    private static string[] Files(string path, string what)
    {
        if (!Directory.Exists(path))
        {
            return [TraceFile.Require(path, what)];
        }

        string[] files =
        [
            .. Directory.GetFiles(path, "*", SearchOption.AllDirectories)
                .Where(f => f.EndsWith(".csv", StringComparison.Ordinal) || f.EndsWith(".csv.gz", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal),
        ];
        return files.Length > 0 ? files : throw new TraceFormatException($"The folder \"{path}\" has no .csv or .csv.gz in it; looked for {what} there.");
    }

    /// <summary>The pool of a pod, "pool22-300-128" of "pool22-300-128-0000618412", and its memory, MB.</summary>
    private static (string Pool, int MemoryMb) PoolOf(Utf8CsvReader csv, int column)
    {
        var pod = csv.Text(column);
        string[] parts = pod.Split('-');
        return parts.Length >= 3 && int.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out var mb) && mb is >= 1 and <= 1 << 20
            ? (string.Join('-', parts[..3]), mb)
            : throw csv.Error(column, $"\"{pod}\" names no pool with its memory", "it must look like pool22-300-128-0000618412");
    }

    private static int Column(Utf8CsvReader csv, string name) => csv.Column(name, name + "(s)");

    private sealed class Rows(string[] files) : IRequestRows
    {
        private const double LatestSeconds = 10.0 * 366 * 86_400;
        private const double LongestSeconds = 30 * 86_400;

        private Utf8CsvReader? _csv;
        private int _file;
        private int _time;
        private int _function;
        private int _user;
        private int _pod;
        private int _cost;
        private byte[] _key = [];

        public ReadOnlySpan<byte> Key => _key;

        public TraceFormatException Error(string problem, string remedy) => TraceFile.LineError(_csv?.Path ?? files[^1], _csv?.LineNumber ?? 0, problem, remedy);

        public bool TryRead(out RequestRow row)
        {
            while (_csv is null || !_csv.TryReadRow())
            {
                if (_file == files.Length)
                {
                    row = default;
                    return false;
                }

                _csv?.Dispose();
                _csv = new Utf8CsvReader(files[_file++]);
                _time = Column(_csv, "time_worker");
                _function = Column(_csv, "funcName");
                _user = Column(_csv, "userID");
                _pod = Column(_csv, "podID");
                _cost = Column(_csv, "totalCost_worker");
            }

            var (pool, memoryMb) = PoolOf(_csv, _pod);
            _key = Encoding.UTF8.GetBytes($"{_csv.Text(_function)}---{_csv.Text(_user)}---{pool}");
            row = new RequestRow(
                (long)Math.Round(_csv.Number(_time, 0, LatestSeconds) * 1e6),
                (long)Math.Round(_csv.Number(_cost, 0, LongestSeconds) * 1e6),
                200,
                memoryMb,
                null);
            return true;
        }

        public void Dispose() => _csv?.Dispose();
    }

    /// <summary>The means of the parts of cold starts, per function and over all.</summary>
    private sealed class ColdStarts
    {
        private const double LongestSeconds = 86_400;

        private readonly Dictionary<string, Sums> _sums = [];
        private readonly Sums _all = new();

        public static ColdStarts Read(string[] files)
        {
            var read = new ColdStarts();
            foreach (var file in files)
            {
                using var csv = new Utf8CsvReader(file);
                int function = Column(csv, "funcName"), user = Column(csv, "userID"), pod = Column(csv, "podID");
                int[] create = [Column(csv, "podAllocationCost"), Column(csv, "schedulingCost")];
                int[] init = [Column(csv, "deployCodeCost"), Column(csv, "deployDependencyCost")];
                while (csv.TryReadRow())
                {
                    var key = $"{csv.Text(function)}---{csv.Text(user)}---{PoolOf(csv, pod).Pool}";
                    if (!read._sums.TryGetValue(key, out var sums))
                    {
                        read._sums.Add(key, sums = new Sums());
                    }

                    var (createSeconds, initSeconds) = (create.Sum(Seconds), init.Sum(Seconds));
                    sums.Add(createSeconds, initSeconds);
                    read._all.Add(createSeconds, initSeconds);

                    // A part that a cold start did not need is empty.
                    double Seconds(int column) => csv.Bytes(column).IsEmpty ? 0 : csv.Number(column, 0, LongestSeconds);
                }
            }

            return read._all.Count > 0 ? read : throw TraceFile.FileError(files[0], "there is no cold start in it", "one row for each cold start is needed");
        }

        public FunctionTimes? Of(string function) => _sums.GetValueOrDefault(function, _all).Means;

        private sealed class Sums
        {
            private double _create;
            private double _init;

            public long Count { get; private set; }

            public FunctionTimes Means => new((long)Math.Round(_create / Count * 1e6), (long)Math.Round(_init / Count * 1e6));

            public void Add(double createSeconds, double initSeconds)
            {
                Count++;
                _create += createSeconds;
                _init += initSeconds;
            }
        }
    }
}
