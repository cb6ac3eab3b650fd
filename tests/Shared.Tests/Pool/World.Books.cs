namespace FuncScaler.Tests.Pool;

/// <summary>What the simulated world knows by itself, and the comparison with the core.</summary>
internal sealed partial class World
{
    private readonly Dictionary<RequestId, Waiting> _waiting = [];
    private readonly Dictionary<RequestId, Held> _held = [];

    /// <summary>For each request that waits or holds an instance, how many have asked for it and not gone away.</summary>
    private readonly Dictionary<RequestId, int> _callers = [];
    private readonly List<(RequestId Request, Held Held)> _released = [];
    private readonly List<(RequestId Request, Held Held)> _expired = [];
    private readonly Dictionary<SlotTicket, Ticket> _tickets = [];
    private readonly Dictionary<SlotTicket, long> _keepUntilUs = [];
    private readonly Dictionary<(int Function, string Fit), List<SlotTicket>> _idleOrder = [];
    private readonly HashSet<SlotTicket> _live = [];
    private readonly Dictionary<SlotTicket, long> _destroyAskedUs = [];
    private readonly HashSet<SlotTicket> _destroyFailed = [];
    private readonly HashSet<InstanceId> _instances = [];
    private readonly HashSet<InstanceId> _retired = [];

    /// <summary>For each instance in use: up to when its use has been counted, and whether requests have shared it since it was idle.</summary>
    private readonly Dictionary<InstanceId, (long CountedUs, bool Shared)> _use = [];
    private readonly Dictionary<int, FunctionLimits> _limits = [];
    private RequestId? _repeated;
    private (RequestId Request, ReleaseResult Result)? _releasing;
    private int _grants;
    private bool _draining;
    private double _closedMbUs;
    private double _executionUs;
    private double _executionMbUs;
    private double _assignUs;
    private long _served;
    private long _failed;

    private void Event(string name, Action action, bool ticked = false)
    {
        _effects.Clear();
        _trace.Add($"{_nowUs}: {name}");
        var heldBefore = _releasing is { } releasing ? _held[releasing.Request] : null;
        action();
        if (_releasing is { } released)
        {
            // Before the effects: they may give the instance to the next request.
            _held.Remove(released.Request);
            _served++;
            _executionUs += released.Result.DurationUs;
            var use = _use[heldBefore!.Instance];
            var usedUs = use.Shared ? _nowUs - use.CountedUs : released.Result.DurationUs;
            _use[heldBefore.Instance] = use with { CountedUs = _nowUs };
            _executionMbUs += (double)usedUs * _tickets[heldBefore.Ticket].MemoryMb;
            _assignUs += heldBefore.WaitedUs;
            if (released.Result.NeedDestroy)
            {
                _retired.Add(heldBefore.Instance);
            }
        }

        TakeExpired();
        foreach (var effect in _effects)
        {
            _trace.Add($"    {Describe(effect)}");
            Take(effect);
        }

        if (ticked)
        {
            foreach (var slot in _subject.Pools.SelectMany(p => p.Slots).Where(s => s.State == SlotState.Creating))
            {
                var ticket = _tickets[slot.Ticket];
                if (!ticket.Overdue && ticket.BegunUs + _options.CreateTimeout.ToUs() <= _nowUs)
                {
                    ticket.Overdue = true;
                    Seen("CreateSlot overdue");
                }
            }
        }

        CheckBooks();
    }

    private static string Describe(Effect e) => e.Kind switch
    {
        EffectKind.Grant => $"Grant {e.Request} {e.Instance} {e.GrantKind}",
        EffectKind.Reject => $"Reject {e.Request} {e.RejectReason}: {e.Message}",
        EffectKind.CreateSlot => $"CreateSlot {e.Ticket} of {e.Function.Key}, {e.MemoryMb} MB",
        _ => $"{e.Kind} {e.Ticket} {e.BackendSlot} {e.Instance} {e.Message}",
    };

