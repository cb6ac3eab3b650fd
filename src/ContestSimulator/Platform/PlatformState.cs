using System.Runtime.InteropServices;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.Contract;
using FuncScaler.Scoring;

namespace FuncScaler.ContestSimulator.Platform;

/// <summary>
/// The platform's book: which slots exist, what they were initialised for, which request each instance executes, what all that costs, and
/// what the scaler did wrong. Deterministic and without a clock of its own: all times are µs on one clock that the caller reads.
/// Not safe for concurrent use.
/// </summary>
/// <remarks>
/// Operations that take time on a real platform come in two halves, Begin and Complete. A slot costs from BeginCreateSlot, the arrival of
/// the call, to the arrival of DestroySlot.
/// </remarks>
public sealed class PlatformState
{
    private readonly string _slotIdPrefix;
    private readonly Dictionary<string, SlotEntry> _slots = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SlotEntry> _instances = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SlotEntry> _executing = new(StringComparer.Ordinal);
    private readonly SortedDictionary<Misuse, MisuseCount> _misuses = [];
    private readonly Dictionary<(string Function, int MemoryMb), Tally> _tallies = [];
    private Dictionary<string, TraceFunction> _functions = new(StringComparer.Ordinal);
    private ScoreLedger _ledger = new();
    private long _nextSlot;
    private bool _runBegun;

    /// <param name="slotIdPrefix">What the ids of its slots begin with; differs between platforms that one scaler may meet in turn.</param>
    public PlatformState(string slotIdPrefix) => _slotIdPrefix = slotIdPrefix;

    private enum Phase
    {
        Creating,
        Created,
        Initialising,
        Initialised,
        Destroyed,
    }

    /// <summary>The functions that Init accepts, by key; before the first <see cref="StartRun"/> it accepts any, and takes no time.</summary>
    public IReadOnlyDictionary<string, TraceFunction> Functions => _functions;

    /// <summary>Slots that exist now, those being created included.</summary>
    public long LiveSlots => _ledger.LiveSlots;

    /// <summary>The largest number of slots that existed at one time since the last <see cref="StartRun"/>.</summary>
    public long PeakLiveSlots => _ledger.PeakLiveSlots;

    /// <summary>Slots of this run: those it created and those it found.</summary>
    public long SlotsOfRun => _ledger.SlotsCreated;

    /// <summary>Slots that the scaler gave back since the last <see cref="StartRun"/>.</summary>
    public long DestroyedSlots { get; private set; }

    /// <summary>
    /// What is counted of each function that was asked for, or initialised, since the last <see cref="StartRun"/>. Slots that are not
    /// initialised have no function: they are counted by their memory, under an empty key.
    /// </summary>
    public IReadOnlyList<PlatformFunction> FunctionCounts => [.. _tallies.Select(t => t.Value.ToFunction(t.Key.Function, t.Key.MemoryMb))];

    /// <summary>What was done wrong since the last <see cref="StartRun"/>, in the order of <see cref="Misuse"/>.</summary>
    public IReadOnlyList<MisuseCount> Misuses => [.. _misuses.Values];

    /// <summary>
    /// Begins a run with empty sums. Slots that still live are kept, since the scaler may grant them, and cost from
    /// <paramref name="nowUs"/> on, as though they had been created then; what they execute is forgotten.
    /// </summary>
    public void StartRun(long nowUs, IReadOnlyList<TraceFunction> functions)
    {
        _runBegun = true;
        _functions = functions.ToDictionary(function => function.Meta.Key.Value, StringComparer.Ordinal);
        _ledger = new ScoreLedger();
        _misuses.Clear();
        _executing.Clear();
        _tallies.Clear();
        DestroyedSlots = 0;
        foreach (var slot in _slots.Values)
        {
            if (slot.Phase == Phase.Destroyed)
            {
                _slots.Remove(slot.Id);
                if (slot.Instance is { } instance)
                {
                    _instances.Remove(instance);
                }

                continue;
            }

            slot.Request = null;
            slot.PaidFromUs = nowUs;
            slot.Tally = TallyOf(slot.Function, slot.MemoryMb);
            slot.Count(+1);
            _ledger.SlotCreated(nowUs, slot.MemoryMb);
        }
    }

    /// <summary>CreateSlot arrived: the slot exists and costs from now on, though nobody knows its id until it is completed.</summary>
    public SlotReply BeginCreateSlot(long nowUs, ulong memoryMb)
    {
        if (memoryMb is 0 or > int.MaxValue)
        {
            return Refuse(Misuse.CreateSlotWithoutMemory, Status.InvalidArgument, $"CreateSlot with a memory of {memoryMb} MB");
        }

        var slot = new SlotEntry($"{_slotIdPrefix}{++_nextSlot}", (int)memoryMb, nowUs);
        slot.Tally = TallyOf(null, slot.MemoryMb);
        slot.Count(+1);
        _slots.Add(slot.Id, slot);
        _ledger.SlotCreated(nowUs, slot.MemoryMb);
        return new SlotReply(Status.Ok, null, slot.Id, 0);
    }

