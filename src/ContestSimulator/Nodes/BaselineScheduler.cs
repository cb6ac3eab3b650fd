using System.Runtime.InteropServices;

namespace FuncScaler.ContestSimulator.Nodes;

/// <summary>
/// The scheduler that the score is relative to: an idle container of the function serves a request, else it gets a container of its own, on the first
/// node with room, else on a new node. Nothing is given back. With all nodes full the idle containers of other functions that were unused for the longest
/// make room; where there are none, a request waits for a container of its function.
/// </summary>
public sealed class BaselineScheduler(NodeWorldOptions world) : INodeScheduler
{
    private readonly SortedDictionary<long, Node> _nodes = [];
    private readonly Dictionary<long, Container> _containers = [];
    private readonly Dictionary<MetaKey, Function> _functions = [];
    private readonly Queue<Container> _unplaced = new();
    private long _lastNode;
    private long _lastContainer;
    private int _coming;

    public string Name => NodeSchedulers.Baseline;

    public long NextWakeUs => long.MaxValue;

    public void Acquire(long nowUs, RequestId request, FunctionMeta function, long deadlineUs, List<NodeAction> actions)
    {
        ArgumentNullException.ThrowIfNull(function);
        ArgumentNullException.ThrowIfNull(actions);
        var called = CollectionsMarshal.GetValueRefOrAddDefault(_functions, function.Key, out _) ??= new Function(function);

        if (called.Idle.TryPop(out var idle))
        {
            Grant(idle, request, actions);
            return;
        }

        if (called.Containers > 0 && IsFull(called))
        {
            called.Waiting.Enqueue((request, deadlineUs));
            return;
        }

        var container = new Container(++_lastContainer, called) { Request = request, DeadlineUs = deadlineUs };
        called.Containers++;
        _containers.Add(container.Number, container);
        _unplaced.Enqueue(container);
        Place(nowUs, actions);
    }

    public void Return(
        long nowUs, RequestId request, FunctionMeta function, long container, long durationUs, int memoryMb, bool failed, List<NodeAction> actions)
    {
        if (_containers.TryGetValue(container, out var returned) && returned.Request == request)
        {
            returned.Request = default;
            Free(nowUs, returned, actions);
        }
    }

    public void Reserved(long nowUs, long node, bool succeeded, int memoryMb, List<NodeAction> actions)
    {
        _coming--;
        if (succeeded)
        {
            _nodes[node].Ready = true;
        }
        else
        {
            _nodes.Remove(node);
        }

        Place(nowUs, actions);
    }

    public void Released(long nowUs, long node, List<NodeAction> actions)
    {
    }

    public void Created(long nowUs, long container, bool succeeded, List<NodeAction> actions)
    {
        var created = _containers[container];
        var request = created.Request;
        created.Request = default;
        if (request != default && created.DeadlineUs > nowUs)
        {
            Grant(created, request, actions);
        }
        else
        {
            Free(nowUs, created, actions);
        }
    }

    public void Removed(long nowUs, long container, List<NodeAction> actions)
    {
        if (_containers.Remove(container, out var removed))
        {
            removed.Node!.PromisedMb -= removed.Function.Meta.MemoryMb;
        }

        Place(nowUs, actions);
    }

    public void Tick(long nowUs, List<NodeAction> actions)
    {
    }

    private static void Grant(Container container, RequestId request, List<NodeAction> actions)
    {
        container.Request = request;
        actions.Add(new NodeAction(NodeActionKind.Grant, 0, container.Number, container.Function.Meta, request));
    }

    /// <summary>Whether a further container of a function would find no room, even if the idle ones of all others went.</summary>
    private bool IsFull(Function function) =>
        _nodes.Count >= world.MostNodes && _coming == 0 && Room(function.Meta.MemoryMb) is null
        && !_nodes.Values.Any(n => world.NodeMemoryMb - n.PromisedMb + Others(n, function) >= function.Meta.MemoryMb);

    private int Others(Node node, Function function) =>
        _functions.Values.Where(f => f != function).Sum(f => f.Idle.Sum(c => c.Node == node ? c.Function.Meta.MemoryMb : 0))
        - _unplaced.Sum(c => c.Function.Meta.MemoryMb);

