namespace FuncScaler.Nodes;

/// <summary>
/// The nodes that slots stand on: which node a container goes to, when a node is reserved, emptied and given back. A deterministic state machine
/// without I/O, clock or tasks: events come in as calls with the time, <see cref="FleetEffect"/>s go out. Not safe for concurrent use.
/// </summary>
/// <remarks>
/// <para>
/// <b>Placement.</b> A container goes to the node on which it leaves the least memory over. Where none has room, instances are asked back that
/// their policies find not worth their memory; then a draining node is used again; then a node is reserved. At the most nodes that there may be, any
/// idle instance is asked back. What requests use is never moved or asked back.
/// </para>
/// <para>
/// <b>Keeping nodes.</b> A node on which something is active is kept anyway: its idle instances cost nothing and are held. Where nothing is
/// active, its instances have to be worth the whole node between them. An empty node is held as long as reserving it again would be dearer (ski
/// rental): R · (1 + price / node's GB) for a reservation of R seconds. A node is drained when the most that was in use or worth holding over the last
/// minutes fits on the others.
/// </para>
/// <para>
/// Whatever calls do, late, twice or never: promised memory is within <see cref="NodeFleetOptions.OverCommit"/>; no node is released with
/// containers on it, unless it is lost; a node that was asked for stays here until the platform has confirmed that it is gone.
/// </para>
/// </remarks>
public sealed class NodeFleet : ISlotPlacement
{
    /// <summary>How often nodes and idle instances that are held for nothing are looked at, µs.</summary>
    private const long ReviewEveryUs = 1_000_000;

    /// <summary>The share of a node's memory or processors in use from which it takes nothing that may go elsewhere.</summary>
    private const double NearFull = 0.9;

    /// <summary>After how long the most that was needed counts half as much above what is needed now, µs.</summary>
    private const double PeakHalfLifeUs = 60_000_000;

    private const long MostPauseUs = 60_000_000;

    private readonly NodeFleetOptions _options;
    private readonly List<FleetNode> _nodes = [];
    private readonly Dictionary<SlotTicket, FleetSlot> _slots = [];
    private readonly LinkedList<FleetSlot> _waiting = new();
    private readonly long _retryUs;
    private long _lastNode;
    private long _reserveFromUs;
    private int _reserveFailures;
    private bool _limitKnown;
    private int _limit;
    private readonly double[] _reserveSeconds;
    private double _createSeconds;
    private long _created;
    private double _peakNeededMb;
    private long _peakAtUs;
    private long _nextWakeUs = long.MaxValue;
    private bool _stopping;

    public NodeFleet(NodeFleetOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options;
        _limit = options.MostNodes;
        _reserveSeconds = new double[options.MostNodes + 1];
        _retryUs = options.RetryDelay.ToUs();
    }

    /// <summary>When <see cref="Tick"/> is to be called next, µs; <see cref="long.MaxValue"/> for never.</summary>
    public long NextWakeUs => _nextWakeUs;

    /// <summary>Nodes from the wish to reserve them until they are gone.</summary>
    public int NodeCount => _nodes.Count;

    /// <summary>Slots that no node has room for yet.</summary>
    public int WaitingCount => _waiting.Count;

    /// <summary>All nodes, in the order in which they were asked for.</summary>
    public IEnumerable<NodeSnapshot> Nodes =>
        _nodes.Select(n => new NodeSnapshot(n.Ticket, n.State, n.MemoryMb, n.PromisedMb, n.Slots.Count, n.Slots.Count(s => s.State == FleetSlotState.Busy)));

    /// <summary>Where a slot stands; null while it waits, or is not known.</summary>
    public NodeTicket? NodeOf(SlotTicket slot) => _slots.GetValueOrDefault(slot)?.Node?.Ticket;

