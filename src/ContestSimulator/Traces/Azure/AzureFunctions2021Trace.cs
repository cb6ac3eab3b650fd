using System.Text;
using FuncScaler.ContestSimulator.Traces.Presets;

namespace FuncScaler.ContestSimulator.Traces.Azure;

/// <summary>
/// The Azure Functions invocation trace of 2021 (Microsoft, CC-BY): a CSV file with the columns <c>app</c>, <c>func</c>,
/// <c>end_timestamp</c> and <c>duration</c> (s), plain or gzip. A function is an app's func; an invocation starts at its end less its
/// duration. Memory and init durations are not in the data (<see cref="AzureTraceOptions"/>).
/// </summary>
/// <remarks>
/// The file is in the order of ends, more or less. Opening reads it once, to list the functions and to learn how far out of the order of
/// starts it is; reading then keeps so much of the trace in memory, at most <see cref="LongestReorderSeconds"/>.
/// </remarks>
public sealed class AzureFunctions2021Trace : ITrace
{
    /// <summary>How far out of the order of starts a file may be, s of trace.</summary>
    public const double LongestReorderSeconds = 86_400;

    private const double LongestSeconds = 30 * 86_400;
    private const double LatestSeconds = 10.0 * 366 * 86_400;

    private static readonly long BeginUs = new DateTimeOffset(2021, 1, 31, 0, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds() * 1000;

    private readonly string _path;
    private readonly Utf8KeyTable _indexes = new();
    private readonly TraceFunction[] _functions;
    private readonly long _reorderUs;

    private AzureFunctions2021Trace(string path, AzureTraceOptions options)
    {
        options.Validate();
        _path = path;
        Name = "azure2021-" + Path.GetFileName(path).Split('.')[0];
        var random = new TraceRandom(options.Seed, "azure2021/functions");
        var functions = new List<TraceFunction>();
        using var rows = new RowReader(path, _indexes, key => functions.Add(options.ToFunction(key, options.MemoryMb, random)));
        var latestUs = long.MinValue;
        while (rows.TryRead(out var request))
        {
            latestUs = Math.Max(latestUs, request.StartUs);
            _reorderUs = Math.Max(_reorderUs, latestUs - request.StartUs);
            if (_reorderUs > LongestReorderSeconds * 1e6)
            {
                throw TraceFile.LineError(
                    path,
                    rows.LineNumber,
                    $"the invocation starts more than {LongestReorderSeconds} s before one on an earlier line",
                    "sort the file by end_timestamp, or by the start");
            }
        }

        _functions = functions.Count > 0
            ? [.. functions]
            : throw TraceFile.FileError(path, "there is no invocation in it", "one row per invocation is needed");
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>The functions, in the order of their first rows.</summary>
    public IReadOnlyList<TraceFunction> Functions => _functions;

    /// <summary>Opens the file, and reads it once.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">What the data do not tell; the defaults when null.</param>
    /// <exception cref="TraceFormatException">The file is missing, malformed, or too far out of order.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public static AzureFunctions2021Trace Open(string path, AzureTraceOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return new AzureFunctions2021Trace(TraceFile.Require(path, "the invocations"), options ?? new AzureTraceOptions());
    }

    /// <inheritdoc/>
    public IEnumerable<TraceRequest> ReadRequests()
    {
        using var rows = new RowReader(_path, _indexes, newFunction: null);
        var window = new ReorderWindow(_reorderUs);
        TraceRequest request;
        while (rows.TryRead(out request))
        {
            if (!window.TryAdd(request))
            {
                throw rows.Changed();
            }

            while (window.TryTake(out request, atEnd: false))
            {
                yield return request;
            }
        }

        while (window.TryTake(out request, atEnd: true))
        {
            yield return request;
        }
    }

    private sealed class RowReader : IDisposable
    {
        private readonly Utf8CsvReader _csv;
        private readonly Utf8KeyTable _indexes;
        private readonly Action<string>? _newFunction;
        private readonly int _app;
        private readonly int _func;
        private readonly int _end;
        private readonly int _duration;
        private byte[] _key = new byte[256];

        public RowReader(string path, Utf8KeyTable indexes, Action<string>? newFunction)
        {
            _indexes = indexes;
            _newFunction = newFunction;
            _csv = new Utf8CsvReader(path);
            _app = _csv.Column("app");
            _func = _csv.Column("func");
            _end = _csv.Column("end_timestamp");
            _duration = _csv.Column("duration");
        }

        public long LineNumber => _csv.LineNumber;

        public bool TryRead(out TraceRequest request)
        {
            if (!_csv.TryReadRow())
            {
                request = default;
                return false;
            }

            var durationUs = (long)Math.Round(_csv.Number(_duration, 0, LongestSeconds) * 1e6);
            var endUs = (long)Math.Round(_csv.Number(_end, 0, LatestSeconds) * 1e6);
            request = new TraceRequest(Function(), BeginUs + endUs - durationUs, durationUs, 200);
            return true;
        }

        public TraceFormatException Changed() =>
            TraceFile.LineError(_csv.Path, LineNumber, "this is not what stood here when the trace was opened", "open it again");

        public void Dispose() => _csv.Dispose();

        private int Function()
        {
            var app = _csv.Bytes(_app);
            var func = _csv.Bytes(_func);
            if (app.IsEmpty || func.IsEmpty)
            {
                throw _csv.Error(app.IsEmpty ? _app : _func, "it is empty", "every row needs it");
            }

            var length = app.Length + 1 + func.Length;
            _key = _key.Length >= length ? _key : new byte[2 * length];
            app.CopyTo(_key);
            _key[app.Length] = (byte)'/';
            func.CopyTo(_key.AsSpan(app.Length + 1));
            var key = _key.AsSpan(0, length);
            if (_indexes.TryGet(key, out var index))
            {
                return index;
            }

            if (_newFunction is null)
            {
                throw Changed();
            }

            index = _indexes.Count;
            _indexes.TryAdd(key, index);
            _newFunction(Encoding.UTF8.GetString(key));
            return index;
        }
    }
}
