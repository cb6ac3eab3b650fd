namespace FuncScaler.SlotBackends.Runtime;

/// <content>Calls that wait for the backend's budget.</content>
public sealed partial class ScalerRuntime
{
    private void OnHeldTimer()
    {
        lock (_gate)
        {
            RunEffects();
        }
    }

    /// <summary>Starts as many of the calls that wait for the backend's budget as it grants, in order.</summary>
    /// <returns>Whether the core has asked for something on the way.</returns>
    private bool LetHeldCallsGo()
    {
        if (_held is null)
        {
            return false;
        }

        var retry = Timeout.InfiniteTimeSpan;
        while (_held.TryTakeDestroy(out var destroy, out retry))
        {
            _counters.Destroys++;
            _ = DestroyAsync(destroy);
        }

        while (_held.TryPeekCreate(out var create))
        {
            if (!_core.KeepHeldCreate(NowUs, create.Function.Key, create.Ticket, _effects))
            {
                _held.Withdraw(create.Ticket);
                continue;
            }

            if (!_held.TryTakeCreate(create, out var wait))
            {
                retry = retry == Timeout.InfiniteTimeSpan || wait < retry ? wait : retry;
                break;
            }

            _counters.Creates++;
            _core.BeginCreate(NowUs, create.Function.Key, create.Ticket, _effects);
            _ = CreateAsync(create);
        }

        if (retry != Timeout.InfiniteTimeSpan)
        {
            // Whole milliseconds, rounded up: asking too early would find nothing.
            _heldTimer!.Change(TimeSpan.FromMilliseconds(Math.Clamp(Math.Ceiling(retry.TotalMilliseconds), 1, 86_400_000)), Timeout.InfiniteTimeSpan);
        }

        return _effects.Count > 0;
    }

    /// <summary>
    /// The platform has sent a call back although the budget granted it: it waits on, in its old place. The backend has told its budget.
    /// </summary>
    private bool HoldAgain(Effect effect, SlotFailure failure)
    {
        lock (_gate)
        {
            if (_held is null || (effect.Kind == EffectKind.CreateSlot && !_core.HoldCreate(effect.Function.Key, effect.Ticket))
                || effect.Kind is not (EffectKind.CreateSlot or EffectKind.DestroySlot))
            {
                return false;
            }

            _counters.Throttled++;
            LogThrottled(effect.Kind, effect.Function.Key.Value, effect.Ticket.Value, failure.Message);
            _held.Add(effect);
            RunEffects();
            return true;
        }
    }
}
