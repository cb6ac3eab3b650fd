using FuncScaler.ContestSimulator.Platform;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.Policies;
using FuncScaler.Scoring;

namespace FuncScaler.ContestSimulator.Virtual;

/// <summary>
/// A discrete-event simulation of some functions of a trace: the scaler's own core and policies, a caller for each request, and the
/// contest's platform, on one virtual clock. Deterministic: events at the same time run in the order they were made.
/// </summary>
internal sealed class VirtualShard
{
    private readonly IReadOnlyList<TraceFunction> _functions;
    private readonly VirtualOptions _options;
    private readonly PolicyChoice _policy;
    private readonly VirtualMemory? _memory;
    private IScalerCore _core;
    private long _restartAtUs;
    private readonly PriorityQueue<Happening, EventTime> _events = new();
    private readonly Dictionary<RequestId, Caller> _waiting = [];
    private readonly Stack<Caller> _idleCallers = new();
    private readonly Dictionary<SlotTicket, PlatformSlot> _slots = [];
    private readonly Dictionary<MetaKey, int> _indexes = [];
    private readonly FunctionTotals[] _totals;
    private readonly InstanceRecorder?[]? _recorders;
    private readonly LayerStore? _layers;
    private readonly List<Effect> _effects = [];
    private readonly List<(FunctionMeta Function, FunctionLimits Limits)> _limits = [];
    private long _order;
    private int _callers;
    private long _active;
    private VirtualInspection? _inspection;
    private long _inspectAtUs = long.MaxValue;

    public VirtualShard(IReadOnlyList<TraceFunction> functions, PolicyChoice policy, VirtualOptions options)
    {
        _functions = functions;
        _options = options;
        _policy = policy;
        _memory = options.Restart is null ? null : new VirtualMemory();
        _restartAtUs = options.Restart?.AtUs ?? long.MaxValue;
        if (options is { Restart: not null, Workers: not null })
        {
            throw new ArgumentException("A restart is simulated of a scaler that is alone, not of one with several workers.", nameof(options));
        }

        _core = options.Workers is { } workers ? new VirtualWorkers(policy, options.Pool, workers, options.Groups) : MakeCore(0);
        _layers = policy.Layers is { } layers ? new LayerStore(layers(), BillLayer) : null;
        _totals = new FunctionTotals[functions.Count];
        _recorders = options.RecordSeries ? new InstanceRecorder?[functions.Count] : null;
        for (var i = 0; i < functions.Count; i++)
        {
            _indexes[functions[i].Meta.Key] = i;
        }
    }

    private enum HappeningKind
    {
        Created,
        Initialised,
        Destroyed,
        Idle,
    }

    /// <summary>Requests of this shard in the window to come, in order of arrival.</summary>
    public List<TraceRequest> Inbox { get; } = [];

    /// <summary>Slots that came (+1) and went (-1) since this list was last emptied.</summary>
    public List<(long AtUs, int Change)> SlotChanges { get; } = [];

    public ScoreLedger Ledger { get; } = new();

    public LatencyHistogram ScheduleTimes { get; } = new();

    public long ColdStarts { get; private set; }

    public long Waited { get; private set; }

    /// <summary>What workers have sent; null for one scaler.</summary>
    public WorkerTraffic? Traffic => (_core as VirtualWorkers)?.Traffic;

    /// <summary>When the last request so far ended at its caller, µs.</summary>
    public long LastEndUs { get; private set; }

    /// <summary>Requests that arrived and have not ended.</summary>
    public long Active => _active;

    public ref readonly FunctionTotals TotalsOf(int function) => ref _totals[function];

    /// <summary>Ends the series of a function; null where none was recorded.</summary>
    public InstanceSeries? SeriesOf(int function, long endUs) =>
        _recorders?[function]?.Close(_functions[function].Meta, endUs, _totals[function].PeakSlots);

