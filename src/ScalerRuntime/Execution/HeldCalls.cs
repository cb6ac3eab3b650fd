using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Budget;

namespace FuncScaler.Runtime.Execution;

/// <summary>
/// The creations and destructions that wait for the backend's budget, each kind in the order in which the core asked for them, whichever
/// function they are for. Not safe for concurrent use: called with the runtime's lock held.
/// </summary>
/// <remarks>
/// Strictly in order: one large slot that finds no room holds up smaller ones behind it, which could otherwise starve it.
/// </remarks>
internal sealed class HeldCalls(ICallBudget budget)
{
    // By ticket, which rises with every creation asked for: a call that the platform has sent back takes its old place again.
    private readonly SortedDictionary<long, Effect> _creates = [];
    private readonly SortedDictionary<long, Effect> _destroys = [];

    /// <summary>Creations that wait.</summary>
    public int Creates => _creates.Count;

    /// <summary>Destructions that wait.</summary>
    public int Destroys => _destroys.Count;

    /// <summary>What holds a backend's calls back; null where it rations nothing.</summary>
    public static HeldCalls? For(ISlotBackend backend) => backend.Budget is { } budget ? new HeldCalls(budget) : null;

    /// <summary>Tells policies what one more creation costs those that wait, where creations are rationed.</summary>
    public static SlotPoolOptions PriceCreates(SlotPoolOptions pool, ISlotBackend backend, HeldCalls? held) =>
        held is null || backend.Budget is not { } budget
            ? pool
            : pool with { CreatePriceSeconds = pool.CreatePriceSeconds ?? (() => budget.Creates.PriceSeconds(held.Creates)) };

    /// <summary>Takes a call in; one that waits already stays as it is.</summary>
    public void Add(Effect effect) => (effect.Kind == EffectKind.CreateSlot ? _creates : _destroys).TryAdd(effect.Ticket.Value, effect);

    /// <summary>The first creation that waits; false when there is none.</summary>
    public bool TryPeekCreate(out Effect effect) => TryPeek(_creates, out effect);

    /// <summary>Forgets the calls for a slot that nobody wants any more, or that is gone.</summary>
    public void Withdraw(SlotTicket ticket)
    {
        _creates.Remove(ticket.Value);
        _destroys.Remove(ticket.Value);
    }

    /// <summary>Takes the next creation out, if the budget grants it.</summary>
    /// <param name="wait">Else: after how long to try again.</param>
    public bool TryTakeCreate(in Effect effect, out TimeSpan wait) =>
        budget.TryTakeCreate(effect.Ticket, effect.Function, out wait) && _creates.Remove(effect.Ticket.Value);

    /// <summary>Takes the next destruction out, if there is one and the budget grants it.</summary>
    /// <param name="effect">The destruction.</param>
    /// <param name="wait">Else: after how long to try again; infinite when none waits.</param>
    public bool TryTakeDestroy(out Effect effect, out TimeSpan wait)
    {
        wait = Timeout.InfiniteTimeSpan;
        return TryPeek(_destroys, out effect)
            && budget.TryTakeDestroy(effect.Ticket, effect.BackendSlot, out wait)
            && _destroys.Remove(effect.Ticket.Value);
    }

    private static bool TryPeek(SortedDictionary<long, Effect> calls, out Effect effect)
    {
        foreach (var (_, first) in calls)
        {
            effect = first;
            return true;
        }

        effect = default;
        return false;
    }
}