    private void Take(Effect effect)
    {
        switch (effect.Kind)
        {
            case EffectKind.CreateSlot:
                var function = FunctionOf(effect);
                Require(effect.MemoryMb == (_scenario.Core ? effect.Function : _functions[function]).MemoryMb, "A slot is created with another function's memory");
                Require(_tickets.TryAdd(effect.Ticket, new Ticket(function, FitOf(effect.Function), effect.MemoryMb, _nowUs)), "A ticket was used twice");
                _live.Add(effect.Ticket);
                Require(
                    _limits.GetValueOrDefault(function) is not { MaxInstances: > 0 and var most } || SlotsOf(function).Count(s => Counts(s, FitOf(effect.Function))) <= most,
                    "More slots than the function's limit");
                Require(_options.MaxSlots == 0 || SlotsOf(function).Count(s => Counts(s, FitOf(effect.Function))) <= _options.MaxSlots, "More slots than allowed");
                OnCreateSlot(effect);
                break;

            case EffectKind.InitSlot:
                _tickets[effect.Ticket].InitAskedUs = _nowUs;
                Require(_instances.Add(effect.Instance), "An instance id was used twice");
                OnInitSlot(effect);
                break;

            case EffectKind.DestroySlot:
                Require(
                    !_destroyAskedUs.TryGetValue(effect.Ticket, out var askedUs) || _destroyFailed.Remove(effect.Ticket)
                    || _nowUs - askedUs >= _options.DestroyTimeout.ToUs(),
                    $"The destroy of {effect.Ticket} was asked again before its time");
                _destroyAskedUs[effect.Ticket] = _nowUs;
                Bill(effect.Ticket);
                Require(effect.Message!.Length > 0, "A slot is destroyed without a reason");
                foreach (var (request, held) in _held)
                {
                    Require(held.Ticket != effect.Ticket, $"The instance of {request} is destroyed under it");
                }

                OnDestroySlot(effect);
                break;

            case EffectKind.Grant:
                Granted(effect);
                break;

            case EffectKind.Reject:
                Require(_waiting.Remove(effect.Request, out var rejected), $"{effect.Request} was rejected but does not wait");
                Require(effect.Message!.Length > 0, "A request is rejected without a reason");
                Seen($"Reject {effect.RejectReason}");
                if (effect.RejectReason == RejectReason.ShuttingDown)
                {
                    Require(_draining, "A request was rejected as if the scaler were stopping");
                }
                else
                {
                    _failed++;
                }

                if (effect.RejectReason == RejectReason.DeadlineExceeded)
                {
                    Require(rejected!.DeadlineUs <= _nowUs, "A request was rejected before its deadline");
                }

                break;

            default:
                throw new InvalidOperationException($"Effect {effect.Kind} is not for the world.");
        }
    }

    private void Granted(Effect effect)
    {
        _grants++;
        if (effect.Request == _repeated)
        {
            Require(_held[effect.Request].Instance == effect.Instance, "A repeated Assign got another instance");
            return;
        }

        Require(_waiting.Remove(effect.Request, out var waiting), $"{effect.Request} was granted an instance but does not wait");
        var sharing = 0;
        foreach (var (request, other) in _held)
        {
            Require(other.Instance == effect.Instance == (other.BackendSlot == effect.BackendSlot), $"{effect.BackendSlot} is two instances");
            if (other.Instance == effect.Instance)
            {
                sharing++;
                Require((other.Function, other.Fit) == (waiting!.Function, waiting.Fit), $"{effect.Instance} is held by {request} and {effect.Request} of two functions");
            }
        }

        var concurrency = _limits.GetValueOrDefault(waiting!.Function)?.Concurrency ?? effect.Function.MaxConcurrency;
        Require(sharing < concurrency, $"{effect.Instance} is held by {sharing + 1} requests");
        _use[effect.Instance] = sharing == 0 ? (_nowUs, false) : _use[effect.Instance] with { Shared = true };
        if (sharing > 0)
        {
            Seen("Grant of an instance that others hold");
        }

        Require(!_retired.Contains(effect.Instance), "An instance was granted that is broken, expired or destroyed");
        var ticket = _tickets[effect.Ticket];
        Require(FunctionOf(effect) == waiting!.Function && ticket.Function == waiting.Function, "A request got another function's instance");
        Require(ticket.Fit == waiting.Fit, "A request got an instance made for other settings");
        if (_exists.TryGetValue(effect.BackendSlot, out var slot))
        {
            Require(slot.Instance == effect.Instance, $"{effect.Instance} is not what {effect.BackendSlot} was initialised as");
        }

        if (effect.GrantKind == GrantKind.Warm)
        {
            Require(sharing > 0 || IdleOrder(waiting.Function, waiting.Fit)[^1] == effect.Ticket, "Reuse is not last in, first out");
            var pool = _subject.Pools.Single(p => p.Slots.Any(s => s.Ticket == effect.Ticket));
            Require(
                pool.Slots.All(s => s.State != SlotState.Busy || s.Doomed || s.Ticket == effect.Ticket || s.Requests <= sharing || s.Requests >= pool.Places),
                "A request did not get the fullest instance with a free place");
            Require(waiting.ArrivedUs == _nowUs, "A warm start was late");
        }

        Seen($"Grant {effect.GrantKind}");
        var waitedUs = _nowUs - waiting.ArrivedUs;
        var timeoutSeconds = effect.Function.TimeoutSeconds;
        var limit = timeoutSeconds > 0 ? _options.AssignmentGrace : _options.NoTimeoutLimit;
        var expiresUs = limit == Timeout.InfiniteTimeSpan ? long.MaxValue : _nowUs + (2_000_000L * timeoutSeconds) + limit.ToUs();
        _held.Add(effect.Request, new Held(waiting.Function, waiting.Fit, effect.Instance, effect.BackendSlot, effect.Ticket, waitedUs, expiresUs));
    }

