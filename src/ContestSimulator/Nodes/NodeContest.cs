namespace FuncScaler.ContestSimulator.Nodes;

/// <summary>Plays a load against a scheduler in the world of the 2020 contest, in virtual time. The same input gives the same result.</summary>
public sealed class NodeContest
{
    private readonly NodeTrace _trace;
    private readonly INodeScheduler _scheduler;
    private readonly NodeWorldOptions _options;
    private readonly NodeWorld _world;
    private readonly Call[] _calls;
    private readonly PriorityQueue<Step, (long AtUs, long Order)> _steps = new();
    private readonly List<NodeAction> _actions = [];
    private readonly List<WorldEvent> _events = [];
    private readonly Dictionary<long, int> _nodes = [];
    private readonly Dictionary<long, long> _containers = [];
    private readonly long _rpcUs;
    private long _order;
    private int _open;
    private int _created;
    private long _lastEndUs;

    private NodeContest(NodeTrace trace, INodeScheduler scheduler, NodeWorldOptions options, long seed)
    {
        _trace = trace;
        _scheduler = scheduler;
        _options = options;
        _world = new NodeWorld(options, seed);
        _calls = new Call[trace.Requests.Count];
        _rpcUs = (long)(options.RpcSeconds * 1e6);
    }

    private enum StepKind
    {
        Acquire,
        Deadline,
        Execute,
        Return,
        NodeReleased,
    }