    private Node? Room(int memoryMb) => _nodes.Values.FirstOrDefault(n => n.Ready && n.PromisedMb + memoryMb <= world.NodeMemoryMb);

    private void Free(long nowUs, Container container, List<NodeAction> actions)
    {
        container.IdleSinceUs = nowUs;
        while (container.Function.Waiting.TryDequeue(out var waiting))
        {
            if (waiting.DeadlineUs > nowUs)
            {
                Grant(container, waiting.Request, actions);
                return;
            }
        }

        container.Function.Idle.Push(container);
        if (_unplaced.Count > 0)
        {
            Place(nowUs, actions);
        }
    }

    private void Place(long nowUs, List<NodeAction> actions)
    {
        while (_unplaced.TryPeek(out var container))
        {
            if (Room(container.Function.Meta.MemoryMb) is not { } node)
            {
                break;
            }

            _unplaced.Dequeue();
            container.Node = node;
            node.PromisedMb += container.Function.Meta.MemoryMb;
            actions.Add(new NodeAction(NodeActionKind.Create, node.Number, container.Number, container.Function.Meta));
        }

        var missing = ((_unplaced.Sum(c => c.Function.Meta.MemoryMb) + world.NodeMemoryMb - 1) / world.NodeMemoryMb) - _coming;
        for (; missing > 0 && _nodes.Count < world.MostNodes; missing--)
        {
            var number = ++_lastNode;
            _nodes.Add(number, new Node(number));
            _coming++;
            actions.Add(new NodeAction(NodeActionKind.Reserve, number));
        }

        if (_unplaced.TryPeek(out var first) && _coming == 0)
        {
            MakeRoom(first.Function.Meta.MemoryMb, actions);
        }
    }

    private void MakeRoom(int memoryMb, List<NodeAction> actions)
    {
        Node? best = null;
        var bestUs = long.MaxValue;
        List<Container> chosen = [];
        foreach (var node in _nodes.Values.Where(n => n.Ready))
        {
            var free = world.NodeMemoryMb - node.PromisedMb + _containers.Values.Where(c => c.Going && c.Node == node).Sum(c => c.Function.Meta.MemoryMb);
            var some = new List<Container>();
            foreach (var idle in _functions.Values.SelectMany(f => f.Idle).Where(c => c.Node == node).OrderBy(c => c.IdleSinceUs).ThenBy(c => c.Number))
            {
                if (free >= memoryMb)
                {
                    break;
                }

                free += idle.Function.Meta.MemoryMb;
                some.Add(idle);
            }

            var latestUs = some.Count == 0 ? -1 : some[^1].IdleSinceUs;
            if (free >= memoryMb && latestUs < bestUs)
            {
                (best, bestUs, chosen) = (node, latestUs, some);
            }
        }

        foreach (var idle in chosen)
        {
            idle.Going = true;
            idle.Function.Containers--;
            var kept = idle.Function.Idle.Where(c => c != idle).Reverse().ToList();
            idle.Function.Idle.Clear();
            kept.ForEach(idle.Function.Idle.Push);
            actions.Add(new NodeAction(NodeActionKind.Remove, best!.Number, idle.Number, idle.Function.Meta));
        }
    }

    private sealed class Node(long number)
    {
        public long Number { get; } = number;

        public bool Ready { get; set; }

        public int PromisedMb { get; set; }
    }

    private sealed class Function(FunctionMeta meta)
    {
        public FunctionMeta Meta { get; } = meta;

        public int Containers { get; set; }

        public Stack<Container> Idle { get; } = new();

        public Queue<(RequestId Request, long DeadlineUs)> Waiting { get; } = new();
    }

    private sealed class Container(long number, Function function)
    {
        public long Number { get; } = number;

        public Function Function { get; } = function;

        public Node? Node { get; set; }

        public RequestId Request { get; set; }

        public long DeadlineUs { get; set; }

        public long IdleSinceUs { get; set; }

        public bool Going { get; set; }
    }
}
