using FuncScaler.Nodes;

namespace FuncScaler.SlotBackends.Nodes;

/// <summary>
/// Slots that are containers on rented nodes: runs what a <see cref="NodeFleet"/> asks for on an <see cref="INodePlatform"/> and tells it what came of
/// it. The fleet decides; this class has the clock, the calls and the lock.
/// </summary>
public sealed class NodeBackend : ISlotBackend, ISlotPlacement
{
    /// <summary>After so many reports in a row that a node has not answered it is taken to be lost.</summary>
    private const int MostSilences = 5;

    private static readonly TimeSpan ReportEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastReleases = TimeSpan.FromSeconds(10);

    private readonly INodePlatform _platform;
    private readonly TimeProvider _time;
    private readonly SharedNodePrice? _price;
    private readonly NodeFleet _fleet;
    private readonly Lock _gate = new();
    private readonly Dictionary<NodeTicket, (ReservedNode Node, int Silences)> _nodes = [];
    private readonly Dictionary<SlotTicket, Entry> _slots = [];
    private readonly Dictionary<BackendSlotId, SlotTicket> _ids = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly ITimer _timer;
    private readonly ITimer _reports;
    private readonly long _origin;
    private readonly Action<Func<Task>> _start;
    private readonly TaskCreationOptions _continuations;
    private int _calls;
    private TaskCompletionSource? _quiet;