    /// <summary>Runs what happens before <paramref name="untilUs"/>, or at it, and all of <see cref="Inbox"/>.</summary>
    /// <param name="untilUs">The end of the window, µs.</param>
    /// <param name="onlyWhileActive">Stop as soon as no request is under way.</param>
    public void Run(long untilUs, bool onlyWhileActive = false)
    {
        var next = 0;
        var requests = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(Inbox);
        while (!onlyWhileActive || _active > 0 || next < requests.Length)
        {
            var arrivalUs = next < requests.Length ? requests[next].StartUs + (_options.AssignRpcUs / 2) : long.MaxValue;
            var eventUs = _events.TryPeek(out _, out var time) ? time.AtUs : long.MaxValue;
            var wakeUs = _core.NextWakeUs;
            var nowUs = Math.Min(eventUs, Math.Min(arrivalUs, wakeUs));
            if (nowUs > untilUs && arrivalUs == long.MaxValue)
            {
                break;
            }

            if (nowUs > _inspectAtUs)
            {
                Inspect(_inspectAtUs);
            }

            if (nowUs > _restartAtUs)
            {
                Restart(_restartAtUs);
                continue;
            }

            // An instance that becomes free, or must go, at the very time of an arrival still serves it.
            if (eventUs == nowUs)
            {
                Handle(_events.Dequeue(), nowUs);
            }
            else if (arrivalUs == nowUs)
            {
                Arrive(requests[next++], nowUs);
            }
            else
            {
                _core.Tick(nowUs, _effects);
                RunEffects(nowUs);
            }
        }

        Inbox.Clear();
    }

    /// <summary>Limits of a function from the first arrival on.</summary>
    public void Limit(int function, FunctionLimits limits)
    {
        _limits.Add((_functions[function].Meta, limits));
        (_core as ScalerCore)?.SetLimits(0, _functions[function].Meta.Key, limits, _functions[function].Meta, _effects);
        (_core as VirtualWorkers)?.Limit(_functions[function].Meta, limits, _effects);
        RunEffects(0);
    }

    /// <summary>Prepares the look into a pool of this shard.</summary>
    public void Watch(VirtualInspection inspection) => (_inspection, _inspectAtUs) = (inspection, inspection.AtUs ?? long.MaxValue);

    /// <summary>Looks, if that has not been done: all that happened until <paramref name="atUs"/> has been run.</summary>
    public void Inspect(long atUs)
    {
        _inspectAtUs = long.MaxValue;
        if (_inspection is { } inspection)
        {
            _inspection = null;
            inspection.Look(atUs, _core.FindPool(inspection.Function));
        }
    }

    /// <summary>Counts the slots that still live up to the end of the run.</summary>
    public void Close(long endUs)
    {
        foreach (var slot in _slots.Values)
        {
            if (!slot.Gone)
            {
                _totals[slot.Function].SlotMbUs += (Int128)(endUs - slot.AskedUs) * slot.MemoryMb;
            }
        }

        _layers?.Close(endUs);
    }

    private ScalerCore MakeCore(long lastTicket)
    {
        var core = new ScalerCore(
            _policy, _options.Pool, _memory is null ? null : new ScalerCoreState { LastTicket = lastTicket, Journal = _memory, Learned = _memory });
        core.SetGroups(0, _options.Groups, _effects);
        return core;
    }

    /// <summary>The core ends, and another one goes on with what outlives it.</summary>
    private void Restart(long nowUs)
    {
        _restartAtUs = long.MaxValue;
        var keeps = _options.Restart!.Keeps;
        var former = (ScalerCore)_core;
        _memory!.Take(former, nowUs);
        if (!keeps.HasFlag(RestartKeeps.Learned))
        {
            _memory.Forget();
        }

        var slots = _memory.TakeSlots(keeps.HasFlag(RestartKeeps.Instances));
        var core = MakeCore(former.LastTicket);
        _core = core;
        foreach (var (function, slot) in slots)
        {
            core.Restore(nowUs, function, [slot], _effects);
        }

        foreach (var (function, limits) in _limits)
        {
            core.SetLimits(nowUs, function.Key, limits, function, _effects);
        }

        // A creation that is under way goes on: the platform knows its ticket already.
        _effects.RemoveAll(e => e.Kind == EffectKind.CreateSlot && _slots.ContainsKey(e.Ticket));
        RunEffects(nowUs);
        foreach (var caller in _waiting.Values.OrderBy(c => c.ArrivedUs).ToList())
        {
            _core.Assign(nowUs, _functions[caller.Function].Meta, caller.Request, long.MaxValue, _effects);
            RunEffects(nowUs);
        }
    }

    private void Arrive(in TraceRequest request, long nowUs)
    {
        if (!_idleCallers.TryPop(out var caller))
        {
            caller = new Caller(new RequestId($"r{_callers++}"));
        }

        if (_options.Workers is not null)
        {
            // A release may take a while to its worker, which must not take a later request for the same one.
            caller.Request = new RequestId($"r{_callers++}");
        }

        _layers?.Arrived(nowUs, _functions[request.Function].Meta);
        _active++;
        caller.Function = request.Function;
        caller.ArrivedUs = request.StartUs;
        caller.DurationUs = request.DurationUs;
        caller.Broken = request.StatusCode != 200;
        _core.Assign(nowUs, _functions[request.Function].Meta, caller.Request, long.MaxValue, _effects);
        if (_effects is [{ Kind: EffectKind.Grant } grant])
        {
            _effects.Clear();
            Begin(caller, grant, nowUs);
            return;
        }

        _waiting.Add(caller.Request, caller);
        RunEffects(nowUs);
    }

