using System.Runtime.InteropServices;

namespace FuncScaler.Runtime.Dashboard;

/// <summary>
/// All functions of the newest reading, with means over time. They are brought up to date in place: a reading of 20,000 functions a second
/// leaves nothing to collect.
/// </summary>
internal sealed class FunctionTracks
{
    /// <summary>After how long a figure counts half in a mean.</summary>
    private const double HalfLifeSeconds = 15;

    private readonly Dictionary<(string Key, int MemoryMb, string Runtime), Track> _tracks = [];
    private long _reading;
    private double _seconds;
    private double _weight;
    private FunctionSums _sums;

    public FunctionSums Sums => _sums;

    public int Count => _tracks.Count;

    /// <summary>Begins a reading.</summary>
    /// <param name="elapsed">The time since the one before.</param>
    public void Begin(TimeSpan elapsed)
    {
        _reading++;
        _seconds = Math.Max(elapsed.TotalSeconds, 1e-3);
        _weight = 1 - Math.Pow(0.5, _seconds / HalfLifeSeconds);
        _sums = default;
    }

    /// <summary>Takes a function's figures down.</summary>
    public void Add(in FunctionReading function)
    {
        ref var track = ref CollectionsMarshal.GetValueRefOrAddDefault(_tracks, (function.Key, function.MemoryMb, function.Runtime), out var known);
        track ??= new Track();
        var arrivedPerSecond = known ? Math.Max(0, function.Arrivals - track.Reading.Arrivals) / _seconds : 0;
        var unusedGb = (function.Idle + function.InFlight) * function.MemoryMb / 1024.0;
        var weight = known ? _weight : 1;
        track.ArrivalsPerSecond += weight * (arrivedPerSecond - track.ArrivalsPerSecond);
        track.Waiting += weight * (function.Waiting - track.Waiting);
        track.UnusedGb += weight * (unusedGb - track.UnusedGb);
        track.Reading = function;
        track.ReadIn = _reading;
        _sums.Busy += function.Busy;
        _sums.Idle += function.Idle;
        _sums.InFlight += function.InFlight;
        _sums.Waiting += function.Waiting;
        _sums.Failing += function.Failing is null ? 0 : 1;
        _sums.UsedMb += (long)function.Busy * function.MemoryMb;
        _sums.HeldMb += (long)(function.Busy + function.Idle + function.InFlight) * function.MemoryMb;
    }

    /// <summary>Ends a reading: functions that were not in it are forgotten.</summary>
    public void End()
    {
        List<(string, int, string)>? gone = null;
        foreach (var (key, track) in _tracks)
        {
            if (track.ReadIn != _reading)
            {
                (gone ??= []).Add(key);
            }
        }

        gone?.ForEach(key => _tracks.Remove(key));
    }

    /// <summary>The first functions in an order, those without a figure in it left out.</summary>
    public IReadOnlyList<FunctionView> Top(FunctionOrder order, int count)
    {
        var best = new PriorityQueue<Track, double>();
        foreach (var track in _tracks.Values)
        {
            var figure = FigureOf(track, order);
            if (figure <= 1e-3)
            {
                continue;
            }

            best.Enqueue(track, figure);
            if (best.Count > count)
            {
                best.Dequeue();
            }
        }

        var top = new FunctionView[best.Count];
        for (var i = top.Length - 1; i >= 0; i--)
        {
            top[i] = View(best.Dequeue());
        }

        return top;
    }

    /// <summary>The first functions that fail to start.</summary>
    public IReadOnlyList<FunctionView> Failing(int count) =>
        _sums.Failing == 0 ? [] : [.. _tracks.Values.Where(t => t.Reading.Failing is not null).Take(count).Select(View)];

    public FunctionSearch Search(string text, FunctionOrder order, int limit)
    {
        var found = _tracks.Values.Where(t => t.Reading.Key.Contains(text, StringComparison.OrdinalIgnoreCase)).ToList();
        var ordered = order == FunctionOrder.Key
            ? found.OrderBy(t => t.Reading.Key, StringComparer.Ordinal)
            : found.OrderByDescending(t => FigureOf(t, order)).ThenBy(t => t.Reading.Key, StringComparer.Ordinal);
        return new FunctionSearch(found.Count, [.. ordered.Take(limit).Select(View)]);
    }

    public IReadOnlyList<FunctionView> Find(string key) => [.. _tracks.Where(t => t.Key.Key == key).Select(t => View(t.Value))];

    private static double FigureOf(Track track, FunctionOrder order) => order switch
    {
        FunctionOrder.Busiest => track.ArrivalsPerSecond,
        FunctionOrder.Waiting => track.Waiting,
        FunctionOrder.Wasteful => track.UnusedGb,
        _ => track.Reading.Busy + track.Reading.Idle + track.Reading.InFlight,
    };

    private static FunctionView View(Track track)
    {
        ref readonly var f = ref track.Reading;
        return new FunctionView(
            f.Key,
            f.Runtime,
            f.MemoryMb,
            f.Arrivals,
            f.Busy,
            f.Idle,
            f.InFlight,
            f.Waiting,
            track.ArrivalsPerSecond,
            track.Waiting,
            track.UnusedGb,
            f.MeanDurationMs,
            f.MeanColdStartMs,
            f.Failing)
        {
            Executing = f.Executing,
            RequestsPerInstance = f.RequestsPerInstance,
        };
    }

    private sealed class Track
    {
        public FunctionReading Reading;
        public double ArrivalsPerSecond;
        public double Waiting;
        public double UnusedGb;
        public long ReadIn;
    }
}

/// <summary>Sums over all functions.</summary>
internal struct FunctionSums
{
    public int Busy;
    public int Idle;
    public int InFlight;
    public int Waiting;
    public int Failing;
    public long UsedMb;
    public long HeldMb;
}