    /// <summary>A slot is to be created. Leads to CreateContainer, or to SlotFailed, now or later.</summary>
    public void Place(long nowUs, SlotTicket ticket, FunctionMeta function, List<FleetEffect> effects)
    {
        ArgumentNullException.ThrowIfNull(function);
        if (_slots.ContainsKey(ticket))
        {
            return;
        }

        var slot = new FleetSlot(ticket, function, nowUs);
        var most = _nodes.Where(n => n.State is NodeState.Ready or NodeState.Draining).Select(n => n.MemoryMb).DefaultIfEmpty(_options.NodeMemoryMb).Max();
        if (function.MemoryMb > most)
        {
            effects.Add(new FleetEffect(
                FleetEffectKind.SlotFailed, Slot: ticket, Function: function,
                Failure: new SlotFailure(FailureKind.Permanent, $"a node has {most} MB, and the function asks for {function.MemoryMb} MB")));
            return;
        }

        _slots.Add(ticket, slot);
        _waiting.AddLast(slot);
        PlaceWaiting(nowUs, effects);
    }

    /// <summary>The platform has created a container.</summary>
    public void ContainerCreated(long nowUs, SlotTicket ticket, List<FleetEffect> effects)
    {
        if (_slots.GetValueOrDefault(ticket) is { State: FleetSlotState.Creating } slot)
        {
            Learn(ref _createSeconds, ref _created, (nowUs - slot.AskedUs) / 1e6);
            slot.WorthUntilUs = nowUs;
            slot.IdleSinceUs = nowUs;
            Become(slot, FleetSlotState.Idle, nowUs);
            WakeBy(nowUs + ReviewEveryUs);
        }
    }

    /// <summary>
    /// The creation of a container has failed. Where its outcome is unknown its memory stays promised until it was removed.
    /// </summary>
    public void ContainerFailed(long nowUs, SlotTicket ticket, SlotFailure failure, List<FleetEffect> effects)
    {
        ArgumentNullException.ThrowIfNull(failure);
        if (_slots.GetValueOrDefault(ticket) is { State: FleetSlotState.Creating or FleetSlotState.Removing } slot)
        {
            if (failure.OutcomeUnknown)
            {
                // Nobody knows its name: what may stand there goes with the node, which takes nothing further.
                if (slot.State == FleetSlotState.Creating)
                {
                    Become(slot, FleetSlotState.Idle, nowUs);
                    slot.WantedBack = true;
                }

                slot.Node!.State = NodeState.Draining;
                slot.Node.IsTainted = true;
                return;
            }

            if (slot.State == FleetSlotState.Creating)
            {
                Forget(slot, nowUs, effects);
            }
        }
    }

    /// <summary>A container has ended by itself. Leads to SlotLost, where a slot was there.</summary>
    public void ContainerLost(long nowUs, SlotTicket ticket, List<FleetEffect> effects)
    {
        if (_slots.GetValueOrDefault(ticket) is { State: FleetSlotState.Idle or FleetSlotState.Busy } slot)
        {
            effects.Add(new FleetEffect(
                FleetEffectKind.SlotLost, slot.Node!.Ticket, ticket, slot.Function, new SlotFailure(FailureKind.Transient, "the container has ended by itself")));
            Forget(slot, nowUs, effects);
        }
    }

    /// <summary>A slot is to be removed. Leads to SlotRemoved, now or later; a slot that is not known is gone already.</summary>
    public void Remove(long nowUs, SlotTicket ticket, List<FleetEffect> effects)
    {
        if (_slots.GetValueOrDefault(ticket) is not { } slot)
        {
            effects.Add(new FleetEffect(FleetEffectKind.SlotRemoved, Slot: ticket));
        }
        else if (slot.Node is null)
        {
            Forget(slot, nowUs, effects);
            effects.Add(new FleetEffect(FleetEffectKind.SlotRemoved, Slot: ticket, Function: slot.Function));
        }
        else
        {
            Become(slot, FleetSlotState.Removing, nowUs);
            effects.Add(new FleetEffect(FleetEffectKind.RemoveContainer, slot.Node.Ticket, ticket, slot.Function));
        }
    }

