using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using FuncScaler.Leasing;
using FuncScaler.Leasing.Messages;
using FuncScaler.ScalerFunctions.Worker;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests;

/// <summary>When a worker that is cut off ends itself, and when it does not. A lease of 30 s is six checks.</summary>
public sealed class OrphanWatchTests : IAsyncLifetime, IFunctionsHostProbe, IHostApplicationLifetime, ILogger<OrphanWatch>
{
    private const int Lease = 6;

    private readonly ManualTimeProvider _time = new();
    private readonly FakeDurableClient _client = new(new EntityDriver());
    private readonly DurableLedgers _ledgers = new();
    private readonly ConcurrentQueue<string> _log = new();
    private readonly OrphanWatch _watch;
    private int _asked;
    private long _reports;
    private volatile bool _hostIsThere = true;
    private volatile bool _stopped;

    public OrphanWatchTests() =>
        _watch = new OrphanWatch(_ledgers, this, new LeasingOptions { Lease = TimeSpan.FromSeconds(30) }, this, _time, this);

    string IFunctionsHostProbe.Address => "127.0.0.1:1234";

    CancellationToken IHostApplicationLifetime.ApplicationStarted => default;

    CancellationToken IHostApplicationLifetime.ApplicationStopping => default;

    CancellationToken IHostApplicationLifetime.ApplicationStopped => default;

    public async Task InitializeAsync()
    {
        await _watch.StartAsync(CancellationToken.None);

        // It starts on another thread: time must not pass before its timer is set.
        await Eventually.HoldsAsync(() => _time.ActiveTimers > 0);
    }

    public async Task DisposeAsync()
    {
        await _watch.StopAsync(CancellationToken.None);
        _watch.Dispose();
    }

    [Fact]
    public async Task An_idle_worker_with_nothing_to_report_lives_on()
    {
        await CheckAsync(10 * Lease);

        AssertAlive();
    }

    [Fact]
    public async Task A_worker_whose_host_is_gone_for_a_lease_ends_and_says_why()
    {
        _hostIsThere = false;
        await CheckAsync(Lease);

        await AssertEndedAsync("The Functions host at 127.0.0.1:1234 has not answered for 30 s");
    }

    [Fact]
    public async Task A_host_that_is_back_before_the_lease_is_over_keeps_its_worker()
    {
        for (var i = 0; i < 5; i++)
        {
            _hostIsThere = false;
            await CheckAsync(Lease - 1);
            _hostIsThere = true;
            await CheckAsync(1);
        }

        AssertAlive();
    }

    [Fact]
    public async Task A_worker_whose_reports_all_fail_for_a_lease_ends_and_says_why()
    {
        _ledgers.Connect(_client);
        _client.OnSignal = _ => throw new IOException("the storage is away");
        for (var i = 0; i < Lease; i++)
        {
            await ReportAsync();
            await CheckAsync(1);
        }

        await AssertEndedAsync("No report has reached a ledger for 30 s");
    }

    [Fact]
    public async Task Storage_that_is_away_for_less_than_a_lease_ends_no_worker()
    {
        _ledgers.Connect(_client);
        for (var i = 0; i < 5; i++)
        {
            _client.OnSignal = _ => throw new IOException("the storage is away");
            for (var check = 1; check < Lease; check++)
            {
                await ReportAsync();
                await CheckAsync(1);
            }

            _client.OnSignal = _ => Task.CompletedTask;
            await ReportAsync();
            await CheckAsync(1);
        }

        AssertAlive();
    }

    [Fact]
    public async Task One_report_that_failed_before_there_was_nothing_to_report_ends_no_worker()
    {
        _ledgers.Connect(_client);
        _client.OnSignal = _ => throw new IOException("the storage is away");
        await ReportAsync();

        await CheckAsync(10 * Lease);

        AssertAlive();
    }

    [Fact]
    public async Task A_report_that_neither_succeeds_nor_fails_for_a_lease_ends_the_worker()
    {
        _ledgers.Connect(_client);
        using var end = new CancellationTokenSource();
        _client.OnSignal = _ => Task.Delay(Timeout.Infinite, end.Token);
        var report = ReportAsync();

        // The first check sees it begun.
        await CheckAsync(Lease + 1);

        await AssertEndedAsync("No report has reached a ledger for 30 s");
        await end.CancelAsync();
        await report;
    }

    [Fact]
    public async Task A_worker_that_was_not_connected_yet_waits_as_long_as_its_host_is_there()
    {
        var report = ReportAsync();

        await CheckAsync(10 * Lease);

        AssertAlive();
        _ledgers.Connect(_client);
        await report;
    }

    [Fact]
    public async Task The_probe_sees_whether_the_hosts_port_takes_connections()
    {
        using var host = new TcpListener(IPAddress.Loopback, 0);
        host.Start();
        var probe = Probe($"http://{host.LocalEndpoint}");
        Assert.Equal(host.LocalEndpoint.ToString(), probe.Address);
        Assert.True(await probe.IsThereAsync(CancellationToken.None));

        host.Stop();

        Assert.False(await probe.IsThereAsync(CancellationToken.None));
    }

    [Fact]
    public async Task Where_no_host_is_named_none_is_missed() =>
        Assert.True(await Probe(null).IsThereAsync(CancellationToken.None));

    Task<bool> IFunctionsHostProbe.IsThereAsync(CancellationToken cancellationToken)
    {
        var there = _hostIsThere;
        Interlocked.Increment(ref _asked);
        return Task.FromResult(there);
    }

    void IHostApplicationLifetime.StopApplication() => _stopped = true;

    IDisposable? ILogger.BeginScope<TState>(TState state) => null;

    bool ILogger.IsEnabled(LogLevel logLevel) => true;

    void ILogger.Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _log.Enqueue(formatter(state, exception));

    private static FunctionsHostProbe Probe(string? endpoint) => new(
        new ConfigurationBuilder().AddInMemoryCollection([new("Functions:Worker:HostEndpoint", endpoint)]).Build());

    private async Task CheckAsync(int checks)
    {
        for (var i = 0; i < checks; i++)
        {
            var asked = Volatile.Read(ref _asked);
            _time.Advance(TimeSpan.FromSeconds(5));
            await Eventually.HoldsAsync(() => Volatile.Read(ref _asked) > asked);
        }
    }

    private async Task ReportAsync()
    {
        var report = new WorkerReport
        {
            Worker = new WorkerId("w"),
            Sequence = ++_reports,
            Function = new FunctionMeta(new MetaKey("f"), "go", 60, 128),
            FirstOperation = 1,
            Operations = [],
            Held = [],
        };
        try
        {
            await _ledgers.ReportAsync(new MetaKey("f"), report, CancellationToken.None);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // As the worker takes it: it reports again.
        }
    }

    private void AssertAlive()
    {
        Assert.False(_stopped);
        Assert.Equal(0, _watch.ExitCode);
        Assert.Empty(_log);
    }

    private async Task AssertEndedAsync(string reason)
    {
        await Eventually.HoldsAsync(() => _stopped);
        Assert.Equal(OrphanWatch.CutOff, _watch.ExitCode);
        Assert.StartsWith(reason, Assert.Single(_log), StringComparison.Ordinal);
    }
}