    private void Begin(Caller caller, in Effect grant, long nowUs)
    {
        caller.Instance = grant.Instance;
        var beginUs = nowUs + _options.AssignRpcUs - (_options.AssignRpcUs / 2);
        caller.AssignUs = beginUs - caller.ArrivedUs;
        var requests = 1;
        if (grant.Function.MaxConcurrency > 1)
        {
            caller.Slot = _slots[grant.Ticket];
            requests = ++caller.Slot.Requests;
            caller.Slot.Use.Began(nowUs, requests);
            caller.DurationUs += (long)(caller.DurationUs * _functions[caller.Function].Slowdown * (requests - 1));
        }

        if (_recorders is not null && requests == 1)
        {
            Record(caller.Function, nowUs, existing: 0, busy: 1);
        }

        ref var totals = ref _totals[caller.Function];
        if (grant.GrantKind == GrantKind.Cold)
        {
            ColdStarts++;
            totals.ColdStarts++;
        }
        else if (grant.GrantKind == GrantKind.Waited)
        {
            Waited++;
        }

        totals.WaitUs += caller.AssignUs - _options.AssignRpcUs;
        Schedule(beginUs + caller.DurationUs + (_options.IdleRpcUs / 2), new Happening(HappeningKind.Idle, caller, null));
    }

    private void Handle(in Happening happening, long nowUs)
    {
        switch (happening.Kind)
        {
            case HappeningKind.Idle:
                End(happening.Caller!, nowUs);
                break;
            case HappeningKind.Created:
                _core.SlotCreated(nowUs, happening.Slot!.Key, happening.Slot.Ticket, happening.Slot.Id, _effects);
                break;
            case HappeningKind.Initialised:
                _core.SlotReady(nowUs, happening.Slot!.Key, happening.Slot.Ticket, address: null, _effects);
                break;
            case HappeningKind.Destroyed:
                _slots.Remove(happening.Slot!.Ticket);
                _core.SlotDestroyed(nowUs, happening.Slot.Key, happening.Slot.Ticket, _effects);
                break;
            default:
                throw new InvalidOperationException($"Nothing is known of {happening.Kind}.");
        }

        RunEffects(nowUs);
    }

    private void End(Caller caller, long nowUs)
    {
        var meta = _functions[caller.Function].Meta;
        var usedUs = caller.DurationUs;
        var left = 0;
        if (caller.Slot is { } slot)
        {
            left = --slot.Requests;
            usedUs = slot.Use.Ended(nowUs, caller.DurationUs);
            caller.Slot = null;
        }

        if (_recorders is not null && left == 0)
        {
            Record(caller.Function, nowUs, existing: 0, busy: -1);
        }

        _core.Release(nowUs, meta.Key, caller.Request, caller.Instance, new ReleaseResult(caller.DurationUs, caller.Broken), _effects);
        Ledger.RequestServed(caller.DurationUs, usedUs, meta.MemoryMb, caller.AssignUs, _options.IdleRpcUs);
        ScheduleTimes.Add(caller.AssignUs + _options.IdleRpcUs);
        ref var totals = ref _totals[caller.Function];
        totals.Requests++;
        totals.UsedUs += usedUs;
        LastEndUs = Math.Max(LastEndUs, nowUs + _options.IdleRpcUs - (_options.IdleRpcUs / 2));
        _active--;
        _idleCallers.Push(caller);
    }

    private void RunEffects(long nowUs)
    {
        for (var i = 0; i < _effects.Count; i++)
        {
            var effect = _effects[i];
            switch (effect.Kind)
            {
                case EffectKind.Grant:
                    if (_waiting.Remove(effect.Request, out var caller))
                    {
                        Begin(caller, effect, nowUs);
                    }

                    break;
                case EffectKind.CreateSlot:
                    Create(effect, nowUs);
                    break;
                case EffectKind.InitSlot:
                    var started = _slots[effect.Ticket];
                    started.Initialised = true;
                    Schedule(nowUs + _options.PlatformRpcUs + InitUs(started), new Happening(HappeningKind.Initialised, null, started));
                    break;
                case EffectKind.DestroySlot:
                    Destroy(effect, nowUs);
                    break;
                case EffectKind.Reject:
                    throw new InvalidOperationException($"Nobody set a deadline, yet request {effect.Request} was rejected: {effect.Message}");
                default:
                    break;
            }
        }

        _effects.Clear();
    }