    /// <summary>The platform has removed a container, or does not know it (any more).</summary>
    public void ContainerRemoved(long nowUs, SlotTicket ticket, List<FleetEffect> effects)
    {
        if (_slots.GetValueOrDefault(ticket) is { State: FleetSlotState.Removing } slot)
        {
            effects.Add(new FleetEffect(FleetEffectKind.SlotRemoved, slot.Node!.Ticket, ticket, slot.Function));
            Forget(slot, nowUs, effects);
        }
    }

    /// <summary>The core has not given an instance back that was asked back: a request has taken it. It is left alone for a while.</summary>
    public void StillUsed(long nowUs, SlotTicket ticket, List<FleetEffect> effects)
    {
        if (_slots.GetValueOrDefault(ticket) is { State: FleetSlotState.Idle or FleetSlotState.Busy, WantedBack: true } kept)
        {
            kept.WantedBack = false;
            kept.NotAskedUntilUs = nowUs + ReviewEveryUs;
            PlaceWaiting(nowUs, effects);
        }
    }

    /// <summary>The platform has reserved a node.</summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="node">The fleet's number for it.</param>
    /// <param name="memoryMb">Its memory, MB.</param>
    /// <param name="effects">Where effects are added.</param>
    public void NodeReserved(long nowUs, NodeTicket node, int memoryMb, List<FleetEffect> effects)
    {
        if (Find(node) is not { State: NodeState.Reserving } reserved)
        {
            return;
        }

        // How long it takes may depend on how many there are: some may have been started beforehand.
        ref var mean = ref _reserveSeconds[reserved.Rank];
        var seconds = (nowUs - reserved.AskedUs) / 1e6;
        mean = mean == 0 ? seconds : mean + ((seconds - mean) / 4);
        _reserveFailures = 0;
        reserved.MemoryMb = memoryMb > 0 ? memoryMb : reserved.MemoryMb;
        reserved.State = NodeState.Ready;
        reserved.EmptySinceUs = nowUs;
        reserved.MeanAtUs = nowUs;
        PlaceWaiting(nowUs, effects);
        Review(nowUs, effects);
    }

    /// <summary>A node could not be reserved.</summary>
    public void ReserveFailed(long nowUs, NodeTicket node, SlotFailure failure, List<FleetEffect> effects)
    {
        ArgumentNullException.ThrowIfNull(failure);
        if (Find(node) is not { State: NodeState.Reserving } reserved)
        {
            return;
        }

        _nodes.Remove(reserved);
        _reserveFromUs = nowUs + Math.Max(failure.RetryAfterUs, Pause(++_reserveFailures));
        if (failure.Kind == FailureKind.Permanent || (failure.Kind == FailureKind.Throttled && _nodes.Count > 0))
        {
            // No further one for now: what there is has to do, and idle instances make room.
            _limitKnown = true;
            _limit = Math.Max(1, _nodes.Count);
        }

        PlaceWaiting(nowUs, effects);
        WakeBy(_reserveFromUs);
    }

    /// <summary>The platform has taken a node back, or does not know it (any more).</summary>
    public void NodeReleased(long nowUs, NodeTicket node, List<FleetEffect> effects)
    {
        if (Find(node) is { State: NodeState.Releasing } released)
        {
            _nodes.Remove(released);
            PlaceWaiting(nowUs, effects);
        }
    }

    /// <summary>A node could not be given back; it is tried again.</summary>
    public void ReleaseFailed(long nowUs, NodeTicket node, List<FleetEffect> effects)
    {
        if (Find(node) is { State: NodeState.Releasing } held)
        {
            held.RetryUs = nowUs + Pause(++held.Failures);
            WakeBy(held.RetryUs);
        }
    }

