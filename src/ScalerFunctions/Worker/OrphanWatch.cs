using FuncScaler.Leasing;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FuncScaler.ScalerFunctions.Worker;

/// <summary>
/// Ends a worker that has been cut off for the time of a lease: its Functions host is gone, or none of its reports gets through. Its slots are
/// no longer its own by then, and it would keep the native gRPC port from the worker that takes its place.
/// </summary>
/// <remarks>
/// A worker without slots has nothing to report, and that is no fault: only reports that were tried and failed count, and the host is asked
/// as well. What counts is the number of checks in a row, so a machine that was asleep is not taken for a lost host.
/// </remarks>
internal sealed partial class OrphanWatch(
    DurableLedgers ledgers,
    IFunctionsHostProbe host,
    LeasingOptions leasing,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<OrphanWatch> logger) : BackgroundService
{
    /// <summary>What a worker that was cut off exits with: EX_UNAVAILABLE of sysexits.h.</summary>
    public const int CutOff = 69;

    /// <summary>Checks in a row that must fail; together they take a lease.</summary>
    private const int Checks = 6;

    private readonly TimeSpan _interval = leasing.Lease / Checks;
    private ReportCounts _before;

    /// <summary>What the process is to exit with.</summary>
    public int ExitCode { get; private set; }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var (gone, unheard) = (0, 0);
        _before = ledgers.Reports;
        using var timer = new PeriodicTimer(_interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                gone = await IsHostThereAsync(stoppingToken) ? 0 : gone + 1;
                unheard = ReportsGetThrough() switch { true => 0, false => unheard + 1, null => unheard };
                if (gone >= Checks)
                {
                    // The log goes through the host: where that is gone, only the error output is left.
                    var reason = $"The Functions host at {host.Address} has not answered for {leasing.Lease.TotalSeconds} s";
                    await Console.Error.WriteLineAsync($"{reason}: this worker stops.");
                    Stop(reason);
                    return;
                }

                if (unheard >= Checks)
                {
                    Stop($"No report has reached a ledger for {leasing.Lease.TotalSeconds} s");
                    return;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    private async Task<bool> IsHostThereAsync(CancellationToken stoppingToken)
    {
        using var limit = new CancellationTokenSource(_interval, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stoppingToken);
        try
        {
            return await host.IsThereAsync(either.Token);
        }
        catch (OperationCanceledException) when (!stoppingToken.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>Whether reports got through since the last check; null when none was tried.</summary>
    private bool? ReportsGetThrough()
    {
        var now = ledgers.Reports;
        var (sent, failed) = (now.Sent - _before.Sent, now.Failed - _before.Failed);
        var hanging = _before.Begun > _before.Sent + _before.Failed;
        _before = now;
        return sent > 0 ? true : failed > 0 || hanging ? false : null;
    }

    private void Stop(string reason)
    {
        ExitCode = CutOff;
        LogCutOff(reason);
        lifetime.StopApplication();
    }

    [LoggerMessage(214, LogLevel.Error, "{Reason}: this worker stops, so that its port and its place are free for another")]
    private partial void LogCutOff(string reason);
}