    /// <summary>The slot <paramref name="slotId"/>, which <see cref="BeginCreateSlot"/> returned, can be initialised from now on.</summary>
    public void CompleteCreateSlot(string slotId) => _slots[slotId].Phase = Phase.Created;

    /// <summary>Init arrived. When it is accepted the slot is bound to the instance id for good.</summary>
    public SlotReply BeginInit(string slotId, string instanceId, string metaKey)
    {
        if (!TryGetLive(slotId, out var slot))
        {
            return Refuse(Misuse.InitOfUnknownSlot, Status.NotFound, $"Init of slot \"{slotId}\": {WhyNotLive(slotId)}");
        }

        if (slot.Phase != Phase.Created)
        {
            return Refuse(
                Misuse.InitTwice,
                Status.InvalidArgument,
                $"Init of slot \"{slotId}\" for instance \"{instanceId}\": already allocated to instance \"{slot.Instance}\"");
        }

        if (instanceId.Length == 0)
        {
            return Refuse(Misuse.InitWithoutInstanceId, Status.InvalidArgument, $"Init of slot \"{slotId}\" without an instance id");
        }

        if (_instances.TryGetValue(instanceId, out var other))
        {
            return Refuse(
                Misuse.InstanceIdInUse,
                Status.InvalidArgument,
                $"Init of slot \"{slotId}\": instance id \"{instanceId}\" belongs to slot \"{other.Id}\"");
        }

        if (!_functions.TryGetValue(metaKey, out var function) && !_runBegun)
        {
            // Nothing is known yet, and nothing is scored: who tries things out by hand may use any function.
            function = new TraceFunction(new FunctionMeta(new MetaKey(metaKey), "", 0, slot.MemoryMb), 0);
        }

        if (function is null)
        {
            return Refuse(
                Misuse.InitForUnknownFunction,
                Status.InvalidArgument,
                $"Init of slot \"{slotId}\": the trace has no function \"{metaKey}\"");
        }

        if (function.Meta.MemoryMb != slot.MemoryMb)
        {
            return Refuse(
                Misuse.MemoryMismatch,
                Status.InvalidArgument,
                $"Init of slot \"{slotId}\": it has {slot.MemoryMb} MB, function \"{metaKey}\" needs {function.Meta.MemoryMb} MB");
        }

        slot.Count(-1);
        slot.Phase = Phase.Initialising;
        slot.Instance = instanceId;
        slot.Function = metaKey;
        slot.Tally = TallyOf(metaKey, slot.MemoryMb);
        slot.Count(+1);
        _instances.Add(instanceId, slot);
        return new SlotReply(Status.Ok, null, slotId, function.InitDurationUs);
    }

    /// <summary>The Init that was accepted for <paramref name="slotId"/> has ended; NotFound when the slot is gone.</summary>
    public SlotReply CompleteInit(long nowUs, string slotId)
    {
        if (!_slots.TryGetValue(slotId, out var slot) || slot.Phase != Phase.Initialising)
        {
            return new SlotReply(Status.NotFound, $"slot \"{slotId}\" was destroyed while it was initialised", slotId, 0);
        }

        slot.Count(-1);
        slot.Phase = Phase.Initialised;
        slot.Count(+1);
        slot.Tally.ColdStart(nowUs - slot.CreatedUs);
        slot.InitialisedUs = nowUs;
        slot.FreeSinceUs = nowUs;
        return new SlotReply(Status.Ok, null, slotId, 0);
    }

    /// <summary>DestroySlot arrived: the slot costs nothing any more, and the request that it executes, if any, has failed.</summary>
    public SlotReply DestroySlot(long nowUs, string slotId)
    {
        if (!TryGetLive(slotId, out var slot))
        {
            return Refuse(Misuse.DestroyOfUnknownSlot, Status.NotFound, $"DestroySlot of \"{slotId}\": {WhyNotLive(slotId)}");
        }

        slot.Count(-1);
        slot.Phase = Phase.Destroyed;
        DestroyedSlots++;
        _ledger.SlotDestroyed(slot.PaidFromUs, nowUs, slot.MemoryMb);
        if (slot.Request is { } request)
        {
            Count(
                Misuse.DestroyedWhileExecuting,
                $"slot \"{slotId}\" with instance \"{slot.Instance}\" was destroyed while it executed request \"{request}\"");
        }

        return new SlotReply(Status.Ok, null, slotId, 0);
    }