    /// <summary>A node does not answer any more, or the platform has taken it away: its slots are lost, and it is given back.</summary>
    public void NodeLost(long nowUs, NodeTicket node, string reason, List<FleetEffect> effects)
    {
        if (Find(node) is not { State: NodeState.Ready or NodeState.Draining } lost)
        {
            return;
        }

        foreach (var slot in lost.Slots.OrderBy(s => s.Ticket.Value).ToList())
        {
            var kind = slot.State switch
            {
                FleetSlotState.Creating => FleetEffectKind.SlotFailed,
                FleetSlotState.Removing => FleetEffectKind.SlotRemoved,
                _ => FleetEffectKind.SlotLost,
            };
            Detach(slot, nowUs);
            _slots.Remove(slot.Ticket);
            effects.Add(new FleetEffect(kind, node, slot.Ticket, slot.Function, new SlotFailure(FailureKind.Transient, $"node {node} is lost: {reason}")));
        }

        Release(lost, effects);
        PlaceWaiting(nowUs, effects);
    }

    /// <summary>What a node has reported.</summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="node">The node.</param>
    /// <param name="usedMb">Memory in use, MB.</param>
    /// <param name="cpuShare">The share of its processors in use, 0 to 1.</param>
    /// <param name="effects">Where effects are added.</param>
    public void NodeReported(long nowUs, NodeTicket node, double usedMb, double cpuShare, List<FleetEffect> effects)
    {
        if (Find(node) is { State: NodeState.Ready or NodeState.Draining } reported)
        {
            // Slow to trust, quick to distrust: a container that dies costs more than one that is created elsewhere.
            reported.Trust = usedMb > NearFull * reported.MemoryMb ? 0 : Math.Min(1, reported.Trust + 0.1);
            reported.Slow = cpuShare > NearFull;
            PlaceWaiting(nowUs, effects);
        }
    }

    /// <summary>Does what is due.</summary>
    public void Tick(long nowUs, List<FleetEffect> effects)
    {
        if (nowUs < _nextWakeUs)
        {
            return;
        }

        _nextWakeUs = long.MaxValue;
        foreach (var node in _nodes)
        {
            if (node.State == NodeState.Releasing && node.RetryUs <= nowUs)
            {
                node.RetryUs = long.MaxValue;
                effects.Add(new FleetEffect(FleetEffectKind.ReleaseNode, node.Ticket));
            }
            else if (node.State == NodeState.Releasing)
            {
                WakeBy(node.RetryUs);
            }
        }

        if (_limitKnown && nowUs >= _reserveFromUs)
        {
            _limitKnown = false;
            _limit = _options.MostNodes;
        }

        PlaceWaiting(nowUs, effects);
        Review(nowUs, effects);
    }

    /// <summary>No further node from now on; empty ones go at once, the others when they are empty.</summary>
    public void Drain(long nowUs, List<FleetEffect> effects)
    {
        _stopping = true;
        Review(nowUs, effects);
    }

    /// <inheritdoc/>
    public long Preference(SlotTicket slot) => _slots.GetValueOrDefault(slot)?.Node is { } node
        ? (node.State == NodeState.Draining ? long.MinValue / 2 : 0) - node.Ticket.Value
        : 0;

    /// <inheritdoc/>
    public double HoldingShare(SlotTicket slot) => _options.HoldsForNothing && _slots.GetValueOrDefault(slot)?.Node is { } node && !IsKept(node)
        ? (double)node.MemoryMb / Math.Max(1, node.PromisedMb)
        : 1;

    /// <inheritdoc/>
    public double CreateCostGbs(FunctionMeta function)
    {
        ArgumentNullException.ThrowIfNull(function);
        if (!_options.HoldsForNothing)
        {
            return 0;
        }

        var free = 0;
        foreach (var node in _nodes)
        {
            if (node.State != NodeState.Releasing)
            {
                var idle = node.Slots.Where(s => s is { State: FleetSlotState.Idle, WantedBack: false }).Sum(s => s.MemoryMb);
                free = Math.Max(free, CapacityMb(node) - node.PromisedMb + idle);
            }
        }

        return free >= function.MemoryMb || _nodes.Count >= _limit ? 0 : _options.NodeMemoryMb / 1024.0 * 2 * (ReserveSeconds(_nodes.Count + 1) + _createSeconds);
    }

