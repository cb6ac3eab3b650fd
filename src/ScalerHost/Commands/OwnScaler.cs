using FuncScaler.ContestSimulator.Platform;
using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.SlotBackends.Simulator;
using Microsoft.Extensions.Logging;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>A scaler of this process with a contest's platform of its own, both listening: one run of a contest.</summary>
internal sealed class OwnScaler : IAsyncDisposable
{
    private readonly ContestPlatformServer _platform;
    private readonly ScalerServer _scaler;

    private OwnScaler(ContestPlatformServer platform, ScalerServer scaler) => (_platform, _scaler) = (platform, scaler);

    /// <summary>Where its dashboard is; null where it has none.</summary>
    public Uri? Dashboard => _scaler.Dashboard;

    /// <summary>Starts both.</summary>
    /// <param name="policy">How functions are served.</param>
    /// <param name="waiting">Whether a miss may wait for what comes first.</param>
    /// <param name="options">The platform's settings; the scaler's address in it is not used.</param>
    /// <param name="watch">Whether to serve the dashboard, on any free port.</param>
    public static async Task<OwnScaler> StartAsync(
        PolicyChoice policy, bool waiting, ContestPlatformOptions options, bool watch, CancellationToken cancellationToken)
    {
        var platform = new ContestPlatformServer(options);
        ScalerServer? scaler = null;
        try
        {
            await platform.StartAsync(cancellationToken).ConfigureAwait(false);
            var channel = PlatformChannel.Open(new Uri($"http://127.0.0.1:{platform.PlatformPort}"));
            scaler = new ScalerServer(
                new SimulatorBackend(channel, new SimulatorBackendOptions(), TimeProvider.System),
                new ScalerServerOptions
                {
                    GrpcPort = 0,
                    HttpPort = watch ? 0 : null,

                    // Several scalers of one process would count into one another's metrics.
                    Metrics = false,
                    Policy = policy,
                    Runtime = new ScalerRuntimeOptions { Pool = ServeCommand.MakePoolOptions(waiting) },
                    DrainTimeout = TimeSpan.FromSeconds(2),
                    LogLevel = LogLevel.Error,
                },
                TimeProvider.System);
            await scaler.StartAsync(cancellationToken).ConfigureAwait(false);
            platform.ScalerAddress = new Uri($"http://127.0.0.1:{scaler.GrpcPort}");
            scaler.SetServing(true);
            return new OwnScaler(platform, scaler);
        }
        catch
        {
            await DisposeAsync(platform, scaler).ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc cref="ContestPlatformServer.RunAsync"/>
    public Task<RunReport> RunAsync(ContestRun run, IProgress<RunProgress> progress, CancellationToken cancellationToken) =>
        _platform.RunAsync(run, progress, cancellationToken);

    public ValueTask DisposeAsync() => DisposeAsync(_platform, _scaler);

    private static async ValueTask DisposeAsync(ContestPlatformServer platform, ScalerServer? scaler)
    {
        // The platform goes last, so that it is still there to take the scaler's slots back.
        await using (platform.ConfigureAwait(false))
        {
            if (scaler is not null)
            {
                await scaler.DisposeAsync().ConfigureAwait(false);
            }
        }
    }
}
