using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Budget;

namespace FuncScaler.Runtime.Soaking;

/// <summary>A backend whose every call waits until the world answers it: well, badly, with a lie, twice, too late, or not at all for a long time.</summary>
/// <param name="dice">Decides.</param>
/// <param name="budget">What it rations; null for nothing.</param>
/// <param name="log">What happens is told there.</param>
internal sealed class SimulatedBackend(Dice dice, SimulatedBudget? budget, SoakLog log) : ISlotBackend
{
    private readonly List<PendingCall> _pending = [];
    private readonly List<PendingCall> _hanging = [];
    private readonly Dictionary<string, SlotRecord> _existing = [];
    private int _created;

    public event Action<LostSlot>? SlotLost;

    public string Name => "simulated";

    public ICallBudget? Budget => budget;

    /// <summary>Whether a creation that is asked for twice leads to the same slot.</summary>
    public bool NamesSlots { get; init; }

    /// <summary>Whether calls may also take effect twice or late, and hang. Whoever sets it asks for the list at the end.</summary>
    public bool Unruly { get; init; }

    /// <summary>For the test of the tests: says that it has destroyed a slot, and has not.</summary>
    public bool KeepsDestroyed { get; init; }

    /// <summary>For the test of the tests: never answers a destruction.</summary>
    public bool KeepsSilent { get; init; }

    /// <summary>Whether it has a list. Without one, what is under way when the scaler ends happens at once or never.</summary>
    public bool Lists { get; init; } = true;

    /// <summary>Every creation and destruction is refused for now.</summary>
    public bool Storm { get; set; }

    /// <summary>Slots that exist.</summary>
    public IReadOnlyCollection<SlotRecord> Existing => _existing.Values;

    /// <summary>The function that each instance was made for, whether or not it still exists.</summary>
    public Dictionary<InstanceId, MetaKey> Instances { get; } = [];

    /// <summary>Instances that have ended by themselves.</summary>
    public HashSet<InstanceId> Lost { get; } = [];

    /// <summary>Calls that wait for their answer, or whose effect is still to come.</summary>
    public int PendingCount => _pending.Count;

    public Task<BackendSlotId> CreateAsync(SlotTicket ticket, FunctionMeta function, CancellationToken cancellationToken) => Wait($"create {ticket}", mayStorm: true, () =>
    {
        if (NamesSlots && _existing.Values.FirstOrDefault(s => s.Ticket == ticket) is { } there)
        {
            return there.Id;
        }

        var id = new BackendSlotId($"s{++_created}");
        _existing.Add(id.Value, new SlotRecord(id, ticket, function));
        return id;
    });

    public Task<Uri?> InitAsync(BackendSlotId slot, InstanceId instance, FunctionMeta function, CancellationToken cancellationToken) => Wait($"init {slot}", mayStorm: false, () =>
    {
        var record = _existing.GetValueOrDefault(slot.Value) ?? throw Failure(FailureKind.Transient, "no such slot");
        if (record.Instance is { } other && other != instance)
        {
            throw Failure(FailureKind.Permanent, "initialised already");
        }

        record.Instance = instance;
        SoakException.Unless(Instances.TryAdd(instance, function.Key) || Instances[instance] == function.Key, $"{instance} was made for two functions");
        return (Uri?)new Uri($"http://{slot.Value}/");
    });

    public Task<bool> DestroyAsync(SlotTicket ticket, BackendSlotId slot, string reason, CancellationToken cancellationToken) => KeepsSilent ? new TaskCompletionSource<bool>().Task : Wait($"destroy {ticket} {slot}", mayStorm: true, () =>
    {
        var gone = _existing.Values.Where(s => slot == default ? s.Ticket == ticket : s.Id == slot).ToList();
        if (!KeepsDestroyed)
        {
            gone.ForEach(s => _existing.Remove(s.Id.Value));
        }

        return gone.Count > 0;
    });