    /// <inheritdoc/>
    public long Hold(SlotTicket slot, long nowUs, long worthUntilUs)
    {
        if (_slots.GetValueOrDefault(slot) is not { Node: { } node } held)
        {
            return worthUntilUs;
        }

        held.WorthUntilUs = worthUntilUs;
        if (held.WantedBack)
        {
            return nowUs;
        }

        // A keep-alive without end would never be asked about again, while the node empties around it.
        return _options.HoldsForNothing && (IsKept(node) || worthUntilUs > nowUs) ? nowUs + ReviewEveryUs : worthUntilUs;
    }

    /// <inheritdoc/>
    public void Used(SlotTicket slot, bool busy, long nowUs)
    {
        if (_slots.GetValueOrDefault(slot) is { State: FleetSlotState.Idle or FleetSlotState.Busy } used)
        {
            var state = busy ? FleetSlotState.Busy : FleetSlotState.Idle;
            if (used.State != state)
            {
                used.IdleSinceUs = nowUs;
                Become(used, state, nowUs);
            }
        }
    }

    /// <exception cref="InvalidOperationException">What is known of nodes and slots contradicts itself, or a promise is broken; says which.</exception>
    public void CheckInvariants()
    {
        foreach (var node in _nodes)
        {
            Invariant.Holds(node.PromisedMb == node.Slots.Sum(s => s.MemoryMb), "promised memory follows from the slots");
            Invariant.Holds(node.ActiveMb == node.Slots.Where(s => s.IsActive).Sum(s => s.MemoryMb), "active memory follows from the slots");
            Invariant.Holds(node.Active == node.Slots.Count(s => s.IsActive), "active slots follow from the slots");
            Invariant.Holds(node.PromisedMb <= node.MemoryMb * _options.OverCommit, "no node is over its memory unless allowed");
            Invariant.Holds(node.State is NodeState.Ready or NodeState.Draining || node.Slots.Count == 0, "containers stand on nodes that are there");
            Invariant.Holds(node.Slots.All(s => s.Node == node && _slots.GetValueOrDefault(s.Ticket) == s), "a slot knows its node");
        }

        Invariant.Holds(_nodes.Count <= _options.MostNodes, "no more nodes than there may be");
        Invariant.Holds(_waiting.All(s => s is { Node: null, State: FleetSlotState.Waiting }), "what waits stands nowhere");
        Invariant.Holds(_slots.Values.Count(s => s.Node is null) == _waiting.Count, "what stands nowhere waits");
        Invariant.Holds(
            _waiting.Count == 0 || _nodes.Exists(n => n.State != NodeState.Ready || n.Slots.Count > 0) || _nextWakeUs < long.MaxValue, "nothing waits for ever");
    }

    private static void Learn(ref double mean, ref long count, double seconds)
    {
        count++;
        mean += (seconds - mean) / Math.Min(count, 20);
    }

    private static void UpdateMean(FleetNode node, long nowUs)
    {
        var weight = Math.Exp(-(nowUs - node.MeanAtUs) / 30e6);
        node.MeanActiveMb = (weight * node.MeanActiveMb) + ((1 - weight) * node.ActiveMb);
        node.MeanAtUs = nowUs;
    }

    /// <summary>How long it took to reserve the n-th node at a time, or the one of the nearest lower number that is known, s.</summary>
    private double ReserveSeconds(int rank)
    {
        for (var i = Math.Min(rank, _options.MostNodes); i > 0; i--)
        {
            if (_reserveSeconds[i] > 0)
            {
                return _reserveSeconds[i];
            }
        }

        return 0;
    }

