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
    private readonly Dictionary<RequestId, Place> _inUse = [];

    /// <summary>Places that nobody has, to be used again.</summary>
    private readonly Stack<Place> _spare = new();

    // Last-in first-out: the most recently freed instance is at the end.
    private readonly List<Slot> _idle = [];
    private FreePlaces? _free;
    private int _busyAfterWait;

    /// <summary>Whose slots they are, for the journal.</summary>
    public FunctionMeta Function { get; set; } = null!;

    /// <summary>Slots in whatever state.</summary>
    public int Count => _slots.Count;

    /// <summary>Instances that requests hold.</summary>
    public int Busy { get; private set; }

    /// <summary>Those of <see cref="Busy"/> that get no further request.</summary>
    public int Doomed { get; private set; }

    /// <summary>Requests that hold an instance.</summary>
    public int Executing => _inUse.Count;

    /// <summary>Instances ready and unused.</summary>
    public int Idle => _idle.Count;

    /// <summary>Slots that requests may count on to become instances: held, creating or initialising.</summary>
    public int InFlight { get; private set; }

    /// <summary>Those of <see cref="InFlight"/> that are being initialised.</summary>
    public int Initializing { get; private set; }

    /// <summary>Those of <see cref="InFlight"/> whose creation is held back.</summary>
    public int Held { get; private set; }

    public Dictionary<SlotTicket, Slot>.ValueCollection All => _slots.Values;

    public Dictionary<RequestId, Place>.ValueCollection InUse => _inUse.Values;

    public Slot? Find(SlotTicket ticket) => _slots.GetValueOrDefault(ticket);

    /// <summary>The place that a request holds; null for none.</summary>
    public Place? HeldBy(RequestId request) => _inUse.GetValueOrDefault(request);

    /// <summary>The instance for the next request: the fullest one with a free place, so that others empty; else the idle one used last; null for none.</summary>
    /// <param name="places">The requests that an instance may hold.</param>
    public Slot? Usable(int places) => FullestFree(places) ?? LastFreed;

    /// <summary>The fullest of the busy instances that have a free place; null for none.</summary>
    public Slot? FullestFree(int places) => places > 1 ? _free?.Fullest(places) : null;

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
            foreach (var place in _inUse.Values)
            {
                longestUs = Math.Max(longestUs, place.WaitedUs);
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

    /// <summary>From now on instances may serve several requests: which of them have a free place is to be known.</summary>
    public void Share()
    {
        if (_free is null)
        {
            _free = new FreePlaces();
            foreach (var slot in _slots.Values.Where(s => s is { State: SlotState.Busy, Requests: > 0 }))
            {
                // Until now one request at a time held it.
                slot.RequestUsAtUs = slot.Newest!.SinceUs;
                if (!slot.Doomed)
                {
                    _free.Add(slot);
                }
            }
        }
    }

    /// <summary>A request gets a place in an instance.</summary>
    public Place Give(Slot slot, RequestId request, long waitedUs, long nowUs, long mark = 0)
    {
        _free?.Remove(slot);
        CountRequestTime(slot, nowUs);
        if (slot.State != SlotState.Busy)
        {
            Exit(slot);
            slot.State = SlotState.Busy;
            slot.Abandoned = false;
            Enter(slot, tell: false);
        }

        slot.SinceUs = slot.Requests == 0 ? nowUs : slot.SinceUs;
        slot.Request = request;
        slot.Requests++;
        slot.Use.Began(nowUs, slot.Requests);
        if (!_spare.TryPop(out var place))
        {
            place = new Place();
        }

        place.Slot = slot;
        place.Request = request;
        place.Mark = mark;
        place.SinceUs = nowUs;
        place.WaitedUs = waitedUs;
        place.RequestUsBefore = slot.RequestUs;
        place.Older = slot.Newest;
        if (place.Older is { } older)
        {
            older.Newer = place;
        }

        slot.Newest = place;
        _inUse.Add(request, place);
        _busyAfterWait += waitedUs > 0 ? 1 : 0;
        _free?.Add(slot);
        Tell(slot);
        return place;
    }

    /// <summary>
    /// A request leaves its instance. With the last one the instance is still busy, but by nobody: it is to be given on, or to come into another
    /// state, before the event ends.
    /// </summary>
    /// <param name="place">The place; it is another request's from now on.</param>
    /// <param name="nowUs">The time, µs.</param>
    public void Leave(Place place, long nowUs)
    {
        var slot = place.Slot;
        _free?.Remove(slot);
        CountRequestTime(slot, nowUs);
        if (place.Newer is { } newer)
        {
            newer.Older = place.Older;
        }
        else
        {
            slot.Newest = place.Older;
        }

        if (place.Older is { } older)
        {
            older.Newer = place.Newer;
        }

        slot.Requests--;
        _inUse.Remove(place.Request);
        _busyAfterWait -= place.WaitedUs > 0 ? 1 : 0;
        if (slot.Newest is { } newest)
        {
            slot.Request = newest.Request;
            if (!slot.Doomed)
            {
                _free?.Add(slot);
            }

            Tell(slot);
        }

        place.Slot = null!;
        place.Newer = place.Older = null;
        _spare.Push(place);
    }

    /// <summary>How many requests held an instance on average while one of them did, itself included.</summary>
    public static double MeanRequests(Place place, long nowUs)
    {
        var slot = place.Slot;
        var heldUs = nowUs - place.SinceUs;
        var requestUs = slot.RequestUs + (slot.Requests * (nowUs - slot.RequestUsAtUs)) - place.RequestUsBefore;
        return heldUs > 0 ? (double)requestUs / heldUs : slot.Requests;
    }

    /// <summary>A slot gets no further request: in use it is destroyed when the last request has left, in flight as soon as it answers.</summary>
    public void Doom(Slot slot)
    {
        if (!slot.Doomed)
        {
            _free?.Remove(slot);
            slot.Doomed = true;
            Doomed += slot.State == SlotState.Busy ? 1 : 0;
        }
    }

    /// <summary>It has become known which request has a place.</summary>
    public void Rename(Place place, RequestId request)
    {
        _inUse.Remove(place.Request);
        place.Request = request;
        place.Slot.Request = place.Slot.Newest!.Request;
        _inUse.Add(request, place);
        Tell(place.Slot);
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
        int idle = 0, busy = 0, doomed = 0, executing = 0, inFlight = 0, initializing = 0, held = 0;
        foreach (var slot in _slots.Values)
        {
            idle += slot.State == SlotState.Idle ? 1 : 0;
            inFlight += slot.Counts ? 1 : 0;
            initializing += slot.Counts && slot.State == SlotState.Initializing ? 1 : 0;
            held += slot.Counts && slot.State == SlotState.Held ? 1 : 0;
            busy += slot.State == SlotState.Busy ? 1 : 0;
            doomed += slot is { State: SlotState.Busy, Doomed: true } ? 1 : 0;
            var places = 0;
            for (var place = slot.Newest; place is not null; place = place.Older)
            {
                places++;
                Invariant.Holds(_inUse.GetValueOrDefault(place.Request) == place && place.Slot == slot, "a place is held by the request that it names");
                Invariant.Holds(slot.DueUs <= place.DueUs, "an instance is due when the first of its assignments is");
            }

            executing += places;
            Invariant.Holds(places == slot.Requests && places > 0 == (slot.State == SlotState.Busy), "an instance is busy while requests hold it");

            Invariant.Holds(
                slot.BackendId == default || (registry.TryGetOwner(slot.BackendId, out var owner) && owner == slot.Ticket), "a backend slot has one owner");
            Invariant.Holds(slot.Billed == (slot.State == SlotState.Destroying), "a slot costs until its destruction is asked for");
            Invariant.Holds(slot.InFlight || slot.BoundTo is null, "only a slot in flight is meant for a request");
            Invariant.Holds(
                slot.State is SlotState.Held or SlotState.Creating or SlotState.Destroying || slot.BackendId != default, "an instance has a backend slot");
        }

        Invariant.Holds(
            (idle, busy, doomed, inFlight, initializing, held) == (Idle, Busy, Doomed, InFlight, Initializing, Held), "counts follow from states");
        Invariant.Holds(
            executing == Executing && _inUse.Values.Count(p => p.WaitedUs > 0) == _busyAfterWait, "each request that executes holds one place");
        _free?.CheckInvariants(_slots.Values);
        Invariant.Holds(
            _idle.TrueForAll(s => s.State == SlotState.Idle && _slots.GetValueOrDefault(s.Ticket) == s) && new HashSet<Slot>(_idle).Count == idle,
            "each idle instance is listed once, and nothing else is");
    }

    private void Enter(Slot slot, bool tell = true)
    {
        Tally(slot, 1);
        if (slot.State == SlotState.Idle)
        {
            _idle.Add(slot);
        }
        else if (slot.State == SlotState.Busy)
        {
            Busy++;
            Doomed += slot.Doomed ? 1 : 0;
        }

        if (tell)
        {
            Tell(slot);
        }
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
            Debug.Assert(slot.Requests == 0, "an instance is busy while requests hold it");
            Busy--;
            Doomed -= slot.Doomed ? 1 : 0;
            slot.Request = default;
        }
    }

    /// <summary>Brings up to date how long requests have held an instance, where several may hold one.</summary>
    private void CountRequestTime(Slot slot, long nowUs)
    {
        if (_free is not null)
        {
            slot.RequestUs += slot.Requests * (nowUs - slot.RequestUsAtUs);
            slot.RequestUsAtUs = nowUs;
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
