using System.Diagnostics;
using FuncScaler.Runtime.Service;
using FuncScaler.Runtime.Telemetry;
using FuncScaler.SlotBackends;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Runtime.Execution;

/// <summary>
/// Runs a decision core in a process: brings its events one after the other under one lock, hands its effects to those who carry them out
/// (<see cref="PendingAssigns"/> answers callers, <see cref="BackendCalls"/> calls the backend), and wakes it when something is due.
/// Safe for concurrent use. A warm assign takes the lock once and touches neither the backend nor the thread pool.
/// </summary>
/// <remarks>
/// A grant leaves before the core learns from it. It learns at the next event, or after <see cref="LearnAfterUs"/> where none comes.
/// </remarks>
internal sealed class CoreExecutor : IAsyncDisposable
{
    /// <summary>How long what an event teaches may wait for the next event, µs: the shortest time that timers know.</summary>
    private const long LearnAfterUs = 1000;

    private readonly IScalerCore _core;
    private readonly ScalerRuntimeOptions _options;
    private readonly TimeProvider _time;
    private readonly Action? _afterEvent;
    private readonly PendingAssigns _pending;
    private readonly WaitingReleases _releases = new();
    private readonly Lock _gate = new();
    private readonly List<Effect> _effects = [];
    private readonly long _origin;
    private readonly long _startUs;
    private readonly ITimer _timer;
    private readonly CancellationTokenSource _stopping = new();
    private long _armedForUs = long.MaxValue;
    private int _disposed;

