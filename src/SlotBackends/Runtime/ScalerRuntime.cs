using FuncScaler.Policies;
using FuncScaler.Scoring;
using Microsoft.Extensions.Logging;

namespace FuncScaler.SlotBackends.Runtime;

/// <summary>The runtime of a scaler that is alone with its platform: all its pools in its memory, compared with the backend's list.</summary>
public sealed partial class ScalerRuntime : CoreRuntime
{
    private readonly ScalerCore _core;
    private readonly ScalerRuntimeOptions _options;
    private readonly ILogger _logger;
    private readonly ITimer? _reconcileTimer;
    private TaskCompletionSource? _quiet;
    private bool _reconciling;
    private bool _reconcileAgain;

    /// <param name="backend">Where slots come from; disposed with the runtime.</param>
    /// <param name="policy">How functions are served.</param>
    /// <param name="options">Settings.</param>
    /// <param name="time">The clock and its timers.</param>
    /// <param name="logger">For what operators should know.</param>
    public ScalerRuntime(ISlotBackend backend, PolicyChoice policy, ScalerRuntimeOptions options, TimeProvider time, ILogger<ScalerRuntime> logger)
        : this(backend.Budget is { } budget ? new HeldCalls(budget) : null, backend, policy, options, time, logger)
    {
    }

    private ScalerRuntime(
        HeldCalls? held, ISlotBackend backend, PolicyChoice policy, ScalerRuntimeOptions options, TimeProvider time, ILogger<ScalerRuntime> logger)
        : this(new ScalerCore(policy, PriceCreates(options.Pool, backend, held)), held, backend, policy, options, time, logger)
    {
    }

    private ScalerRuntime(
        ScalerCore core,
        HeldCalls? held,
        ISlotBackend backend,
        PolicyChoice policy,
        ScalerRuntimeOptions options,
        TimeProvider time,
        ILogger<ScalerRuntime> logger)
        : base(core, backend, policy, options, time, logger)
    {
        _core = core;
        _logger = logger;
        _options = options;
        if (held is not null)
        {
            _held = held;
            _heldTimer = time.CreateTimer(static state => ((ScalerRuntime)state!).OnHeldTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }

        backend.SlotLost += OnSlotLost;
        if (options.ReconcileInterval is { } interval)
        {
            _reconcileTimer = time.CreateTimer(static state => ((ScalerRuntime)state!).StartReconcile(), this, interval, interval);
        }
    }

    private protected override IEnumerable<SlotPool> Pools => _core.Pools;

    private protected override IEnumerable<(MetaKey Function, SlotSnapshot Slot)> Inventory => _core.Inventory;

    private protected override ScoreLedger Score => _core.Ledger;

    private protected override int SlotCount => _core.SlotCount;

    /// <summary>Compares the inventory with the backend's own list now.</summary>
    /// <returns>False when the backend gives no way to find out.</returns>
    /// <exception cref="SlotBackendException">The backend could not be asked.</exception>
    public async Task<bool> ReconcileAsync(CancellationToken cancellationToken)
    {
        List<SlotSnapshot> known;
        long askedUs;
        lock (Gate)
        {
            askedUs = NowUs;
            known = [.. _core.Slots];
        }

        using var activity = ScalerTelemetry.StartActivity("reconcile");
        var listed = await Backend.ListAsync(known, cancellationToken).ConfigureAwait(false);
        if (listed is null)
        {
            return false;
        }

        lock (Gate)
        {
            var before = _core.SlotCount;
            var were = _core.Inventory.Select(i => i.Slot.Ticket).ToHashSet();
            _core.Reconcile(NowUs, askedUs, listed, Effects);
            CountFindings(were);
            RunEffects();
            LogReconciled(listed.Count, before, _core.SlotCount);
        }

        return true;
    }

    /// <summary>
    /// Stops: new requests are rejected, waiting ones still served. Returns once every instance is given back, or when
    /// <paramref name="cancellationToken"/> ends the patience for instances still in use, which are then destroyed all the same.
    /// </summary>
    /// <param name="keepInstances">Leave instances as they are, for a successor.</param>
    /// <param name="cancellationToken">Ends the patience.</param>
    public async Task StopAsync(bool keepInstances, CancellationToken cancellationToken)
    {
        if (keepInstances)
        {
            return;
        }

        Task quiet;
        lock (Gate)
        {
            _core.Drain(NowUs, Effects);
            RunEffects();
            if (_core.SlotCount == 0)
            {
                return;
            }

            if (_quiet is null || _quiet.Task.IsCompleted)
            {
                _quiet = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            quiet = _quiet.Task;
        }

        try
        {
            await quiet.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            List<SlotSnapshot> left;
            lock (Gate)
            {
                left = [.. _core.Slots.Where(s => s.BackendId != default)];
            }

            LogForcedStop(left.Count);
            using var last = new CancellationTokenSource(TimeSpan.FromSeconds(5), Time);
            await Task.WhenAll(left.Select(async slot =>
            {
                try
                {
                    await Backend.DestroyAsync(slot.Ticket, slot.BackendId, "the scaler is stopping", last.Token).ConfigureAwait(false);
                }
                catch (Exception e) when (e is SlotBackendException or OperationCanceledException)
                {
                    LogLeftBehind(slot.BackendId.Value, e.Message);
                }
            })).ConfigureAwait(false);
        }
    }

    private protected override async ValueTask DisposeCoreAsync()
    {
        if (_reconcileTimer is not null)
        {
            await _reconcileTimer.DisposeAsync().ConfigureAwait(false);
        }

        if (_heldTimer is not null)
        {
            await _heldTimer.DisposeAsync().ConfigureAwait(false);
        }

        Backend.SlotLost -= OnSlotLost;
        await Backend.DisposeAsync().ConfigureAwait(false);
    }

    private protected override void WakeCore(long nowUs) => _core.Tick(nowUs, Effects);

    private protected override void EffectsCarriedOut()
    {
        if (_quiet is not null && _core.SlotCount == 0)
        {
            _quiet.TrySetResult();
        }
    }

    private protected override void PlatformInDoubt() => StartReconcile();

    /// <summary>Counts what the comparison has brought in and thrown out; called with the lock held.</summary>
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
        lock (Gate)
        {
            _reconcileAgain |= _reconciling;
        }

        StartReconcile();
    }

    /// <summary>Asks the backend for its list until it answers; one such task at a time.</summary>
    private void StartReconcile()
    {
        lock (Gate)
        {
            if (_reconciling || Stopping.IsCancellationRequested)
            {
                return;
            }

            _reconciling = true;
        }

        _ = ReconcileUntilAnsweredAsync(Stopping);
    }

    private async Task ReconcileUntilAnsweredAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                try
                {
                    await ReconcileAsync(cancellationToken).ConfigureAwait(false);
                    lock (Gate)
                    {
                        if (!_reconcileAgain)
                        {
                            _reconciling = false;
                            return;
                        }

                        _reconcileAgain = false;
                    }
                }
                catch (SlotBackendException e)
                {
                    LogReconcileFailed(e.Message);
                    await Task.Delay(_options.ReconcileRetryDelay, Time, cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch (Exception e)
        {
            lock (Gate)
            {
                _reconciling = false;
            }

            if (e is not OperationCanceledException)
            {
                throw;
            }
        }
    }
}
