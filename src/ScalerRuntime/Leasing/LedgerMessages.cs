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
    private bool _readingWorker;
    private long _reportsSent;
    private long _ledgersRead;

    public long ReportsSent => Interlocked.Read(ref _reportsSent);

    public long LedgersRead => Interlocked.Read(ref _ledgersRead);

    /// <summary>Sends what the core has put out. Called with the executor's lock held.</summary>
    public void Send()
    {
        foreach (var due in core.Outbox.Reports)
        {
            Start(() => ReportAsync(due));
        }

        if (core.Outbox.Beat is { } beat)
        {
            Start(() => BeatAsync(beat));
        }

        if (core.Outbox.ReadWorker && !_readingWorker)
        {
            _readingWorker = true;
            scheduling.Start(ReadWorkerAsync);
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

    /// <summary>Starts a message that a stop waits for. Called with the executor's lock held.</summary>
    /// <param name="send">Sends it; throws nothing.</param>
    private void Start(Func<Task> send)
    {
        var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _sending.Add(sent);
        scheduling.Start(async () =>
        {
            await send().ConfigureAwait(false);
            executor.Look(_ => _sending.Remove(sent));
            sent.TrySetResult();
        });
    }

    private async Task ReportAsync(DueReport due)
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
    }

    private async Task BeatAsync(WorkerBeat beat)
    {
        using var activity = LeasingTelemetry.Source.StartActivity("beat");
        try
        {
            await ledgers.BeatAsync(beat, executor.Stopping).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            if (!executor.Stopping.IsCancellationRequested)
            {
                LogBeatFailed(e.Message);
            }
        }
    }

    private async Task ReadWorkerAsync()
    {
        WorkerState? state = null;
        try
        {
            state = await ledgers.ReadWorkerAsync(executor.Look(_ => core.Worker), executor.Stopping).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            if (!executor.Stopping.IsCancellationRequested)
            {
                LogReadFailed("(the worker's own)", e.Message);
            }
        }

        executor.Do((nowUs, effects) =>
        {
            _readingWorker = false;
            if (state is null)
            {
                return;
            }

            var life = core.Worker;
            core.ReceiveWorker(nowUs, state, effects);
            if (core.Worker != life)
            {
                LogLifeOver(life.Value, core.Worker.Value);
            }
        });
    }

    private async Task ReadAsync(MetaKey function)
    {
        using var activity = LeasingTelemetry.Source.StartActivity("read");
        activity?.SetTag("funcscaler.function", function.Value);
        LedgerView? view = null;
        try
        {
            var worker = executor.Look(_ => core.Worker);
            view = await ledgers.ReadAsync(function, executor.Stopping).ConfigureAwait(false) is { } state
                ? PoolLedger.ViewFor(state, worker)
                : new LedgerView { Worker = worker, Revision = -1 };
            Interlocked.Increment(ref _ledgersRead);
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

    [LoggerMessage(124, LogLevel.Warning, "The worker's own ledger could not be told that it lives; it is told again: {Reason}")]
    private partial void LogBeatFailed(string reason);

    [LoggerMessage(125, LogLevel.Warning, "Worker {Worker} was silent for longer than its lease: its slots are lost, and it goes on as {Next}")]
    private partial void LogLifeOver(string worker, string next);

    [LoggerMessage(123, LogLevel.Warning, "Stopping with {Count} reports unsent; leases expire by themselves")]
    private partial void LogUnsent(int count);
}
