using System.Diagnostics;
using FuncScaler.Scoring;

namespace FuncScaler.Pool;

/// <summary>
/// Every slot of one pool, from the wish to create it until the backend has confirmed that it is gone: its state, the counts that follow
/// from the states, which backend slot it is, and what it costs. The only place where a slot changes its state.
/// </summary>
/// <param name="registry">Tickets and the owners of backend slots, shared by all pools of a scaler.</param>
/// <param name="ledger">Told when a slot begins to cost and when it ends.</param>
internal sealed class SlotInventory(SlotRegistry registry, ScoreLedger ledger)
{
    private readonly Dictionary<SlotTicket, Slot> _slots = [];
    private readonly Dictionary<RequestId, Slot> _inUse = [];

    // Last-in first-out: the most recently freed instance is at the end.
    private readonly List<Slot> _idle = [];
    private int _busyAfterWait;

    /// <summary>Whose slots they are, for the journal.</summary>
    public FunctionMeta Function { get; set; } = null!;

    /// <summary>Slots in whatever state.</summary>
    public int Count => _slots.Count;

    /// <summary>Instances that a request holds.</summary>
    public int Busy => _inUse.Count;

    /// <summary>Instances ready and unused.</summary>
    public int Idle => _idle.Count;

    /// <summary>Slots that requests may count on to become instances: held, creating or initialising.</summary>
    public int InFlight { get; private set; }

    /// <summary>Those of <see cref="InFlight"/> that are being initialised.</summary>
    public int Initializing { get; private set; }

    /// <summary>Those of <see cref="InFlight"/> whose creation is held back.</summary>
    public int Held { get; private set; }

    public Dictionary<SlotTicket, Slot>.ValueCollection All => _slots.Values;

    public Dictionary<RequestId, Slot>.ValueCollection InUse => _inUse.Values;

    public Slot? Find(SlotTicket ticket) => _slots.GetValueOrDefault(ticket);

    /// <summary>The instance that a request holds; null for none.</summary>
    public Slot? HeldBy(RequestId request) => _inUse.GetValueOrDefault(request);

    /// <summary>The idle instance that was used last; null for none.</summary>
    public Slot? LastFreed => _idle.Count > 0 ? _idle[^1] : null;

    /// <summary>Idle instances from the longest unused, 0, on.</summary>
    public Slot IdleAt(int index) => _idle[index];

    /// <summary>How many idle instances would be used up to this one: 1 for the one that was used last.</summary>
    public int DepthOf(Slot idle) => _idle.Count - _idle.LastIndexOf(idle);

    /// <summary>The longest that a request which executes now had waited, µs.</summary>
    public long LongestWaitUs()
    {
        var longestUs = 0L;
        if (_busyAfterWait > 0)
        {
            foreach (var slot in _inUse.Values)
            {
                longestUs = Math.Max(longestUs, slot.WaitedUs);
            }
        }

        return longestUs;
    }

    /// <summary>A slot joins; it costs from <see cref="Slot.WantedUs"/> on, unless it is on its way out already.</summary>
    public void Add(Slot slot, SlotState state)
    {
        slot.State = state;
        slot.Billed = state == SlotState.Destroying;
        _slots.Add(slot.Ticket, slot);
        slot.Entry = registry.Journal is null ? null : new SlotEntry(slot, Function);
        Enter(slot);
        if (!slot.Billed)
        {
            ledger.SlotCreated(slot.WantedUs, slot.MemoryMb);
        }
    }

    /// <summary>Makes a backend slot this slot's own.</summary>
    /// <returns>False when it is another's: nothing has changed then.</returns>
    public bool TryClaim(Slot slot, BackendSlotId backendId)
    {
        if (!registry.TryClaim(backendId, slot.Ticket))
        {
            return false;
        }

        slot.BackendId = backendId;
        return true;
    }

    /// <summary>A slot comes into another state. What is destroyed costs no more.</summary>
    public void Become(Slot slot, SlotState state, long nowUs)
    {
        Debug.Assert(state != SlotState.Busy && _slots.ContainsKey(slot.Ticket), "Busy by Give, and only what is here changes");
        Exit(slot);
        slot.State = state;
        slot.Abandoned = false;
        if (state == SlotState.Idle)
        {
            slot.SinceUs = nowUs;
        }

        Enter(slot);
        if (state == SlotState.Destroying)
        {
            Bill(slot, nowUs);
        }
    }

    /// <summary>A request gets an instance.</summary>
    public void Give(Slot slot, RequestId request, long waitedUs, long nowUs)
    {
        Exit(slot);
        slot.State = SlotState.Busy;
        slot.Abandoned = false;
        slot.Request = request;
        slot.SinceUs = nowUs;
        slot.WaitedUs = waitedUs;
        Enter(slot);
    }