    private void TakeExpired()
    {
        foreach (var (request, held) in _held.Where(h => h.Value.ExpiresUs <= _nowUs).ToList())
        {
            if (!_subject.Pools.Any(p => p.Function.Key == _functions[held.Function].Key && p.Assignments.Any(a => a.Request == request)))
            {
                _held.Remove(request);
                _expired.Add((request, held));
                _retired.Add(held.Instance);
                Seen("Assignment expired");
            }
        }
    }

    private void CheckBooks()
    {
        var inventory = new HashSet<SlotTicket>();
        var ids = new Dictionary<BackendSlotId, SlotTicket>();
        _subject.CheckInvariants();
        foreach (var pool in _subject.Pools)
        {
            CheckPool(pool, inventory, ids);
        }

        foreach (var idle in _idleOrder.Values)
        {
            // A pool that has been forgotten had none.
            idle.RemoveAll(t => !inventory.Contains(t));
        }

        Require((_subject.RegisteredSlots ?? ids.Count) == ids.Count, "The registry knows other slots than the inventory");
        foreach (var ticket in _live.Where(t => !inventory.Contains(t)).ToList())
        {
            Bill(ticket);
        }

        foreach (var (id, slot) in _exists)
        {
            if (_told.Contains(id))
            {
                Require(ids.ContainsKey(id), $"Slot {id} exists, the scaler was told of it, and has lost it");
            }
            else if (slot.Ticket != default && !_excused.Contains(slot.Ticket))
            {
                Require(inventory.Contains(slot.Ticket), $"Slot {id} exists and its ticket {slot.Ticket} is lost");
            }
        }

        CheckLedger();
    }

    private void CheckPool(SlotPool pool, HashSet<SlotTicket> inventory, Dictionary<BackendSlotId, SlotTicket> ids)
    {
        pool.CheckInvariants();
        int busy = 0, idle = 0, creating = 0, initialising = 0, count = 0;
        var order = new HashSet<SlotTicket>();
        foreach (var slot in pool.Slots)
        {
            count++;
            Require(inventory.Add(slot.Ticket), $"Ticket {slot.Ticket} is in the inventory twice");
            Require(slot.BackendId == default || ids.TryAdd(slot.BackendId, slot.Ticket), $"Slot {slot.BackendId} is in the inventory twice");
            var ticket = _tickets.GetValueOrDefault(slot.Ticket);
            switch (slot.State)
            {
                case SlotState.Busy:
                    busy++;
                    Require(
                        _held.TryGetValue(slot.Request, out var last) && last.Instance == slot.Instance,
                        $"{slot.Request} holds {slot.Instance} in the inventory only");
                    Require(_held.Values.Count(h => h.Instance == slot.Instance) == slot.Requests, $"{slot.Instance} is held by another number of requests");
                    break;
                case SlotState.Idle:
                    idle++;
                    order.Add(slot.Ticket);
                    break;
                case SlotState.Held:
                case SlotState.Creating:
                    creating += ticket!.Overdue ? 0 : 1;
                    break;
                case SlotState.Initializing:
                    initialising++;
                    break;
                case SlotState.Destroying:
                default:
                    Require(_destroyAskedUs.ContainsKey(slot.Ticket), "A slot is to be destroyed and the backend was not asked");
                    break;
            }
        }

        var executing = 0;
        foreach (var (request, instance) in pool.Assignments)
        {
            executing++;
            Require(_held.TryGetValue(request, out var held) && held.Instance == instance, $"{request} holds {instance} in the pool only");
        }

        var function = Array.FindIndex(_functions, f => f.Key == pool.Function.Key);
        var fit = FitOf(pool.Function);
        var waiting = _waiting.Values.Count(w => w.Function == function && w.Fit == fit);
        Require(pool.SlotCount == count, "SlotCount is wrong");
        var here = _held.Values.Where(h => h.Function == function && h.Fit == fit).ToList();
        Require(pool.BusyCount == busy && busy == here.DistinctBy(h => h.Instance).Count(), "BusyCount is wrong");
        Require(pool.ExecutingCount == executing && executing == here.Count, "ExecutingCount is wrong");
        Require(pool.Places >= 1 && pool.Places <= pool.Concurrency, "More requests share an instance than the function allows");
        Require(pool.IdleCount == idle, "IdleCount is wrong");
        Require(pool.InFlightCount == creating + initialising, $"InFlightCount is {pool.InFlightCount}, not {creating} + {initialising}");
        Require(pool.InitializingCount == initialising, $"InitializingCount is {pool.InitializingCount}, not {initialising}");
        Require(pool.WaiterCount == waiting, $"WaiterCount is {pool.WaiterCount}, not {waiting}");
        Require(pool.Statistics.Active == executing + waiting, "The statistics' count of active requests is wrong");
        Require(_subject.WakeAtUs <= pool.NextWakeUs, $"A pool is to be woken at {pool.NextWakeUs} and the host was not told");
        if (function >= 0)
        {
            var known = IdleOrder(function, fit);
            known.RemoveAll(t => !order.Contains(t));
            known.AddRange(order.Where(t => !known.Contains(t)));
            Require(idle == 0 || waiting == 0 || !_options.Waiting || _scenario.Ties, "A request waits beside an idle instance");
        }
    }

