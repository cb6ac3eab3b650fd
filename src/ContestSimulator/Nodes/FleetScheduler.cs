using FuncScaler.Nodes;
using FuncScaler.Policies;

namespace FuncScaler.ContestSimulator.Nodes;

/// <summary>
/// The product as a scheduler of the 2020 contest: the decision core with a policy, on a <see cref="NodeFleet"/>. It carries effects from one to the
/// other and decides nothing.
/// </summary>
public sealed class FleetScheduler : INodeScheduler
{
    private readonly ScalerCore _core;
    private readonly NodeFleet _fleet;
    private readonly NodeScorePrice? _price;
    private readonly MemorySharing? _sharing;
    private readonly List<Effect> _effects = [];
    private readonly List<FleetEffect> _fleetEffects = [];
    private readonly Dictionary<RequestId, InstanceId> _granted = [];
    private readonly Dictionary<long, (FunctionMeta Function, long AskedUs)> _containers = [];
    private long _nowUs;

    /// <param name="name">Its name in tables.</param>
    /// <param name="policy">How functions are served.</param>
    /// <param name="pool">Limits of each pool; its placement and price are set here.</param>
    /// <param name="fleet">Rules of the fleet; its price is set here.</param>
    /// <param name="weights">The contest's weights, from which the price of waiting follows; null where the policy asks for none.</param>
    /// <param name="sharing">How many requests share a container; null for one at a time.</param>
    public FleetScheduler(
        string name, PolicyChoice policy, SlotPoolOptions pool, NodeFleetOptions fleet, NodeWeights? weights, MemorySharing? sharing = null)
    {
        _sharing = sharing;
        ArgumentNullException.ThrowIfNull(pool);
        ArgumentNullException.ThrowIfNull(fleet);
        Name = name;
        if (weights is { } w)
        {
            _price = new NodeScorePrice(w.Latency, w.Nodes, fleet.NodeMemoryMb, fleet.MostNodes);
            fleet = fleet with { PriceGbs = () => _price.MeanPriceGbs(_nowUs) };
            pool = pool with { PriceNowGbs = key => _price.PriceGbs(key, _nowUs) };
        }

        _fleet = new NodeFleet(fleet);
        _core = new ScalerCore(policy, pool with { Placement = _fleet });
    }

    public string Name { get; }

    public long NextWakeUs => Math.Min(_core.NextWakeUs, _fleet.NextWakeUs);

    /// <summary>The fleet, for looking at.</summary>
    public NodeFleet Fleet => _fleet;

    /// <summary>The core, for looking at.</summary>
    public ScalerCore Core => _core;

    public void Acquire(long nowUs, RequestId request, FunctionMeta function, long deadlineUs, List<NodeAction> actions)
    {
        _nowUs = nowUs;
        _price?.Arrived(nowUs, function);
        _core.Assign(nowUs, _sharing?.Of(function) ?? function, request, deadlineUs, _effects);
        CarryOut(nowUs, actions);
    }

    public void Return(
        long nowUs, RequestId request, FunctionMeta function, long container, long durationUs, int memoryMb, bool failed, List<NodeAction> actions)
    {
        ArgumentNullException.ThrowIfNull(function);
        _nowUs = nowUs;
        if (_granted.Remove(request, out var instance))
        {
            _price?.Executed(function.Key, durationUs);
            _sharing?.Executed(function.Key, durationUs, memoryMb, failed);
            _core.Release(nowUs, function.Key, request, instance, new ReleaseResult(durationUs, failed), _effects);
            CarryOut(nowUs, actions);
        }
    }

    public void Reserved(long nowUs, long node, bool succeeded, int memoryMb, List<NodeAction> actions)
    {
        _nowUs = nowUs;
        if (succeeded)
        {
            _fleet.NodeReserved(nowUs, new NodeTicket(node), memoryMb, _fleetEffects);
        }
        else
        {
            _fleet.ReserveFailed(nowUs, new NodeTicket(node), new SlotFailure(FailureKind.Throttled, "no node is to be had"), _fleetEffects);
        }

        CarryOut(nowUs, actions);
    }

    public void Released(long nowUs, long node, List<NodeAction> actions)
    {
        _nowUs = nowUs;
        _fleet.NodeReleased(nowUs, new NodeTicket(node), _fleetEffects);
        CarryOut(nowUs, actions);
    }

