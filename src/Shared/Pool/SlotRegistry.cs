namespace FuncScaler.Pool;

/// <summary>
/// Gives out tickets and knows which backend slot belongs to which ticket, across all pools of a scaler: a backend that hands out one
/// slot twice is found here, before two pools would use it. Knows when the backend last worked, and how many requests wait. Not safe for concurrent use.
/// </summary>
/// <param name="lastTicket">
/// Tickets are given from the next number on: scalers that share a backend count in spaces of their own, see
/// <see cref="Leasing.TicketSpace"/>.
/// </param>
public sealed class SlotRegistry(long lastTicket = 0)
{
    private readonly Dictionary<BackendSlotId, SlotTicket> _owners = [];
    private long _lastTicket = lastTicket;

    /// <summary>The slots known by their backend id.</summary>
    public int Count => _owners.Count;

    /// <summary>The last ticket given.</summary>
    public long LastTicket => _lastTicket;

    /// <summary>Told of every change of a slot; null for nobody.</summary>
    internal ISlotJournal? Journal { get; init; }

    /// <summary>Requests that wait, in all pools.</summary>
    internal int Waiting { get; set; }

    /// <summary>
    /// No slot is asked for before this time, µs: the process has stood still, and what it finds waiting may be served by what is released in
    /// the same moment.
    /// </summary>
    internal long CreatesHeldUntilUs { get; set; }

    /// <summary>When the latest of the calls that the backend has carried out was asked for, µs; 0 before the first.</summary>
    internal long WorkedUs { get; private set; }

    /// <summary>The backend has carried out a call that was asked for at a time, µs.</summary>
    internal void Worked(long askedUs) => WorkedUs = Math.Max(WorkedUs, askedUs);

    public SlotTicket NextTicket() => new(++_lastTicket);

    /// <summary>Claims a backend slot; false when another ticket holds it.</summary>
    public bool TryClaim(BackendSlotId slot, SlotTicket ticket) => _owners.TryAdd(slot, ticket) || _owners[slot] == ticket;

    public void Forget(BackendSlotId slot) => _owners.Remove(slot);

    public bool TryGetOwner(BackendSlotId slot, out SlotTicket ticket) => _owners.TryGetValue(slot, out ticket);
}
