using FuncScaler.Nodes;
using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Nodes;

namespace FuncScaler.Runtime.Soaking;

/// <summary>
/// A platform that rents nodes out in a simulated world, below the real backend of nodes. A node or a container whose reply was lost is there without the
/// scaler knowing: the contract of 2020 cannot list nodes, so such a node is nobody's fault, while such a container goes with its node.
/// </summary>
internal sealed class SimulatedNodes : SimulatedPlatform, INodePlatform
{
    /// <summary>After how long the platform's client gives a call up.</summary>
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(30);

    /// <summary>A node that has not answered so often may be given back with what is on it. Lists ask it too, so that who heard what in a row is not known here.</summary>
    private const int MostSilences = 5;

    private readonly SoakClock _clock;
    private readonly Action<Func<Task>> _start;
    private readonly int _memoryMb;
    private readonly int _mostNodes;
    private readonly Dictionary<string, Node> _nodes = [];
    private readonly Dictionary<InstanceId, (string Node, string Container)> _places = [];
    private int _calls;
    private bool _over;
    private NodeBackend? _backend;

    /// <param name="dice">Decides what happens.</param>
    /// <param name="world">Decides how the platform is set.</param>
    /// <param name="clock">The world's time.</param>
    /// <param name="log">What happens is told there.</param>
    /// <param name="start">Takes the work that the backend starts.</param>
    public SimulatedNodes(Dice dice, Dice world, SoakClock clock, SoakLog log, Action<Func<Task>> start)
        : base(dice, log)
    {
        (_clock, _start) = (clock, start);
        _memoryMb = world.Pick([1024, 1024, 2048, 4096]);
        _mostNodes = world.Pick([2, 4, 20]);
    }

    /// <summary>For the test of the tests: promises more memory than there is.</summary>
    public bool OverCommits { get; init; }

    /// <summary>For the test of the tests: says of lost answers that nothing was done.</summary>
    public bool ForgetsLostAnswers { get; init; }

    /// <summary>Whether the world answers no more, and everything goes well at once.</summary>
    public bool AnswersAtOnce { get; set; }

    /// <summary>Nodes that the scaler was told of and has not given back.</summary>
    public override IReadOnlyCollection<string> Left => [.. _nodes.Where(n => n.Value.IsKnown).Select(n => n.Key)];

    public override ISlotBackend Begin() => new Watched(
        _backend = new NodeBackend(
            this,
            new NodeFleetOptions { MostNodes = _mostNodes, NodeMemoryMb = _memoryMb, OverCommit = OverCommits ? 16 : 1 },
            _clock,
            start: _start),
        this);

    public override bool IsThere(InstanceId instance) =>
        _places.TryGetValue(instance, out var place) && _nodes.TryGetValue(place.Node, out var node) && node.Containers.ContainsKey(place.Container);

    /// <summary>No node has more on it than it has memory.</summary>
    public void Check() => SoakException.Unless(!_over, "a node has more containers on it than it has memory for");

    /// <summary>When no call is under way, the fleet waits for none.</summary>
    public void CheckAtRest() =>
        SoakException.Unless(_backend!.Nodes.All(n => n.State != NodeState.Reserving), "the fleet waits for a node, and no call for one is under way");

    public override void LoseOne()
    {
        if (_nodes.Values.SelectMany(n => n.Containers.Keys.Select(c => (Node: n, Id: c))).ToList() is { Count: > 0 } all)
        {
            var (node, id) = Dice.Pick(all);
            Log.Add($"{id} ends");
            Log.Count(SoakFault.InstanceLost);
            Lost.UnionWith(_places.Where(p => p.Value.Container == id).Select(p => p.Key));
            node.Containers.Remove(id);
        }
    }

    public async Task<ReservedNode> ReserveAsync(CancellationToken cancellationToken)
    {
        var id = $"n{++_calls}";
        await CallAsync($"reserve {id}", mayStorm: true, () =>
        {
            if (_nodes.Count >= 2 * _mostNodes)
            {
                throw Failure(FailureKind.Throttled, "no further node");
            }

            // Asked for again under its request id, it is the same node.
            return _nodes.TryAdd(id, new Node());
        }, cancellationToken).ConfigureAwait(false);
        _nodes[id].IsKnown = true;
        return new ReservedNode(id, new Uri($"http://{id}/"), _memoryMb);
    }

    public Task ReleaseAsync(ReservedNode node, CancellationToken cancellationToken) => CallAsync($"release {node.Id}", mayStorm: true, () =>
    {
        if (_nodes.TryGetValue(node.Id, out var there) && there.Silences >= MostSilences)
        {
            Lost.UnionWith(_places.Where(p => p.Value.Node == node.Id).Select(p => p.Key));
        }

        return !KeepsDestroyed && _nodes.Remove(node.Id);
    }, cancellationToken);