    private bool IsKept(FleetNode node) => node.State == NodeState.Ready && (node.Active > 0 || !_options.Releases);

    private FleetNode? Find(NodeTicket node) => _nodes.Find(n => n.Ticket == node);

    private int CapacityMb(FleetNode node) => (int)(node.MemoryMb * (1 + ((_options.OverCommit - 1) * node.Trust)));

    private long Pause(int failures) => Math.Min(MostPauseUs, _retryUs << Math.Clamp(failures - 1, 0, 10));

    private void WakeBy(long atUs) => _nextWakeUs = Math.Min(_nextWakeUs, atUs);

    private static void Become(FleetSlot slot, FleetSlotState state, long nowUs)
    {
        var node = slot.Node!;
        var wasActive = slot.IsActive;
        slot.State = state;
        if (wasActive != slot.IsActive)
        {
            UpdateMean(node, nowUs);
            var sign = wasActive ? -1 : 1;
            node.Active += sign;
            node.ActiveMb += sign * slot.MemoryMb;
        }
    }

    /// <summary>The most memory that was in use or worth holding lately.</summary>
    private void ObservePeak(long nowUs)
    {
        var needed = 0;
        foreach (var node in _nodes)
        {
            needed += node.ActiveMb;
            foreach (var slot in node.Slots)
            {
                needed += slot.State == FleetSlotState.Idle && slot.WorthUntilUs > nowUs ? slot.MemoryMb : 0;
            }
        }

        _peakNeededMb = needed + (Math.Max(0, _peakNeededMb - needed) * Math.Pow(2, -(nowUs - _peakAtUs) / PeakHalfLifeUs));
        _peakAtUs = nowUs;
    }

    private static void Attach(FleetSlot slot, FleetNode node, long nowUs)
    {
        slot.Node = node;
        node.Slots.Add(slot);
        node.PromisedMb += slot.MemoryMb;
        Become(slot, FleetSlotState.Creating, nowUs);
    }

    private void Detach(FleetSlot slot, long nowUs)
    {
        if (slot.Node is not { } node)
        {
            _waiting.Remove(slot);
            return;
        }

        Become(slot, FleetSlotState.Removing, nowUs);
        node.Slots.Remove(slot);
        node.PromisedMb -= slot.MemoryMb;
        slot.Node = null;
        if (node.Slots.Count == 0)
        {
            node.EmptySinceUs = nowUs;
        }
    }

    private void Forget(FleetSlot slot, long nowUs, List<FleetEffect> effects)
    {
        Detach(slot, nowUs);
        _slots.Remove(slot.Ticket);
        PlaceWaiting(nowUs, effects);
        Review(nowUs, effects);
    }

    private static void Release(FleetNode node, List<FleetEffect> effects)
    {
        node.State = NodeState.Releasing;
        node.RetryUs = long.MaxValue;
        effects.Add(new FleetEffect(FleetEffectKind.ReleaseNode, node.Ticket));
    }

    /// <summary>Places what waits, in the order in which it was asked for, and makes room for the rest.</summary>
    private void PlaceWaiting(long nowUs, List<FleetEffect> effects)
    {
        if (_waiting.Count == 0)
        {
            return;
        }

        for (var place = _waiting.First; place is not null;)
        {
            var next = place.Next;
            if (BestFit(place.Value.MemoryMb, NodeState.Ready) is { } node)
            {
                var slot = place.Value;
                _waiting.Remove(place);
                Attach(slot, node, nowUs);
                effects.Add(new FleetEffect(FleetEffectKind.CreateContainer, node.Ticket, slot.Ticket, slot.Function));
            }

            place = next;
        }

        if (_waiting.Count > 0 && MakeRoom(nowUs, effects))
        {
            PlaceWaiting(nowUs, effects);
        }
    }

