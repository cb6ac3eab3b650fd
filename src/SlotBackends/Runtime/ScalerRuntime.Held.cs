namespace FuncScaler.SlotBackends.Runtime;

/// <summary>Calls that wait for the backend's budget.</summary>
public sealed partial class ScalerRuntime
{
    private readonly HeldCalls? _held;
    private readonly ITimer? _heldTimer;

    private protected override bool Hold(in Effect effect)
    {
        if (_held is null)
        {
            return false;
        }

        if (effect.Kind == EffectKind.CreateSlot)
        {
            _core.HoldCreate(effect.Function.Key, effect.Ticket);
        }

        _held.Add(effect);
        return true;
    }

    /// <summary>Starts as many of the calls that wait for the backend's budget as it grants, in order.</summary>
    private protected override bool LetHeldCallsGo()
    {
        if (_held is null)
        {
            return false;
        }

        var retry = Timeout.InfiniteTimeSpan;
        while (_held.TryTakeDestroy(out var destroy, out retry))
        {
            StartDestroy(destroy);
        }

        while (_held.TryPeekCreate(out var create))
        {
            if (!_core.KeepHeldCreate(NowUs, create.Function.Key, create.Ticket, Effects))
            {
                _held.Withdraw(create.Ticket);
                continue;
            }

            if (!_held.TryTakeCreate(create, out var wait))
            {
                retry = retry == Timeout.InfiniteTimeSpan || wait < retry ? wait : retry;
                break;
            }

            _core.BeginCreate(NowUs, create.Function.Key, create.Ticket);
            StartCreate(create);
        }

        if (retry != Timeout.InfiniteTimeSpan)
        {
            // Whole milliseconds, rounded up: asking too early would find nothing.
            _heldTimer!.Change(TimeSpan.FromMilliseconds(Math.Clamp(Math.Ceiling(retry.TotalMilliseconds), 1, 86_400_000)), Timeout.InfiniteTimeSpan);
        }

        return Effects.Count > 0;
    }

    /// <summary>
    /// The platform has sent a call back although the budget granted it: it waits on, in its old place. The backend has told its budget.
    /// </summary>
    private protected override bool HoldAgain(Effect effect, SlotFailure failure)
    {
        lock (Gate)
        {
            if (_held is null || (effect.Kind == EffectKind.CreateSlot && !_core.HoldCreate(effect.Function.Key, effect.Ticket))
                || effect.Kind is not (EffectKind.CreateSlot or EffectKind.DestroySlot))
            {
                return false;
            }

            Counters.Throttled++;
            LogThrottled(effect.Kind, effect.Function.Key.Value, effect.Ticket.Value, failure.Message);
            _held.Add(effect);
            RunEffects();
            return true;
        }
    }

    private protected override BudgetStats? DescribeBudget()
    {
        if (_held is null)
        {
            return null;
        }

        var creates = Backend.Budget!.Creates;
        return new BudgetStats(
            Math.Min(creates.Remaining, int.MaxValue),
            Math.Min(creates.PerSecond, int.MaxValue),
            creates.PriceSeconds(_held.Creates),
            _held.Creates,
            _held.Destroys,
            Counters.Throttled);
    }

    private static SlotPoolOptions PriceCreates(SlotPoolOptions pool, ISlotBackend backend, HeldCalls? held) =>
        held is null || backend.Budget is not { } budget
            ? pool
            : pool with { CreatePriceSeconds = pool.CreatePriceSeconds ?? (() => budget.Creates.PriceSeconds(held.Creates)) };

    private void OnHeldTimer()
    {
        lock (Gate)
        {
            RunEffects();
        }
    }
}
