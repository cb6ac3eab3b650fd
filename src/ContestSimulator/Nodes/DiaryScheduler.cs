using System.Runtime.InteropServices;

namespace FuncScaler.ContestSimulator.Nodes;

/// <summary>Settings of a <see cref="DiaryScheduler"/>; the diary gives the rules and no numbers, so these were chosen by trying on the generated loads.</summary>
public sealed record DiaryOptions
{
    /// <summary>Empty nodes that are held in reserve.</summary>
    /// <value>The default is 1.</value>
    public int ReserveNodes { get; init; } = 1;

    /// <summary>Idle containers of a function that are held in reserve while it is called.</summary>
    /// <value>The default is 1.</value>
    public int ReserveContainers { get; init; } = 1;

    /// <summary>After how long idle containers beyond the reserve, and empty nodes, are given back, s.</summary>
    /// <value>The default is 60.</value>
    public double PauseSeconds { get; init; } = 60;

    /// <summary>How many times as long executions may take as before the memory for a request was halved.</summary>
    /// <value>The default is 1.3.</value>
    public double SlowFactor { get; init; } = 1.3;

    /// <summary>Executions that are watched before the memory for a request is halved or doubled.</summary>
    /// <value>The default is 20.</value>
    public int Watch { get; init; } = 20;
}

/// <summary>
/// The rules of a participant, from the description in the published diary: containers and requests go to the lowest node with room; a function's requests
/// share containers by the memory that a request is taken to need, which is halved until executions slow down and then doubled back; a waiting
/// request takes whatever is returned first; containers and nodes are held in reserve, and given back after a pause.
/// </summary>
public sealed class DiaryScheduler(DiaryOptions options, NodeWorldOptions world) : INodeScheduler
{
    private readonly long _pauseUs = (long)(options.PauseSeconds * 1e6);
    private readonly SortedDictionary<long, Node> _nodes = [];
    private readonly Dictionary<long, Container> _containers = [];
    private readonly Dictionary<MetaKey, Function> _functions = [];
    private readonly Dictionary<RequestId, Held> _held = [];
    private long _lastNode;
    private long _lastContainer;
    private bool _noMoreNodes;

    private enum State
    {
        Coming,
        Ready,
        Going,
    }

    public string Name => "diary";

    public long NextWakeUs { get; private set; } = long.MaxValue;

    public void Acquire(long nowUs, RequestId request, FunctionMeta function, long deadlineUs, List<NodeAction> actions)
    {
        ArgumentNullException.ThrowIfNull(function);
        ArgumentNullException.ThrowIfNull(actions);
        var called = CollectionsMarshal.GetValueRefOrAddDefault(_functions, function.Key, out _) ??= new Function(function);

        called.LastUs = nowUs;
        called.Waiting.Enqueue((request, deadlineUs));
        Serve(called, actions);
        WakeBy(nowUs + 1_000_000);
    }

    public void Return(
        long nowUs, RequestId request, FunctionMeta function, long container, long durationUs, int memoryMb, bool failed, List<NodeAction> actions)
    {
        ArgumentNullException.ThrowIfNull(actions);
        if (!_held.Remove(request, out var held))
        {
            return;
        }

        var at = held.Container;
        at.UsedMb -= held.MemoryMb;
        at.Requests--;
        at.IdleSinceUs = nowUs;
        var called = at.Function;
        if (failed)
        {
            // Its container is gone: what a request was taken to need was too little.
            if (at.State == State.Ready)
            {
                Remove(at, actions);
            }

            called.Level(twice: true, settle: true);
        }
        else if (durationUs > 0)
        {
            called.Watch(durationUs, memoryMb, held.MemoryMb, options);
        }

        Serve(called, actions);
    }

    public void Reserved(long nowUs, long node, bool succeeded, int memoryMb, List<NodeAction> actions)
    {
        if (succeeded)
        {
            _nodes[node].State = State.Ready;
            _nodes[node].EmptySinceUs = nowUs;
        }
        else
        {
            _nodes.Remove(node);
            _noMoreNodes = true;
        }

        ServeAll(actions);
    }