    private void Create(in Effect effect, long nowUs)
    {
        var slot = new PlatformSlot(
            effect.Ticket, new BackendSlotId($"s{effect.Ticket.Value}"), effect.Function.Key, _indexes[effect.Function.Key], effect.MemoryMb, nowUs);
        _slots.Add(effect.Ticket, slot);
        Ledger.SlotCreated(nowUs, effect.MemoryMb);
        SlotChanges.Add((nowUs, 1));
        if (_recorders is not null)
        {
            Record(slot.Function, nowUs, existing: 1, busy: 0);
        }

        ref var totals = ref _totals[slot.Function];
        totals.LiveSlots++;
        totals.PeakSlots = Math.Max(totals.PeakSlots, totals.LiveSlots);
        slot.InitShare = _layers?.Take(nowUs, effect.Function);
        var createUs = slot.InitShare is null ? CreateUs(slot) : 0;
        Schedule(nowUs + createUs + _options.PlatformRpcUs, new Happening(HappeningKind.Created, null, slot));
    }

    private void Destroy(in Effect effect, long nowUs)
    {
        var slot = _slots[effect.Ticket];
        slot.Gone = true;
        Ledger.SlotDestroyed(slot.AskedUs, nowUs, slot.MemoryMb);
        SlotChanges.Add((nowUs, -1));
        _layers?.Leave(nowUs, _functions[slot.Function].Meta, slot.Function, slot.Initialised, CreateUs(slot), _functions[slot.Function].InitDurationUs);
        if (_recorders is not null)
        {
            Record(slot.Function, nowUs, existing: -1, busy: 0);
        }

        ref var totals = ref _totals[slot.Function];
        totals.LiveSlots--;
        totals.SlotMbUs += (Int128)(nowUs - slot.AskedUs) * slot.MemoryMb;
        Schedule(nowUs + _options.DestroyUs + _options.PlatformRpcUs, new Happening(HappeningKind.Destroyed, null, slot));
    }

    private void BillLayer(int function, Int128 mbUs)
    {
        _totals[function].SlotMbUs += mbUs;
        Ledger.LayersHeld(mbUs);
    }

    private long CreateUs(PlatformSlot slot) => _functions[slot.Function].CreateUs ?? _options.CreateUs;

    private long InitUs(PlatformSlot slot)
    {
        var wholeUs = _functions[slot.Function].InitDurationUs;
        return slot.InitShare is { } share ? (long)Math.Round(wholeUs * share) : wholeUs;
    }

    private void Record(int function, long nowUs, int existing, int busy) =>
        (_recorders![function] ??= new InstanceRecorder()).Change(nowUs, existing, busy);

    private void Schedule(long atUs, in Happening happening) => _events.Enqueue(happening, new EventTime(atUs, _order++));

    internal struct FunctionTotals
    {
        public long Requests;
        public long ColdStarts;
        public long UsedUs;
        public long WaitUs;
        public Int128 SlotMbUs;
        public int LiveSlots;
        public int PeakSlots;
    }

    private readonly record struct Happening(HappeningKind Kind, Caller? Caller, PlatformSlot? Slot);

    private readonly record struct EventTime(long AtUs, long Order) : IComparable<EventTime>
    {
        public int CompareTo(EventTime other) => AtUs != other.AtUs ? AtUs.CompareTo(other.AtUs) : Order.CompareTo(other.Order);
    }

    private sealed class Caller(RequestId request)
    {
        public RequestId Request { get; set; } = request;

        public InstanceId Instance { get; set; }

        public int Function { get; set; }

        public long ArrivedUs { get; set; }

        public long AssignUs { get; set; }

        public long DurationUs { get; set; }

        public bool Broken { get; set; }

        /// <summary>The instance's slot, where it may serve several requests.</summary>
        public PlatformSlot? Slot { get; set; }
    }

    private sealed class PlatformSlot(SlotTicket ticket, BackendSlotId id, MetaKey key, int function, int memoryMb, long askedUs)
    {
        public SlotTicket Ticket { get; } = ticket;

        public BackendSlotId Id { get; } = id;

        public MetaKey Key { get; } = key;

        public int Function { get; } = function;

        public int MemoryMb { get; } = memoryMb;

        public long AskedUs { get; } = askedUs;

        /// <summary>Requests that it serves, where it may serve several.</summary>
        public int Requests { get; set; }

        public InstanceUse Use;

        public bool Gone { get; set; }

        public bool Initialised { get; set; }

        /// <summary>The share of the init that it needs, where it was made from a layer; null where it was created.</summary>
        public double? InitShare { get; set; }
    }
}
