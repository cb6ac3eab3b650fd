namespace FuncScaler.Pool;

/// <summary>
/// What pools ask and tell a backend whose slots share nodes: where an idle instance stands matters for which one is used first, and what holding
/// it really costs. Called with the core's lock held, for every grant and every idle instance: an implementation answers at once.
/// </summary>
public interface ISlotPlacement
{
    /// <summary>Of several idle instances the one with the highest number is used first; of equal ones the one that was used last.</summary>
    long Preference(SlotTicket slot);

    /// <summary>What holding an idle instance costs, as a share of its memory, above 0: 1 where it costs its own memory, more where it alone keeps a node.</summary>
    double HoldingShare(SlotTicket slot);

    /// <summary>What creating one more slot now costs beyond its memory, GB·s: where it needs a further node, the memory of that node.</summary>
    double CreateCostGbs(FunctionMeta function);

    /// <summary>Until when an idle instance is held.</summary>
    /// <param name="slot">The instance.</param>
    /// <param name="nowUs">The time.</param>
    /// <param name="worthUntilUs">Until when the policy finds it worth its cost, µs.</param>
    /// <returns>
    /// <paramref name="worthUntilUs"/>, or a later time where it costs nothing because its node is kept anyway. Asked again then. A time that is not
    /// later than now lets it go.
    /// </returns>
    long Hold(SlotTicket slot, long nowUs, long worthUntilUs);

    /// <summary>Requests use an instance, or it has become idle.</summary>
    void Used(SlotTicket slot, bool busy, long nowUs);
}
