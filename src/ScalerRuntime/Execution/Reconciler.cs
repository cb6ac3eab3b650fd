using FuncScaler.Runtime.Telemetry;
using FuncScaler.SlotBackends;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Runtime.Execution;

/// <summary>Compares a core's inventory with the backend's own list: at intervals, and after the platform was in doubt until it answers.</summary>
internal sealed partial class Reconciler : IAsyncDisposable
{
    private readonly ScalerCore _core;
    private readonly CoreExecutor _executor;
    private readonly ISlotBackend _backend;
    private readonly ScalerRuntimeOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ITimer? _timer;
    private const int Idle = 0;
    private const int Running = 1;
    private const int RunningAndAgain = 2;
    private int _state;

    public Reconciler(ScalerCore core, CoreExecutor executor, ISlotBackend backend, ScalerRuntimeOptions options, TimeProvider time, ILogger logger)
    {
        _core = core;
        _executor = executor;
        _backend = backend;
        _options = options;
        _time = time;
        _logger = logger;
        executor.Calls.PlatformInDoubt += Start;
        backend.SlotLost += OnSlotLost;
        if (options.ReconcileInterval is { } interval)
        {
            _timer = time.CreateTimer(static state => ((Reconciler)state!).Start(), this, interval, interval);
        }
    }

    /// <inheritdoc cref="ScalerRuntime.ReconcileAsync"/>
    public async Task<bool> ReconcileAsync(CancellationToken cancellationToken)
    {
        if (_options.State is { } state)
        {
            // Slots that are not taken over yet would look like nobody's.
            await state.Restored.WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        var (known, askedUs) = _executor.Look(nowUs => (_core.Slots.ToList(), nowUs));
        using var activity = ScalerTelemetry.StartActivity("reconcile");
        var listed = await _backend.ListAsync(known, cancellationToken).ConfigureAwait(false);
        if (listed is null)
        {
            return false;
        }

        var (before, after) = (0, 0);
        _executor.Do((nowUs, effects) =>
        {
            var were = _core.Inventory.Select(i => i.Slot.Ticket).ToHashSet();
            before = were.Count;
            _core.Reconcile(nowUs, askedUs, listed, effects);
            after = _core.SlotCount;
            CountFindings(were);
            _executor.Calls.Withdraw(were);
        });
        LogReconciled(listed.Count, before, after);
        return true;
    }

    public ValueTask DisposeAsync()
    {
        _backend.SlotLost -= OnSlotLost;
        return _timer?.DisposeAsync() ?? ValueTask.CompletedTask;
    }

    /// <summary>Counts what the comparison has brought in and thrown out; leaves in <paramref name="were"/> what is gone. Called with the executor's lock held.</summary>
    private void CountFindings(HashSet<SlotTicket> were)
    {
        var (adopted, leaked) = (0, 0);
        foreach (var (function, slot) in _core.Inventory)
        {
            if (!were.Remove(slot.Ticket))
            {
                _ = function.Value.Length == 0 ? leaked++ : adopted++;
            }
        }

        ScalerTelemetry.CountFinding(ReconcileFinding.Adopted, adopted);
        ScalerTelemetry.CountFinding(ReconcileFinding.Leaked, leaked);
        ScalerTelemetry.CountFinding(ReconcileFinding.Lost, were.Count);
    }

    /// <summary>An instance is gone: the list is compared now, and once more where it may have been asked for before that.</summary>
    private void OnSlotLost(LostSlot lost)
    {
        LogLost(lost.Id.Value, lost.Reason);
        if (Interlocked.CompareExchange(ref _state, RunningAndAgain, Running) == Idle)
        {
            Start();
        }
    }

    /// <summary>Asks the backend for its list until it answers; one such task at a time.</summary>
    private void Start()
    {
        if (!_executor.Stopping.IsCancellationRequested && Interlocked.CompareExchange(ref _state, Running, Idle) == Idle)
        {
            _ = UntilAnsweredAsync(_executor.Stopping);
        }
    }

    private async Task UntilAnsweredAsync(CancellationToken cancellationToken)
    {
        do
        {
            Volatile.Write(ref _state, Running);
            while (!cancellationToken.IsCancellationRequested)
            {
                try
                {
                    await ReconcileAsync(cancellationToken).ConfigureAwait(false);
                    break;
                }
                catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
                {
                    return;
                }
                catch (Exception e)
                {
                    // Whatever went wrong, an inventory that is never compared again would be worse.
                    LogReconcileFailed(e.Message);
                }

                await Task.Delay(_options.ReconcileRetryDelay, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        while (!cancellationToken.IsCancellationRequested && Interlocked.CompareExchange(ref _state, Idle, Running) != Running);
    }

    [LoggerMessage(101, LogLevel.Information, "Reconciled: the backend lists {Listed} slots; the inventory went from {Before} to {After}")]
    private partial void LogReconciled(int listed, int before, int after);

    [LoggerMessage(107, LogLevel.Warning, "Slot {Slot} has ended by itself: {Reason}")]
    private partial void LogLost(string slot, string reason);

    [LoggerMessage(102, LogLevel.Warning, "The backend's list cannot be had yet: {Reason}")]
    private partial void LogReconcileFailed(string reason);
}
