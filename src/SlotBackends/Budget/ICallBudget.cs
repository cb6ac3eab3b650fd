namespace FuncScaler.SlotBackends.Budget;

/// <summary>
/// What a platform lets a scaler do per time, and how much of it is left. Whoever carries effects out takes from it before each call and
/// holds back, first come first served, what it does not grant. Safe for concurrent use; nothing here waits.
/// </summary>
public interface ICallBudget
{
    /// <summary>Takes what the creation of one slot needs: a call, and room for the slot.</summary>
    /// <param name="ticket">The slot; what was taken for it is the backend's to use in its CreateAsync.</param>
    /// <param name="function">The function it is meant for.</param>
    /// <param name="wait">When nothing is granted: after how long to ask again.</param>
    bool TryTakeCreate(SlotTicket ticket, FunctionMeta function, out TimeSpan wait);

    /// <summary>Takes what the destruction of one slot needs.</summary>
    /// <param name="ticket">The slot.</param>
    /// <param name="slot">The backend's id; empty when it never became known.</param>
    /// <param name="wait">When nothing is granted: after how long to ask again.</param>
    bool TryTakeDestroy(SlotTicket ticket, BackendSlotId slot, out TimeSpan wait);

    /// <summary>What is left for creations, now.</summary>
    CreateBudget Creates { get; }
}

/// <summary>What a platform still lets a scaler create.</summary>
/// <param name="Remaining">Creations granted at once.</param>
/// <param name="Capacity">The most that <paramref name="Remaining"/> can be.</param>
/// <param name="PerSecond">How fast it refills, once it is used up.</param>
public readonly record struct CreateBudget(double Remaining, double Capacity, double PerSecond)
{
    /// <summary>
    /// What one more creation costs later requests, s of waiting: next to nothing while most is left, the time in which one creation is
    /// refilled once all is used, and that again for each creation that waits already and would be followed by others.
    /// </summary>
    /// <param name="waiting">Creations that are held back.</param>
    public double PriceSeconds(int waiting)
    {
        if (PerSecond <= 0 || Capacity <= 0 || !double.IsFinite(Capacity))
        {
            return 0;
        }

        var used = 1 - Math.Clamp(Remaining / Capacity, 0, 1);
        return ((used * used * used * used) + waiting) / PerSecond;
    }
}
