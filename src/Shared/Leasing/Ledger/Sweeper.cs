using FuncScaler.Leasing.Messages;

namespace FuncScaler.Leasing.Ledger;

/// <summary>
/// Finds what the backend has and no ledger knows, and who is dead. The order of asking matters: first the backend for its list, then the
/// workers' ledgers, then the functions' ledgers.
/// </summary>
public static class Sweeper
{
    /// <summary>
    /// The slots of a backend's list that are nobody's, to be destroyed. Whatever is in the list was, when it was made, in its function's
    /// ledger, or its worker was about to tell it; a worker that lives may do so still, one that is dead for long enough uses nothing.
    /// </summary>
    /// <param name="askedUs">When the backend was asked for its list, µs.</param>
    /// <param name="listed">Its list.</param>
    /// <param name="workers">The workers' ledgers, read after the list.</param>
    /// <param name="ledgers">The functions' ledgers, read after those.</param>
    /// <param name="options">Settings, the same as the ledgers'.</param>
    public static IReadOnlyList<ListedSlot> Orphans(
        long askedUs, IReadOnlyCollection<ListedSlot> listed, IReadOnlyCollection<WorkerState> workers, IEnumerable<LedgerState> ledgers, LeasingOptions options)
    {
        ArgumentNullException.ThrowIfNull(listed);
        ArgumentNullException.ThrowIfNull(workers);
        ArgumentNullException.ThrowIfNull(ledgers);
        var idOfTicket = new Dictionary<long, BackendSlotId>();
        var ids = new HashSet<BackendSlotId>();
        var untold = workers.Any(w => MayStillTell(w, askedUs, options));
        foreach (var (ticket, slot) in ledgers.SelectMany(l => l.Slots))
        {
            idOfTicket[ticket] = slot.BackendSlot;
            ids.Add(slot.BackendSlot);
            untold |= slot.BackendSlot == default;
        }

        return [.. listed.Where(l => !ids.Contains(l.Id) && (l.Ticket == default
            ? !untold // A backend that keeps no tickets may list one of those whose id no ledger knows yet.
            : idOfTicket.TryGetValue(l.Ticket.Value, out var id) ? id != default : !workers.Any(w => MayStillTell(w, l.Ticket.Value, askedUs, options))))];
    }

    /// <summary>Tickets under which dead workers may have created slots without telling, where no list shows which.</summary>
    /// <inheritdoc cref="Orphans"/>
    public static IReadOnlyList<SlotTicket> Untold(
        long askedUs, IReadOnlyCollection<WorkerState> workers, IEnumerable<LedgerState> ledgers, LeasingOptions options)
    {
        ArgumentNullException.ThrowIfNull(workers);
        ArgumentNullException.ThrowIfNull(ledgers);
        var dead = Dead(askedUs, workers, options).ToList();
        var known = dead.Count == 0 ? [] : ledgers.SelectMany(l => l.Slots.Keys).ToHashSet();
        return [.. dead.SelectMany(w => Between(w.SettledTo, w.ReservedTo)).Where(t => !known.Contains(t)).Select(t => new SlotTicket(t))];

        static IEnumerable<long> Between(long above, long to)
        {
            for (var ticket = above + 1; ticket <= to; ticket++)
            {
                yield return ticket;
            }
        }
    }

    /// <summary>The workers that are dead for so long that nothing of theirs is in use or comes into being, and that were not swept yet.</summary>
    public static IEnumerable<WorkerState> Dead(long askedUs, IReadOnlyCollection<WorkerState> workers, LeasingOptions options)
    {
        ArgumentNullException.ThrowIfNull(workers);
        return workers.Where(w => !w.Swept && IsDeadFor(w, askedUs, options));
    }

    /// <summary>The workers whose ledgers have lost their wake-up.</summary>
    public static IEnumerable<WorkerState> Late(long nowUs, IReadOnlyCollection<WorkerState> workers, LeasingOptions options)
    {
        ArgumentNullException.ThrowIfNull(workers);
        return workers.Where(w => LedgerTimers.IsLost(w.WakeAtUs, nowUs, options));
    }

    /// <summary>Those whose lives are over, of the workers that a ledger takes for alive.</summary>
    public static IReadOnlyList<WorkerId> DeadOf(LedgerState ledger, IReadOnlyDictionary<WorkerId, WorkerState> workers, long nowUs)
    {
        ArgumentNullException.ThrowIfNull(ledger);
        ArgumentNullException.ThrowIfNull(workers);
        return
        [
            .. ledger.Workers.Where(w => !w.Value.Expired).Select(w => (Id: new WorkerId(w.Key), w.Value.ExpiresUs)).Where(w =>
                workers.TryGetValue(w.Id, out var state) ? state.Expired : w.ExpiresUs + ForgottenAfterUs < nowUs).Select(w => w.Id),
        ];
    }

    /// <summary>Whether a ledger has something to learn from a sweep, or has lost its wake-up.</summary>
    public static bool Concerns(
        LedgerState ledger, long askedUs, IReadOnlyCollection<ListedSlot>? listed, IReadOnlyCollection<WorkerId> dead, LeasingOptions options)
    {
        ArgumentNullException.ThrowIfNull(ledger);
        ArgumentNullException.ThrowIfNull(dead);
        return dead.Count > 0 || LedgerTimers.IsLost(ledger.WakeAtUs, askedUs, options) || (listed is not null
            && (listed.Any(l => l.Ticket != default && ledger.Slots.TryGetValue(l.Ticket.Value, out var own) && own.BackendSlot == default)
                || Missing(ledger, askedUs, listed.Select(l => l.Id).ToHashSet(), options).Any()));
    }

    /// <summary>The slots of a ledger that are gone without its doing. What became known only lately may be missing from the list.</summary>
    internal static IEnumerable<KeyValuePair<long, LedgerSlot>> Missing(
        LedgerState ledger, long askedUs, HashSet<BackendSlotId> listed, LeasingOptions options) => ledger.Slots.Where(s =>
            s.Value.BackendSlot != default && s.Value.SinceUs + (2 * options.ClockSkew.ToUs()) < askedUs && !listed.Contains(s.Value.BackendSlot));

    /// <summary>A worker is known to its own ledger for as long as it lives: one without such a ledger has been dead for long.</summary>
    private const long ForgottenAfterUs = 3_600_000_000;

    private static bool IsDeadFor(WorkerState worker, long askedUs, LeasingOptions options) =>
        worker.Expired && worker.DeadFromUs(options) + (2 * options.ClockSkew.ToUs()) <= askedUs;

    /// <summary>What is listed exists, so no create is waited for: only who may hold it.</summary>
    private static bool IsUnused(WorkerState worker, long askedUs, LeasingOptions options) =>
        worker.Expired && worker.UnusedFromUs(options) + (2 * options.ClockSkew.ToUs()) <= askedUs;

    private static bool MayStillTell(WorkerState worker, long askedUs, LeasingOptions options) =>
        worker.SettledTo < worker.ReservedTo && !IsUnused(worker, askedUs, options);

    private static bool MayStillTell(WorkerState worker, long ticket, long askedUs, LeasingOptions options) =>
        worker.Has(ticket) && ticket > worker.SettledTo && !IsUnused(worker, askedUs, options);
}
