using FuncScaler.ContestSimulator.Traces.Presets;

namespace FuncScaler.ContestSimulator.Nodes;

/// <summary>
/// The machines of the 2020 contest as a deterministic state machine: nodes with memory and processors, containers with limits, executions that
/// share what there is. Time is a parameter, so that one world serves virtual time and the real-time platform. Not safe for concurrent use.
/// </summary>
/// <remarks>
/// A container may use <see cref="NodeWorldOptions.CpusPerGb"/> processors for each GB of its limit, divided among the requests that compute in
/// it, one processor each at most. Where a node's containers want more than its processors, all get the same share of what they want. A container
/// whose requests use more than its limit dies with them; where a node's memory is exceeded its largest container dies.
/// </remarks>
public sealed class NodeWorld
{
    private const double WorkLeast = 1e-9;

    private readonly NodeWorldOptions _options;
    private readonly TraceRandom _random;
    private readonly SortedDictionary<int, Node> _nodes = [];
    private readonly Dictionary<long, Container> _containers = [];
    private readonly PriorityQueue<Pending, (long AtUs, long Order)> _pending = new();
    private readonly List<NodeTerm> _ended = [];
    private readonly List<WorldEvent> _early = [];
    private long _order;
    private int _lastNode;
    private int _reserving;
    private int _warm;
    private long _lastContainer;