    private FleetNode? BestFit(int memoryMb, NodeState state)
    {
        FleetNode? best = null;
        var bestLeft = (Slow: true, Mb: int.MaxValue);
        foreach (var node in _nodes)
        {
            var left = (node.Slow, CapacityMb(node) - node.PromisedMb - memoryMb);
            if (node.State == state && left.Item2 >= 0 && left.CompareTo(bestLeft) < 0)
            {
                (best, bestLeft) = (node, left);
            }
        }

        return best;
    }

    /// <summary>Sees to it that what waits will find room: each in turn counts on memory that comes free, then has some made.</summary>
    /// <returns>Whether a node that was drained takes containers again.</returns>
    private bool MakeRoom(long nowUs, List<FleetEffect> effects)
    {
        var again = false;
        var coming = new int[_nodes.Count + _waiting.Count];
        for (var i = 0; i < _nodes.Count; i++)
        {
            var node = _nodes[i];
            coming[i] = node.State switch
            {
                NodeState.Reserving => node.MemoryMb,
                NodeState.Ready => CapacityMb(node) - node.PromisedMb + node.Slots.Where(s => s.WantedBack || s.State == FleetSlotState.Removing).Sum(s => s.MemoryMb),
                _ => 0,
            };
        }

        for (var place = _waiting.First; place is not null; place = place.Next)
        {
            var slot = place.Value;
            var index = Array.FindIndex(coming, 0, _nodes.Count, mb => mb >= slot.MemoryMb);
            if (index < 0)
            {
                index = MakeRoomFor(slot, coming, nowUs, effects, ref again);
            }

            if (index >= 0)
            {
                coming[index] -= slot.MemoryMb;
            }
        }

        return again;
    }

    private int MakeRoomFor(FleetSlot slot, int[] coming, long nowUs, List<FleetEffect> effects, ref bool again)
    {
        var atLimit = _nodes.Count >= _limit || nowUs < _reserveFromUs;
        if (AskBack(slot.MemoryMb, coming, nowUs, atAnyCost: false, effects) is var freed and >= 0)
        {
            return freed;
        }

        for (var i = 0; i < _nodes.Count; i++)
        {
            if (_nodes[i] is { State: NodeState.Draining, IsTainted: false } && !_stopping)
            {
                _nodes[i].State = NodeState.Ready;
                coming[i] = CapacityMb(_nodes[i]) - _nodes[i].PromisedMb;
                if (coming[i] >= slot.MemoryMb)
                {
                    again = true;
                    return i;
                }
            }
        }

        if (!atLimit && !_stopping)
        {
            Reserve(nowUs, effects);
            coming[_nodes.Count - 1] = _options.NodeMemoryMb;
            return _nodes.Count - 1;
        }

        WakeBy(nowUs < _reserveFromUs ? _reserveFromUs : nowUs + ReviewEveryUs);
        return AskBack(slot.MemoryMb, coming, nowUs, atAnyCost: true, effects);
    }

    private void Reserve(long nowUs, List<FleetEffect> effects)
    {
        var node = new FleetNode(new NodeTicket(++_lastNode), _options.NodeMemoryMb, nowUs, _nodes.Count + 1);
        _nodes.Add(node);
        effects.Add(new FleetEffect(FleetEffectKind.ReserveNode, node.Ticket));
    }

