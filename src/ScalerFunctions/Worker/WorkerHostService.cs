using FuncScaler.Leasing;
using FuncScaler.Policies;
using FuncScaler.Runtime.Leasing;
using FuncScaler.Runtime.Rehearsing;
using FuncScaler.ScalerFunctions.Hosting;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FuncScaler.ScalerFunctions.Worker;

/// <summary>
/// Connects a worker that serves native gRPC to the ledgers before the first invocation does, and hands its slots back when it stops.
/// </summary>
internal sealed partial class WorkerHostService(
    WorkerRuntime runtime,
    WorkerReadiness readiness,
    DurableLedgers ledgers,
    AppLimits limits,
    PolicyChoice policy,
    LeasingOptions leasing,
    IOptions<ScalerAppOptions> options,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<WorkerHostService> logger) : IHostedService, IDisposable
{
    private static readonly TimeSpan KnockInterval = TimeSpan.FromMilliseconds(500);

    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(10) };
    private readonly CancellationTokenSource _stopping = new();
    private Task _knocking = Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        LogStarted(runtime.Worker.Value);
        limits.Start(runtime, ledgers);
        if (options.Value.Grpc.Port is not null)
        {
            // Such a worker stays, so that a second of work before the first request is well spent.
            readiness.Rehearsal = Task.Run(() => Rehearsal.RunAsync(policy, leasing, time, _stopping.Token), cancellationToken);

            // Not before the worker has started: only then does the host pass invocations on.
            lifetime.ApplicationStarted.Register(() => _knocking = KnockAsync(new Uri(new Uri(options.Value.HostUrl), "api/ready"), _stopping.Token));
        }
        else
        {
            _knocking = BeginWithFirstAsync(_stopping.Token);
        }

        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _knocking;
        await readiness.Rehearsal.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(options.Value.DrainTimeout);
        await runtime.StopAsync(patience.Token);
    }

    public void Dispose()
    {
        _http.Dispose();
        _stopping.Dispose();
    }

    /// <summary>Without a port of its own a worker may end unused: it begins when an invocation has come.</summary>
    private async Task BeginWithFirstAsync(CancellationToken cancellationToken)
    {
        await ledgers.WhenConnected.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (ledgers.Connected)
        {
            readiness.Begin();
        }
    }

    /// <summary>Asks the own host for an invocation, until one has come to this worker.</summary>
    private async Task KnockAsync(Uri ready, CancellationToken cancellationToken)
    {
        var reported = false;
        try
        {
            while (!ledgers.Connected)
            {
                try
                {
                    using var answer = await _http.GetAsync(ready, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
                }
                catch (HttpRequestException e)
                {
                    if (!reported)
                    {
                        reported = true;
                        LogNoHost(ready, e.Message);
                    }
                }

                if (!ledgers.Connected)
                {
                    await Task.Delay(KnockInterval, time, cancellationToken);
                }
            }

            LogConnected();
            readiness.Begin();
        }
        catch (OperationCanceledException)
        {
            // Stopping, or the host takes its time: whichever invocation comes first connects.
        }
    }

    [LoggerMessage(210, LogLevel.Information, "Worker {Worker} has started")]
    private partial void LogStarted(string worker);

    [LoggerMessage(211, LogLevel.Information, "Connected to the ledgers")]
    private partial void LogConnected();

    [LoggerMessage(212, LogLevel.Warning, "The own host does not answer yet at {Ready} ({Reason}); if it listens elsewhere, set Scaler:HostUrl")]
    private partial void LogNoHost(Uri ready, string reason);
}
