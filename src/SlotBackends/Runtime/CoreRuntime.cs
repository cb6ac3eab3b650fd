using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using FuncScaler.Policies;
using Microsoft.Extensions.Logging;

namespace FuncScaler.SlotBackends.Runtime;

/// <summary>
/// Runs a decision core in a process: serialises its events under one lock, carries its effects out on a backend, and wakes it when it
/// asks. Safe for concurrent use. A warm assign takes the lock once and touches neither backend nor thread pool.
/// </summary>
public abstract partial class CoreRuntime : IScaler, IAsyncDisposable
{
    private readonly IScalerCore _core;
    private readonly ILogger _logger;
    private readonly ScalerRuntimeOptions _options;
    private readonly long _origin;
    private readonly ITimer _timer;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Dictionary<RequestId, PendingAssign> _pending = [];
    private readonly ConcurrentDictionary<SlotTicket, Uri> _addresses = new();
    private readonly RuntimeMetrics _metrics;
    private long _armedForUs = long.MaxValue;
    private int _disposed;

    /// <param name="core">The core; its events go through the runtime alone.</param>
    /// <param name="backend">Where slots come from.</param>
    /// <param name="policy">How functions are served.</param>
    /// <param name="options">Settings.</param>
    /// <param name="time">The clock and its timers.</param>
    /// <param name="logger">For what operators should know.</param>
    private protected CoreRuntime(
        IScalerCore core, ISlotBackend backend, PolicyChoice policy, ScalerRuntimeOptions options, TimeProvider time, ILogger logger)
    {
        _core = core;
        Backend = backend;
        Policy = policy;
        _options = options;
        Time = time;
        _logger = logger;
        Stopping = _stopping.Token;
        _origin = time.GetTimestamp();
        _timer = time.CreateTimer(static state => ((CoreRuntime)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _metrics = new RuntimeMetrics(this);
    }

    private protected ISlotBackend Backend { get; }

    private protected TimeProvider Time { get; }

    /// <summary>Held while the core is at work.</summary>
    private protected Lock Gate { get; } = new();

    /// <summary>What the core asks for; carried out by <see cref="RunEffects"/>.</summary>
    private protected List<Effect> Effects { get; } = [];

    private protected RequestCounters Counters { get; } = new();

    /// <summary>Fires when the runtime is disposed of.</summary>
    private protected CancellationToken Stopping { get; }

    /// <summary>Time since the runtime began, µs.</summary>
    private protected long NowUs => (long)Time.GetElapsedTime(_origin).TotalMicroseconds;

    /// <inheritdoc />
    /// <remarks>A caller that sets no deadline waits for <see cref="ScalerRuntimeOptions.AssignTimeout"/>.</remarks>
    public ValueTask<AssignedInstance> AssignAsync(
        FunctionMeta function,
        RequestId request,
        TimeSpan? timeout,
        CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        PendingAssign pending;
        long nowUs;
        lock (Gate)
        {
            nowUs = NowUs;
            _core.Assign(nowUs, function, request, DeadlineUs(nowUs, timeout), Effects);
            Counters.Assigns++;
            if (Effects is [{ Kind: EffectKind.Grant } only] && only.Request == request && !_pending.ContainsKey(request))
            {
                Effects.Clear();
                Counters.Granted(only.GrantKind);
                Rearm();
                if (ScalerTelemetry.AssignDuration.Enabled)
                {
                    ScalerTelemetry.RecordAssign(NowUs - nowUs, only.GrantKind);
                }

                return new ValueTask<AssignedInstance>(new AssignedInstance(only.Instance, only.GrantKind, AddressOf(only)));
            }

            if (!_pending.TryGetValue(request, out pending!))
            {
                pending = new PendingAssign();
                _pending.Add(request, pending);
            }

            pending.Callers++;
            CountMiss(request);
            RunEffects();
        }

        return WaitAsync(function, request, pending, nowUs, cancellationToken);
    }

    /// <inheritdoc />
    public ReleaseOutcome Release(MetaKey function, RequestId request, InstanceId instance, in ReleaseResult result)
    {
        lock (Gate)
        {
            var outcome = _core.Release(NowUs, function, request, instance, result, Effects);
            if (outcome is ReleaseOutcome.Released)
            {
                Counters.Releases++;
            }
            else
            {
                Counters.UnknownReleases++;
            }

            RunEffects();
            return outcome;
        }
    }

    /// <summary>Stops the timers and cancels what is under way. Further calls do nothing: containers dispose of a service once per registration.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        _metrics.Dispose();
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _timer.DisposeAsync().ConfigureAwait(false);
        await DisposeCoreAsync().ConfigureAwait(false);
        _stopping.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Disposes of what the heir has.</summary>
    private protected abstract ValueTask DisposeCoreAsync();

    /// <summary>The core's time has come; called with the lock held, <see cref="RunEffects"/> follows.</summary>
    private protected abstract void WakeCore(long nowUs);

    /// <summary>Effects were carried out; called with the lock held.</summary>
    private protected virtual void EffectsCarriedOut()
    {
    }

    /// <summary>What the platform knows of our slots is in doubt.</summary>
    private protected virtual void PlatformInDoubt()
    {
    }

    /// <summary>
    /// Leaves the caller, who holds the lock and goes through the effects: neither a backend's work before its first await nor its answer,
    /// however quick, may run inside of that.
    /// </summary>
    private protected static ConfiguredTaskAwaitable LeaveCaller() => Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);

    /// <summary>Carries out what the core has asked for. Called with the lock held.</summary>
    private protected void RunEffects()
    {
        do
        {
            CarryOut();
        }
        while (LetHeldCallsGo());

        Rearm();
        EffectsCarriedOut();
    }

    /// <summary>Where the instance of a grant is reached; called with the lock held.</summary>
    private protected virtual Uri? AddressOf(in Effect grant) => _addresses.IsEmpty ? null : _addresses.GetValueOrDefault(grant.Ticket);

    /// <summary>Takes in a creation or destruction that is to wait for the backend's budget; called with the lock held.</summary>
    /// <returns>False when it need not wait.</returns>
    private protected virtual bool Hold(in Effect effect) => false;

    /// <summary>Starts the calls that have waited for long enough; called with the lock held.</summary>
    /// <returns>Whether the core has asked for something on the way.</returns>
    private protected virtual bool LetHeldCallsGo() => false;

    /// <summary>Takes in a call that the platform has sent back for now.</summary>
    /// <returns>False when it has failed, as far as the core is concerned.</returns>
    private protected virtual bool HoldAgain(Effect effect, SlotFailure failure) => false;

    private protected void StartCreate(in Effect effect)
    {
        Counters.Creates++;
        _ = CreateAsync(effect);
    }

    private protected void StartDestroy(in Effect effect)
    {
        Counters.Destroys++;
        _ = DestroyAsync(effect);
    }

    private void CarryOut()
    {
        foreach (var effect in Effects)
        {
            Counters.CreatesAsked += effect.Kind == EffectKind.CreateSlot ? 1 : 0;
            Counters.GivenBack += effect.Kind == EffectKind.DestroySlot ? 1 : 0;
            switch (effect.Kind)
            {
                case EffectKind.CreateSlot or EffectKind.DestroySlot when Hold(effect):
                    break;
                case EffectKind.CreateSlot:
                    StartCreate(effect);
                    break;
                case EffectKind.InitSlot:
                    _ = InitAsync(effect);
                    break;
                case EffectKind.DestroySlot:
                    StartDestroy(effect);
                    break;
                case EffectKind.Grant:
                    Counters.Granted(effect.GrantKind);
                    if (_pending.Remove(effect.Request, out var granted))
                    {
                        granted.Completion.TrySetResult(new AssignedInstance(effect.Instance, effect.GrantKind, AddressOf(effect)));
                    }

                    break;
                case EffectKind.Reject:
                    Counters.Rejected++;
                    if (_pending.Remove(effect.Request, out var rejected))
                    {
                        rejected.Completion.TrySetException(new AssignRejectedException(effect.RejectReason, effect.Message!));
                    }

                    break;
                default:
                    break;
            }
        }

        Effects.Clear();
    }

    /// <summary>Tells the core something, and carries out what it asks for then.</summary>
    private protected void Answer(Action<IScalerCore, long, List<Effect>> answer)
    {
        lock (Gate)
        {
            answer(_core, NowUs, Effects);
            RunEffects();
        }
    }

    /// <summary>What was decided for a request that found no instance; called with the lock held, before its effects are carried out.</summary>
    private void CountMiss(RequestId request)
    {
        var creates = 0;
        foreach (var effect in Effects)
        {
            if (effect.Kind is EffectKind.Grant or EffectKind.Reject && effect.Request == request)
            {
                return;
            }

            creates += effect.Kind == EffectKind.CreateSlot ? 1 : 0;
        }

        Counters.CreatesOnMiss += creates;
        Counters.Waits += creates == 0 ? 1 : 0;
    }

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
        long askedUs,
        CancellationToken cancellationToken)
    {
        using var activity = ScalerTelemetry.StartActivity("wait", function);
        try
        {
            var assigned = await pending.Completion.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
            ScalerTelemetry.RecordAssign(NowUs - askedUs, assigned.Kind);
            activity?.SetTag("funcscaler.outcome", ScalerService.StartName(assigned.Kind));
            return assigned;
        }
        catch (AssignRejectedException e)
        {
            ScalerTelemetry.RecordRejected(NowUs - askedUs);
            activity?.SetStatus(ActivityStatusCode.Error, e.Message);
            throw;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            lock (Gate)
            {
                // Only the last caller of a repeated request takes the instance away from the others.
                if (--pending.Callers == 0)
                {
                    _core.Abandon(NowUs, function.Key, request, Effects);
                    RunEffects();
                }
            }

            throw;
        }
    }

