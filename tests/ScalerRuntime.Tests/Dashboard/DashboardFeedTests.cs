using System.Text.Json;
using System.Text.Json.Nodes;
using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Dashboard;
using FuncScaler.SlotBackends.Fake;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.Tests.Dashboard;

public sealed class DashboardFeedTests : IAsyncLifetime
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly ManualTimeProvider _time = new();
    private readonly FakeSource _source;
    private readonly DashboardFeed _feed;

    public DashboardFeedTests()
    {
        _source = new FakeSource(_time);
        _feed = new DashboardFeed(_source, _time);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _feed.DisposeAsync();

    [Fact]
    public void Nothing_is_read_and_nothing_measured_while_nobody_looks()
    {
        _time.Advance(TimeSpan.FromHours(1));

        Assert.Equal((0, false, 0), (_source.Reads, _source.MeasuresScheduling, _time.ActiveTimers));
    }

    [Fact]
    public void One_snapshot_a_second_serves_all_who_watch()
    {
        var viewers = Enumerable.Range(0, 5).Select(_ => _feed.Watch()!).ToList();
        _time.Advance(10 * Second);

        Assert.Equal(11, _source.Reads);
        Assert.True(_source.MeasuresScheduling);
        var seen = viewers.ConvertAll(v => v.Snapshots.TryRead(out var json) ? json : null);
        Assert.NotNull(seen[0]);
        Assert.All(seen, json => Assert.Same(seen[0], json));
        viewers.ForEach(v => v.Dispose());
    }

    [Fact]
    public void When_the_last_viewer_has_gone_reading_ends_within_ten_seconds_and_stays_ended()
    {
        using (_feed.Watch())
        {
            _time.Advance(60 * Second);
        }

        _time.Advance(DashboardFeed.AskedLately);
        var reads = _source.Reads;
        _time.Advance(TimeSpan.FromHours(1));

        Assert.Equal((reads, false, 0), (_source.Reads, _source.MeasuresScheduling, _time.ActiveTimers));
    }

    [Fact]
    public void Who_asks_once_starts_readings_for_ten_seconds_and_gets_none_that_is_older_than_a_second()
    {
        var first = _feed.Snapshot();
        Assert.Same(first, _feed.Snapshot());
        Assert.Equal(1, _source.Reads);

        _time.Advance(TimeSpan.FromMinutes(5));

        Assert.InRange(_source.Reads, 10, 11);
        Assert.False(_source.MeasuresScheduling);
        Assert.NotSame(first, _feed.Snapshot());
    }

    [Fact]
    public void A_viewer_that_does_not_read_gets_the_newest_snapshot_when_it_does()
    {
        using var viewer = _feed.Watch()!;
        _time.Advance(60 * Second);

        Assert.True(viewer.Snapshots.TryRead(out var json));
        Assert.Equal(60, JsonNode.Parse(json)!["point"]!["atSeconds"]!.GetValue<double>(), 3);
        Assert.False(viewer.Snapshots.TryRead(out _));
    }

    [Fact]
    public void More_viewers_than_the_bound_are_refused_until_one_leaves()
    {
        var viewers = Enumerable.Range(0, DashboardFeed.MostViewers).Select(_ => _feed.Watch()!).ToList();
        Assert.Null(_feed.Watch());

        viewers[0].Dispose();

        viewers[0] = _feed.Watch()!;
        Assert.NotNull(viewers[0]);
        viewers.ForEach(v => v.Dispose());
        Assert.Equal(0, _feed.Viewers);
    }

    [Fact]
    public async Task A_stop_ends_what_viewers_read()
    {
        using var viewer = _feed.Watch()!;
        await _feed.DisposeAsync();

        await viewer.Snapshots.ReadAsync();
        await viewer.Snapshots.Completion;
        Assert.Null(_feed.Watch());
    }

    [Fact]
    public void Rates_and_percentiles_are_of_what_has_happened_since()
    {
        using var viewer = _feed.Watch()!;
        _source.Warm = 30;
        _source.Scheduling[5] = 98;
        _source.Scheduling[9] = 2;
        _time.Advance(Second);

        var point = JsonNode.Parse(_feed.Snapshot())!["point"]!;

        Assert.Equal(30, point["warm"]!.GetValue<double>(), 6);
        Assert.Equal(0, point["cold"]!.GetValue<double>(), 6);
        Assert.Equal(0.005, point["p50Ms"]!.GetValue<double>(), 6);
        Assert.Equal(0.009, point["p99Ms"]!.GetValue<double>(), 6);
    }

    [Fact]
    public void The_first_point_after_a_pause_has_no_rates()
    {
        _feed.Snapshot();
        _source.Warm = 1000;
        _time.Advance(TimeSpan.FromMinutes(5));

        Assert.Null(JsonNode.Parse(_feed.Snapshot())!["point"]!["warm"]);
    }

    [Fact]
    public void Functions_are_ranked_by_requests_by_waiting_and_by_memory_that_executes_nothing()
    {
        using var viewer = _feed.Watch()!;
        for (var i = 1; i <= 20; i++)
        {
            _source.Functions =
            [
                Function("busy", arrivals: 100 * i, busy: 2),
                Function("waiting", arrivals: i, waiting: 7),
                Function("wasteful", arrivals: 0, idle: 3),
            ];
            _time.Advance(Second);
        }

        var snapshot = JsonNode.Parse(_feed.Snapshot())!;

        Assert.Equal(["busy", "waiting"], Keys(snapshot["busiest"]!));
        Assert.Equal(["waiting"], Keys(snapshot["mostWaiting"]!));
        Assert.Equal(["wasteful"], Keys(snapshot["mostWasteful"]!));
        Assert.Equal(["wasteful", "busy"], Keys(snapshot["largest"]!));
        Assert.InRange(snapshot["busiest"]![0]!["arrivalsPerSecond"]!.GetValue<double>(), 50, 100);
        Assert.Equal((2.5, 1.0), (snapshot["point"]!["heldGb"]!.GetValue<double>(), snapshot["point"]!["usedGb"]!.GetValue<double>()));
    }

    [Fact]
    public void A_search_finds_parts_of_keys_in_whatever_case_and_says_how_many()
    {
        _source.Functions = [.. Enumerable.Range(0, 300).Select(i => Function($"App/F{i}", arrivals: i)), Function("other", 1)];

        var found = _feed.Search("app/f1", FunctionOrder.Key, 5);

        Assert.Equal(111, found.Found);
        Assert.Equal(["App/F1", "App/F10", "App/F100", "App/F101", "App/F102"], found.Functions.Select(f => f.Key));
        Assert.Equal(DashboardFeed.MostFound, _feed.Search("", FunctionOrder.Busiest, int.MaxValue).Functions.Count);
        Assert.Equal("other", Assert.Single(_feed.Find("other")).Key);
    }

    [Fact]
    public void A_function_that_the_scaler_has_forgotten_is_gone()
    {
        _source.Functions = [Function("a", 1), Function("b", 1)];
        _feed.Snapshot();
        _source.Functions = [Function("b", 2)];
        _time.Advance(Second);

        Assert.Equal(["b"], _feed.Search("", FunctionOrder.Key, 10).Functions.Select(f => f.Key));
    }

    [Fact]
    public void The_points_of_ten_minutes_are_kept_for_those_who_come_later()
    {
        using var viewer = _feed.Watch()!;
        _time.Advance(TimeSpan.FromMinutes(20));

        var points = JsonSerializer.Deserialize<JsonArray>(_feed.History())!;

        Assert.Equal(DashboardFeed.PointsKept, points.Count);
        Assert.Equal(1200, points[^1]!["atSeconds"]!.GetValue<double>(), 3);
    }

    [Fact]
    public async Task A_runtime_tells_its_functions_its_price_and_how_long_assigns_took()
    {
        await using var runtime = new ScalerRuntime(
            new FakeBackend(_time), PolicyCatalog.Parse("adaptive:price=2"), new ScalerRuntimeOptions(), _time, NullLogger<ScalerRuntime>.Instance);
        await using var feed = new DashboardFeed(runtime, _time);
        using var viewer = feed.Watch()!;
        var f = new FunctionMeta(new MetaKey("f"), "go", 60, 512);
        var assigned = await runtime.AssignAsync(f, new RequestId("r1"), null, CancellationToken.None);
        runtime.Release(f.Key, new RequestId("r1"), assigned.Instance, default);
        await runtime.AssignAsync(f, new RequestId("r2"), null, CancellationToken.None);
        _time.Advance(Second);

        var snapshot = JsonNode.Parse(feed.Snapshot())!;

        var point = snapshot["point"]!;
        Assert.Equal((1, 0.5, 0.5), (point["busy"]!.GetValue<int>(), point["heldGb"]!.GetValue<double>(), point["usedGb"]!.GetValue<double>()));
        Assert.Equal(2, point["priceGbsPerSecond"]!.GetValue<double>());
        Assert.NotNull(point["p50Ms"]);
        Assert.Equal("f", snapshot["largest"]![0]!["key"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_reading_lets_go_of_the_lock_after_64_functions()
    {
        var time = new CountingTime();
        await using var runtime = new ScalerRuntime(
            new FakeBackend(time), PolicyCatalog.Parse("ttl:300"), new ScalerRuntimeOptions(), time, NullLogger<ScalerRuntime>.Instance);
        for (var i = 0; i < 300; i++)
        {
            await runtime.AssignAsync(new FunctionMeta(new MetaKey($"f{i}"), "go", 60, 128), new RequestId("r"), null, CancellationToken.None);
        }

        // The lock's holder reads the clock once each time that it takes the lock.
        var inStretch = new Dictionary<long, int>();
        ((IDashboardSource)runtime).Read((in FunctionReading _) => inStretch[time.Readings] = inStretch.GetValueOrDefault(time.Readings) + 1);

        Assert.Equal(300, inStretch.Values.Sum());
        Assert.True(inStretch.Values.Max() <= 64, $"{inStretch.Values.Max()} functions were read at a time");
    }

    private static IEnumerable<string> Keys(JsonNode functions) => functions.AsArray().Select(f => f!["key"]!.GetValue<string>());

    private static FunctionReading Function(string key, long arrivals, int busy = 0, int idle = 0, int waiting = 0) =>
        new(key, "go", 512, arrivals, busy, idle, 0, waiting, 10, 100, null);

    private sealed class CountingTime : TimeProvider
    {
        private long _readings;

        public long Readings => Interlocked.Read(ref _readings);

        public override long GetTimestamp()
        {
            Interlocked.Increment(ref _readings);
            return System.GetTimestamp();
        }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            System.CreateTimer(callback, state, dueTime, period);
    }

    private sealed class FakeSource(TimeProvider time) : IDashboardSource
    {
        private readonly long _start = time.GetTimestamp();

        public int Reads { get; private set; }

        public long Warm { get; set; }

        public long[] Scheduling { get; } = new long[(40 - 3) << 3];

        public IReadOnlyList<FunctionReading> Functions { get; set; } = [];

        public string PolicyName => "fake";

        public bool MeasuresScheduling { get; set; }

        public DashboardTotals Read(FunctionReader function)
        {
            Reads++;
            foreach (var f in Functions)
            {
                function(f);
            }

            return new DashboardTotals(
                time.GetElapsedTime(_start).TotalSeconds,
                "fake",
                new RequestStats(Warm, Warm, 0, 0, 0, Warm, 0, 0),
                new CallStats(0, 0, 0, 0),
                new DecisionStats(0, 0, 0, 0),
                new ScoreStats(0, 0, 0, 0, 0),
                null,
                null,
                (long[])Scheduling.Clone());
        }
    }
}