    private void CheckLedger()
    {
        double slotMbUs = _closedMbUs;
        foreach (var ticket in _live)
        {
            slotMbUs += (double)_tickets[ticket].MemoryMb * (_nowUs - _tickets[ticket].AskedUs);
        }

        var score = _subject.Ledger.ScoreAt(_nowUs);
        Same(slotMbUs / 1024e6, score.SlotGbSeconds, "slot GB-seconds");
        Same(_executionMbUs / 1024e6, score.ExecutionGbSeconds, "execution GB-seconds");
        Same(_executionUs / 1e6, score.ExecutionSeconds, "execution");
        Same(_assignUs / 1e6, score.AssignSeconds, "assign");
        Require(score.Requests == _served + _failed && score.FailedRequests == _failed, "The ledger counts requests wrongly");
        Require(
            _subject.Ledger.LiveSlots == _live.Count && _subject.Ledger.SlotsCreated == _tickets.Count,
            "The ledger counts slots wrongly");
    }

    private static void Same(double expected, double actual, string what) =>
        Require(Math.Abs(expected - actual) <= 1e-6 + (1e-9 * Math.Abs(expected)), $"The ledger's {what} are {actual}, not {expected}");

    private void CheckNothingIsDue()
    {
        Require(_subject.WakeAtUs > _nowUs, "The wake-up time has passed");
        foreach (var (request, waiting) in _waiting)
        {
            Require(waiting.DeadlineUs > _nowUs, $"The deadline of {request} was missed");
        }

        foreach (var (request, held) in _held)
        {
            Require(held.ExpiresUs > _nowUs, $"The assignment of {request} did not expire");
        }

        foreach (var pool in _subject.Pools)
        {
            // What was held for those that were expected stays a while when the function's settings change.
            var floor = pool.Limits.MinInstances + (pool is { IsFormer: true, Expected: not null } ? pool.IdleCount : pool.Expected?.Wanted ?? 0);
            foreach (var slot in pool.Slots)
            {
                switch (slot.State)
                {
                    case SlotState.Idle:
                        // As many as the floor, or as are expected, are held whatever the policy says.
                        floor -= _keepUntilUs.GetValueOrDefault(slot.Ticket) > _nowUs ? 0 : 1;
                        Require(floor >= 0 && !_draining, $"The keep-alive of {slot.Ticket} has ended");
                        break;
                    case SlotState.Creating:
                        var ticket = _tickets[slot.Ticket];
                        Require(ticket.Overdue || ticket.BegunUs + _options.CreateTimeout.ToUs() > _nowUs, "An overdue CreateSlot was not noticed");
                        break;
                    case SlotState.Initializing:
                        Require(_tickets[slot.Ticket].InitAskedUs + _options.InitTimeout.ToUs() > _nowUs, "An overdue Init was not noticed");
                        break;
                    case SlotState.Destroying:
                        Require(_nowUs - _destroyAskedUs[slot.Ticket] <= 4_000_000, "A failed DestroySlot was not tried again");
                        break;
                    case SlotState.Busy:
                    default:
                        break;
                }
            }

            Require(
                pool.WaiterCount == 0 || pool.BusyCount > 0 || pool.InFlightCount > 0 || pool.NextWakeUs < long.MaxValue
                || (_options.MaxSlots > 0 && pool.SlotCount >= _options.MaxSlots) || (pool.Limits.MaxInstances > 0 && pool.SlotCount >= pool.Limits.MaxInstances),
                "A request waits and nothing is under way for it");
        }
    }