    private void OnTimer()
    {
        lock (Gate)
        {
            _armedForUs = long.MaxValue;
            WakeCore(NowUs);
            RunEffects();
        }
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


    private async Task CreateAsync(Effect effect)
    {
        await LeaveCaller();
        using var activity = ScalerTelemetry.StartActivity("create", effect.Function);
        try
        {
            var id = await Backend.CreateAsync(effect.Ticket, effect.Function, Stopping).ConfigureAwait(false);
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
        using var activity = ScalerTelemetry.StartActivity("init", effect.Function);
        try
        {
            var address = await Backend.InitAsync(effect.BackendSlot, effect.Instance, effect.Function, Stopping).ConfigureAwait(false);
            if (address is not null)
            {
                _addresses[effect.Ticket] = address;
            }

            Answer((core, nowUs, effects) => core.SlotReady(nowUs, effect.Function.Key, effect.Ticket, address, effects));
        }
        catch (Exception e)
        {
            Fail(effect, e, outcomeUnknown: false);
        }
    }

    private async Task DestroyAsync(Effect effect)
    {
        await LeaveCaller();
        using var activity = ScalerTelemetry.StartActivity("destroy", effect.Function);
        try
        {
            _addresses.TryRemove(effect.Ticket, out _);
            var known = await Backend.DestroyAsync(effect.Ticket, effect.BackendSlot, effect.Message!, Stopping).ConfigureAwait(false);
            Answer((core, nowUs, effects) => core.SlotDestroyed(nowUs, effect.Function.Key, effect.Ticket, effects));
            if (!known && effect.BackendSlot != default)
            {
                // The platform has forgotten one of our slots; it may have forgotten more.
                LogForgotten(effect.BackendSlot.Value);
                PlatformInDoubt();
            }
        }
        catch (Exception e)
        {
            Fail(effect, e, outcomeUnknown: false);
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

        Activity.Current?.SetStatus(ActivityStatusCode.Error, failure.Message);
        LogBackendFailed(effect.Kind, effect.Function.Key.Value, effect.Ticket.Value, failure.Kind, failure.Message);
        lock (Gate)
        {
            Counters.BackendFailures++;
            Counters.Throttled += failure.Kind == FailureKind.Throttled ? 1 : 0;
        }

        Answer((core, nowUs, effects) => core.SlotFailed(nowUs, effect.Function.Key, effect.Ticket, failure, effects));
        if (exception is SlotBackendException { PlatformUnreachable: true })
        {
            PlatformInDoubt();
        }
    }

    [LoggerMessage(100, LogLevel.Warning, "{Call} for function {Function}, slot {Ticket}: {Kind} failure: {Reason}")]
    private partial void LogBackendFailed(EffectKind call, string function, long ticket, FailureKind kind, string reason);

    [LoggerMessage(103, LogLevel.Warning, "The platform did not know slot {Slot} any more")]
    private partial void LogForgotten(string slot);

    private sealed class PendingAssign
    {
        public TaskCompletionSource<AssignedInstance> Completion { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Callers { get; set; }
    }
}