    public void Released(long nowUs, long node, List<NodeAction> actions)
    {
        _nodes.Remove(node);
        _noMoreNodes = false;
    }

    public void Created(long nowUs, long container, bool succeeded, List<NodeAction> actions)
    {
        var created = _containers[container];
        created.State = State.Ready;
        created.IdleSinceUs = nowUs;
        created.Function.Coming--;
        Serve(created.Function, actions);
    }

    public void Removed(long nowUs, long container, List<NodeAction> actions)
    {
        if (_containers.Remove(container, out var removed))
        {
            removed.Function.Containers.Remove(removed);
            removed.Node.Containers--;
            removed.Node.PromisedMb -= removed.Function.Meta.MemoryMb;
            removed.Node.EmptySinceUs = nowUs;
        }

        ServeAll(actions);
    }

    public void Tick(long nowUs, List<NodeAction> actions)
    {
        ArgumentNullException.ThrowIfNull(actions);
        NextWakeUs = nowUs + 1_000_000;
        foreach (var function in _functions.Values)
        {
            while (function.Waiting.TryPeek(out var first) && first.DeadlineUs <= nowUs)
            {
                function.Waiting.Dequeue();
                actions.Add(new NodeAction(NodeActionKind.Reject, Function: function.Meta, Request: first.Request));
            }

            var idle = function.Containers.Where(c => c is { State: State.Ready, Requests: 0 }).OrderByDescending(c => c.Node.Number).ToList();
            var reserve = nowUs - function.LastUs < _pauseUs ? options.ReserveContainers : 0;
            foreach (var container in idle.Take(Math.Max(0, idle.Count - reserve)))
            {
                if (nowUs - container.IdleSinceUs >= _pauseUs)
                {
                    Remove(container, actions);
                }
            }
        }

        var spare = _nodes.Values.Count(n => n is { State: State.Ready, Containers: 0 });
        foreach (var node in _nodes.Values.Reverse().Where(n => n is { State: State.Ready, Containers: 0 } && nowUs - n.EmptySinceUs >= _pauseUs).ToList())
        {
            if (spare > options.ReserveNodes || (spare > 0 && _functions.Values.All(f => nowUs - f.LastUs >= _pauseUs)))
            {
                spare--;
                node.State = State.Going;
                actions.Add(new NodeAction(NodeActionKind.Release, node.Number));
            }
        }

        ServeAll(actions);
    }

    private void WakeBy(long atUs) => NextWakeUs = Math.Min(NextWakeUs, atUs);

    private void ServeAll(List<NodeAction> actions)
    {
        foreach (var function in _functions.Values)
        {
            Serve(function, actions);
        }
    }

    private void Serve(Function function, List<NodeAction> actions)
    {
        while (function.Waiting.TryPeek(out var first))
        {
            var free = function.Containers
                .Where(c => c.State == State.Ready && c.UsedMb + function.RequestMb <= function.Meta.MemoryMb)
                .OrderBy(c => c.Node.Number).ThenByDescending(c => c.UsedMb).ThenBy(c => c.Number)
                .FirstOrDefault();
            if (free is null)
            {
                break;
            }

            function.Waiting.Dequeue();
            free.UsedMb += function.RequestMb;
            free.Requests++;
            _held[first.Request] = new Held(free, function.RequestMb);
            actions.Add(new NodeAction(NodeActionKind.Grant, 0, free.Number, function.Meta, first.Request));
        }

        var perContainer = Math.Max(1, function.Meta.MemoryMb / function.RequestMb);
        while (function.Waiting.Count > function.Coming * perContainer && Create(function, actions))
        {
        }
    }

