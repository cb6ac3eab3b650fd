using System.Text;

namespace FuncScaler.ContestSimulator.Traces.Tables;

/// <summary>
/// A trace from a table with a row for each request, in whatever order of starts. Opening reads it once, to list the functions and to learn how
/// far out of order it is; reading then keeps so much of the trace in memory, at most <see cref="LongestReorderSeconds"/>.
/// </summary>
/// <remarks>
/// A function's memory is the largest that a row tells of it, its init the mean of those that rows tell. Create times are the platform's, unless
/// <see cref="FunctionTimes"/> are given.
/// </remarks>
public sealed class TableTrace : ITrace
{
    /// <summary>How far out of the order of starts a table may be, s of trace.</summary>
    public const double LongestReorderSeconds = 86_400;

    /// <summary>The most functions that a table may have.</summary>
    public const int MostFunctions = 2_000_000;

    private readonly Func<IRequestRows> _open;
    private readonly Utf8KeyTable _indexes = new();
    private readonly TraceFunction[] _functions;
    private readonly long _reorderUs;

    internal TableTrace(string name, Func<IRequestRows> open, TableDefaults defaults, Func<string, FunctionTimes?>? timesOf = null)
    {
        Name = name;
        _open = open;
        var functions = new List<Told>();
        var latestUs = long.MinValue;
        using var rows = open();
        while (rows.TryRead(out var row))
        {
            latestUs = Math.Max(latestUs, row.StartUs);
            _reorderUs = Math.Max(_reorderUs, latestUs - row.StartUs);
            if (_reorderUs > LongestReorderSeconds * 1e6)
            {
                throw rows.Error($"the request starts more than {LongestReorderSeconds} s before an earlier one", "sort the table by start");
            }

            if (rows.Key.IsEmpty)
            {
                throw rows.Error("the function's key is empty", "every row needs it");
            }

            if (!_indexes.TryGet(rows.Key, out var index))
            {
                if (functions.Count == MostFunctions)
                {
                    throw rows.Error($"there are more than {MostFunctions:N0} functions", "map key to a column that names functions, not requests");
                }

                index = functions.Count;
                _indexes.TryAdd(rows.Key, index);
                functions.Add(new Told(Encoding.UTF8.GetString(rows.Key)));
            }

            functions[index].Add(row);
        }

        _functions = functions.Count > 0 ? [.. functions.Select(f => f.ToFunction(defaults, timesOf?.Invoke(f.Key)))] : throw rows.Error("there is no request in it", "one row for each request is needed");
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>The functions, in the order of their first rows.</summary>
    public IReadOnlyList<TraceFunction> Functions => _functions;

    /// <inheritdoc/>
    public IEnumerable<TraceRequest> ReadRequests()
    {
        using var rows = _open();
        var window = new ReorderWindow(_reorderUs);
        TraceRequest request;
        while (TryRead(rows, out request))
        {
            if (!window.TryAdd(request))
            {
                throw Changed(rows);
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

    private static TraceFormatException Changed(IRequestRows rows) => rows.Error("this is not what stood here when the trace was opened", "open it again");

    private bool TryRead(IRequestRows rows, out TraceRequest request)
    {
        if (!rows.TryRead(out var row))
        {
            request = default;
            return false;
        }

        request = _indexes.TryGet(rows.Key, out var function)
            ? new TraceRequest(function, row.StartUs, row.DurationUs, row.StatusCode)
            : throw Changed(rows);
        return true;
    }

    /// <summary>What rows tell of a function.</summary>
    private sealed class Told(string key)
    {
        private int _memoryMb;
        private double _initUs;
        private long _inits;

        public string Key => key;

        public void Add(in RequestRow row)
        {
            _memoryMb = Math.Max(_memoryMb, row.MemoryMb ?? 0);
            if (row.InitUs is { } initUs)
            {
                _inits++;
                _initUs += (initUs - _initUs) / _inits;
            }
        }

        public TraceFunction ToFunction(TableDefaults defaults, FunctionTimes? times)
        {
            var initUs = times?.InitUs ?? (_inits > 0 ? (long)Math.Round(_initUs) : (long)Math.Round(defaults.InitMs * 1000));
            return new TraceFunction(new FunctionMeta(new MetaKey(key), "", 0, _memoryMb > 0 ? _memoryMb : defaults.MemoryMb), initUs)
            {
                CreateUs = times?.CreateUs,
            };
        }
    }
}

/// <summary>What the creates and inits of a function take, by a table of its own.</summary>
/// <param name="CreateUs">A create, µs.</param>
/// <param name="InitUs">An init, µs.</param>
internal readonly record struct FunctionTimes(long CreateUs, long InitUs);