    /// <param name="core">The core. Its events go through this executor alone.</param>
    /// <param name="backend">Where slots come from.</param>
    /// <param name="held">Holds calls back until the backend's budget grants them; null where nothing is rationed.</param>
    /// <param name="options">Settings.</param>
    /// <param name="time">The clock and its timers.</param>
    /// <param name="logger">For what operators should know.</param>
    /// <param name="afterEvent">Called with the lock held, after the effects of each event were handed out.</param>
    /// <param name="scheduling">How work leaves the lock; null for the thread pool.</param>
    public CoreExecutor(
        IScalerCore core,
        ISlotBackend backend,
        HeldCalls? held,
        ScalerRuntimeOptions options,
        TimeProvider time,
        ILogger logger,
        Action? afterEvent = null,
        Scheduling? scheduling = null)
    {
        _core = core;
        _options = options;
        _time = time;
        _afterEvent = afterEvent;
        scheduling ??= Scheduling.ThreadPool;
        _pending = new PendingAssigns(scheduling);
        _origin = time.GetTimestamp();
        _startUs = options.State?.StartUs ?? 0;
        Stopping = _stopping.Token;
        Calls = new BackendCalls(this, backend, held, Counters, scheduling, options.State, time, logger);
        _timer = time.CreateTimer(static state => ((CoreExecutor)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>What was counted so far; read it within <see cref="Look{T}"/>.</summary>
    public RequestCounters Counters { get; } = new();

    /// <summary>How long Assigns have taken, while somebody wants to know.</summary>
    public SchedulingTimes Times { get; } = new();

    /// <summary>The calls to the backend.</summary>
    public BackendCalls Calls { get; }

    /// <summary>Fires when the executor is disposed of.</summary>
    public CancellationToken Stopping { get; }

    /// <summary>Requests that wait for their answer; read it within <see cref="Look{T}"/>.</summary>
    internal int WaitingAnswers => _pending.Count;

    /// <summary>Releases that wait for the lock.</summary>
    internal int WaitingReleases => _releases.Count;

    /// <summary>Time since the executor began, µs; where a former run's state is taken over, since the first one began.</summary>
    public long NowUs => _startUs + (long)_time.GetElapsedTime(_origin).TotalMicroseconds;

    /// <inheritdoc cref="IScaler.AssignAsync"/>
    /// <remarks>A caller that sets no deadline waits for <see cref="ScalerRuntimeOptions.AssignTimeout"/>.</remarks>
    public ValueTask<AssignedInstance> AssignAsync(FunctionMeta function, RequestId request, TimeSpan? timeout, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var key = new AssignKey(function.Key, request);
        PendingAssign pending;
        long nowUs;
        var calledUs = Times.On ? NowUs : -1;
        lock (_gate)
        {
            _releases.TakeIn(this);
            nowUs = NowUs;
            _core.AssignFirst(nowUs, function, request, DeadlineUs(nowUs, timeout), _effects);
            Counters.Assigns++;
            if (_effects is [{ Kind: EffectKind.Grant } only] && IsOf(only, key) && !_pending.Contains(key))
            {
                _effects.Clear();
                Counters.Granted(only.GrantKind);
                End();
                if (_options.Measured)
                {
                    ScalerTelemetry.RecordWarmAssign(this, nowUs, only.GrantKind);
                }

                if (calledUs >= 0)
                {
                    Times.Add(NowUs - calledUs);
                }

                return new ValueTask<AssignedInstance>(new AssignedInstance(only.Instance, only.GrantKind, only.Address));
            }

            if (_effects is [{ Kind: EffectKind.Reject, RejectReason: RejectReason.Overloaded } refused] && IsOf(refused, key) && !_pending.Contains(key))
            {
                // As cheap as a warm assign: nothing waits, and nothing is told but the caller.
                _effects.Clear();
                Counters.Rejected++;
                Counters.Overloaded++;
                End();
                Record(0, grant: null);
                return ValueTask.FromException<AssignedInstance>(PendingAssigns.Rejection(refused));
            }

            _core.Settle(_effects);
            pending = _pending.Add(key);
            CountMiss(key);
            CarryOut();
        }

        return WaitAsync(function, request, pending, nowUs, cancellationToken);
    }

    /// <inheritdoc cref="IScaler.Release"/>
    /// <remarks>
    /// What frees instances is never queued behind what wants them: a release that finds the lock taken is taken in before the next assign.
    /// </remarks>
    public ReleaseOutcome Release(MetaKey function, RequestId request, InstanceId instance, in ReleaseResult result)
    {
        if (_gate.TryEnter())
        {
            try
            {
                return TakeIn(function, request, instance, result);
            }
            finally
            {
                _gate.Exit();
            }
        }

        var waiting = _releases.Add(function, request, instance, result);
        lock (_gate)
        {
            _releases.TakeIn(this);
            return waiting.Outcome;
        }
    }

    /// <summary>Called with the lock held.</summary>
    internal ReleaseOutcome TakeIn(MetaKey function, RequestId request, InstanceId instance, in ReleaseResult result)
    {
        var outcome = _core.ReleaseFirst(NowUs, function, request, instance, result, _effects);
        if (outcome is ReleaseOutcome.Released)
        {
            Counters.Releases++;
        }
        else
        {
            Counters.UnknownReleases++;
        }

        if (_effects.TrueForAll(IsAnswer))
        {
            Answer();
            End();
        }
        else
        {
            _core.Settle(_effects);
            CarryOut();
        }

        return outcome;
    }

    /// <summary>One of the callers of a request has gone away, or could not be told of its instance.</summary>
    public void Abandon(MetaKey function, RequestId request) => Do((nowUs, effects) => _core.Abandon(nowUs, function, request, effects));

    /// <summary>Brings an event to the core and hands out its effects.</summary>
    public void Do(Action<long, List<Effect>> coreEvent)
    {
        lock (_gate)
        {
            // Not all that an event does is told the core, which would settle first: some read of it.
            _core.Settle(_effects);
            coreEvent(NowUs, _effects);
            CarryOut();
        }
    }

    /// <summary>Tells the core something and hands out its effects.</summary>
    public void Do(Action<IScalerCore, long, List<Effect>> coreEvent) => Do((nowUs, effects) => coreEvent(_core, nowUs, effects));

    /// <summary>Reads a state that no event changes meanwhile.</summary>
    public T Look<T>(Func<long, T> read)
    {
        lock (_gate)
        {
            if (_core.IsUnsettled)
            {
                _core.Settle(_effects);
                CarryOut();
            }

            return read(NowUs);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _stopping.CancelAsync().ConfigureAwait(false);
        await _timer.DisposeAsync().ConfigureAwait(false);
        await Calls.DisposeAsync().ConfigureAwait(false);
        _stopping.Dispose();
    }

    private static bool IsOf(in Effect effect, AssignKey key) => effect.Request == key.Request && effect.Function.Key == key.Function;

    private static bool IsAnswer(Effect effect) => effect.Kind is EffectKind.Grant or EffectKind.Reject;

    /// <summary>Hands out what the core has asked for; nothing is left to settle. Called with the lock held.</summary>
    private void CarryOut()
    {
        do
        {
            Answer();
        }
        while (Calls.LetHeldCallsGo(_core, NowUs, _effects));

        End();
    }

    /// <summary>What ends every event.</summary>
    private void End()
    {
        Rearm();
        _afterEvent?.Invoke();
    }

    /// <summary>Answers callers, and calls the backend.</summary>
    private void Answer()
    {
        foreach (var effect in _effects)
        {
            switch (effect.Kind)
            {
                case EffectKind.Grant:
                    Counters.Granted(effect.GrantKind);
                    _pending.Grant(effect);
                    break;
                case EffectKind.Reject:
                    Counters.Rejected++;
                    _pending.Reject(effect);
                    break;
                default:
                    Calls.Take(_core, effect);
                    break;
            }
        }

        _effects.Clear();
    }

    /// <summary>Counts what was decided for a request that found no instance. Called with the lock held, before its effects are handed out.</summary>
    private void CountMiss(AssignKey key)
    {
        var creates = 0;
        foreach (var effect in _effects)
        {
            if (effect.Kind is EffectKind.Grant or EffectKind.Reject && IsOf(effect, key))
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
        FunctionMeta function, RequestId request, PendingAssign pending, long askedUs, CancellationToken cancellationToken)
    {
        using var activity = StartActivity("wait", function);
        try
        {
            var assigned = await pending.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
            var tookUs = NowUs - askedUs;
            Record(tookUs, assigned.Kind);
            Times.Add(tookUs);
            activity?.SetTag("funcscaler.outcome", ScalerService.StartName(assigned.Kind));
            return assigned;
        }
        catch (AssignRejectedException e)
        {
            var tookUs = NowUs - askedUs;
            Record(tookUs, grant: null);
            Times.Add(tookUs);
            activity?.SetStatus(ActivityStatusCode.Error, e.Message);
            throw;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The core counts a request's callers: only the last one that goes away takes the instance away from the others. One that is rejected
            // is none of them any more, and the id may have come again.
            Do((nowUs, effects) =>
            {
                if (!pending.Rejected)
                {
                    _core.Abandon(nowUs, function.Key, request, effects);
                }
            });
            throw;
        }
    }

    /// <summary>An activity for traces; null where nobody listens, and in a rehearsal.</summary>
    internal Activity? StartActivity(string name, FunctionMeta function) =>
        _options.Measured ? ScalerTelemetry.StartActivity(name, function) : null;

    /// <summary>Records how long an assign that was not warm took, by its outcome; null for a rejection.</summary>
    private void Record(long tookUs, GrantKind? grant)
    {
        if (!_options.Measured)
        {
            return;
        }

        if (grant is { } kind)
        {
            ScalerTelemetry.RecordAssign(tookUs, kind);
        }
        else
        {
            ScalerTelemetry.RecordRejected(tookUs);
        }
    }

    private void OnTimer()
    {
        lock (_gate)
        {
            if (_disposed != 0)
            {
                return;
            }

            _armedForUs = long.MaxValue;
            _core.Tick(NowUs, _effects);
            CarryOut();
        }
    }

    private void Rearm()
    {
        var nextUs = _core.IsUnsettled ? Math.Min(_core.NextWakeUs, NowUs + LearnAfterUs) : _core.NextWakeUs;
        if (nextUs >= _armedForUs)
        {
            return;
        }

        _armedForUs = nextUs;
        var delayUs = Math.Clamp(nextUs - NowUs, 0, 86_400_000_000L);

        // Timers count whole milliseconds: rounding up avoids waking before anything is due.
        _timer.Change(TimeSpan.FromMilliseconds((delayUs + 999) / 1000), Timeout.InfiniteTimeSpan);
    }
}