    public Task<IReadOnlyList<ListedSlot>?> ListAsync(IReadOnlyCollection<SlotSnapshot> known, CancellationToken cancellationToken) =>
        !Lists ? Task.FromResult<IReadOnlyList<ListedSlot>?>(null) : Wait("list", mayStorm: false, () => (IReadOnlyList<ListedSlot>?)[.. _existing.Values.Select(s => new ListedSlot(s.Id, s.Ticket))]);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Answers one of the calls, not always the oldest.</summary>
    /// <param name="well">Only good answers, as when the platform has recovered.</param>
    public void AnswerOne(bool well)
    {
        var call = dice.Pick(_pending);
        _pending.Remove(call);
        var fate = well ? 0 : dice.Next(100);
        log.Add($"{call.Name} -> {fate}");
        if (!well && Storm && call.MayStorm)
        {
            log.Count(SoakFault.Throttled);
            call.Answer(false, Failure(FailureKind.Throttled, "throttled in a storm"));
            return;
        }

        switch (fate)
        {
            case < 66:
            case < 72 when !Unruly:
                call.Answer(true, null);
                break;
            case < 68:
                log.Count(SoakFault.Twice);
                call.Answer(true, null);
                _pending.Add(call with { Answer = call.Unheard() });
                break;
            case < 70:
                log.Count(SoakFault.Late);
                call.Answer(false, new SlotBackendException(new SlotFailure(FailureKind.Transient, "no answer came", OutcomeUnknown: true)) { PlatformUnreachable = true });
                _pending.Add(call with { Answer = call.Unheard() });
                break;
            case < 72:
                log.Count(SoakFault.Hangs);
                _hanging.Add(call);
                break;
            case < 80:
                log.Count(SoakFault.CallFails);
                call.Answer(false, Failure(FailureKind.Transient, "failed"));
                break;
            case < 84:
                log.Count(SoakFault.Throttled);
                call.Answer(false, Failure(FailureKind.Throttled, "throttled"));
                break;
            case < 86:
                log.Count(SoakFault.Refused);
                call.Answer(false, Failure(FailureKind.Permanent, "refused"));
                break;
            case < 90:
                log.Count(SoakFault.AnswerLost);
                call.Answer(true, new SlotBackendException(new SlotFailure(FailureKind.Transient, "the answer was lost", OutcomeUnknown: true)) { PlatformUnreachable = true });
                break;
            case < 95:
                log.Count(SoakFault.Unforeseen);
                call.Answer(true, new InvalidOperationException("unforeseen"));
                break;
            default:
                log.Count(SoakFault.GivenUp);
                call.Answer(false, new OperationCanceledException("gave up by itself"));
                break;
        }
    }

    /// <summary>The platform works again: what hung is answered with the other calls.</summary>
    public void Recover()
    {
        Storm = false;
        _pending.AddRange(_hanging);
        _hanging.Clear();
    }

    /// <summary>An instance ends by itself, and the scaler may be told.</summary>
    public void LoseOne()
    {
        if (_existing.Count == 0)
        {
            return;
        }

        var slot = dice.Pick([.. _existing.Values]);
        var told = dice.Percent(50);
        log.Add($"{slot.Id} is lost{(told ? ", and that is told" : "")}");
        log.Count(SoakFault.InstanceLost);
        _existing.Remove(slot.Id.Value);
        if (slot.Instance is { } instance)
        {
            Lost.Add(instance);
        }

        if (told)
        {
            SlotLost?.Invoke(new LostSlot(slot.Ticket, slot.Id, "it has ended"));
        }
    }

    /// <summary>The scaler's process has ended: nobody hears the answers any more. Of the calls under way some have not left yet, others still take effect.</summary>
    public void CallerEnded()
    {
        SlotLost = null;
        _pending.AddRange(_hanging);
        _hanging.Clear();
        for (var i = _pending.Count - 1; i >= 0; i--)
        {
            var comes = dice.Percent(50);
            if (!Lists && comes)
            {
                _pending[i].Unheard()(true, null);
            }

            if (!Lists || !comes)
            {
                _pending.RemoveAt(i);
            }
            else
            {
                _pending[i] = _pending[i] with { Name = $"former {_pending[i].Name}", Answer = _pending[i].Unheard() };
            }
        }
    }

    private static SlotBackendException Failure(FailureKind kind, string message) => new(new SlotFailure(kind, message));

    private Task<T> Wait<T>(string name, bool mayStorm, Func<T> effect)
    {
        // Continuations run where the answer is given, so that the seed alone decides the order.
        var completion = new TaskCompletionSource<T>();
        _pending.Add(new PendingCall(name, mayStorm, Effect, (takesEffect, failure) =>
        {
            try
            {
                var result = takesEffect ? effect() : default;
                if (failure is null)
                {
                    completion.SetResult(result!);
                }
                else
                {
                    completion.SetException(failure);
                }
            }
            catch (SlotBackendException e)
            {
                completion.SetException(e);
            }
        }));
        return completion.Task;

        void Effect() => effect();
    }

    private sealed record PendingCall(string Name, bool MayStorm, Action Effect, Action<bool, Exception?> Answer)
    {
        /// <summary>Its effect, if it has one, without an answer.</summary>
        public Action<bool, Exception?> Unheard() => (takesEffect, _) =>
        {
            try
            {
                if (takesEffect)
                {
                    Effect();
                }
            }
            catch (SlotBackendException)
            {
                // Nobody hears it.
            }
        };
    }
}

/// <summary>A slot of the simulated platform.</summary>
internal sealed class SlotRecord(BackendSlotId id, SlotTicket ticket, FunctionMeta function)
{
    public BackendSlotId Id { get; } = id;

    public SlotTicket Ticket { get; } = ticket;

    public FunctionMeta Function { get; } = function;

    public InstanceId? Instance { get; set; }
}