    public NodeWorld(NodeWorldOptions options, long seed)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _warm = options.WarmNodes;
        _random = new TraceRandom(seed, "node-world");
    }

    private enum PendingKind
    {
        Reserve,
        Create,
        Remove,
    }

    /// <summary>Nodes that are reserved.</summary>
    public int NodeCount => _nodes.Count;

    /// <summary>Containers that have died for want of memory.</summary>
    public int OutOfMemory { get; private set; }

    /// <summary>When something happens next, µs; <see cref="long.MaxValue"/> for never.</summary>
    public long NextUs
    {
        get
        {
            var nextUs = _early.Count > 0 ? 0 : _pending.TryPeek(out _, out var key) ? key.AtUs : long.MaxValue;
            foreach (var node in _nodes.Values)
            {
                nextUs = Math.Min(nextUs, node.NextUs);
            }

            return nextUs;
        }
    }

    /// <summary>The nodes' terms so far, those that have ended first.</summary>
    public IEnumerable<NodeTerm> Terms => _ended.Concat(_nodes.Values.Select(n => new NodeTerm(n.Id, n.ReservedUs, null)));

    /// <summary>Asks for a node; leads to <see cref="WorldEventKind.Reserved"/>.</summary>
    public void Reserve(long nowUs, long id)
    {
        if (_nodes.Count + _reserving >= _options.MostNodes)
        {
            _early.Add(new WorldEvent(WorldEventKind.Reserved, id, Failed: true));
            return;
        }

        _reserving++;
        var node = ++_lastNode;
        var warm = _warm > 0;
        _warm -= warm ? 1 : 0;
        var (least, most) = warm ? _options.WarmReserveSeconds : _options.ReserveSeconds;
        After(nowUs, _random.Next(least, most), new Pending(PendingKind.Reserve, id, node, 0));
    }

    /// <summary>Gives a node back, with whatever is on it.</summary>
    /// <returns>False where there is no such node.</returns>
    public bool Release(long nowUs, int node)
    {
        if (!_nodes.Remove(node, out var released))
        {
            return false;
        }

        released.Advance(nowUs);
        foreach (var container in released.Containers.ToList())
        {
            Kill(container, nowUs);
        }

        _warm++;
        _ended.Add(new NodeTerm(node, released.ReservedUs, nowUs));
        return true;
    }

    /// <summary>Asks for a container; leads to <see cref="WorldEventKind.Created"/>.</summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="id">The caller's number for the call.</param>
    /// <param name="node">The node.</param>
    /// <param name="limitMb">The container's memory limit, MB.</param>
    public void Create(long nowUs, long id, int node, int limitMb)
    {
        if (!_nodes.ContainsKey(node))
        {
            _early.Add(new WorldEvent(WorldEventKind.Created, id, node, Failed: true));
            return;
        }

        var (least, most) = _options.CreateSeconds;
        After(nowUs, _random.Next(least, most), new Pending(PendingKind.Create, id, node, limitMb));
    }

    /// <summary>Removes a container, with whatever runs in it; leads to <see cref="WorldEventKind.Removed"/>.</summary>
    public void Remove(long nowUs, long id, long container)
    {
        if (_containers.TryGetValue(container, out var removed))
        {
            removed.Node.Advance(nowUs);
            Kill(removed, nowUs);
            removed.Node.Plan(nowUs, _options);
        }

        After(nowUs, _options.RemoveSeconds, new Pending(PendingKind.Remove, id, 0, container));
    }

    /// <summary>Whether a container is there.</summary>
    public bool Has(long container) => _containers.ContainsKey(container);

    /// <summary>Begins an execution; leads to <see cref="WorldEventKind.Ended"/>.</summary>
    public void Execute(long nowUs, long id, long container, in NodeRequest request)
    {
        if (!_containers.TryGetValue(container, out var at))
        {
            _early.Add(new WorldEvent(WorldEventKind.Ended, id, 0, container, Failed: true));
            return;
        }

        var node = at.Node;
        node.Advance(nowUs);
        at.Jobs.Add(new Job(id, nowUs, nowUs + (long)(request.SleepSeconds * 1e6), request.CpuSeconds, request.MemoryMb));
        if (at.UsedMb(_options) > at.LimitMb)
        {
            OutOfMemory++;
            Kill(at, nowUs);
        }
        else if (node.UsedMb(_options) > _options.NodeMemoryMb)
        {
            OutOfMemory++;
            Kill(node.Containers.MaxBy(c => c.UsedMb(_options))!, nowUs);
        }

        node.Plan(nowUs, _options);
    }

    /// <summary>What a node uses now; null where there is no such node.</summary>
    public NodeUse? UseOf(long nowUs, int node)
    {
        if (!_nodes.TryGetValue(node, out var asked))
        {
            return null;
        }

        asked.Advance(nowUs);
        return new NodeUse(node, asked.UsedMb(_options), Math.Min(1, asked.WantedCpus(nowUs, _options) / _options.NodeCpus));
    }

    /// <summary>The containers on a node, with limit and use, MB.</summary>
    public IEnumerable<(long Container, int LimitMb, int UsedMb)> ContainersOn(int node) =>
        _nodes.TryGetValue(node, out var asked) ? asked.Containers.Select(c => (c.Id, c.LimitMb, c.UsedMb(_options))) : [];

    /// <summary>Lets everything happen that happens until a time.</summary>
    public void Advance(long nowUs, List<WorldEvent> events)
    {
        while (NextUs is var nextUs && nextUs <= nowUs)
        {
            if (_early.Count > 0)
            {
                events.AddRange(_early);
                _early.Clear();
                continue;
            }

            if (_pending.TryPeek(out var pending, out var key) && key.AtUs <= nextUs)
            {
                _pending.Dequeue();
                Happen(pending, key.AtUs, events);
                continue;
            }

            foreach (var node in _nodes.Values)
            {
                if (node.NextUs <= nextUs)
                {
                    node.Advance(nextUs);
                    node.End(nextUs, _options, events);
                    node.Plan(nextUs, _options);
                }
            }
        }
    }

    private void After(long nowUs, double seconds, Pending pending) => _pending.Enqueue(pending, (nowUs + (long)(seconds * 1e6), _order++));

    private void Happen(in Pending pending, long nowUs, List<WorldEvent> events)
    {
        switch (pending.Kind)
        {
            case PendingKind.Reserve:
                _reserving--;
                _nodes.Add(pending.Node, new Node(pending.Node, nowUs));
                events.Add(new WorldEvent(WorldEventKind.Reserved, pending.Id, pending.Node));
                break;
            case PendingKind.Create when _nodes.TryGetValue(pending.Node, out var node):
                var container = new Container(++_lastContainer, node, (int)pending.Value);
                _containers.Add(container.Id, container);
                node.Containers.Add(container);
                events.Add(new WorldEvent(WorldEventKind.Created, pending.Id, pending.Node, container.Id));
                break;
            case PendingKind.Create:
                events.Add(new WorldEvent(WorldEventKind.Created, pending.Id, pending.Node, Failed: true));
                break;
            default:
                events.Add(new WorldEvent(WorldEventKind.Removed, pending.Id, 0, pending.Value));
                break;
        }
    }

    private void Kill(Container container, long nowUs)
    {
        _containers.Remove(container.Id);
        container.Node.Containers.Remove(container);
        foreach (var job in container.Jobs)
        {
            _early.Add(new WorldEvent(WorldEventKind.Ended, job.Id, container.Node.Id, container.Id, Failed: true, nowUs - job.StartUs, _options.ContainerBaseMb + job.MemoryMb));
        }

        container.Jobs.Clear();
    }

    private readonly record struct Pending(PendingKind Kind, long Id, int Node, long Value);

    private sealed class Job(long id, long startUs, long sleepUntilUs, double cpuLeft, int memoryMb)
    {
        public long Id { get; } = id;

        public long StartUs { get; } = startUs;

        public long SleepUntilUs { get; } = sleepUntilUs;

        public double CpuLeft { get; set; } = cpuLeft;

        public int MemoryMb { get; } = memoryMb;

        /// <summary>Processors that it gets now.</summary>
        public double Rate { get; set; }

        public bool Computes(long nowUs) => SleepUntilUs <= nowUs && CpuLeft > WorkLeast;
    }

    private sealed class Container(long id, Node node, int limitMb)
    {
        public long Id { get; } = id;

        public Node Node { get; } = node;

        public int LimitMb { get; } = limitMb;

        public List<Job> Jobs { get; } = [];

        public int UsedMb(NodeWorldOptions options)
        {
            var used = options.ContainerBaseMb;
            foreach (var job in Jobs)
            {
                used += job.MemoryMb;
            }

            return used;
        }
    }

    private sealed class Node(int id, long reservedUs)
    {
        private long _atUs = reservedUs;

        public int Id { get; } = id;

        public long ReservedUs { get; } = reservedUs;

        public List<Container> Containers { get; } = [];

        public long NextUs { get; private set; } = long.MaxValue;

        public int UsedMb(NodeWorldOptions options)
        {
            var used = 0;
            foreach (var container in Containers)
            {
                used += container.UsedMb(options);
            }

            return used;
        }

        public double WantedCpus(long nowUs, NodeWorldOptions options)
        {
            var wanted = 0.0;
            foreach (var container in Containers)
            {
                wanted += Wanted(container, nowUs, options, out var computing) * computing;
            }

            return wanted;
        }

        /// <summary>Does what was computed since the last change.</summary>
        public void Advance(long nowUs)
        {
            var seconds = (nowUs - _atUs) / 1e6;
            _atUs = Math.Max(_atUs, nowUs);
            if (seconds <= 0)
            {
                return;
            }

            foreach (var container in Containers)
            {
                foreach (var job in container.Jobs)
                {
                    job.CpuLeft -= job.Rate * seconds;
                }
            }
        }

        /// <summary>Ends what has nothing left to do.</summary>
        public void End(long nowUs, NodeWorldOptions options, List<WorldEvent> events)
        {
            foreach (var container in Containers)
            {
                for (var i = 0; i < container.Jobs.Count; i++)
                {
                    var job = container.Jobs[i];

                    // Times are whole microseconds: what is left then is less than one of them.
                    if (job.SleepUntilUs <= nowUs && job.CpuLeft <= Math.Max(WorkLeast, job.Rate * 1e-6))
                    {
                        container.Jobs.RemoveAt(i--);
                        events.Add(new WorldEvent(WorldEventKind.Ended, job.Id, Id, container.Id, DurationUs: nowUs - job.StartUs, MemoryMb: options.ContainerBaseMb + job.MemoryMb));
                    }
                }
            }
        }

        /// <summary>Shares the processors out, and finds when the next execution ends or begins to compute.</summary>
        public void Plan(long nowUs, NodeWorldOptions options)
        {
            var share = Math.Min(1, options.NodeCpus / Math.Max(1e-12, WantedCpus(nowUs, options)));
            NextUs = long.MaxValue;
            foreach (var container in Containers)
            {
                var each = share * Wanted(container, nowUs, options, out _);
                foreach (var job in container.Jobs)
                {
                    job.Rate = job.Computes(nowUs) ? each : 0;
                    var atUs = job.SleepUntilUs > nowUs ? job.SleepUntilUs
                        : job.Rate > 0 ? nowUs + Math.Max(1, (long)Math.Ceiling(job.CpuLeft / job.Rate * 1e6))
                        : nowUs;
                    NextUs = Math.Min(NextUs, atUs);
                }
            }
        }

        /// <summary>The processors that each computing request of a container could use.</summary>
        private static double Wanted(Container container, long nowUs, NodeWorldOptions options, out int computing)
        {
            computing = 0;
            foreach (var job in container.Jobs)
            {
                computing += job.Computes(nowUs) ? 1 : 0;
            }

            return computing == 0 ? 0 : Math.Min(1, options.CpusPerGb * container.LimitMb / 1024 / computing);
        }
    }
}
