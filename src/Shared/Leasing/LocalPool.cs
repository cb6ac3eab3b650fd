using FuncScaler.Policies;
using FuncScaler.Scoring;

namespace FuncScaler.Leasing;

/// <summary>
/// One function's slots at one worker, leased from the function's <see cref="PoolLedger"/>: a <see cref="SlotPool"/> that gets its slots
/// from there and gives them back there. A warm Assign and its Release are answered from memory. Deterministic, without I/O, clock or
/// tasks; not safe for concurrent use.
/// </summary>
/// <remarks>
/// Times are µs on the worker's monotonic clock. The host carries out Grant, Reject, CreateSlot and InitSlot effects, sends
/// <see cref="TakeReport"/> when <see cref="NextReportUs"/> has come, reads the ledger and hands its view to <see cref="Receive"/> when
/// <see cref="NextReadUs"/> has come, and calls <see cref="Tick"/> at <see cref="NextWakeUs"/>.
/// </remarks>
public sealed partial class LocalPool
{
    private const string UnknownRuntime = "?";

    private readonly WorkerId _worker;
    private readonly LeasingOptions _options;
    private readonly SlotPool _pool;
    private readonly Dictionary<SlotTicket, LocalSlot> _slots = [];
    private readonly List<Effect> _poolEffects = [];
    private long _leaseUntilUs = long.MinValue;
    private bool _leaving;

    /// <param name="worker">This worker, in this life.</param>
    /// <param name="function">The function.</param>
    /// <param name="policy">How it is served; used by this pool alone.</param>
    /// <param name="options">Settings, the same as the ledger's.</param>
    /// <param name="registry">Tickets in a space of this worker's own, see <see cref="TicketSpace"/>; shared by its pools.</param>
    /// <param name="ledger">What the worker's slots have cost, shared likewise.</param>
    public LocalPool(
        WorkerId worker, FunctionMeta function, IKeepAlivePolicy policy, LeasingOptions options, SlotRegistry registry, ScoreLedger ledger)
    {
        ArgumentNullException.ThrowIfNull(options);
        _worker = worker;
        _options = options;

        // The ledger counts all workers' slots, so the limit is kept there.
        _pool = new SlotPool(function, new LocalPolicy(policy, options.ParkAfterUs), options.Pool with { MaxSlots = 0 }, registry, ledger);
        _pool.Suspend();
    }

    /// <summary>The decision core at work. For reading: its events go through this class.</summary>
    public SlotPool Pool => _pool;

    public FunctionMeta Function => _pool.Function;

    /// <summary>Until when this worker may give out instances, µs.</summary>
    public long LeaseUntilUs => _leaseUntilUs;

    /// <summary>Slots this worker has or wants.</summary>
    public int SlotCount => _slots.Count;

    /// <summary>Where an instance of this worker is reached; null where the platform has no addresses.</summary>
    public Uri? AddressOf(SlotTicket ticket) => _slots.GetValueOrDefault(ticket)?.Address;

    /// <summary>When <see cref="Tick"/> is to be called next, µs; <see cref="long.MaxValue"/> when nothing is due.</summary>
    public long NextWakeUs => _pool.NextWakeUs;

    /// <summary>What stands for a function of which only the key is known, from a release that was assigned elsewhere.</summary>
    public static FunctionMeta Unknown(MetaKey key) => new(key, UnknownRuntime, 0, 1);

    /// <inheritdoc cref="SlotPool.Assign"/>
    public void Assign(long nowUs, FunctionMeta function, RequestId request, long deadlineUs, List<Effect> effects)
    {
        ArgumentNullException.ThrowIfNull(function);
        CheckLease(nowUs);
        if (!ReferenceEquals(function, _pool.Function) && function != _pool.Function)
        {
            Update(nowUs, function, effects);
        }

        var before = Requests;
        _pool.Assign(nowUs, request, deadlineUs, _poolEffects);
        Finish(nowUs, before, effects);
    }