    /// <summary>Asks idle instances back on the node where the least is lost by it.</summary>
    /// <returns>The index of the node; negative where there is none.</returns>
    private int AskBack(int memoryMb, int[] coming, long nowUs, bool atAnyCost, List<FleetEffect> effects)
    {
        var best = -1;
        var bestCost = (Worth: double.MaxValue, UnusedUs: long.MaxValue);
        List<FleetSlot>? chosen = null;
        for (var i = 0; i < _nodes.Count; i++)
        {
            if (_nodes[i].State != NodeState.Ready)
            {
                continue;
            }

            var missing = memoryMb - Math.Max(0, coming[i]);
            var worth = 0.0;
            var latestUs = 0L;
            List<FleetSlot> some = [];
            foreach (var idle in _nodes[i].Slots
                .Where(s => s is { State: FleetSlotState.Idle, WantedBack: false } && s.NotAskedUntilUs <= nowUs)
                .OrderBy(s => s.WorthUntilUs > nowUs ? s.WorthUntilUs : 0).ThenBy(s => s.IdleSinceUs).ThenBy(s => s.Ticket.Value))
            {
                if (missing <= 0)
                {
                    break;
                }

                var isWorth = idle.WorthUntilUs > nowUs;
                if (isWorth && !atAnyCost)
                {
                    break;
                }

                worth += isWorth ? (idle.WorthUntilUs - nowUs) * (double)idle.MemoryMb : 0;
                latestUs = Math.Max(latestUs, idle.IdleSinceUs);
                missing -= idle.MemoryMb;
                some.Add(idle);
            }

            if (missing <= 0 && (worth, latestUs).CompareTo(bestCost) < 0)
            {
                (best, bestCost, chosen) = (i, (worth, latestUs), some);
            }
        }

        foreach (var idle in chosen ?? [])
        {
            idle.WantedBack = true;
            coming[best] += idle.MemoryMb;
            effects.Add(new FleetEffect(FleetEffectKind.WantSlotBack, _nodes[best].Ticket, idle.Ticket, idle.Function));
        }

        return best;
    }

    /// <summary>Gives empty nodes back whose time has come, drains, and keeps a reserve.</summary>
    private void Review(long nowUs, List<FleetEffect> effects)
    {
        if (!_options.Releases && !_stopping)
        {
            return;
        }

        ObservePeak(nowUs);
        DrainOne(nowUs);
        var spare = _stopping ? 0 : _options.WarmNodes;
        var idleUs = (long)(1e6 * ReserveSeconds(_nodes.Count) * (1 + (Math.Max(0, _options.PriceGbs?.Invoke() ?? 1) / (_options.NodeMemoryMb / 1024.0))));
        for (var i = 0; i < _nodes.Count; i++)
        {
            var node = _nodes[i];
            if (node.State is not (NodeState.Ready or NodeState.Draining) || node.Slots.Count > 0)
            {
                continue;
            }

            if (spare > 0)
            {
                spare--;
                continue;
            }

            // Memory that waits for a slot to be removed elsewhere must not be reserved anew a moment later.
            var untilUs = node.EmptySinceUs + idleUs;
            if (_waiting.Count == 0 && (_stopping || untilUs <= nowUs))
            {
                Release(node, effects);
            }
            else
            {
                WakeBy(Math.Max(untilUs, nowUs + 1000));
            }
        }

        for (; spare > 0 && _nodes.Count < _limit && nowUs >= _reserveFromUs; spare--)
        {
            if (!_nodes.Exists(n => n.State == NodeState.Reserving))
            {
                Reserve(nowUs, effects);
            }
        }

        if (_nodes.Count > 0)
        {
            WakeBy(nowUs + ReviewEveryUs);
        }
    }

    /// <summary>The node that the least runs on takes nothing more when the others have room for the most that was needed lately.</summary>
    private void DrainOne(long nowUs)
    {
        if (!_options.Drains || _waiting.Count > 0 || _nodes.Exists(n => n.State is NodeState.Draining or NodeState.Reserving))
        {
            return;
        }

        FleetNode? least = null;
        var capacity = 0;
        var ready = 0;
        foreach (var node in _nodes)
        {
            if (node.State == NodeState.Ready)
            {
                ready++;
                UpdateMean(node, nowUs);
                capacity += node.MemoryMb;
                least = least is null || node.MeanActiveMb <= least.MeanActiveMb ? node : least;
            }
        }

        if (ready > 1 && _peakNeededMb <= NearFull * (capacity - least!.MemoryMb))
        {
            least.State = NodeState.Draining;
            least.EmptySinceUs = nowUs;
        }
    }
}
