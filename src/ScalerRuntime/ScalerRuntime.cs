using FuncScaler.Policies;
using FuncScaler.Runtime.Execution;
using FuncScaler.Runtime.State;
using FuncScaler.Runtime.Telemetry;
using FuncScaler.SlotBackends;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Runtime;

/// <summary>A scaler that is alone with its platform: all pools are in its memory and are compared with the backend's list.</summary>
public sealed partial class ScalerRuntime : CoreScaler, IAsyncDisposable
{
    private static readonly TimeSpan LastDestroys = TimeSpan.FromSeconds(5);

    private readonly ISlotBackend _backend;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ScalerCore _core;
    private readonly RuntimeMetrics? _metrics;
    private readonly Reconciler _reconciler;
    private readonly DurableState? _state;
    private TaskCompletionSource? _quiet;
    private int _disposed;

    /// <param name="backend">Where slots come from; disposed with the runtime.</param>
    /// <param name="policy">How functions are served.</param>
    /// <param name="options">Settings.</param>
    /// <param name="time">The clock and its timers.</param>
    /// <param name="logger">For what operators should know.</param>
    public ScalerRuntime(ISlotBackend backend, PolicyChoice policy, ScalerRuntimeOptions options, TimeProvider time, ILogger<ScalerRuntime> logger)
        : this(backend, policy, options, time, logger, scheduling: null)
    {
    }

    internal ScalerRuntime(
        ISlotBackend backend, PolicyChoice policy, ScalerRuntimeOptions options, TimeProvider time, ILogger<ScalerRuntime> logger, Scheduling? scheduling)
    {
        _backend = backend;
        _time = time;
        _logger = logger;
        Policy = policy;
        var held = HeldCalls.For(backend);
        _state = options.State;
        _core = new ScalerCore(
            policy,
            HeldCalls.PriceCreates(options.Pool, backend, held) with { Placement = backend.Placement },
            _state is null ? null : new ScalerCoreState { LastTicket = _state.LastTicket, Journal = _state, Learned = _state });
        Executor = new CoreExecutor(_core, backend, held, options, time, logger, AfterEvent, scheduling);
        Reports = new CoreReports(_core, Executor, policy, backend.Name);
        _metrics = options.Measured ? new RuntimeMetrics(Reports.Read, time) : null;
        _reconciler = new Reconciler(_core, Executor, backend, options, time, logger);
        _state?.Begin(Executor, _core);
        backend.SlotWantedBack += GiveBack;
    }

    /// <summary>How functions are served.</summary>
    public PolicyChoice Policy { get; }

    private protected override CoreExecutor Executor { get; }

    private protected override CoreReports Reports { get; }

    /// <summary>Asks for no slots for a while: the process has stood still, and what waits may be served by what is released meanwhile.</summary>
    public void HoldCreates(TimeSpan duration) => Executor.Do((nowUs, _) => _core.HoldCreates(nowUs + (long)duration.TotalMicroseconds));

    /// <summary>Limits of a function from now on.</summary>
    /// <param name="function">The function.</param>
    /// <param name="limits">The limits; null to take them away: those of all others hold then.</param>
    /// <param name="settings">The settings of its instances, so that it gets its floor before its first request; null where they are not known.</param>
    /// <exception cref="ArgumentException">A limit is out of its range.</exception>
    public void SetLimits(MetaKey function, FunctionLimits? limits, FunctionMeta? settings) =>
        Executor.Do((nowUs, effects) => _core.SetLimits(nowUs, function, limits, settings, effects));

    /// <summary>Limits from now on of each function of which nothing else is said.</summary>
    /// <exception cref="ArgumentException">A limit is out of its range.</exception>
    public void SetOtherLimits(FunctionLimits limits) => Executor.Do((nowUs, effects) => _core.SetOtherLimits(nowUs, limits, effects));

    /// <summary>Groups of functions that follow each other, from now on in place of the former ones.</summary>
    /// <exception cref="ArgumentException">A group is out of its range, or there twice.</exception>
    public void SetGroups(IReadOnlyCollection<FunctionGroup> groups) => Executor.Do((nowUs, effects) => _core.SetGroups(nowUs, groups, effects));

    /// <summary>Compares the inventory with the backend's own list now.</summary>
    /// <returns>False when the backend gives no way to find out.</returns>
    /// <exception cref="SlotBackendException">The backend could not be asked.</exception>
    public Task<bool> ReconcileAsync(CancellationToken cancellationToken) => _reconciler.ReconcileAsync(cancellationToken);

    /// <summary>
    /// Stops: new requests are rejected and waiting ones still served. Returns once every instance is given back, or when
    /// <paramref name="cancellationToken"/> ends the patience: then waiting requests are rejected too, and instances still in use destroyed.
    /// </summary>
    /// <param name="keepInstances">Leave instances as they are, for a successor.</param>
    /// <param name="cancellationToken">Ends the patience.</param>
    public async Task StopAsync(bool keepInstances, CancellationToken cancellationToken)
    {
        if (keepInstances)
        {
            Executor.Do((nowUs, effects) => _core.RejectWaiting(nowUs, effects));
            return;
        }

        var quiet = Volatile.Read(ref _quiet);
        if (quiet is null || quiet.Task.IsCompleted)
        {
            quiet = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Volatile.Write(ref _quiet, quiet);
        }

        Executor.Do((core, nowUs, effects) => core.Drain(nowUs, effects));
        try
        {
            await quiet.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await ForceAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Disposes once, however often it is asked: a container and its host may both do so.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        _backend.SlotWantedBack -= GiveBack;
        _metrics?.Dispose();
        await _reconciler.DisposeAsync().ConfigureAwait(false);
        _state?.Dispose();
        await Executor.DisposeAsync().ConfigureAwait(false);
        await _backend.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Requests that wait for their answer.</summary>
    internal int WaitingAnswers => Executor.Look(_ => Executor.WaitingAnswers);

    /// <exception cref="InvalidOperationException">The books contradict each other.</exception>
    internal void CheckInvariants() => Executor.Look(_ =>
    {
        _core.CheckInvariants();
        return true;
    });

    private bool GiveBack(MetaKey function, SlotTicket slot)
    {
        var given = false;
        Executor.Do((nowUs, effects) => given = _core.GiveBack(nowUs, function, slot, effects));
        return given;
    }

    private async Task ForceAsync()
    {
        Executor.Do((nowUs, effects) => _core.RejectWaiting(nowUs, effects));
        var left = Executor.Look(_ => _core.Slots.Where(s => s.BackendId != default).ToList());
        LogForcedStop(left.Count);
        using var last = new CancellationTokenSource(LastDestroys, _time);
        await Task.WhenAll(left.Select(async slot =>
        {
            try
            {
                await _backend.DestroyAsync(slot.Ticket, slot.BackendId, "the scaler is stopping", last.Token).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                // One that cannot be destroyed must not keep the others from being destroyed.
                LogLeftBehind(slot.BackendId.Value, e.Message);
            }
        })).ConfigureAwait(false);
    }

    /// <summary>Called with the executor's lock held.</summary>
    private void AfterEvent()
    {
        if (_quiet is { } quiet && _core.SlotCount == 0)
        {
            quiet.TrySetResult();
        }
    }

    [LoggerMessage(104, LogLevel.Warning, "Stopping with {Count} instances still in use; they are destroyed")]
    private partial void LogForcedStop(int count);

    [LoggerMessage(105, LogLevel.Error, "Slot {Slot} could not be destroyed and is left behind: {Reason}")]
    private partial void LogLeftBehind(string slot, string reason);
}
