using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using FuncScaler.Policies;
using Microsoft.Extensions.Logging;

namespace FuncScaler.SlotBackends.Runtime;

/// <summary>
/// Runs the decision core in a process: serialises its events under one lock, carries its effects out on a backend, and wakes it when it
/// asks. Safe for concurrent use. A warm assign takes the lock once and touches neither backend nor thread pool.
/// </summary>
public sealed partial class ScalerRuntime : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly ScalerCore _core;
    private readonly ISlotBackend _backend;
    private readonly ScalerRuntimeOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly long _origin;
    private readonly ITimer _timer;
    private readonly ITimer? _reconcileTimer;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Dictionary<RequestId, PendingAssign> _pending = [];
    private readonly ConcurrentDictionary<SlotTicket, Uri> _addresses = new();
    private readonly List<Effect> _effects = [];
    private readonly Counters _counters = new();
    private readonly HeldCalls? _held;
    private readonly ITimer? _heldTimer;
    private long _armedForUs = long.MaxValue;
    private TaskCompletionSource? _quiet;
    private bool _reconciling;

    /// <param name="backend">Where slots come from; disposed with the runtime.</param>
    /// <param name="policy">How functions are served.</param>
    /// <param name="options">Settings.</param>
    /// <param name="time">The clock and its timers.</param>
    /// <param name="logger">For what operators should know.</param>
    public ScalerRuntime(ISlotBackend backend, PolicyChoice policy, ScalerRuntimeOptions options, TimeProvider time, ILogger<ScalerRuntime> logger)
    {
        _backend = backend;
        _options = options;
        _time = time;
        _logger = logger;
        _origin = time.GetTimestamp();
        Policy = policy;
        if (backend.Budget is { } budget)
        {
            _held = new HeldCalls(budget);
            _heldTimer = time.CreateTimer(static state => ((ScalerRuntime)state!).OnHeldTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            options = options with
            {
                Pool = options.Pool with { CreatePriceSeconds = options.Pool.CreatePriceSeconds ?? (() => budget.Creates.PriceSeconds(_held.Creates)) },
            };
        }

        _core = new ScalerCore(policy, options.Pool);
        _timer = time.CreateTimer(static state => ((ScalerRuntime)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        if (options.ReconcileInterval is { } interval)
        {
            _reconcileTimer = time.CreateTimer(static state => ((ScalerRuntime)state!).StartReconcile(), this, interval, interval);
        }
    }

    /// <summary>How functions are served.</summary>
    public PolicyChoice Policy { get; }

    /// <summary>Time since the runtime began, µs.</summary>
    private long NowUs => (long)_time.GetElapsedTime(_origin).TotalMicroseconds;

    /// <summary>Gives the request an instance, at once where one is idle, else as soon as one is free or ready.</summary>
    /// <param name="function">The function.</param>
    /// <param name="request">The request; repeating one that waits or holds an instance leads to the same instance.</param>
    /// <param name="timeout">How long the caller is ready to wait; null for <see cref="ScalerRuntimeOptions.AssignTimeout"/>.</param>
    /// <param name="cancellationToken">The caller has gone away: an instance that it was granted meanwhile is taken back.</param>
    /// <exception cref="AssignRejectedException">No instance, and why.</exception>
    public ValueTask<AssignedInstance> AssignAsync(
        FunctionMeta function,
        RequestId request,
        TimeSpan? timeout,
        CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        PendingAssign pending;
        lock (_gate)
        {
            var nowUs = NowUs;
            _core.Assign(nowUs, function, request, DeadlineUs(nowUs, timeout), _effects);
            _counters.Assigns++;
            if (_effects is [{ Kind: EffectKind.Grant } only] && only.Request == request && !_pending.ContainsKey(request))
            {
                _effects.Clear();
                _counters.Granted(only.GrantKind);
                Rearm();
                return new ValueTask<AssignedInstance>(new AssignedInstance(only.Instance, only.GrantKind, AddressOf(only.Ticket)));
            }

            if (!_pending.TryGetValue(request, out pending!))
            {
                pending = new PendingAssign();
                _pending.Add(request, pending);
            }

            pending.Callers++;
            RunEffects();
        }

        return WaitAsync(function, request, pending, cancellationToken);
    }

    /// <summary>Takes an instance back.</summary>
    public ReleaseOutcome Release(MetaKey function, RequestId request, InstanceId instance, in ReleaseResult result)
    {
        lock (_gate)
        {
            var outcome = _core.Release(NowUs, function, request, instance, result, _effects);
            if (outcome == ReleaseOutcome.Released)
            {
                _counters.Releases++;
            }
            else
            {
                _counters.UnknownReleases++;
            }

            RunEffects();
            return outcome;
        }
    }

    /// <summary>Compares the inventory with the backend's own list now.</summary>
    /// <returns>False when the backend gives no way to find out.</returns>
    /// <exception cref="SlotBackendException">The backend could not be asked.</exception>
    public async Task<bool> ReconcileAsync(CancellationToken cancellationToken)
    {
        List<SlotSnapshot> known;
        long askedUs;
        lock (_gate)
        {
            askedUs = NowUs;
            known = [.. _core.Slots];
        }

        var listed = await _backend.ListAsync(known, cancellationToken).ConfigureAwait(false);
        if (listed is null)
        {
            return false;
        }

        lock (_gate)
        {
            var before = _core.SlotCount;
            _core.Reconcile(NowUs, askedUs, listed, _effects);
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
        lock (_gate)
        {
            _core.Drain(NowUs, _effects);
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
            lock (_gate)
            {
                left = [.. _core.Slots.Where(s => s.BackendId != default)];
            }

            LogForcedStop(left.Count);
            using var last = new CancellationTokenSource(TimeSpan.FromSeconds(5), _time);
            await Task.WhenAll(left.Select(async slot =>
            {
                try
                {
                    await _backend.DestroyAsync(slot.Ticket, slot.BackendId, "the scaler is stopping", last.Token).ConfigureAwait(false);
                }
                catch (Exception e) when (e is SlotBackendException or OperationCanceledException)
                {
                    LogLeftBehind(slot.BackendId.Value, e.Message);
                }
            })).ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _timer.DisposeAsync().ConfigureAwait(false);
        if (_reconcileTimer is not null)
        {
            await _reconcileTimer.DisposeAsync().ConfigureAwait(false);
        }

        if (_heldTimer is not null)
        {
            await _heldTimer.DisposeAsync().ConfigureAwait(false);
        }

        await _backend.DisposeAsync().ConfigureAwait(false);
        _stopping.Dispose();
    }

    /// <summary>
    /// Leaves the caller, who holds the lock and goes through the effects: neither a backend's work before its first await nor its answer,
    /// however quick, may run inside of that.
    /// </summary>
    private static ConfiguredTaskAwaitable LeaveCaller() => Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);

    private long DeadlineUs(long nowUs, TimeSpan? timeout)
    {
        if (timeout is null)
        {
            return nowUs + (long)_options.AssignTimeout.TotalMicroseconds;
        }

        var margin = Math.Min(_options.DeadlineMargin.TotalMicroseconds, timeout.Value.TotalMicroseconds / 10);
        return nowUs + (long)(timeout.Value.TotalMicroseconds - margin);
    }

    private async ValueTask<AssignedInstance> WaitAsync(
        FunctionMeta function,
        RequestId request,
        PendingAssign pending,
        CancellationToken cancellationToken)
    {
        try
        {
            return await pending.Completion.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            lock (_gate)
            {
                // Only the last caller of a repeated request takes the instance away from the others.
                if (--pending.Callers == 0)
                {
                    _core.Abandon(NowUs, function.Key, request, _effects);
                    RunEffects();
                }
            }

            throw;
        }
    }

    private void OnTimer()
    {
        lock (_gate)
        {
            _armedForUs = long.MaxValue;
            _core.Tick(NowUs, _effects);
            RunEffects();
        }
    }

    /// <summary>Carries out what the core has asked for. Called with the lock held.</summary>
    private void RunEffects()
    {
        do
        {
            CarryOut();
        }
        while (LetHeldCallsGo());

        Rearm();
        if (_quiet is not null && _core.SlotCount == 0)
        {
            _quiet.TrySetResult();
        }
    }

    private void CarryOut()
    {
        foreach (var effect in _effects)
        {
            switch (effect.Kind)
            {
                case EffectKind.CreateSlot when _held is not null:
                    _core.HoldCreate(effect.Function.Key, effect.Ticket);
                    _held.Add(effect);
                    break;
                case EffectKind.DestroySlot when _held is not null:
                    _held.Add(effect);
                    break;
                case EffectKind.CreateSlot:
                    _counters.Creates++;
                    _ = CreateAsync(effect);
                    break;
                case EffectKind.InitSlot:
                    _ = InitAsync(effect);
                    break;
                case EffectKind.DestroySlot:
                    _counters.Destroys++;
                    _ = DestroyAsync(effect);
                    break;
                case EffectKind.Grant:
                    _counters.Granted(effect.GrantKind);
                    if (_pending.Remove(effect.Request, out var granted))
                    {
                        granted.Completion.TrySetResult(new AssignedInstance(effect.Instance, effect.GrantKind, AddressOf(effect.Ticket)));
                    }

                    break;
                case EffectKind.Reject:
                    _counters.Rejected++;
                    if (_pending.Remove(effect.Request, out var rejected))
                    {
                        rejected.Completion.TrySetException(new AssignRejectedException(effect.RejectReason, effect.Message!));
                    }

                    break;
                case EffectKind.WakeAt:
                default:
                    break;
            }
        }

        _effects.Clear();
    }

    private void Rearm()
    {
        var nextUs = _core.NextWakeUs;
        if (nextUs >= _armedForUs)
        {
            return;
        }

        _armedForUs = nextUs;
        var delayUs = Math.Clamp(nextUs - NowUs, 0, 86_400_000_000L);

        // Timers count whole milliseconds: rounding up avoids waking before anything is due.
        _timer.Change(TimeSpan.FromMilliseconds((delayUs + 999) / 1000), Timeout.InfiniteTimeSpan);
    }

    private Uri? AddressOf(SlotTicket ticket) => _addresses.IsEmpty ? null : _addresses.GetValueOrDefault(ticket);

    private async Task CreateAsync(Effect effect)
    {
        await LeaveCaller();
        try
        {
            var id = await _backend.CreateAsync(effect.Ticket, effect.Function, _stopping.Token).ConfigureAwait(false);
            Answer((core, nowUs, effects) => core.SlotCreated(nowUs, effect.Function.Key, effect.Ticket, id, effects));
        }
        catch (Exception e)
        {
            Fail(effect, e, outcomeUnknown: true);
        }
    }

    private async Task InitAsync(Effect effect)
    {
        await LeaveCaller();
        try
        {
            var address = await _backend.InitAsync(effect.BackendSlot, effect.Instance, effect.Function, _stopping.Token).ConfigureAwait(false);
            if (address is not null)
            {
                _addresses[effect.Ticket] = address;
            }

            Answer((core, nowUs, effects) => core.SlotReady(nowUs, effect.Function.Key, effect.Ticket, effects));
        }
        catch (Exception e)
        {
            Fail(effect, e, outcomeUnknown: false);
        }
    }

    private async Task DestroyAsync(Effect effect)
    {
        await LeaveCaller();
        try
        {
            _addresses.TryRemove(effect.Ticket, out _);
            var known = await _backend.DestroyAsync(effect.Ticket, effect.BackendSlot, effect.Message!, _stopping.Token).ConfigureAwait(false);
            Answer((core, nowUs, effects) => core.SlotDestroyed(nowUs, effect.Function.Key, effect.Ticket, effects));
            if (!known && effect.BackendSlot != default)
            {
                // The platform has forgotten one of our slots; it may have forgotten more.
                LogForgotten(effect.BackendSlot.Value);
                StartReconcile();
            }
        }
        catch (Exception e)
        {
            Fail(effect, e, outcomeUnknown: false);
        }
    }

    private void Answer(Action<ScalerCore, long, List<Effect>> answer)
    {
        lock (_gate)
        {
            answer(_core, NowUs, _effects);
            RunEffects();
        }
    }

    private void Fail(Effect effect, Exception exception, bool outcomeUnknown)
    {
        if (_stopping.IsCancellationRequested)
        {
            return;
        }

        var failure = exception is SlotBackendException known
            ? known.Failure
            : new SlotFailure(FailureKind.Transient, exception.Message, OutcomeUnknown: outcomeUnknown);
        if (failure is { Kind: FailureKind.Throttled, OutcomeUnknown: false } && HoldAgain(effect, failure))
        {
            return;
        }

        LogBackendFailed(effect.Kind, effect.Function.Key.Value, effect.Ticket.Value, failure.Kind, failure.Message);
        lock (_gate)
        {
            _counters.BackendFailures++;
        }

        Answer((core, nowUs, effects) => core.SlotFailed(nowUs, effect.Function.Key, effect.Ticket, failure, effects));
        if (exception is SlotBackendException { PlatformUnreachable: true })
        {
            StartReconcile();
        }
    }

    /// <summary>Asks the backend for its list until it answers; one such task at a time.</summary>
    private void StartReconcile()
    {
        lock (_gate)
        {
            if (_reconciling || _stopping.IsCancellationRequested)
            {
                return;
            }

            _reconciling = true;
        }

        _ = ReconcileUntilAnsweredAsync(_stopping.Token);
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
                    return;
                }
                catch (SlotBackendException e)
                {
                    LogReconcileFailed(e.Message);
                    await Task.Delay(_options.ReconcileRetryDelay, _time, cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
        finally
        {
            lock (_gate)
            {
                _reconciling = false;
            }
        }
    }

    private sealed class PendingAssign
    {
        public TaskCompletionSource<AssignedInstance> Completion { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Callers { get; set; }
    }
}
