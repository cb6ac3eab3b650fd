using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using FuncScaler.Leasing.Worker;
using FuncScaler.Runtime.Execution;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Runtime.Leasing;

/// <summary>Sends what a worker's core has to tell the ledgers, and reads the ledgers that it wants to look at.</summary>
internal sealed partial class LedgerMessages(
    WorkerCore core, CoreExecutor executor, ILedgers ledgers, Scheduling scheduling, TimeProvider time, ILogger logger)
{
    /// <summary>How long a stop waits for messages to be sent.</summary>
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(5);

    private readonly ILogger _logger = logger;
    private readonly HashSet<MetaKey> _reading = [];
    private readonly HashSet<TaskCompletionSource> _sending = [];
    private long _reportsSent;
    private long _ledgersRead;

    public long ReportsSent => Interlocked.Read(ref _reportsSent);

    public long LedgersRead => Interlocked.Read(ref _ledgersRead);

    /// <summary>Sends what the core has put out. Called with the executor's lock held.</summary>
    public void Send()
    {
        foreach (var due in core.Outbox.Reports)
        {
            var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _sending.Add(sent);
            scheduling.Start(() => ReportAsync(due, sent));
        }

        foreach (var function in core.Outbox.Reads)
        {
            // One look at a time: a second one could not say more.
            if (_reading.Add(function))
            {
                scheduling.Start(() => ReadAsync(function));
            }
        }

        core.Outbox.Clear();
    }

    /// <summary>Waits, for a while, until all reports are sent.</summary>
    public async Task SentAsync()
    {
        var left = executor.Look(_ => _sending.Select(s => s.Task).ToList());
        try
        {
            await Task.WhenAll(left).WaitAsync(LastWords, time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            LogUnsent(left.Count(t => !t.IsCompleted));
        }
    }

    private async Task ReportAsync(DueReport due, TaskCompletionSource sent)
    {
        using var activity = LeasingTelemetry.Source.StartActivity("report");
        activity?.SetTag("funcscaler.function", due.Function.Value);
        activity?.SetTag("funcscaler.operations", due.Report.Operations.Count);
        try
        {
            await ledgers.ReportAsync(due.Function, due.Report, executor.Stopping).ConfigureAwait(false);
            Interlocked.Increment(ref _reportsSent);
        }
        catch (Exception e)
        {
            // The pool makes another, which says all that this one would have said.
            if (!executor.Stopping.IsCancellationRequested)
            {
                LogReportFailed(due.Function.Value, e.Message);
            }
        }

        executor.Look(_ => _sending.Remove(sent));
        sent.TrySetResult();
    }

    private async Task ReadAsync(MetaKey function)
    {
        using var activity = LeasingTelemetry.Source.StartActivity("read");
        activity?.SetTag("funcscaler.function", function.Value);
        LedgerView? view = null;
        try
        {
            if (await ledgers.ReadAsync(function, executor.Stopping).ConfigureAwait(false) is { } state)
            {
                view = PoolLedger.ViewFor(state, core.Worker);
                Interlocked.Increment(ref _ledgersRead);
            }
        }
        catch (Exception e)
        {
            if (!executor.Stopping.IsCancellationRequested)
            {
                LogReadFailed(function.Value, e.Message);
            }
        }

        executor.Do((nowUs, effects) =>
        {
            _reading.Remove(function);
            if (view is not null)
            {
                core.Receive(nowUs, function, view, effects);
            }
        });
    }

    [LoggerMessage(120, LogLevel.Warning, "The ledger of function {Function} could not be told; it is told again: {Reason}")]
    private partial void LogReportFailed(string function, string reason);

    [LoggerMessage(121, LogLevel.Warning, "The ledger of function {Function} could not be read; it is read again: {Reason}")]
    private partial void LogReadFailed(string function, string reason);

    [LoggerMessage(123, LogLevel.Warning, "Stopping with {Count} reports unsent; leases expire by themselves")]
    private partial void LogUnsent(int count);
}
