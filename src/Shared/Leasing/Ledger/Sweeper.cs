namespace FuncScaler.Leasing.Ledger;

/// <summary>Finds what the backend has and no ledger knows.</summary>
public static class Sweeper
{
    /// <summary>
    /// The slots of a backend's list that no ledger knows, to be destroyed. The list must have been asked for before the ledgers were
    /// read: whatever is in it was in its ledger by then, as intent comes before action, and is missing only if it was given up.
    /// </summary>
    public static IReadOnlyList<ListedSlot> Orphans(IReadOnlyCollection<ListedSlot> listed, IEnumerable<LedgerState> ledgers)
    {
        ArgumentNullException.ThrowIfNull(listed);
        ArgumentNullException.ThrowIfNull(ledgers);
        var idOfTicket = new Dictionary<long, BackendSlotId>();
        var ids = new HashSet<BackendSlotId>();
        var idsMissing = false;
        foreach (var (ticket, slot) in ledgers.SelectMany(l => l.Slots))
        {
            idOfTicket[ticket] = slot.BackendSlot;
            ids.Add(slot.BackendSlot);
            idsMissing |= slot.BackendSlot == default;
        }

        return [.. listed.Where(l => !ids.Contains(l.Id) && (l.Ticket == default
            ? !idsMissing // A backend that keeps no tickets may list one of those whose id no ledger knows yet.
            : !idOfTicket.TryGetValue(l.Ticket.Value, out var id) || id != default))];
    }
}
