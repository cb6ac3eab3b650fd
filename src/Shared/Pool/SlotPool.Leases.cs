using FuncScaler.Policies;

namespace FuncScaler.Pool;

/// <summary>
/// Whose slots a pool uses, where they are not its own: told of what changes, in the moment it does. Such a pool holds each creation until
/// <see cref="SlotPool.BeginCreate"/>, and gives back what it does not want instead of destroying it.
/// </summary>
internal interface ISlotLessor
{
    /// <summary>A request came that the pool has not seen.</summary>
    void RequestCame(long nowUs);

    /// <summary>A request that came is served, rejected or lost.</summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="executedUs">How long it had executed, µs; 0 when unknown or never.</param>
    /// <param name="waitedUs">How long it waited for its instance, or in vain, µs.</param>
    void RequestWent(long nowUs, long executedUs, long waitedUs);

    /// <summary>A pool wants a slot to be created.</summary>
    void SlotWanted(SlotPool pool, long nowUs, SlotTicket ticket);

    /// <summary>A pool gives up a slot, which is in its last state still.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="nowUs">The time.</param>
    /// <param name="slot">The slot.</param>
    /// <param name="reason">Why, for operators; null where it was never created.</param>
    void SlotReturned(SlotPool pool, long nowUs, Slot slot, string? reason);
}

/// <summary>Events of pools whose slots are leased: they come ready from elsewhere, go elsewhere, and serve only while the lease holds.</summary>
public sealed partial class SlotPool
{
    /// <summary>Whether idle instances may not be given out at present.</summary>
    public bool Suspended { get; private set; }

    /// <summary>The leased slots.</summary>
    internal IReadOnlyCollection<Slot> Leased => _inventory.All;

    /// <summary>The places that requests hold in leased instances.</summary>
    internal IReadOnlyCollection<Place> LeasedInUse => _inventory.InUse;

    /// <summary>The requests that wait, in their order.</summary>
    internal IEnumerable<Waiter> Line => _line.All;

    /// <summary>The instances that would serve the requests that wait.</summary>
    internal int WantedInstances => (_line.Count + Places - 1) / Places;

    /// <summary>How the function is served.</summary>
    internal IKeepAlivePolicy Policy => _policy;

    /// <summary>A slot of the inventory; null for none.</summary>
    internal Slot? Find(SlotTicket ticket) => _inventory.Find(ticket);

    /// <summary>A ready instance made elsewhere joins: a waiting request gets it, or it is idle.</summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="ticket">Its ticket, which no other slot here has.</param>
    /// <param name="backendId">The backend's id.</param>
    /// <param name="instance">The id it was initialised with.</param>
    /// <param name="uses">How many requests it has served.</param>
    /// <param name="effects">Where effects are added.</param>
    /// <param name="address">Where the instance is reached; null where the platform has no addresses.</param>
    /// <returns>False when the ticket or the backend's slot is known here already; nothing has changed then.</returns>
    public bool Join(long nowUs, SlotTicket ticket, BackendSlotId backendId, InstanceId instance, int uses, List<Effect> effects, Uri? address = null)
    {
        Advance(nowUs);
        var slot = new Slot(ticket, Function.MemoryMb, _nowUs) { Instance = instance, Uses = uses, Address = address };
        if (_inventory.Find(ticket) is not null || !_inventory.TryClaim(slot, backendId))
        {
            return false;
        }

        _inventory.Add(slot, SlotState.Adopted);
        if (!_shares && !Suspended && _line.UnboundCount == 0 && _line.First is { } waiter)
        {
            // It comes in place of the slot that the request was to get: to keep it for others would be to send it back and forth for ever.
            Serve(waiter, slot, GrantKind.Waited, effects);
        }
        else
        {
            Offer(slot, GrantKind.Waited, effects);
        }

        Settle(effects);
        return true;
    }

    /// <summary>
    /// A slot is not this pool's any more: it leaves the inventory as it is, and whoever has it now cares for it. A request that held it
    /// holds nothing from now on; one that counted on it gets another.
    /// </summary>
    public void Withdraw(long nowUs, SlotTicket ticket, List<Effect> effects)
    {
        Advance(nowUs);
        if (_inventory.Find(ticket) is not { } slot)
        {
            return;
        }

        while (slot.Newest is { } place)
        {
            RequestEnded(place.WaitedUs, executedUs: 0);
            _inventory.Leave(place, _nowUs);
        }

        EndFloor(slot);
        _line.Unbind(slot);
        _inventory.Remove(slot, _nowUs);
        Settle(effects);
    }

    /// <summary>No instance is given out until <see cref="Resume"/>; requests wait, everything else goes on.</summary>
    public void Suspend() => Suspended = true;

    /// <summary>Instances are given out again, first to those who wait.</summary>
    public void Resume(long nowUs, List<Effect> effects)
    {
        Advance(nowUs);
        Suspended = false;
        while (_inventory.Usable(Places) is { } slot && _line.First is { } waiter)
        {
            Serve(waiter, slot, GrantKind.Waited, effects);
        }

        Settle(effects);
    }
}