    /// <summary>A request is done with its instance, wherever that is.</summary>
    public ReleaseOutcome Release(long nowUs, RequestId request, InstanceId instance, in ReleaseResult result, List<Effect> effects)
    {
        if (!TicketSpace.TryParse(instance, _options.Pool.InstancePrefix, out var ticket))
        {
            return ReleaseOutcome.UnknownAssignment;
        }

        if (!_slots.TryGetValue(ticket, out var slot))
        {
            // Leased elsewhere, or gone. Where a slot of that name is in use, its worker knows whether by this request.
            Enqueue(nowUs, new WorkerOperation
            {
                Kind = WorkerOperationKind.Release,
                Ticket = ticket,
                Request = request,
                Instance = instance,
                DurationUs = result.DurationUs,
                NeedDestroy = result.NeedDestroy,
            });
            Urgent(nowUs);
            return ReleaseOutcome.Forwarded;
        }

        return ReleaseHere(nowUs, slot, request, instance, result, effects);
    }

    /// <inheritdoc cref="SlotPool.Abandon"/>
    public void Abandon(long nowUs, RequestId request, List<Effect> effects)
    {
        if (_slots.Values.FirstOrDefault(s => s.Holder == request) is { } held)
        {
            ReleaseHere(nowUs, held, request, held.Instance, default, effects);
            return;
        }

        CheckLease(nowUs);
        var before = Requests;
        _pool.Abandon(nowUs, request, _poolEffects);
        Finish(nowUs, before, effects);
    }

    /// <inheritdoc cref="SlotPool.SlotCreated"/>
    public void SlotCreated(long nowUs, SlotTicket ticket, BackendSlotId backendId, List<Effect> effects)
    {
        if (!_slots.TryGetValue(ticket, out var slot) || slot.Phase != LocalPhase.Creating)
        {
            if (slot is null)
            {
                Enqueue(nowUs, new WorkerOperation { Kind = WorkerOperationKind.Found, Ticket = ticket, BackendSlot = backendId });
            }

            return;
        }

        slot.Phase = LocalPhase.Initializing;
        slot.BackendSlot = backendId;
        Enqueue(nowUs, new WorkerOperation
        {
            Kind = WorkerOperationKind.Created,
            Ticket = ticket,
            BackendSlot = backendId,
            TimeUs = nowUs - slot.AskedUs,
        });
        slot.AskedUs = nowUs;
        CheckLease(nowUs);
        var before = Requests;
        _pool.SlotCreated(nowUs, ticket, backendId, _poolEffects);
        Finish(nowUs, before, effects);
        GiveUpIfDropped(nowUs, ticket, slot);
    }

    /// <inheritdoc cref="SlotPool.SlotReady"/>
    /// <param name="address">Where the instance is reached; null where the platform has no addresses.</param>
    public void SlotReady(long nowUs, SlotTicket ticket, Uri? address, List<Effect> effects)
    {
        if (!_slots.TryGetValue(ticket, out var slot) || slot.Phase != LocalPhase.Initializing)
        {
            return;
        }

        slot.Phase = LocalPhase.Ready;
        slot.Epoch = 1;
        slot.Address = address;
        slot.IdleSinceUs = nowUs;
        Enqueue(nowUs, new WorkerOperation
        {
            Kind = WorkerOperationKind.Ready,
            Ticket = ticket,
            Instance = slot.Instance,
            Address = address,
            TimeUs = nowUs - slot.AskedUs,
        });
        CheckLease(nowUs);
        var before = Requests;
        _pool.SlotReady(nowUs, ticket, _poolEffects, address);
        Finish(nowUs, before, effects);
    }

    /// <inheritdoc cref="SlotPool.SlotFailed"/>
    public void SlotFailed(long nowUs, SlotTicket ticket, SlotFailure failure, List<Effect> effects)
    {
        if (!_slots.TryGetValue(ticket, out var slot) || slot.Phase is not (LocalPhase.Creating or LocalPhase.Initializing))
        {
            return;
        }

        CheckLease(nowUs);
        var before = Requests;
        _pool.SlotFailed(nowUs, ticket, failure, _poolEffects);
        Finish(nowUs, before, effects);
        GiveUpIfDropped(nowUs, ticket, slot);
    }

    /// <inheritdoc cref="SlotPool.HoldCreate"/>
    public bool HoldCreate(SlotTicket ticket) => _pool.HoldCreate(ticket);

