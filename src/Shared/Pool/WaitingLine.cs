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

    /// <summary>Whether a slot in flight is meant for it alone.</summary>
    public bool Bound { get; set; }
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

    public int Count => _line.Count;

    /// <summary>Those that no slot in flight is meant for.</summary>
    public int UnboundCount => _line.Count - _bound;

    /// <summary>Those that a slot in flight is meant for.</summary>
    public IEnumerable<RequestId> Bound => _line.Where(w => w.Bound).Select(w => w.Request);

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
        _bound -= waiter.Bound ? 1 : 0;
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
            if (!node.Value.Bound)
            {
                return node.Value;
            }
        }

        return null;
    }

    /// <summary>A slot is meant for the first that has none, if there is such.</summary>
    public void Bind(Slot slot)
    {
        if (FirstUnbound() is { } waiter)
        {
            waiter.Bound = true;
            _bound++;
            slot.BoundTo = waiter.Request;
        }
    }

    /// <summary>A slot is meant for nobody any more.</summary>
    /// <returns>Who waited for it; null for nobody.</returns>
    public Waiter? Unbind(Slot slot)
    {
        var waiter = slot.BoundTo is { } bound ? Find(bound) : null;
        slot.BoundTo = null;
        if (waiter is { Bound: true })
        {
            waiter.Bound = false;
            _bound--;
        }

        return waiter;
    }

    /// <exception cref="InvalidOperationException">The ways to find a request contradict each other; says how.</exception>
    public void CheckInvariants()
    {
        Invariant.Holds(_byRequest.Count == Count && _byRequest.All(w => w.Value.List == _line && w.Value.Value.Request == w.Key), "a waiting request is found by its name");
        Invariant.Holds(_line.Zip(_line.Skip(1)).All(pair => pair.First.Number < pair.Second.Number), "requests wait in the order in which they came");
        Invariant.Holds(_byDeadline.SetEquals(_line.Where(w => w.DeadlineUs != long.MaxValue)), "every deadline of a waiting request is known");
        Invariant.Holds(_bound == _line.Count(w => w.Bound), "bound requests are counted");
    }
}