    /// <summary>The answer to Assign arrived: <paramref name="request"/> gets the instance, or has failed.</summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="request">The request.</param>
    /// <param name="function">Its function.</param>
    /// <param name="assignment">What the answer says; null when it says nothing.</param>
    public GrantCheck Grant(long nowUs, RequestId request, MetaKey function, Assignment? assignment)
    {
        if (assignment is null)
        {
            return Deny(Misuse.AssignmentMismatch, request, "the answer has no assignment");
        }

        if (assignment.RequestId != request.Value || assignment.MetaKey != function.Value)
        {
            return Deny(
                Misuse.AssignmentMismatch,
                request,
                $"of function \"{function}\": the answer is for request \"{assignment.RequestId}\" of function \"{assignment.MetaKey}\"");
        }

        var id = assignment.InstanceId;
        if (!_instances.TryGetValue(id, out var slot))
        {
            return Deny(Misuse.UnknownInstance, request, $"instance \"{id}\" was never given to Init");
        }

        if (slot.Phase == Phase.Destroyed)
        {
            return Deny(Misuse.InstanceDestroyed, request, $"instance \"{id}\" had been destroyed with its slot \"{slot.Id}\"");
        }

        if (slot.Function != function.Value)
        {
            return Deny(
                Misuse.InstanceOfOtherFunction,
                request,
                $"of function \"{function}\": instance \"{id}\" was initialised for function \"{slot.Function}\"");
        }

        if (slot.Phase != Phase.Initialised)
        {
            return Deny(Misuse.InstanceNotInitialised, request, $"the Init of instance \"{id}\" has not ended");
        }

        if (slot.Request is { } holder)
        {
            return Deny(Misuse.InstanceAlreadyAssigned, request, $"instance \"{id}\" executes request \"{holder}\"");
        }

        var check = new GrantCheck(null, slot.CreatedUs, slot.InitialisedUs, slot.FreeSinceUs);
        slot.Count(-1);
        slot.Request = request.Value;
        slot.Count(+1);
        slot.FreeSinceUs = nowUs;
        _executing.Add(request.Value, slot);
        return check;
    }

    /// <summary>
    /// The execution of <paramref name="request"/>, which was granted an instance, has ended, and Idle is about to be called: the instance
    /// may be granted again from now on.
    /// </summary>
    /// <returns>False when the slot was destroyed meanwhile, so that the request has failed.</returns>
    /// <exception cref="KeyNotFoundException">The request executes nothing.</exception>
    public bool Release(long nowUs, RequestId request)
    {
        if (!_executing.Remove(request.Value, out var slot))
        {
            throw new KeyNotFoundException($"Request \"{request}\" executes nothing.");
        }

        slot.Count(-1);
        slot.Request = null;
        slot.Count(+1);
        slot.Tally.Execution(nowUs - slot.FreeSinceUs);
        slot.FreeSinceUs = nowUs;
        return slot.Phase != Phase.Destroyed;
    }

    /// <summary>A request was sent: it waits until <see cref="AssignEnded"/>.</summary>
    public void AssignSent(FunctionMeta function)
    {
        ArgumentNullException.ThrowIfNull(function);
        TallyOf(function.Key.Value, function.MemoryMb).Sent();
    }

    /// <summary>The Assign of a request that was sent in this run was answered, or has failed.</summary>
    public void AssignEnded(FunctionMeta function)
    {
        ArgumentNullException.ThrowIfNull(function);
        TallyOf(function.Key.Value, function.MemoryMb).Answered();
    }

    /// <inheritdoc cref="ScoreLedger.RequestServed(long, int, long, long)"/>
    public void RequestServed(long durationUs, int memoryMb, long assignUs, long idleUs) =>
        _ledger.RequestServed(durationUs, memoryMb, assignUs, idleUs);

    /// <inheritdoc cref="ScoreLedger.RequestFailed"/>
    public void RequestFailed() => _ledger.RequestFailed();

    /// <inheritdoc cref="ScoreLedger.ScoreAt"/>
    public Score ScoreAt(long nowUs) => _ledger.ScoreAt(nowUs);

    /// <summary>Notes that something was done wrong; of each kind the first example is kept.</summary>
    public void Count(Misuse kind, string example) =>
        _misuses[kind] = _misuses.TryGetValue(kind, out var seen)
            ? seen with { Count = seen.Count + 1 }
            : new MisuseCount(kind, 1, RemoteWords.Clean(example));

    private SlotReply Refuse(Misuse kind, Status status, string message)
    {
        Count(kind, message);
        return new SlotReply(status, message, null, 0);
    }

    private GrantCheck Deny(Misuse kind, RequestId request, string why)
    {
        Count(kind, $"request \"{request}\": {why}");
        return new GrantCheck(kind, 0, 0, 0);
    }