    /// <inheritdoc cref="SlotPool.KeepHeldCreate"/>
    public bool KeepHeldCreate(long nowUs, SlotTicket ticket, List<Effect> effects)
    {
        CheckLease(nowUs);
        if (!_slots.TryGetValue(ticket, out var slot))
        {
            return false;
        }

        var before = Requests;
        var kept = _pool.KeepHeldCreate(nowUs, ticket, _poolEffects);
        Finish(nowUs, before, effects);
        if (!kept)
        {
            // Never begun: the ledger may forget it.
            slot.Phase = LocalPhase.Intended;
            GiveUpIfDropped(nowUs, ticket, slot);
        }

        return kept;
    }

    /// <inheritdoc cref="SlotPool.BeginCreate"/>
    public void BeginCreate(long nowUs, SlotTicket ticket, List<Effect> effects)
    {
        CheckLease(nowUs);
        var before = Requests;
        _pool.BeginCreate(nowUs, ticket, _poolEffects);
        Finish(nowUs, before, effects);
    }

    /// <summary>Does what is due.</summary>
    public void Tick(long nowUs, List<Effect> effects)
    {
        CheckLease(nowUs);
        var before = Requests;
        _pool.Tick(nowUs, _poolEffects);
        Finish(nowUs, before, effects);
    }

    /// <summary>The worker is about to stop: new requests are rejected, waiting ones still served, unused instances go back.</summary>
    public void Drain(long nowUs, List<Effect> effects)
    {
        CheckLease(nowUs);
        var before = Requests;
        _pool.Drain(nowUs, _poolEffects);
        Finish(nowUs, before, effects);
        Urgent(nowUs);
    }

    /// <summary>
    /// The worker stops now: everything goes back, with the names of the requests that hold instances, so that their releases free them
    /// wherever they land. The next report is the last that is needed.
    /// </summary>
    public void Leave(long nowUs, List<Effect> effects)
    {
        Drain(nowUs, effects);
        _leaving = true;
        foreach (var (ticket, slot) in _slots.ToList())
        {
            if (slot.Holder is { } holder)
            {
                GiveBack(nowUs, ticket, slot, ReturnKind.Entrusted, "its worker stops", holder);
            }
            else
            {
                GiveBack(nowUs, ticket, slot, KindOf(slot), "its worker stops");
            }

            var before = Requests;
            _pool.Withdraw(nowUs, ticket, _poolEffects);
            Finish(nowUs, before, effects);
        }

        Urgent(nowUs);
    }

    private void Update(long nowUs, FunctionMeta function, List<Effect> effects)
    {
        var intended = _slots.Where(s => s.Value.Phase == LocalPhase.Intended).ToList();
        var before = Requests;
        _pool.UpdateFunction(nowUs, function, _poolEffects);
        Finish(nowUs, before, effects);
        foreach (var (ticket, slot) in intended)
        {
            // Not begun: what the ledger enters under the ticket and what is created must not differ.
            GiveBack(nowUs, ticket, slot, ReturnKind.Absent, null);
            Lose(nowUs, ticket, effects);
        }
    }

    private (long Came, int Active) Requests => (_pool.Statistics.Arrivals, _pool.Statistics.Active);

    private ReleaseOutcome ReleaseHere(
        long nowUs, LocalSlot slot, RequestId request, InstanceId instance, in ReleaseResult result, List<Effect> effects)
    {
        CheckLease(nowUs);
        var before = Requests;
        if (slot.Holder == request)
        {
            slot.Holder = null;
            slot.IdleSinceUs = nowUs;
            slot.Uses++;
            slot.Broken |= result.NeedDestroy;
        }

        var outcome = _pool.Release(nowUs, request, instance, result, _poolEffects);
        Finish(nowUs, before, effects, result.DurationUs);
        return outcome;
    }

    /// <summary>Slots are used only while the ledger is certain to hold them for this worker.</summary>
    private void CheckLease(long nowUs)
    {
        if (nowUs >= _leaseUntilUs && !_pool.Suspended && _options.Fault != LeasingFault.NoLeaseCheck)
        {
            _pool.Suspend();
        }
    }