    private void CheckNothingIsLeft()
    {
        Require(_exists.Count == 0, $"{_exists.Count} slots are left behind: {string.Join(' ', _exists.Keys)}");
        foreach (var pool in _subject.Pools)
        {
            Require(pool.SlotCount == 0, $"{pool.SlotCount} slots are left in the inventory: {string.Join(' ', pool.Slots)}");
        }

        Require(_subject.WakeAtUs == long.MaxValue || _subject.WakeAtUs > _nowUs, "Something is due for ever");
    }

    private string Fingerprint() => string.Join('\n', _subject.Pools.Select(p =>
        $"{p.Function} {p.BusyCount} {p.IdleCount} {p.InFlightCount} {p.InitializingCount} {p.WaiterCount} {p.NextWakeUs} "
        + $"{p.Statistics.Active} {p.Statistics.Arrivals} {p.LastFailure} {string.Join(' ', p.Slots)}"))
        + $"\n{_subject.WakeAtUs} {_subject.Ledger.ScoreAt(_nowUs)} {_subject.Ledger.LiveSlots}";

    private void Bill(SlotTicket ticket)
    {
        if (_live.Remove(ticket))
        {
            var info = _tickets[ticket];
            _closedMbUs += (double)info.MemoryMb * (_nowUs - info.AskedUs);
        }
    }

    /// <summary>Busy instances that a new request of a function may share.</summary>
    private int FreePlaces(int function)
    {
        var fit = FitOf(_functions[function]);
        return _subject.Pools
            .Where(p => p.Function.Key == _functions[function].Key && FitOf(p.Function) == fit && p.Function.MaxConcurrency == _functions[function].MaxConcurrency)
            .Sum(p => p.Slots.Count(s => s is { State: SlotState.Busy, Doomed: false } && s.Requests < p.Places));
    }

    private int FunctionOf(Effect effect) => Array.FindIndex(_functions, f => f.Key == effect.Function.Key);

    private IEnumerable<SlotSnapshot> SlotsOf(int function) =>
        _subject.Pools.Where(p => p.Function.Key == _functions[function].Key).SelectMany(p => p.Slots);

    /// <summary>Whether a slot counts for the limit of its function and settings: one that may have come to be after it was given up does not.</summary>
    private bool Counts(SlotSnapshot slot, string fit) =>
        _tickets.GetValueOrDefault(slot.Ticket)?.Fit == fit && !(slot.State == SlotState.Destroying && slot.BackendId == default);

    /// <summary>What tells pools of one function apart: its settings, where those have pools of their own.</summary>
    private string FitOf(FunctionMeta function) => _scenario.Core ? $"{function.MemoryMb} {function.Runtime}" : "";

    private List<SlotTicket> IdleOrder(int function, string fit)
    {
        if (!_idleOrder.TryGetValue((function, fit), out var order))
        {
            _idleOrder.Add((function, fit), order = []);
        }

        return order;
    }

    private string StateOf(SlotTicket ticket)
    {
        foreach (var slot in _subject.Pools.SelectMany(p => p.Slots).Where(s => s.Ticket == ticket))
        {
            var overdue = slot.State == SlotState.Creating && _tickets[ticket].Overdue;
            return $"{slot.State}{(overdue ? ", overdue" : "")}{(slot.State == SlotState.Destroying && slot.BackendId == default ? ", id unknown" : "")}";
        }

        return "given up";
    }

    private sealed record Waiting(int Function, string Fit, long ArrivedUs, long DeadlineUs);

    private sealed record Held(
        int Function, string Fit, InstanceId Instance, BackendSlotId BackendSlot, SlotTicket Ticket, long WaitedUs, long ExpiresUs);

    private sealed class Ticket(int function, string fit, int memoryMb, long askedUs)
    {
        public int Function { get; } = function;

        public string Fit { get; } = fit;

        public int MemoryMb { get; } = memoryMb;

        public long AskedUs { get; } = askedUs;

        /// <summary>When the backend was asked to create it, µs; never as long as the host holds it back.</summary>
        public long BegunUs { get; set; } = askedUs;

        public long InitAskedUs { get; set; }

        public bool Overdue { get; set; }
    }
}