    private bool TryGetLive(string slotId, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out SlotEntry? slot) =>
        _slots.TryGetValue(slotId, out slot) && slot.Phase is not (Phase.Creating or Phase.Destroyed);

    private string WhyNotLive(string slotId) =>
        !_slots.TryGetValue(slotId, out var slot) ? "there is no such slot"
        : slot.Phase == Phase.Destroyed ? "it was destroyed before"
        : "its creation has not ended";

    private Tally TallyOf(string? function, int memoryMb)
    {
        ref var tally = ref CollectionsMarshal.GetValueRefOrAddDefault(_tallies, (function ?? string.Empty, memoryMb), out _);
        return tally ??= new Tally();
    }

    /// <summary>The counts of a function.</summary>
    private sealed class Tally
    {
        private long _arrivals;
        private long _executions;
        private long _executionUs;
        private long _coldStarts;
        private long _coldStartUs;
        private int _waiting;

        public int InFlight { get; set; }

        public int Idle { get; set; }

        public int Busy { get; set; }

        public void Sent() => (_arrivals, _waiting) = (_arrivals + 1, _waiting + 1);

        public void Answered() => _waiting--;

        public void Execution(long us) => (_executions, _executionUs) = (_executions + 1, _executionUs + us);

        public void ColdStart(long us) => (_coldStarts, _coldStartUs) = (_coldStarts + 1, _coldStartUs + us);

        public PlatformFunction ToFunction(string key, int memoryMb) => new(
            key,
            memoryMb,
            _arrivals,
            Busy,
            Idle,
            InFlight,
            _waiting,
            _executions == 0 ? 0 : _executionUs / 1e3 / _executions,
            _coldStarts == 0 ? 0 : _coldStartUs / 1e3 / _coldStarts);
    }

    private sealed class SlotEntry(string id, int memoryMb, long createdUs)
    {
        public string Id { get; } = id;

        public int MemoryMb { get; } = memoryMb;

        public long CreatedUs { get; } = createdUs;

        public long PaidFromUs { get; set; } = createdUs;

        public Phase Phase { get; set; } = Phase.Creating;

        public string? Instance { get; set; }

        public string? Function { get; set; }

        public long InitialisedUs { get; set; }

        public long FreeSinceUs { get; set; }

        public string? Request { get; set; }

        public Tally Tally { get; set; } = new();

        /// <summary>Counts it, or no longer, where it stands.</summary>
        public void Count(int by)
        {
            switch (Phase, Request)
            {
                case (Phase.Destroyed, _): break;
                case (Phase.Initialised, null): Tally.Idle += by; break;
                case (Phase.Initialised, _): Tally.Busy += by; break;
                default: Tally.InFlight += by; break;
            }
        }
    }
}

/// <summary>How the platform answers CreateSlot, Init and DestroySlot.</summary>
/// <param name="Status">Ok, or why not.</param>
/// <param name="Error">One sentence when the status is not Ok, else null.</param>
/// <param name="SlotId">The slot, null when the call was refused.</param>
/// <param name="InitDurationUs">After an accepted Init how long it takes, µs; else 0.</param>
public readonly record struct SlotReply(Status Status, string? Error, string? SlotId, long InitDurationUs);

/// <summary>What came of the answer to an Assign.</summary>
/// <param name="Failure">Why the request has failed; null when it holds the instance.</param>
/// <param name="CreatedUs">When the CreateSlot of its slot arrived, µs.</param>
/// <param name="InitialisedUs">When the Init of the instance ended, µs.</param>
/// <param name="FreeSinceUs">Since when the instance was free, µs: the end of its Init or of the execution before.</param>
public readonly record struct GrantCheck(Misuse? Failure, long CreatedUs, long InitialisedUs, long FreeSinceUs);

/// <summary>What the platform counts of a function in a run.</summary>
/// <param name="Key">Its key; empty for slots that are not initialised, which have none.</param>
/// <param name="MemoryMb">Memory of each slot, MB.</param>
/// <param name="Arrivals">Requests sent.</param>
/// <param name="Busy">Instances that execute a request.</param>
/// <param name="Idle">Instances that are initialised and free.</param>
/// <param name="InFlight">Slots that are being created or initialised, or are neither yet.</param>
/// <param name="Waiting">Requests whose Assign is not answered.</param>
/// <param name="MeanDurationMs">Mean execution, ms; 0 where none has ended.</param>
/// <param name="MeanColdStartMs">Mean time from the CreateSlot of an instance to the end of its Init, ms; 0 where none has ended.</param>
public readonly record struct PlatformFunction(
    string Key, int MemoryMb, long Arrivals, int Busy, int Idle, int InFlight, int Waiting, double MeanDurationMs, double MeanColdStartMs);