    public void Created(long nowUs, long container, bool succeeded, List<NodeAction> actions)
    {
        _nowUs = nowUs;
        var ticket = new SlotTicket(container);
        var (function, askedUs) = _containers[container];
        if (succeeded)
        {
            _price?.Created(nowUs - askedUs);
            _fleet.ContainerCreated(nowUs, ticket, _fleetEffects);
            _core.SlotCreated(nowUs, function.Key, ticket, new BackendSlotId($"c{ticket}"), _effects);
        }
        else
        {
            var failure = new SlotFailure(FailureKind.Transient, "the container could not be created");
            _fleet.ContainerFailed(nowUs, ticket, failure, _fleetEffects);
            _core.SlotFailed(nowUs, function.Key, ticket, failure, _effects);
        }

        CarryOut(nowUs, actions);
    }

    public void Removed(long nowUs, long container, List<NodeAction> actions)
    {
        _nowUs = nowUs;
        _fleet.ContainerRemoved(nowUs, new SlotTicket(container), _fleetEffects);
        CarryOut(nowUs, actions);
    }

    public void Reported(long nowUs, long node, double usedMb, double cpuShare, List<NodeAction> actions)
    {
        _nowUs = nowUs;
        _fleet.NodeReported(nowUs, new NodeTicket(node), usedMb, cpuShare, _fleetEffects);
        CarryOut(nowUs, actions);
    }

    public void Tick(long nowUs, List<NodeAction> actions)
    {
        _nowUs = nowUs;
        _core.Tick(nowUs, _effects);
        _fleet.Tick(nowUs, _fleetEffects);
        CarryOut(nowUs, actions);
    }

    private void CarryOut(long nowUs, List<NodeAction> actions)
    {
        // Each list may grow while it is walked.
        for (int i = 0, j = 0; i < _effects.Count || j < _fleetEffects.Count;)
        {
            if (i < _effects.Count)
            {
                CarryOut(nowUs, _effects[i++], actions);
            }
            else
            {
                CarryOut(nowUs, _fleetEffects[j++], actions);
            }
        }

        _effects.Clear();
        _fleetEffects.Clear();
    }

    private void CarryOut(long nowUs, in Effect effect, List<NodeAction> actions)
    {
        switch (effect.Kind)
        {
            case EffectKind.CreateSlot:
                _containers[effect.Ticket.Value] = (effect.Function, nowUs);
                _fleet.Place(nowUs, effect.Ticket, effect.Function, _fleetEffects);
                break;
            case EffectKind.InitSlot:
                // A container of this contest is ready when it is created.
                _core.SlotReady(nowUs, effect.Function.Key, effect.Ticket, _effects);
                break;
            case EffectKind.DestroySlot:
                _fleet.Remove(nowUs, effect.Ticket, _fleetEffects);
                break;
            case EffectKind.Grant:
                _granted[effect.Request] = effect.Instance;
                actions.Add(new NodeAction(NodeActionKind.Grant, 0, effect.Ticket.Value, effect.Function, effect.Request));
                break;
            default:
                actions.Add(new NodeAction(NodeActionKind.Reject, Function: effect.Function, Request: effect.Request));
                break;
        }
    }

    private void CarryOut(long nowUs, in FleetEffect effect, List<NodeAction> actions)
    {
        switch (effect.Kind)
        {
            case FleetEffectKind.ReserveNode:
                actions.Add(new NodeAction(NodeActionKind.Reserve, effect.Node.Value));
                break;
            case FleetEffectKind.ReleaseNode:
                actions.Add(new NodeAction(NodeActionKind.Release, effect.Node.Value));
                break;
            case FleetEffectKind.CreateContainer:
                _containers[effect.Slot.Value] = (effect.Function!, nowUs);
                actions.Add(new NodeAction(NodeActionKind.Create, effect.Node.Value, effect.Slot.Value, effect.Function));
                break;
            case FleetEffectKind.RemoveContainer:
                actions.Add(new NodeAction(NodeActionKind.Remove, effect.Node.Value, effect.Slot.Value, effect.Function));
                break;
            case FleetEffectKind.SlotFailed:
                _core.SlotFailed(nowUs, effect.Function!.Key, effect.Slot, effect.Failure!, _effects);
                break;
            case FleetEffectKind.SlotRemoved:
                var key = effect.Function?.Key ?? (_containers.TryGetValue(effect.Slot.Value, out var known) ? known.Function.Key : default);
                _containers.Remove(effect.Slot.Value);
                _core.SlotDestroyed(nowUs, key, effect.Slot, _effects);
                break;
            case FleetEffectKind.WantSlotBack:
                if (!_core.GiveBack(nowUs, effect.Function!.Key, effect.Slot, _effects))
                {
                    _fleet.StillUsed(nowUs, effect.Slot, _fleetEffects);
                }

                break;
            default:
                throw new InvalidOperationException($"This world does not lose nodes: {effect.Kind}.");
        }
    }
}