    public async Task<string> CreateContainerAsync(ReservedNode node, SlotTicket ticket, FunctionMeta function, CancellationToken cancellationToken)
    {
        var (id, done) = ($"c{++_calls}", false);
        await CallAsync($"create {id} for {ticket} on {node.Id}", mayStorm: true, () =>
        {
            if (!_nodes.TryGetValue(node.Id, out var there))
            {
                throw Failure(FailureKind.Transient, "no such node");
            }

            if (!done)
            {
                done = there.Containers.TryAdd(id, function.MemoryMb);
                _over |= there.Containers.Values.Sum() > _memoryMb;
            }

            return true;
        }, cancellationToken).ConfigureAwait(false);
        return id;
    }

    public Task RemoveContainerAsync(ReservedNode node, string container, CancellationToken cancellationToken) => CallAsync(
        $"remove {container}", mayStorm: true, () => _nodes.GetValueOrDefault(node.Id)?.Containers.Remove(container) == true, cancellationToken);

    public async Task<NodeLoad> GetLoadAsync(ReservedNode node, CancellationToken cancellationToken)
    {
        var there = _nodes.GetValueOrDefault(node.Id);
        try
        {
            return await CallAsync($"load {node.Id}", mayStorm: false, () => _nodes.TryGetValue(node.Id, out var now)
                ? new NodeLoad(now.Containers.Values.Sum(), 0, [.. now.Containers.Keys])
                : throw Failure(FailureKind.Transient, "no such node"), cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            there?.Silences += 1;
            throw;
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    protected override Exception Failing(SoakFault fault) => fault switch
    {
        SoakFault.Storm => Failure(FailureKind.Throttled, "throttled in a storm"),
        SoakFault.Throttled => Failure(FailureKind.Throttled, "throttled"),
        SoakFault.Refused => Failure(FailureKind.Permanent, "refused"),
        SoakFault.Late or SoakFault.AnswerLost => Unknown("no answer came"),
        SoakFault.Unforeseen => new InvalidOperationException("unforeseen"),
        SoakFault.GivenUp => new OperationCanceledException("gave up by itself"),
        _ => Failure(FailureKind.Transient, "failed"),
    };

    private static SlotBackendException Failure(FailureKind kind, string message) => new(new SlotFailure(kind, message));

    private SlotBackendException Unknown(string message) =>
        new(new SlotFailure(FailureKind.Transient, message, OutcomeUnknown: !ForgetsLostAnswers)) { PlatformUnreachable = true };

    private async Task<T> CallAsync<T>(string name, bool mayStorm, Func<T> effect, CancellationToken cancellationToken)
    {
        if (AnswersAtOnce)
        {
            return effect();
        }

        using var limit = new CancellationTokenSource(CallTimeout, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            return await Wait(name, mayStorm, _ => effect(), either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw Unknown("no answer in time");
        }
    }

    private sealed class Node
    {
        public Dictionary<string, int> Containers { get; } = [];

        public bool IsKnown { get; set; }

        public int Silences { get; set; }
    }

    /// <summary>The real backend; tells the world which instance is in which container.</summary>
    private sealed class Watched(NodeBackend backend, SimulatedNodes nodes) : ISlotBackend
    {
        public event Action<LostSlot>? SlotLost
        {
            add => backend.SlotLost += value;
            remove => backend.SlotLost -= value;
        }

        public event Func<MetaKey, SlotTicket, bool>? SlotWantedBack
        {
            add => backend.SlotWantedBack += value;
            remove => backend.SlotWantedBack -= value;
        }

        public string Name => backend.Name;

        public ISlotPlacement? Placement => backend.Placement;

        public Task<BackendSlotId> CreateAsync(SlotTicket ticket, FunctionMeta function, CancellationToken cancellationToken) =>
            backend.CreateAsync(ticket, function, cancellationToken);

        public async Task<Uri?> InitAsync(BackendSlotId slot, InstanceId instance, FunctionMeta function, CancellationToken cancellationToken)
        {
            var address = await backend.InitAsync(slot, instance, function, cancellationToken).ConfigureAwait(false);
            nodes.Made(instance, function.Key);
            var place = slot.Value.Split('/');
            nodes._places[instance] = (place[0], place[1]);
            nodes.Log.Add($"{instance} is {slot}");
            if (!nodes.IsThere(instance))
            {
                // It has ended since, or its node was given up, and the backend has not heard of that yet.
                nodes.Lost.Add(instance);
            }

            return address;
        }

        public Task<bool> DestroyAsync(SlotTicket ticket, BackendSlotId slot, string reason, CancellationToken cancellationToken) =>
            backend.DestroyAsync(ticket, slot, reason, cancellationToken);

        public Task<IReadOnlyList<ListedSlot>?> ListAsync(IReadOnlyCollection<SlotSnapshot> known, CancellationToken cancellationToken) =>
            backend.ListAsync(known, cancellationToken);

        public ValueTask DisposeAsync() => backend.DisposeAsync();
    }
}
