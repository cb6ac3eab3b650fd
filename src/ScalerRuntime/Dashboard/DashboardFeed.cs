using System.Text.Json;
using System.Text.Json.Serialization;
using System.Threading.Channels;

namespace FuncScaler.Runtime.Dashboard;

/// <summary>
/// What dashboards show, live: one snapshot a second for all who look, and none while nobody does. Somebody looks who watches, or has asked
/// within the last <see cref="AskedLately"/>. Safe for concurrent use.
/// </summary>
public sealed class DashboardFeed : IAsyncDisposable
{
    /// <summary>The most who may watch at the same time; each costs a connection and what it is sent.</summary>
    public const int MostViewers = 32;

    /// <summary>The most functions in each list of a snapshot.</summary>
    public const int Listed = 10;

    /// <summary>The most functions that a search returns.</summary>
    public const int MostFound = 100;

    /// <summary>How many points are kept for those who come later: ten minutes.</summary>
    public const int PointsKept = 600;

    /// <summary>The time between two snapshots.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>How long somebody who has asked once counts as looking.</summary>
    public static readonly TimeSpan AskedLately = TimeSpan.FromSeconds(10);

    /// <summary>The form of everything that the feed sends.</summary>
    internal static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web) { NumberHandling = JsonNumberHandling.Strict };

    /// <summary>Percentiles are of so many intervals: fewer would jump where requests are rare.</summary>
    private const int IntervalsOfPercentiles = 10;

    private readonly IDashboardSource _source;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private readonly Lock _gate = new();
    private readonly FunctionTracks _functions = new();
    private readonly Queue<DashboardPoint> _points = new();
    private readonly Queue<long[]> _scheduling = new();
    private readonly List<Channel<byte[]>> _viewers = [];
    private DashboardTotals? _before;
    private DashboardSnapshot? _latest;
    private byte[] _latestJson = [];
    private long _readAt;
    private long _askedAt;
    private bool _running;
    private bool _disposed;

    /// <param name="source">The scaler.</param>
    /// <param name="time">The clock.</param>
    public DashboardFeed(IDashboardSource source, TimeProvider time)
    {
        _source = source;
        _time = time;
        _timer = time.CreateTimer(static state => ((DashboardFeed)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>How many watch now.</summary>
    public int Viewers
    {
        get
        {
            lock (_gate)
            {
                return _viewers.Count;
            }
        }
    }

    /// <summary>
    /// Starts watching: the returned reader gets the newest snapshot at once and another each second, as JSON. One who reads slowly misses
    /// snapshots, and holds up nobody.
    /// </summary>
    /// <returns>Null where <see cref="MostViewers"/> watch already.</returns>
    public Viewer? Watch()
    {
        lock (_gate)
        {
            if (_viewers.Count >= MostViewers || _disposed)
            {
                return null;
            }

            var channel = Channel.CreateBounded<byte[]>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });
            _viewers.Add(channel);
            MakeFresh();
            channel.Writer.TryWrite(_latestJson);
            return new Viewer(this, channel, HistoryJson());
        }
    }

    /// <summary>The newest snapshot as JSON; none that is older than <see cref="Interval"/>.</summary>
    public byte[] Snapshot()
    {
        lock (_gate)
        {
            MakeFresh();
            return _latestJson;
        }
    }

    /// <summary>The points of the last ten minutes in which somebody looked, as a JSON array, the oldest first.</summary>
    public byte[] History()
    {
        lock (_gate)
        {
            MakeFresh();
            return HistoryJson();
        }
    }

    /// <summary>Searches the functions of the newest snapshot.</summary>
    /// <param name="text">What their keys contain, in whatever case; empty for all.</param>
    /// <param name="order">Which come first.</param>
    /// <param name="limit">The most to return, 1 to <see cref="MostFound"/>.</param>
    public FunctionSearch Search(string text, FunctionOrder order, int limit)
    {
        lock (_gate)
        {
            MakeFresh();
            return _functions.Search(text, order, Math.Clamp(limit, 1, MostFound));
        }
    }

    /// <summary>The figures of one function; several where its callers use several settings.</summary>
    public IReadOnlyList<FunctionView> Find(string key)
    {
        lock (_gate)
        {
            MakeFresh();
            return _functions.Find(key);
        }
    }

    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            _disposed = true;
            foreach (var viewer in _viewers)
            {
                viewer.Writer.TryComplete();
            }

            _viewers.Clear();
        }

        await _timer.DisposeAsync().ConfigureAwait(false);
    }

    private void Leave(Channel<byte[]> viewer)
    {
        lock (_gate)
        {
            _viewers.Remove(viewer);
            StopIfNobodyLooks();
        }
    }

    private void OnTimer()
    {
        lock (_gate)
        {
            if (!_running || _disposed || StopIfNobodyLooks())
            {
                return;
            }

            Read();
            foreach (var viewer in _viewers)
            {
                viewer.Writer.TryWrite(_latestJson);
            }
        }
    }

    /// <summary>Somebody asks. Called with the lock held.</summary>
    private void MakeFresh()
    {
        _askedAt = _time.GetTimestamp();
        if (_latest is null || _time.GetElapsedTime(_readAt) >= Interval)
        {
            Read();
        }

        if (!_running && !_disposed)
        {
            _running = true;
            _source.MeasuresScheduling = true;
            _timer.Change(Interval, Interval);
        }
    }

    /// <summary>Called with the lock held.</summary>
    private bool StopIfNobodyLooks()
    {
        if (_viewers.Count > 0 || _time.GetElapsedTime(_askedAt) < AskedLately)
        {
            return false;
        }

        _running = false;
        _source.MeasuresScheduling = false;
        _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        return true;
    }

    /// <summary>Reads the scaler and works out the next snapshot. Called with the lock held.</summary>
    private void Read()
    {
        var elapsed = _latest is null ? TimeSpan.MaxValue : _time.GetElapsedTime(_readAt);
        _readAt = _time.GetTimestamp();
        _functions.Begin(elapsed);
        var totals = _source.Read(_functions.Add);
        _functions.End();

        // After a pause the rates would be of the whole pause, and percentiles of what was not counted.
        var paused = elapsed > 5 * Interval;
        if (paused)
        {
            _before = null;
            _scheduling.Clear();
        }

        var sums = _functions.Sums;
        _scheduling.TryPeek(out var oldest);
        var counts = totals.SchedulingTimes;
        var point = new DashboardPoint(
            totals.AtSeconds,
            Rate(r => r.Warm),
            Rate(r => r.Waited),
            Rate(r => r.Cold),
            Rate(r => r.Rejected),
            sums.Waiting,
            sums.Busy,
            sums.Idle,
            sums.InFlight,
            sums.HeldMb / 1024.0,
            sums.UsedMb / 1024.0,
            oldest is null ? null : Execution.SchedulingTimes.PercentileMs(oldest, counts, 0.5),
            oldest is null ? null : Execution.SchedulingTimes.PercentileMs(oldest, counts, 0.95),
            oldest is null ? null : Execution.SchedulingTimes.PercentileMs(oldest, counts, 0.99),
            totals.PriceGbsPerSecond);
        _scheduling.Enqueue(counts);
        if (_scheduling.Count > IntervalsOfPercentiles)
        {
            _scheduling.Dequeue();
        }

        _points.Enqueue(point);
        if (_points.Count > PointsKept)
        {
            _points.Dequeue();
        }

        _latest = new DashboardSnapshot(
            _source.PolicyName,
            totals,
            point,
            _functions.Count,
            _functions.Top(FunctionOrder.Largest, Listed),
            _functions.Top(FunctionOrder.Busiest, Listed),
            _functions.Top(FunctionOrder.Waiting, Listed),
            _functions.Top(FunctionOrder.Wasteful, Listed),
            _functions.Failing(Listed),
            sums.Failing);
        _latestJson = JsonSerializer.SerializeToUtf8Bytes(_latest, Format);
        _before = totals;

        double? Rate(Func<RequestStats, long> count) => _before is { } before && totals.AtSeconds > before.AtSeconds
            // A platform counts anew in each run.
            ? Math.Max(0, count(totals.Requests) - count(before.Requests)) / (totals.AtSeconds - before.AtSeconds)
            : null;
    }

    private byte[] HistoryJson() => JsonSerializer.SerializeToUtf8Bytes(_points, Format);

    /// <summary>Somebody who watches, until disposed of.</summary>
    public sealed class Viewer : IDisposable
    {
        private readonly DashboardFeed _feed;
        private readonly Channel<byte[]> _channel;

        internal Viewer(DashboardFeed feed, Channel<byte[]> channel, byte[] history)
        {
            _feed = feed;
            _channel = channel;
            History = history;
        }

        /// <summary>The points before, as a JSON array.</summary>
        public byte[] History { get; }

        /// <summary>Snapshots as JSON; it ends with the scaler.</summary>
        public ChannelReader<byte[]> Snapshots => _channel.Reader;

        public void Dispose() => _feed.Leave(_channel);
    }
}