    /// <param name="platform">Where nodes come from; disposed with the backend.</param>
    /// <param name="options">Rules of the fleet.</param>
    /// <param name="time">The clock and its timers.</param>
    /// <param name="price">What a second of waiting is worth; told how long creations take. Null for none.</param>
    /// <param name="start">
    /// Starts work, without running any of it before it returns; waiters then go on where they are answered. Null for the thread pool.
    /// </param>
    public NodeBackend(INodePlatform platform, NodeFleetOptions options, TimeProvider time, SharedNodePrice? price = null, Action<Func<Task>>? start = null)
    {
        ArgumentNullException.ThrowIfNull(time);
        _start = start ?? (static work => _ = Task.Run(work));
        _continuations = start is null ? TaskCreationOptions.RunContinuationsAsynchronously : TaskCreationOptions.None;
        _platform = platform;
        _time = time;
        _price = price;
        _fleet = new NodeFleet(price is null ? options : options with { PriceGbs = price.MeanPriceGbs });
        _origin = time.GetTimestamp();
        _timer = time.CreateTimer(_ => Do((fleet, nowUs, effects) => fleet.Tick(nowUs, effects)), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _reports = time.CreateTimer(_ => AskForReports(), null, ReportEvery, ReportEvery);
    }

    /// <inheritdoc/>
    public event Action<LostSlot>? SlotLost;

    /// <inheritdoc/>
    public event Func<MetaKey, SlotTicket, bool>? SlotWantedBack;

    public string Name => "nodes";

    public ISlotPlacement? Placement => this;

    /// <summary>Time since the backend began, µs.</summary>
    public long NowUs => (long)_time.GetElapsedTime(_origin).TotalMicroseconds;

    /// <summary>All nodes as they stand.</summary>
    public IReadOnlyList<NodeSnapshot> Nodes
    {
        get
        {
            lock (_gate)
            {
                return [.. _fleet.Nodes];
            }
        }
    }

    public async Task<BackendSlotId> CreateAsync(SlotTicket ticket, FunctionMeta function, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var created = new TaskCompletionSource<BackendSlotId>(_continuations);
        lock (_gate)
        {
            _slots[ticket] = new Entry(function) { Created = created };
        }

        Do((fleet, nowUs, effects) => fleet.Place(nowUs, ticket, function, effects));
        return await created.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A container serves its function from its creation on: nothing is left to be done.</summary>
    /// <returns>Where its node's service is, with the node's and the container's id as the path's two segments.</returns>
    public Task<Uri?> InitAsync(BackendSlotId slot, InstanceId instance, FunctionMeta function, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return Task.FromCanceled<Uri?>(cancellationToken);
        }

        lock (_gate)
        {
            if (!_ids.TryGetValue(slot, out var ticket) || !_slots.TryGetValue(ticket, out var entry) || entry is not { Container: { } container, Node: { } node })
            {
                return Task.FromException<Uri?>(new SlotBackendException(new SlotFailure(FailureKind.Transient, $"slot {slot} is not there any more")));
            }

            if (entry.Instance != default && entry.Instance != instance)
            {
                return Task.FromException<Uri?>(new SlotBackendException(new SlotFailure(FailureKind.Permanent, $"slot {slot} is already allocated")));
            }

            entry.Instance = instance;
            return Task.FromResult<Uri?>(new Uri(node.Service, $"{Uri.EscapeDataString(node.Id)}/{Uri.EscapeDataString(container)}"));
        }
    }

    public async Task<bool> DestroyAsync(SlotTicket ticket, BackendSlotId slot, string reason, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        TaskCompletionSource<bool> gone;
        lock (_gate)
        {
            if (slot != default && _ids.TryGetValue(slot, out var named))
            {
                ticket = named;
            }

            if (!_slots.TryGetValue(ticket, out var entry))
            {
                return false;
            }

            gone = entry.Gone ??= new TaskCompletionSource<bool>(_continuations);
            if (gone.Task.IsFaulted)
            {
                gone = entry.Gone = new TaskCompletionSource<bool>(_continuations);
            }
        }

        Do((fleet, nowUs, effects) => fleet.Remove(nowUs, ticket, effects));
        return await gone.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <remarks>Asks each node what is on it. A container that is there no more has ended by itself, and <see cref="SlotLost"/> tells of it too.</remarks>
    public async Task<IReadOnlyList<ListedSlot>?> ListAsync(IReadOnlyCollection<SlotSnapshot> known, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        List<(NodeTicket Ticket, ReservedNode Node)> nodes;
        lock (_gate)
        {
            nodes = [.. _nodes.Select(n => (n.Key, n.Value.Node))];
        }

        var loads = await Task.WhenAll(nodes.Select(n => _platform.GetLoadAsync(n.Node, cancellationToken))).ConfigureAwait(false);
        var there = nodes.Zip(loads).SelectMany(n => n.Second.Containers.Select(c => (n.First.Node.Id, c))).ToHashSet();
        lock (_gate)
        {
            return [.. _ids.Where(p => _slots[p.Value] is { Node: { } node, Container: { } id } && there.Contains((node.Id, id))).Select(p => new ListedSlot(p.Key, p.Value))];
        }
    }

    public long Preference(SlotTicket slot)
    {
        lock (_gate)
        {
            return _fleet.Preference(slot);
        }
    }

    public double HoldingShare(SlotTicket slot)
    {
        lock (_gate)
        {
            return _fleet.HoldingShare(slot);
        }
    }

    public double CreateCostGbs(FunctionMeta function)
    {
        lock (_gate)
        {
            return _fleet.CreateCostGbs(function);
        }
    }

    /// <remarks>The core's clock began at another time than the backend's: times are carried over.</remarks>
    public long Hold(SlotTicket slot, long nowUs, long worthUntilUs)
    {
        lock (_gate)
        {
            var own = NowUs;
            var worth = worthUntilUs == long.MaxValue ? long.MaxValue : own + (worthUntilUs - nowUs);
            var until = _fleet.Hold(slot, own, worth);
            return until == long.MaxValue ? long.MaxValue : nowUs + (until - own);
        }
    }

    public void Used(SlotTicket slot, bool busy, long nowUs)
    {
        lock (_gate)
        {
            _fleet.Used(slot, busy, NowUs);
        }
    }

    /// <summary>Gives every node back, with whatever is on it.</summary>
    public async ValueTask DisposeAsync()
    {
        await _timer.DisposeAsync().ConfigureAwait(false);
        await _reports.DisposeAsync().ConfigureAwait(false);
        Task quiet = Task.CompletedTask;
        lock (_gate)
        {
            if (_stopping.IsCancellationRequested)
            {
                return;
            }

            if (_calls > 0)
            {
                _quiet = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                quiet = _quiet.Task;
            }
        }

        await _stopping.CancelAsync().ConfigureAwait(false);
        await quiet.ConfigureAwait(false);
        List<ReservedNode> left;
        lock (_gate)
        {
            left = [.. _nodes.Values.Select(n => n.Node)];
            _nodes.Clear();
        }

        using var last = new CancellationTokenSource(LastReleases, _time);
        await Task.WhenAll(left.Select(async node =>
        {
            try
            {
                await _platform.ReleaseAsync(node, last.Token).ConfigureAwait(false);
            }
            catch (Exception)
            {
                // One that cannot be given back must not keep the others from it.
            }
        })).ConfigureAwait(false);
        await _platform.DisposeAsync().ConfigureAwait(false);
        _stopping.Dispose();
    }

    /// <summary>Brings an event to the fleet and carries out what it asks for.</summary>
    private void Do(Action<NodeFleet, long, List<FleetEffect>> fleetEvent)
    {
        List<FleetEffect> effects = [];
        lock (_gate)
        {
            if (_stopping.IsCancellationRequested)
            {
                return;
            }

            fleetEvent(_fleet, NowUs, effects);
            var delayUs = Math.Clamp(_fleet.NextWakeUs - NowUs, 0, 86_400_000_000L);
            _timer.Change(TimeSpan.FromMilliseconds((delayUs + 999) / 1000), Timeout.InfiniteTimeSpan);
            foreach (var effect in effects)
            {
                // What tells the core leaves the lock: the core has a lock of its own, and holds it when it asks the fleet.
                if (effect.Kind is FleetEffectKind.ReserveNode or FleetEffectKind.ReleaseNode or FleetEffectKind.CreateContainer or FleetEffectKind.RemoveContainer)
                {
                    _calls++;
                }

                if (effect.Kind == FleetEffectKind.CreateContainer && _slots.GetValueOrDefault(effect.Slot) is { } creating)
                {
                    creating.IsBeingCreated = true;
                }
            }
        }

        foreach (var effect in effects)
        {
            CarryOut(effect);
        }
    }

    private void CarryOut(FleetEffect effect)
    {
        switch (effect.Kind)
        {
            case FleetEffectKind.ReserveNode:
                Call(() => ReserveAsync(effect.Node));
                break;
            case FleetEffectKind.ReleaseNode:
                Call(() => ReleaseAsync(effect.Node));
                break;
            case FleetEffectKind.CreateContainer:
                Call(() => CreateContainerAsync(effect));
                break;
            case FleetEffectKind.RemoveContainer:
                Call(() => RemoveContainerAsync(effect));
                break;
            case FleetEffectKind.SlotFailed:
                Forget(effect.Slot)?.Created.TrySetException(new SlotBackendException(effect.Failure!));
                break;
            case FleetEffectKind.SlotRemoved:
                if (Forget(effect.Slot) is { } removed)
                {
                    removed.Gone?.TrySetResult(true);
                    removed.Created.TrySetException(new SlotBackendException(new SlotFailure(FailureKind.Transient, "the slot was removed before it was there")));
                }

                break;
            case FleetEffectKind.SlotLost:
                if (Forget(effect.Slot) is { } lost)
                {
                    lost.Gone?.TrySetResult(false);
                    _start(() =>
                    {
                        SlotLost?.Invoke(new LostSlot(effect.Slot, lost.Id, effect.Failure!.Message));
                        return Task.CompletedTask;
                    });
                }

                break;
            default:
                // Not on this thread: it may be the core's own, which holds the core's lock.
                _start(() =>
                {
                    if (SlotWantedBack?.Invoke(effect.Function!.Key, effect.Slot) != true)
                    {
                        Do((fleet, nowUs, effects) => fleet.StillUsed(nowUs, effect.Slot, effects));
                    }

                    return Task.CompletedTask;
                });
                break;
        }
    }

    private void Call(Func<Task> call) => _start(async () =>
    {
        try
        {
            await call().ConfigureAwait(false);
        }
        finally
        {
            lock (_gate)
            {
                if (--_calls == 0)
                {
                    _quiet?.TrySetResult();
                }
            }
        }
    });

    private async Task ReserveAsync(NodeTicket ticket)
    {
        try
        {
            // Not given up when stopping: a node whose name is not known could not be given back.
            var node = await _platform.ReserveAsync(CancellationToken.None).ConfigureAwait(false);
            lock (_gate)
            {
                _nodes[ticket] = (node, 0);
            }

            Do((fleet, nowUs, effects) => fleet.NodeReserved(nowUs, ticket, node.MemoryMb, effects));
        }
        catch (Exception e)
        {
            Do((fleet, nowUs, effects) => fleet.ReserveFailed(nowUs, ticket, Failed(e).Failure, effects));
        }
    }

    private async Task ReleaseAsync(NodeTicket ticket)
    {
        ReservedNode? node;
        lock (_gate)
        {
            node = _nodes.GetValueOrDefault(ticket).Node;
        }

        try
        {
            if (node is not null)
            {
                await _platform.ReleaseAsync(node, CancellationToken.None).ConfigureAwait(false);
            }

            lock (_gate)
            {
                _nodes.Remove(ticket);
            }

            Do((fleet, nowUs, effects) => fleet.NodeReleased(nowUs, ticket, effects));
        }
        catch (Exception)
        {
            Do((fleet, nowUs, effects) => fleet.ReleaseFailed(nowUs, ticket, effects));
        }
    }

    private async Task CreateContainerAsync(FleetEffect effect)
    {
        ReservedNode? node;
        lock (_gate)
        {
            node = _nodes.GetValueOrDefault(effect.Node).Node;
        }

        try
        {
            var askedAt = _time.GetTimestamp();
            var container = await _platform.CreateContainerAsync(node!, effect.Slot, effect.Function!, _stopping.Token).ConfigureAwait(false);
            _price?.Created(_time.GetElapsedTime(askedAt));
            Entry? entry;
            lock (_gate)
            {
                if (_slots.TryGetValue(effect.Slot, out entry))
                {
                    entry.IsBeingCreated = false;
                    entry.Container = container;
                    entry.Node = node;
                    entry.Id = new BackendSlotId($"{node!.Id}/{container}");
                    _ids[entry.Id] = effect.Slot;
                }
            }

            Do((fleet, nowUs, effects) => fleet.ContainerCreated(nowUs, effect.Slot, effects));
            entry?.Created.TrySetResult(entry.Id);
            RemoveIfAsked(effect.Slot, entry);
        }
        catch (Exception thrown) when (!IsStop(thrown))
        {
            var e = Failed(thrown);
            Do((fleet, nowUs, effects) => fleet.ContainerFailed(nowUs, effect.Slot, e.Failure, effects));
            Entry? entry;
            lock (_gate)
            {
                if (_slots.TryGetValue(effect.Slot, out entry))
                {
                    entry.IsBeingCreated = false;
                    if (!e.Failure.OutcomeUnknown && entry.Gone is null)
                    {
                        _slots.Remove(effect.Slot);
                    }
                }
            }

            entry?.Created.TrySetException(e);
            RemoveIfAsked(effect.Slot, entry);
        }
        catch (OperationCanceledException)
        {
            // Stopping: the node goes with whatever is on it.
        }
    }

    /// <summary>A removal that was asked for during the creation has waited for its end: until then the memory stays promised.</summary>
    private void RemoveIfAsked(SlotTicket ticket, Entry? entry)
    {
        if (entry?.Gone is not null)
        {
            Do((fleet, nowUs, effects) => fleet.Remove(nowUs, ticket, effects));
        }
    }

    private bool IsStop(Exception e) => e is OperationCanceledException && _stopping.IsCancellationRequested;

    /// <summary>What nobody foresaw may have taken effect.</summary>
    private static SlotBackendException Failed(Exception e) =>
        e as SlotBackendException ?? new SlotBackendException(new SlotFailure(FailureKind.Transient, $"the call ended unforeseen: {e.Message}", OutcomeUnknown: true), e);

    private async Task RemoveContainerAsync(FleetEffect effect)
    {
        Entry? entry;
        lock (_gate)
        {
            entry = _slots.GetValueOrDefault(effect.Slot);
            if (entry?.IsBeingCreated == true)
            {
                return;
            }
        }

        try
        {
            if (entry is { Container: { } container, Node: { } node })
            {
                await _platform.RemoveContainerAsync(node, container, _stopping.Token).ConfigureAwait(false);
            }

            Do((fleet, nowUs, effects) => fleet.ContainerRemoved(nowUs, effect.Slot, effects));
        }
        catch (Exception e) when (!IsStop(e))
        {
            entry?.Gone?.TrySetException(Failed(e));
        }
        catch (OperationCanceledException)
        {
            entry?.Gone?.TrySetResult(true);
        }
    }

    private Entry? Forget(SlotTicket ticket)
    {
        lock (_gate)
        {
            if (_slots.Remove(ticket, out var entry))
            {
                _ids.Remove(entry.Id);
            }

            return entry;
        }
    }

    private void AskForReports()
    {
        List<(NodeTicket Ticket, ReservedNode Node)> nodes;
        lock (_gate)
        {
            if (_stopping.IsCancellationRequested)
            {
                return;
            }

            nodes = [.. _nodes.Select(n => (n.Key, n.Value.Node))];
            _calls += nodes.Count;
        }

        foreach (var (ticket, node) in nodes)
        {
            Call(() => ReportAsync(ticket, node));
        }
    }

    private async Task ReportAsync(NodeTicket ticket, ReservedNode node)
    {
        try
        {
            List<SlotTicket> expected;
            lock (_gate)
            {
                expected = [.. _slots.Where(s => s.Value is { Container: not null, Gone: null } && s.Value.Node == node).Select(s => s.Key)];
            }

            var load = await _platform.GetLoadAsync(node, _stopping.Token).ConfigureAwait(false);
            Silent(ticket, silences: 0);
            Do((fleet, nowUs, effects) =>
            {
                fleet.NodeReported(nowUs, ticket, load.UsedMb, load.CpuShare, effects);
                foreach (var slot in expected.Where(s => _slots.GetValueOrDefault(s) is { Container: { } id, Gone: null } && !load.Containers.Contains(id)))
                {
                    fleet.ContainerLost(nowUs, slot, effects);
                }
            });
        }
        catch (Exception e) when (!IsStop(e))
        {
            if (Silent(ticket, silences: null) >= MostSilences)
            {
                Do((fleet, nowUs, effects) => fleet.NodeLost(nowUs, ticket, e.Message, effects));
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    private int Silent(NodeTicket ticket, int? silences)
    {
        lock (_gate)
        {
            if (!_nodes.TryGetValue(ticket, out var known))
            {
                return 0;
            }

            var count = silences ?? known.Silences + 1;
            _nodes[ticket] = (known.Node, count);
            return count;
        }
    }

    private sealed class Entry(FunctionMeta function)
    {
        public FunctionMeta Function { get; } = function;

        public required TaskCompletionSource<BackendSlotId> Created { get; init; }

        public TaskCompletionSource<bool>? Gone { get; set; }

        public ReservedNode? Node { get; set; }

        public string? Container { get; set; }

        public InstanceId Instance { get; set; }

        public BackendSlotId Id { get; set; }

        /// <summary>Whether the call that creates it is under way.</summary>
        public bool IsBeingCreated { get; set; }
    }
}
