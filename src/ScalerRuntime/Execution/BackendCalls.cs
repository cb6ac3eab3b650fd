using System.Diagnostics;
using FuncScaler.Runtime.State;
using FuncScaler.SlotBackends;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Runtime.Execution;

/// <summary>
/// Carries out the core's creations, initialisations and destructions on a backend and brings its answers back as events. Calls that the
/// backend's budget does not grant wait in <see cref="HeldCalls"/>.
/// </summary>
internal sealed partial class BackendCalls : IAsyncDisposable
{
    private readonly CoreExecutor _executor;
    private readonly ISlotBackend _backend;
    private readonly HeldCalls? _held;
    private readonly RequestCounters _counters;
    private readonly Scheduling _scheduling;
    private readonly ITimer? _heldTimer;
    private readonly DurableState? _state;
    private readonly ILogger _logger;
    private readonly FailureLines _failures;

    public BackendCalls(
        CoreExecutor executor,
        ISlotBackend backend,
        HeldCalls? held,
        RequestCounters counters,
        Scheduling scheduling,
        DurableState? state,
        TimeProvider time,
        ILogger logger)
    {
        _executor = executor;
        _backend = backend;
        _held = held;
        _counters = counters;
        _scheduling = scheduling;
        _state = state;
        _logger = logger;
        _failures = new FailureLines(time);
        if (held is not null)
        {
            _heldTimer = time.CreateTimer(
                static state => ((CoreExecutor)state!).Do(static (_, _) => { }), executor, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>What the platform knows of our slots is in doubt: it was unreachable, or did not know one of them.</summary>
    public event Action? PlatformInDoubt;

    /// <summary>Takes in a CreateSlot, InitSlot or DestroySlot. Called with the executor's lock held.</summary>
    public void Take(IScalerCore core, in Effect effect)
    {
        switch (effect.Kind)
        {
            case EffectKind.CreateSlot:
                _counters.CreatesAsked++;
                HoldOrStart(core, effect);
                break;
            case EffectKind.DestroySlot:
                _counters.GivenBack++;
                HoldOrStart(core, effect);
                break;
            case EffectKind.InitSlot:
                Start(effect);
                break;
            default:
                throw new InvalidOperationException($"{effect.Kind} is no call of the backend.");
        }
    }

    /// <summary>Starts as many of the held calls as the budget grants, in order. Called with the executor's lock held.</summary>
    /// <returns>Whether the core has asked for something on the way.</returns>
    public bool LetHeldCallsGo(IScalerCore core, long nowUs, List<Effect> effects)
    {
        if (_held is null)
        {
            return false;
        }

        var retry = Timeout.InfiniteTimeSpan;
        while (_held.TryTakeDestroy(out var destroy, out retry))
        {
            Start(destroy);
        }

        while (_held.TryPeekCreate(out var create))
        {
            if (!core.KeepHeldCreate(nowUs, create.Function.Key, create.Ticket, effects))
            {
                _held.Withdraw(create.Ticket);
                continue;
            }

            if (!_held.TryTakeCreate(create, out var wait))
            {
                retry = retry == Timeout.InfiniteTimeSpan || wait < retry ? wait : retry;
                break;
            }

            core.BeginCreate(nowUs, create.Function.Key, create.Ticket);
            Start(create);
        }

        if (retry != Timeout.InfiniteTimeSpan)
        {
            // Whole milliseconds, rounded up: asking too early would find nothing.
            _heldTimer!.Change(TimeSpan.FromMilliseconds(Math.Clamp(Math.Ceiling(retry.TotalMilliseconds), 1, 86_400_000)), Timeout.InfiniteTimeSpan);
        }

        return effects.Count > 0;
    }

    /// <summary>Slots are gone: what is held back for them would use the budget up for nothing. Called with the executor's lock held.</summary>
    public void Withdraw(IEnumerable<SlotTicket> gone)
    {
        foreach (var ticket in gone)
        {
            _held?.Withdraw(ticket);
        }
    }

    /// <summary>What the backend's budget has left; null without one. Called with the executor's lock held.</summary>
    public BudgetStats? DescribeBudget()
    {
        if (_held is null)
        {
            return null;
        }

        var creates = _backend.Budget!.Creates;
        return new BudgetStats(
            Math.Min(creates.Remaining, int.MaxValue),
            Math.Min(creates.PerSecond, int.MaxValue),
            creates.PriceSeconds(_held.Creates),
            _held.Creates,
            _held.Destroys,
            _counters.Throttled);
    }

    public ValueTask DisposeAsync() => _heldTimer?.DisposeAsync() ?? ValueTask.CompletedTask;

    private void HoldOrStart(IScalerCore core, in Effect effect)
    {
        if (_held is null)
        {
            Start(effect);
            return;
        }

        if (effect.Kind == EffectKind.CreateSlot)
        {
            core.HoldCreate(effect.Function.Key, effect.Ticket);
        }

        _held.Add(effect);
    }

    private void Start(Effect effect)
    {
        _counters.Creates += effect.Kind == EffectKind.CreateSlot ? 1 : 0;
        _counters.Destroys += effect.Kind == EffectKind.DestroySlot ? 1 : 0;

        // What may come to exist is written down first.
        if (_state is not null && effect.Kind is (EffectKind.CreateSlot or EffectKind.InitSlot))
        {
            _state.WhenSaved(() => _scheduling.Start(() => CallAsync(effect)));
        }
        else
        {
            _scheduling.Start(() => CallAsync(effect));
        }
    }

    private async Task CallAsync(Effect effect)
    {
        using var activity = _executor.StartActivity(NameOf(effect.Kind), effect.Function);
        LogDecided(effect.Kind, effect.Function.Key.Value, effect.Ticket.Value, effect.Message ?? "as the policy decided");
        try
        {
            switch (effect.Kind)
            {
                case EffectKind.CreateSlot:
                    await CreateAsync(effect).ConfigureAwait(false);
                    break;
                case EffectKind.InitSlot:
                    await InitAsync(effect).ConfigureAwait(false);
                    break;
                default:
                    await DestroyAsync(effect).ConfigureAwait(false);
                    break;
            }
        }
        catch (Exception e)
        {
            if (!_executor.Stopping.IsCancellationRequested)
            {
                Fail(effect, e);
            }
        }
    }

    private async Task CreateAsync(Effect effect)
    {
        var id = await _backend.CreateAsync(effect.Ticket, effect.Function, _executor.Stopping).ConfigureAwait(false);
        _executor.Do((core, nowUs, effects) => core.SlotCreated(nowUs, effect.Function.Key, effect.Ticket, id, effects));
    }

    private async Task InitAsync(Effect effect)
    {
        var address = await _backend.InitAsync(effect.BackendSlot, effect.Instance, effect.Function, _executor.Stopping).ConfigureAwait(false);
        _executor.Do((core, nowUs, effects) => core.SlotReady(nowUs, effect.Function.Key, effect.Ticket, address, effects));
    }

    private async Task DestroyAsync(Effect effect)
    {
        var known = await _backend.DestroyAsync(effect.Ticket, effect.BackendSlot, effect.Message!, _executor.Stopping).ConfigureAwait(false);
        _executor.Do((core, nowUs, effects) =>
        {
            // Where this took so long that it was asked for again.
            _held?.Withdraw(effect.Ticket);
            core.SlotDestroyed(nowUs, effect.Function.Key, effect.Ticket, effects);
        });
        if (!known && effect.BackendSlot != default)
        {
            // The platform has forgotten one of our slots; it may have forgotten more.
            LogForgotten(effect.BackendSlot.Value);
            PlatformInDoubt?.Invoke();
        }
    }

    private void Fail(Effect effect, Exception exception)
    {
        // A creation that ends in an unforeseen way may have taken effect: the slot is looked for, not forgotten.
        var failure = exception is SlotBackendException known
            ? known.Failure
            : new SlotFailure(FailureKind.Transient, exception.Message, OutcomeUnknown: effect.Kind == EffectKind.CreateSlot);
        if (failure is { Kind: FailureKind.Throttled, OutcomeUnknown: false } && HoldAgain(effect, failure))
        {
            return;
        }

        Activity.Current?.SetStatus(ActivityStatusCode.Error, failure.Message);
        if (_failures.Take(effect.Kind, out var leftOut))
        {
            if (leftOut > 0)
            {
                LogLeftOut(leftOut, effect.Kind, FailureLines.MostAMinute);
            }

            LogBackendFailed(effect.Kind, effect.Function.Key.Value, effect.Ticket.Value, failure.Kind, failure.Message);
        }

        _executor.Do((core, nowUs, effects) =>
        {
            _counters.BackendFailures++;
            _counters.Throttled += failure.Kind == FailureKind.Throttled ? 1 : 0;
            core.SlotFailed(nowUs, effect.Function.Key, effect.Ticket, failure, effects);
        });
        if (exception is SlotBackendException { PlatformUnreachable: true })
        {
            PlatformInDoubt?.Invoke();
        }
    }

    /// <summary>
    /// The platform has sent a call back although the budget granted it: it waits on, in its old place. The backend has told its budget.
    /// </summary>
    /// <returns>False when it has failed, as far as the core is concerned.</returns>
    private bool HoldAgain(Effect effect, SlotFailure failure)
    {
        if (_held is null || effect.Kind is not (EffectKind.CreateSlot or EffectKind.DestroySlot))
        {
            return false;
        }

        var again = true;
        _executor.Do((core, _, _) =>
        {
            again = effect.Kind == EffectKind.DestroySlot || core.HoldCreate(effect.Function.Key, effect.Ticket);
            if (again)
            {
                _counters.Throttled++;
                _held.Add(effect);
            }
        });
        if (again)
        {
            LogThrottled(effect.Kind, effect.Function.Key.Value, effect.Ticket.Value, failure.Message);
        }

        return again;
    }

    private static string NameOf(EffectKind kind) => kind switch
    {
        EffectKind.CreateSlot => "create",
        EffectKind.InitSlot => "init",
        _ => "destroy",
    };

    [LoggerMessage(100, LogLevel.Warning, "{Call} for function {Function}, slot {Ticket}: {Kind} failure: {Reason}")]
    private partial void LogBackendFailed(EffectKind call, string function, long ticket, FailureKind kind, string reason);

    [LoggerMessage(109, LogLevel.Warning, "{LeftOut} more failures of {Call} were not logged: {Most} lines a minute are the most")]
    private partial void LogLeftOut(int leftOut, EffectKind call, int most);

    [LoggerMessage(103, LogLevel.Warning, "The platform did not know slot {Slot} any more")]
    private partial void LogForgotten(string slot);

    [LoggerMessage(108, LogLevel.Information, "{Call} for function {Function}, slot {Ticket}: {Reason}")]
    private partial void LogDecided(EffectKind call, string function, long ticket, string reason);

    [LoggerMessage(106, LogLevel.Information, "{Call} for function {Function}, slot {Ticket}, waits: the platform takes no more for now: {Reason}")]
    private partial void LogThrottled(EffectKind call, string function, long ticket, string reason);
}