    /// <summary>What ends every event of the pool: its wishes become the host's work, or messages to the ledger.</summary>
    private void Finish(long nowUs, (long Came, int Active) before, List<Effect> effects, long executedUs = 0)
    {
        Record(nowUs, before, executedUs);

        // Telling the pool that a slot is gone may make it wish for more.
        for (var i = 0; i < _poolEffects.Count; i++)
        {
            var effect = _poolEffects[i];
            switch (effect.Kind)
            {
                case EffectKind.Grant:
                    _slots[effect.Ticket].Holder = effect.Request;
                    effects.Add(effect);
                    break;
                case EffectKind.Reject:
                    effects.Add(effect);
                    break;
                case EffectKind.CreateSlot when !_leaving:
                    Intend(nowUs, effect, effects);
                    break;
                case EffectKind.InitSlot:
                    _slots[effect.Ticket].Instance = effect.Instance;
                    effects.Add(effect);
                    break;
                case EffectKind.DestroySlot:
                    if (_slots.TryGetValue(effect.Ticket, out var slot))
                    {
                        GiveBack(nowUs, effect.Ticket, slot, KindOf(slot), effect.Message);
                    }

                    var requests = Requests;
                    _pool.SlotDestroyed(nowUs, effect.Ticket, _poolEffects);
                    Record(nowUs, requests, 0);
                    break;
                case EffectKind.CreateSlot:
                case EffectKind.WakeAt:
                default:
                    break;
            }
        }

        _poolEffects.Clear();
        if (_pool.WaiterCount > _waitingReported)
        {
            Urgent(nowUs);
        }
        else if (_pool.WaiterCount < _waitingReported)
        {
            Pending(nowUs);
        }
    }

    private void Intend(long nowUs, in Effect effect, List<Effect> effects)
    {
        var slot = new LocalSlot { Intent = Enqueue(nowUs, new WorkerOperation { Kind = WorkerOperationKind.Intend, Ticket = effect.Ticket }) };
        _slots.Add(effect.Ticket, slot);
        Urgent(nowUs);
        if (_options.Fault == LeasingFault.ActionBeforeIntent)
        {
            Create(nowUs, effect.Ticket, slot, effects);
        }
    }

    private void Create(long nowUs, SlotTicket ticket, LocalSlot slot, List<Effect> effects)
    {
        slot.Phase = LocalPhase.Creating;
        slot.AskedUs = nowUs;
        effects.Add(Effect.CreateSlot(Function, ticket, Function.MemoryMb));
    }

    /// <summary>The pool has dropped the slot without a word: it was never created.</summary>
    private void GiveUpIfDropped(long nowUs, SlotTicket ticket, LocalSlot slot)
    {
        if (!_pool.Owns(ticket) && _slots.ContainsKey(ticket))
        {
            GiveBack(nowUs, ticket, slot, ReturnKind.Absent, null);
        }
    }

    private static ReturnKind KindOf(LocalSlot slot) => slot.Phase switch
    {
        LocalPhase.Intended => ReturnKind.Absent,
        LocalPhase.Creating => ReturnKind.Unknown,
        LocalPhase.Ready when slot.Holder is null && !slot.Broken => ReturnKind.Idle,
        _ => ReturnKind.Broken,
    };

    private void GiveBack(long nowUs, SlotTicket ticket, LocalSlot slot, ReturnKind kind, string? reason, RequestId request = default)
    {
        _slots.Remove(ticket);
        var operation = Enqueue(
            nowUs,
            new WorkerOperation
            {
                Kind = WorkerOperationKind.Return,
                Ticket = ticket,
                Epoch = slot.Epoch,
                Return = kind,
                Uses = slot.Uses,
                Reason = kind == ReturnKind.Idle ? null : reason,
                Request = request,
            },
            kind == ReturnKind.Idle ? slot.IdleSinceUs : nowUs);
        _returned[ticket] = (slot.Epoch, operation);
    }

    private enum LocalPhase
    {
        /// <summary>The ledger has been asked; the backend has not.</summary>
        Intended,
        Creating,
        Initializing,
        Ready,
    }

    private sealed class LocalSlot
    {
        public LocalPhase Phase { get; set; }

        /// <summary>The operation that asked for it; 0 when it was leased.</summary>
        public long Intent { get; init; }

        public long Epoch { get; set; }

        public BackendSlotId BackendSlot { get; set; }

        public InstanceId Instance { get; set; }

        public Uri? Address { get; set; }

        public RequestId? Holder { get; set; }

        public long AskedUs { get; set; }

        public long IdleSinceUs { get; set; }

        public int Uses { get; set; }

        public bool Broken { get; set; }
    }
}