    /// <summary>It has become known which request holds an instance.</summary>
    public void Rename(Slot slot, RequestId request)
    {
        _inUse.Remove(slot.Request);
        slot.Request = request;
        _inUse.Add(request, slot);
        Tell(slot);
    }

    /// <summary>Says whether requests may count on a slot in flight.</summary>
    public void CountOn(Slot slot, bool counts)
    {
        Tally(slot, -1);
        slot.Abandoned = !counts;
        Tally(slot, 1);
    }

    /// <summary>Takes a slot out: it does not exist (any more), or is somebody else's.</summary>
    public void Remove(Slot slot, long nowUs)
    {
        Exit(slot);
        _slots.Remove(slot.Ticket);
        if (slot.BackendId != default)
        {
            registry.Forget(slot.BackendId);
        }

        if (slot.Entry is { } entry)
        {
            entry.Gone = true;
            Tell(slot);
        }

        Bill(slot, nowUs);
    }

    /// <exception cref="InvalidOperationException">A count, a list or the registry contradicts the states; says which.</exception>
    public void CheckInvariants()
    {
        int idle = 0, busy = 0, afterWait = 0, inFlight = 0, initializing = 0, held = 0;
        foreach (var slot in _slots.Values)
        {
            idle += slot.State == SlotState.Idle ? 1 : 0;
            inFlight += slot.Counts ? 1 : 0;
            initializing += slot.Counts && slot.State == SlotState.Initializing ? 1 : 0;
            held += slot.Counts && slot.State == SlotState.Held ? 1 : 0;
            if (slot.State == SlotState.Busy)
            {
                busy++;
                afterWait += slot.WaitedUs > 0 ? 1 : 0;
                Invariant.Holds(_inUse.GetValueOrDefault(slot.Request) == slot, "a busy instance is held by the request that it names");
            }

            Invariant.Holds(
                slot.BackendId == default || (registry.TryGetOwner(slot.BackendId, out var owner) && owner == slot.Ticket), "a backend slot has one owner");
            Invariant.Holds(slot.Billed == (slot.State == SlotState.Destroying), "a slot costs until its destruction is asked for");
            Invariant.Holds(slot.InFlight || slot.BoundTo is null, "only a slot in flight is meant for a request");
            Invariant.Holds(
                slot.State is SlotState.Held or SlotState.Creating or SlotState.Destroying || slot.BackendId != default, "an instance has a backend slot");
        }

        Invariant.Holds(
            (idle, busy, afterWait, inFlight, initializing, held) == (Idle, Busy, _busyAfterWait, InFlight, Initializing, Held), "counts follow from states");
        Invariant.Holds(
            _idle.TrueForAll(s => s.State == SlotState.Idle && _slots.GetValueOrDefault(s.Ticket) == s) && new HashSet<Slot>(_idle).Count == idle,
            "each idle instance is listed once, and nothing else is");
    }

    private void Enter(Slot slot)
    {
        Tally(slot, 1);
        if (slot.State == SlotState.Idle)
        {
            _idle.Add(slot);
        }
        else if (slot.State == SlotState.Busy)
        {
            _inUse.Add(slot.Request, slot);
            _busyAfterWait += slot.WaitedUs > 0 ? 1 : 0;
        }

        Tell(slot);
    }

    /// <summary>Tells the journal of a change.</summary>
    private void Tell(Slot slot)
    {
        if (slot.Entry is { } entry)
        {
            registry.Journal!.SlotChanged(entry);
        }
    }

    private void Exit(Slot slot)
    {
        Tally(slot, -1);
        if (slot.State == SlotState.Idle)
        {
            _idle.RemoveAt(_idle.LastIndexOf(slot));
        }
        else if (slot.State == SlotState.Busy)
        {
            _inUse.Remove(slot.Request);
            _busyAfterWait -= slot.WaitedUs > 0 ? 1 : 0;
            slot.Request = default;
        }
    }

    private void Tally(Slot slot, int change)
    {
        if (slot.Counts)
        {
            InFlight += change;
            Initializing += slot.State == SlotState.Initializing ? change : 0;
            Held += slot.State == SlotState.Held ? change : 0;
            Debug.Assert(InFlight >= 0 && Initializing >= 0 && Held >= 0, "what is counted out was counted in");
        }
    }

    private void Bill(Slot slot, long nowUs)
    {
        if (!slot.Billed)
        {
            slot.Billed = true;
            ledger.SlotDestroyed(slot.WantedUs, nowUs, slot.MemoryMb);
        }
    }
}

/// <summary>Promises that code checks of itself.</summary>
internal static class Invariant
{
    /// <exception cref="InvalidOperationException">It does not hold.</exception>
    public static void Holds(bool condition, string promise)
    {
        if (!condition)
        {
            throw new InvalidOperationException($"Broken invariant: {promise}.");
        }
    }
}
