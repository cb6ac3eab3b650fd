using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using FuncScaler.Leasing.Worker;
using FuncScaler.Policies;
using FuncScaler.Scoring;
using FuncScaler.SlotBackends.Runtime;
using Microsoft.Extensions.Logging;

namespace FuncScaler.SlotBackends.Leasing;

/// <summary>
/// The runtime of one worker among several: its pools hold slots leased from durable ledgers. A warm assign and its release are answered
/// from memory; what the ledgers need to know goes to them in the background, batched per function.
/// </summary>
public sealed partial class WorkerRuntime : CoreRuntime
{
    /// <summary>How long a stop waits for one message to be sent.</summary>
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(5);

    private readonly WorkerCore _core;
    private readonly ILedgers _ledgers;
    private readonly LeasingOptions _options;
    private readonly ILogger _logger;
    private readonly List<DueReport> _reports = [];
    private readonly List<MetaKey> _reads = [];
    private readonly HashSet<MetaKey> _reading = [];
    private readonly HashSet<Task> _sending = [];
    private TaskCompletionSource? _quiet;

    /// <param name="worker">This worker, in this life.</param>
    /// <param name="ledgers">The way to the ledgers.</param>
    /// <param name="backend">Where slots come from; not disposed with the runtime, as others use it too.</param>
    /// <param name="policy">How functions are served, the same as the ledgers'.</param>
    /// <param name="options">Settings of leasing, the same as the ledgers'.</param>
    /// <param name="runtime">Settings; their pool limits are not used, <see cref="LeasingOptions.Pool"/> are.</param>
    /// <param name="time">The clock and its timers.</param>
    /// <param name="logger">For what operators should know.</param>
    public WorkerRuntime(
        WorkerId worker,
        ILedgers ledgers,
        ISlotBackend backend,
        PolicyChoice policy,
        LeasingOptions options,
        ScalerRuntimeOptions runtime,
        TimeProvider time,
        ILogger<WorkerRuntime> logger)
        : this(new WorkerCore(worker, policy, options), ledgers, backend, policy, options, runtime, time, logger)
    {
    }

    private WorkerRuntime(
        WorkerCore core,
        ILedgers ledgers,
        ISlotBackend backend,
        PolicyChoice policy,
        LeasingOptions options,
        ScalerRuntimeOptions runtime,
        TimeProvider time,
        ILogger<WorkerRuntime> logger)
        : base(core, backend, policy, runtime, time, logger)
    {
        _core = core;
        _ledgers = ledgers;
        _options = options;
        _logger = logger;
    }

    /// <summary>This worker, in this life.</summary>
    public WorkerId Worker => _core.Worker;

    private protected override IEnumerable<SlotPool> Pools => _core.Pools.Select(p => p.Pool);

    private protected override IEnumerable<(MetaKey Function, SlotSnapshot Slot)> Inventory =>
        _core.Pools.SelectMany(p => p.Pool.Slots.Select(s => (p.Function.Key, s)));

    private protected override ScoreLedger Score => _core.Ledger;

    private protected override int SlotCount => _core.SlotCount;

    /// <summary>
    /// Stops: unused instances go back at once, those in use when their requests end or when <paramref name="cancellationToken"/> ends the
    /// patience, then with the name of the request that holds them, so that its release frees them wherever it lands.
    /// </summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        Task quiet;
        lock (Gate)
        {
            _quiet ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            quiet = _quiet.Task;
            _core.Drain(NowUs, Effects);
            WakeCore(NowUs);
            RunEffects();
        }

        try
        {
            await quiet.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            LogLeaving(SlotCount);
        }

        lock (Gate)
        {
            _core.Leave(NowUs, Effects);
            RunEffects();
        }

        // The last reports are urgent, and that is when they are due at the latest.
        await Task.Delay(_options.UrgentInterval + TimeSpan.FromMilliseconds(1), Time, CancellationToken.None).ConfigureAwait(false);
        lock (Gate)
        {
            WakeCore(NowUs);
            RunEffects();
        }

        await SentAsync().ConfigureAwait(false);
    }

    private protected override ValueTask DisposeCoreAsync() => ValueTask.CompletedTask;

    private protected override void WakeCore(long nowUs)
    {
        _core.DoWhatIsDue(nowUs, Effects, _reports, _reads);
        StartMessages();
    }

    /// <summary>Known to the pool, for instances that other workers made too.</summary>
    private protected override Uri? AddressOf(in Effect grant) => _core.Find(grant.Function.Key)?.AddressOf(grant.Ticket);

    private protected override void EffectsCarriedOut()
    {
        if (_quiet is not null && _core.SlotCount == 0)
        {
            _quiet.TrySetResult();
        }
    }

    /// <summary>Called with the lock held.</summary>
    private void StartMessages()
    {
        foreach (var due in _reports)
        {
            var sending = ReportAsync(due);
            _sending.Add(sending);
            _ = sending.ContinueWith(Sent, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }

        foreach (var function in _reads)
        {
            // One look at a time: a second one could not say more.
            if (_reading.Add(function))
            {
                _ = ReadAsync(function);
            }
        }

        _reports.Clear();
        _reads.Clear();

        void Sent(Task sending)
        {
            lock (Gate)
            {
                _sending.Remove(sending);
            }
        }
    }

    private async Task ReportAsync(DueReport due)
    {
        await LeaveCaller();
        using var activity = LeasingTelemetry.Source.StartActivity("report");
        activity?.SetTag("funcscaler.function", due.Function.Value);
        activity?.SetTag("funcscaler.operations", due.Report.Operations.Count);
        try
        {
            await _ledgers.ReportAsync(due.Function, due.Report, Stopping).ConfigureAwait(false);
            Interlocked.Increment(ref _reportsSent);
        }
        catch (Exception e) when (e is not OperationCanceledException || !Stopping.IsCancellationRequested)
        {
            // The pool makes another, which says all that this one would have said.
            LogReportFailed(due.Function.Value, e.Message);
        }
    }

    private async Task ReadAsync(MetaKey function)
    {
        await LeaveCaller();
        using var activity = LeasingTelemetry.Source.StartActivity("read");
        activity?.SetTag("funcscaler.function", function.Value);
        LedgerView? view = null;
        try
        {
            if (await _ledgers.ReadAsync(function, Stopping).ConfigureAwait(false) is { } state)
            {
                view = PoolLedger.ViewFor(state, Worker);
            }
        }
        catch (Exception e) when (e is not OperationCanceledException || !Stopping.IsCancellationRequested)
        {
            LogReadFailed(function.Value, e.Message);
        }

        lock (Gate)
        {
            _reading.Remove(function);
            if (view is not null)
            {
                Interlocked.Increment(ref _ledgersRead);
                _core.Receive(NowUs, function, view, Effects);
                RunEffects();
            }
        }
    }

    private async Task SentAsync()
    {
        Task[] left;
        lock (Gate)
        {
            left = [.. _sending];
        }

        try
        {
            await Task.WhenAll(left).WaitAsync(LastWords, Time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            LogUnsent(left.Count(t => !t.IsCompleted));
        }
    }
}
