using FuncScaler.ContestSimulator.Platform;
using FuncScaler.ContestSimulator.Traces.Presets;
using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.ScalerHost;
using FuncScaler.ScalerHost.Commands;
using FuncScaler.SlotBackends.Simulator;
using Microsoft.Extensions.Logging;
using Microsoft.Playwright;

namespace FuncScaler.Tests;

/// <summary>A contest run under way for as long as tests look at it, and a browser.</summary>
public sealed class ContestRunFixture : IAsyncLifetime
{
    private readonly CancellationTokenSource _end = new();
    private ContestPlatformServer? _platform;
    private ScalerServer? _scaler;
    private readonly BrowserFixture _browser = new();
    private Task _run = Task.CompletedTask;

    public IBrowser Browser => _browser.Browser;

    public Uri Address { get; private set; } = null!;

    /// <summary>Where the platform of the run shows what it sees.</summary>
    public Uri PlatformAddress { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        if (Chromium.Missing is not null)
        {
            return;
        }

        await _browser.InitializeAsync();
        var trace = PresetCatalog.Create("dense", 1, 600);
        _platform = PlatformDashboard.AddTo(new ContestPlatformOptions
        {
            ScalerAddress = new Uri("http://127.0.0.1"),
            PlatformPort = 0,
            ControlPort = 0,
            Tail = TimeSpan.Zero,
        });
        await _platform.StartAsync(CancellationToken.None);
        PlatformAddress = new Uri($"http://127.0.0.1:{_platform.ControlPort}/");
        _scaler = new ScalerServer(
            new SimulatorBackend(PlatformChannel.Open(new Uri($"http://127.0.0.1:{_platform.PlatformPort}")), new SimulatorBackendOptions(), TimeProvider.System),
            new ScalerServerOptions
            {
                GrpcPort = 0,
                HttpPort = 0,
                Policy = PolicyCatalog.Parse("adaptive"),
                Runtime = new ScalerRuntimeOptions { Pool = new SlotPoolOptions { Waiting = true, InstancePrefix = ScalerRuntimeOptions.NewInstancePrefix() } },
                DrainTimeout = TimeSpan.FromSeconds(2),
                LogLevel = LogLevel.None,
            },
            TimeProvider.System);
        await _scaler.StartAsync(CancellationToken.None);
        _scaler.SetServing(true);
        _platform.ScalerAddress = new Uri($"http://127.0.0.1:{_scaler.GrpcPort}");
        Address = new Uri($"http://127.0.0.1:{_scaler.HttpPort}/");
        _run = _platform.RunAsync(new ContestRun(trace.Name, trace), new Progress<RunProgress>(), _end.Token);
    }

    public async Task DisposeAsync()
    {
        await _end.CancelAsync();
        await _run.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        if (_scaler is not null)
        {
            await _scaler.DisposeAsync();
            await _platform!.DisposeAsync();
        }

        await _browser.DisposeAsync();
        _end.Dispose();
    }
}