    private bool Create(Function function, List<NodeAction> actions)
    {
        var node = _nodes.Values.FirstOrDefault(n => n.State == State.Ready && n.PromisedMb + function.Meta.MemoryMb <= world.NodeMemoryMb);
        var coming = _nodes.Values.Count(n => n.State == State.Coming);
        var spare = _nodes.Values.Count(n => n is { State: State.Ready, Containers: 0 });
        if ((node is null || spare <= options.ReserveNodes) && coming == 0 && !_noMoreNodes && _nodes.Count < world.MostNodes)
        {
            var number = ++_lastNode;
            _nodes.Add(number, new Node(number));
            actions.Add(new NodeAction(NodeActionKind.Reserve, number));
        }

        if (node is null)
        {
            if (coming == 0 && function.Containers.Count == 0)
            {
                MakeRoom(function.Meta.MemoryMb, actions);
            }

            return false;
        }

        var container = new Container(++_lastContainer, node, function);
        _containers.Add(container.Number, container);
        function.Containers.Add(container);
        function.Coming++;
        node.Containers++;
        node.PromisedMb += function.Meta.MemoryMb;
        actions.Add(new NodeAction(NodeActionKind.Create, node.Number, container.Number, function.Meta));
        return true;
    }

    /// <summary>With every node full a function without any container would wait for ever: idle containers of others go.</summary>
    private void MakeRoom(int memoryMb, List<NodeAction> actions)
    {
        foreach (var node in _nodes.Values.Where(n => n.State == State.Ready))
        {
            var idle = _containers.Values.Where(c => c.Node == node && c is { State: State.Ready, Requests: 0 }).OrderBy(c => c.IdleSinceUs).ToList();
            var free = world.NodeMemoryMb - node.PromisedMb;
            if (free + idle.Sum(c => c.Function.Meta.MemoryMb) < memoryMb)
            {
                continue;
            }

            foreach (var container in idle)
            {
                if (free >= memoryMb)
                {
                    return;
                }

                free += container.Function.Meta.MemoryMb;
                Remove(container, actions);
            }

            return;
        }
    }

    private static void Remove(Container container, List<NodeAction> actions)
    {
        container.State = State.Going;
        actions.Add(new NodeAction(NodeActionKind.Remove, container.Node.Number, container.Number, container.Function.Meta));
    }

    private readonly record struct Held(Container Container, int MemoryMb);

    private sealed class Node(long number)
    {
        public long Number { get; } = number;

        public State State { get; set; }

        public int PromisedMb { get; set; }

        public int Containers { get; set; }

        public long EmptySinceUs { get; set; }
    }

    private sealed class Container(long number, Node node, Function function)
    {
        public long Number { get; } = number;

        public Node Node { get; } = node;

        public Function Function { get; } = function;

        public State State { get; set; }

        public int UsedMb { get; set; }

        public int Requests { get; set; }

        public long IdleSinceUs { get; set; }
    }

    private sealed class Function(FunctionMeta meta)
    {
        private bool _settled;
        private int _watched;
        private double _sumUs;
        private double _bestUs = double.MaxValue;
        private int _mostUsedMb = 1;

        public FunctionMeta Meta { get; } = meta;

        public List<Container> Containers { get; } = [];

        public Queue<(RequestId Request, long DeadlineUs)> Waiting { get; } = new();

        public int Coming { get; set; }

        public long LastUs { get; set; }

        /// <summary>The memory that a request is taken to need, MB.</summary>
        public int RequestMb { get; private set; } = meta.MemoryMb;

        public void Level(bool twice, bool settle)
        {
            RequestMb = twice ? Math.Min(Meta.MemoryMb, RequestMb * 2) : Math.Max(1, RequestMb / 2);
            _settled |= settle;
            (_watched, _sumUs) = (0, 0);
        }

        public void Watch(long durationUs, int usedMb, int heldMb, DiaryOptions options)
        {
            _mostUsedMb = Math.Max(_mostUsedMb, usedMb);
            if (_settled || heldMb != RequestMb)
            {
                return;
            }

            _sumUs += durationUs;
            if (++_watched < options.Watch)
            {
                return;
            }

            var meanUs = _sumUs / _watched;
            if (meanUs > options.SlowFactor * _bestUs)
            {
                Level(twice: true, settle: true);
            }
            else if (RequestMb / 2 < _mostUsedMb)
            {
                _settled = true;
            }
            else
            {
                _bestUs = Math.Min(_bestUs, meanUs);
                Level(twice: false, settle: false);
            }
        }
    }
}
