using System.Diagnostics;

namespace FuncScaler.Pool;

/// <summary>A request without an instance.</summary>
/// <param name="number">Counts the requests that have waited: its place in the line.</param>
internal sealed class Waiter(RequestId request, long number, long arrivedUs, long deadlineUs)
{
    public RequestId Request { get; } = request;

    public long Number { get; } = number;

    public long ArrivedUs { get; } = arrivedUs;

    public long DeadlineUs { get; } = deadlineUs;

    /// <summary>Calls that wait for it: a repeated Assign joins the first.</summary>
    public int Callers { get; set; } = 1;

    /// <summary>The slot in flight that is meant for it, where requests do not share what is new; null for none.</summary>
    public Slot? BoundTo { get; set; }
}

/// <summary>
/// The requests of one pool that wait for an instance, in the order in which they came. Each is found by its name, by its place and by
/// its deadline without looking at the others.
/// </summary>
internal sealed class WaitingLine
{
    private readonly LinkedList<Waiter> _line = new();
    private readonly Dictionary<RequestId, LinkedListNode<Waiter>> _byRequest = [];
    private readonly SortedSet<Waiter> _byDeadline = new(Comparer<Waiter>.Create(static (a, b) =>
        a.DeadlineUs != b.DeadlineUs ? a.DeadlineUs.CompareTo(b.DeadlineUs) : a.Number.CompareTo(b.Number)));

    private long _came;
    private int _bound;

    /// <summary>The slot in flight that is meant for the last of the bound requests: others may still be bound to it.</summary>
    private Slot? _filling;

    public int Count => _line.Count;

    /// <summary>Those that no slot in flight is meant for.</summary>
    public int UnboundCount => _line.Count - _bound;

    /// <summary>Those that a slot in flight is meant for.</summary>
    public IEnumerable<Waiter> Bound => _line.Where(w => w.BoundTo is not null);

    /// <summary>All of them, in the order in which they came.</summary>
    public IEnumerable<Waiter> All => _line;

    /// <summary>The one that waits for the longest; null for none.</summary>
    public Waiter? First => _line.First?.Value;

    /// <summary>The one that came last; null for none.</summary>
    public Waiter? Last => _line.Last?.Value;

    /// <summary>The nearest deadline, µs; <see cref="long.MaxValue"/> for none.</summary>
    public long NextDeadlineUs => _byDeadline.Min?.DeadlineUs ?? long.MaxValue;

    public Waiter? Find(RequestId request) => _byRequest.GetValueOrDefault(request)?.Value;

    public bool Contains(RequestId request) => _byRequest.ContainsKey(request);

    public void Add(RequestId request, long arrivedUs, long deadlineUs)
    {
        var waiter = new Waiter(request, ++_came, arrivedUs, deadlineUs);
        _byRequest.Add(request, _line.AddLast(waiter));
        if (deadlineUs != long.MaxValue)
        {
            _byDeadline.Add(waiter);
        }
    }

    public void Remove(Waiter waiter)
    {
        var known = _byRequest.Remove(waiter.Request, out var node) && node!.Value == waiter;
        Debug.Assert(known, "who leaves the line was in it");
        _line.Remove(node!);
        _byDeadline.Remove(waiter);
        if (waiter.BoundTo is { } slot)
        {
            slot.BoundTo!.Remove(waiter);
            waiter.BoundTo = null;
            _bound--;
        }
    }

    /// <summary>Those whose deadline has come, in the order in which they came; null for none.</summary>
    public List<Waiter>? Overdue(long nowUs)
    {
        List<Waiter>? overdue = null;
        if (NextDeadlineUs <= nowUs)
        {
            overdue = [.. _byDeadline.TakeWhile(w => w.DeadlineUs <= nowUs)];
            overdue.Sort(static (a, b) => a.Number.CompareTo(b.Number));
        }

        return overdue;
    }

    /// <summary>The first that no slot in flight is meant for; null for none.</summary>
    public Waiter? FirstUnbound()
    {
        for (var node = UnboundCount == 0 ? null : _line.First; node is not null; node = node.Next)
        {
            if (node.Value.BoundTo is null)
            {
                return node.Value;
            }
        }

        return null;
    }

    /// <summary>A slot is meant for the first that have none, if there are such.</summary>
    /// <param name="slot">The slot, in flight.</param>
    /// <param name="places">For how many at most.</param>
    public void Bind(Slot slot, int places)
    {
        while ((slot.BoundTo?.Count ?? 0) < places && FirstUnbound() is { } waiter)
        {
            (slot.BoundTo ??= new List<Waiter>(1)).Add(waiter);
            waiter.BoundTo = slot;
            _bound++;
            _filling = slot;
        }
    }

    /// <summary>The one that came last is bound to the slot that the one before it waits for, if that has a place left.</summary>
    /// <returns>Whether it has one.</returns>
    public bool BindLast(int places)
    {
        if (places > 1 && _filling is { Counts: true, Doomed: false, BoundTo: { } bound } slot && bound.Count < places && UnboundCount == 1)
        {
            Bind(slot, places);
            return true;
        }

        return false;
    }

    /// <summary>The first that waits for a slot; null for none.</summary>
    public static Waiter? FirstOf(Slot slot) => slot.BoundTo is [var first, ..] ? first : null;

    /// <summary>A slot is meant for nobody any more.</summary>
    public void Unbind(Slot slot)
    {
        if (slot.BoundTo is not { } bound)
        {
            return;
        }

        foreach (var waiter in bound)
        {
            waiter.BoundTo = null;
            _bound--;
        }

        slot.BoundTo = null;
        _filling = _filling == slot ? null : _filling;
    }

    /// <exception cref="InvalidOperationException">The ways to find a request contradict each other; says how.</exception>
    public void CheckInvariants()
    {
        Invariant.Holds(_byRequest.Count == Count && _byRequest.All(w => w.Value.List == _line && w.Value.Value.Request == w.Key), "a waiting request is found by its name");
        Invariant.Holds(_line.Zip(_line.Skip(1)).All(pair => pair.First.Number < pair.Second.Number), "requests wait in the order in which they came");
        Invariant.Holds(_byDeadline.SetEquals(_line.Where(w => w.DeadlineUs != long.MaxValue)), "every deadline of a waiting request is known");
        Invariant.Holds(_bound == _line.Count(w => w.BoundTo is not null), "bound requests are counted");
        Invariant.Holds(Bound.All(w => w.BoundTo!.BoundTo!.Contains(w)), "a slot knows who waits for it");
    }
}