    /// <summary>Plays the whole load.</summary>
    /// <param name="trace">What arrives.</param>
    /// <param name="scheduler">Who serves it; used for this run alone.</param>
    /// <param name="options">The world.</param>
    /// <param name="seed">The seed of the world's own times.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    public static NodeResult Run(
        NodeTrace trace, INodeScheduler scheduler, NodeWorldOptions options, long seed = 1, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(trace);
        ArgumentNullException.ThrowIfNull(scheduler);
        ArgumentNullException.ThrowIfNull(options);
        return new NodeContest(trace, scheduler, options, seed).Play(cancellationToken);
    }

    private NodeResult Play(CancellationToken cancellationToken)
    {
        var next = 0;
        var statsUs = (long)(_options.StatsSeconds * 1e6);
        var reportUs = statsUs;
        long nowUs = 0;
        for (var turn = 0; ; turn++)
        {
            if (turn % 4096 == 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
            }

            var arrivalUs = next < _calls.Length ? _trace.Requests[next].StartUs + _rpcUs : long.MaxValue;
            var stepUs = _steps.TryPeek(out _, out var key) ? key.AtUs : long.MaxValue;
            var worldUs = _world.NextUs;
            var wakeUs = _scheduler.NextWakeUs;

            // What the world or the scheduler has left to do at once has no time of its own: time never runs backwards.
            nowUs = Math.Max(nowUs, Math.Min(Math.Min(Math.Min(arrivalUs, stepUs), Math.Min(worldUs, wakeUs)), reportUs));
            if (nowUs > _trace.LengthUs && _open == 0 && arrivalUs == long.MaxValue)
            {
                break;
            }

            if (worldUs <= nowUs)
            {
                _world.Advance(nowUs, _events);
                foreach (var happened in _events)
                {
                    Tell(happened, nowUs);
                }

                _events.Clear();
            }
            else if (stepUs <= nowUs)
            {
                Take(_steps.Dequeue(), nowUs);
            }
            else if (arrivalUs <= nowUs)
            {
                Arrive(next++, nowUs);
            }
            else if (reportUs <= nowUs)
            {
                Report(nowUs);
                reportUs += statsUs;
            }
            else
            {
                _scheduler.Tick(nowUs, _actions);
            }

            CarryOut(nowUs);
        }

        return Summarise();
    }

    private void Arrive(int index, long nowUs)
    {
        _open++;
        var request = _trace.Requests[index];
        ref var call = ref _calls[index];
        call.Request = new RequestId($"r{index}");
        call.ArrivedUs = request.StartUs;
        var deadlineUs = request.StartUs + (long)(_options.AcquireDeadlineSeconds * 1e6);
        After(deadlineUs, new Step(StepKind.Deadline, index));
        _scheduler.Acquire(nowUs, call.Request, _trace.Functions[request.Function].Meta, deadlineUs - _rpcUs, _actions);
    }

    private void Take(Step step, long nowUs)
    {
        switch (step.Kind)
        {
            case StepKind.Deadline:
                if (_calls[step.Value] is { GrantedUs: 0, EndedUs: 0 })
                {
                    End(step.Value, nowUs, failed: true);
                }

                break;
            case StepKind.Execute:
                _world.Execute(nowUs, step.Value, _containers.GetValueOrDefault(_calls[step.Value].Container), _trace.Requests[(int)step.Value]);
                break;
            case StepKind.Return:
                var call = _calls[step.Value];
                var request = _trace.Requests[(int)step.Value];
                _scheduler.Return(
                    nowUs, call.Request, _trace.Functions[request.Function].Meta, call.Container, call.DurationUs, call.MemoryMb, call.Failed, _actions);
                break;
            default:
                _scheduler.Released(nowUs, step.Value, _actions);
                break;
        }
    }

    private void Tell(in WorldEvent happened, long nowUs)
    {
        switch (happened.Kind)
        {
            case WorldEventKind.Reserved:
                if (!happened.Failed)
                {
                    _nodes[happened.Id] = happened.Node;
                }

                _scheduler.Reserved(nowUs, happened.Id, !happened.Failed, _options.NodeMemoryMb, _actions);
                break;
            case WorldEventKind.Created:
                if (!happened.Failed)
                {
                    _created++;
                    _containers[happened.Id] = happened.Container;
                }

                _scheduler.Created(nowUs, happened.Id, !happened.Failed, _actions);
                break;
            case WorldEventKind.Removed:
                _containers.Remove(happened.Id);
                _scheduler.Removed(nowUs, happened.Id, _actions);
                break;
            default:
                ref var call = ref _calls[happened.Id];
                call.DurationUs = happened.DurationUs;
                call.MemoryMb = happened.MemoryMb;
                if (call.EndedUs == 0)
                {
                    End(happened.Id, nowUs, happened.Failed);
                }

                call.Failed = happened.Failed;
                After(nowUs + _rpcUs, new Step(StepKind.Return, happened.Id));
                break;
        }
    }

    private void CarryOut(long nowUs)
    {
        for (var i = 0; i < _actions.Count; i++)
        {
            var action = _actions[i];
            switch (action.Kind)
            {
                case NodeActionKind.Reserve:
                    _world.Reserve(nowUs, action.Node);
                    break;
                case NodeActionKind.Release:
                    _world.Release(nowUs, _nodes.GetValueOrDefault(action.Node));
                    After(nowUs + (2 * _rpcUs), new Step(StepKind.NodeReleased, action.Node));
                    break;
                case NodeActionKind.Create:
                    _world.Create(nowUs, action.Container, _nodes.GetValueOrDefault(action.Node), action.Function!.MemoryMb);
                    break;
                case NodeActionKind.Remove:
                    _world.Remove(nowUs, action.Container, _containers.GetValueOrDefault(action.Container));
                    break;
                case NodeActionKind.Grant:
                    Grant(action, nowUs);
                    break;
                default:
                    var rejected = IndexOf(action.Request);
                    if (_calls[rejected].EndedUs == 0)
                    {
                        End(rejected, nowUs + _rpcUs, failed: true);
                    }

                    break;
            }
        }

        _actions.Clear();
    }

    private void Grant(in NodeAction action, long nowUs)
    {
        var index = IndexOf(action.Request);
        ref var call = ref _calls[index];
        call.Container = action.Container;
        if (call.EndedUs > 0)
        {
            // The caller has gone; the platform returns what nobody uses.
            call.Failed = false;
            call.DurationUs = 0;
            After(nowUs + (2 * _rpcUs), new Step(StepKind.Return, index));
            return;
        }

        call.GrantedUs = nowUs + _rpcUs;
        After(call.GrantedUs, new Step(StepKind.Execute, index));
    }

    private void End(long index, long nowUs, bool failed)
    {
        ref var call = ref _calls[index];
        call.EndedUs = nowUs;
        call.Failed = failed;
        call.CallerFailed = failed;
        _open--;
        _lastEndUs = Math.Max(_lastEndUs, nowUs);
    }

    private void Report(long nowUs)
    {
        foreach (var (number, node) in _nodes)
        {
            if (_world.UseOf(nowUs, node) is { } use)
            {
                _scheduler.Reported(nowUs, number, use.UsedMb, use.CpuShare, _actions);
            }
        }
    }

    private NodeResult Summarise()
    {
        var functions = new (int Calls, int Failed, long Us, long AcquireUs)[_trace.Functions.Count];
        for (var i = 0; i < _calls.Length; i++)
        {
            ref readonly var call = ref _calls[i];
            ref var sums = ref functions[_trace.Requests[i].Function];
            sums.Calls++;
            sums.Failed += call.CallerFailed ? 1 : 0;
            sums.Us += call.EndedUs - call.ArrivedUs;
            sums.AcquireUs += (call.GrantedUs > 0 ? call.GrantedUs : call.EndedUs) - call.ArrivedUs;
        }

        var endUs = Math.Max(_trace.LengthUs, _lastEndUs);
        var terms = _world.Terms.ToList();
        return new NodeResult
        {
            Scheduler = _scheduler.Name,
            Trace = _trace.Name,
            Functions = [.. functions.Select((f, i) => new NodeOutcome(_trace.Functions[i], f.Calls, f.Failed, f.Us / 1e6, f.AcquireUs / 1e6))],
            NodeSeconds = terms.Sum(t => Math.Max(0, Math.Min(t.ReleasedUs ?? endUs, endUs) - t.ReservedUs)) / 1e6,
            NodeCounts = NodeResult.Count(terms.Where(t => t.ReservedUs < endUs)),
            ContainersCreated = _created,
            OutOfMemory = _world.OutOfMemory,
        };
    }

    private static int IndexOf(RequestId request) => int.Parse(request.Value.AsSpan(1), System.Globalization.CultureInfo.InvariantCulture);

    private void After(long atUs, Step step) => _steps.Enqueue(step, (atUs, _order++));

    private readonly record struct Step(StepKind Kind, long Value);

    private struct Call
    {
        public RequestId Request;
        public long ArrivedUs;
        public long GrantedUs;
        public long EndedUs;
        public long Container;
        public long DurationUs;
        public int MemoryMb;
        public bool Failed;
        public bool CallerFailed;
    }
}
