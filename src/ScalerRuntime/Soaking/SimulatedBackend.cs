using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Budget;

namespace FuncScaler.Runtime.Soaking;

/// <summary>A backend whose every call waits until the world answers it: well, badly, with a lie, twice, too late, or not at all for a long time.</summary>
/// <param name="dice">Decides.</param>
/// <param name="budget">What it rations; null for nothing.</param>
/// <param name="log">What happens is told there.</param>
internal sealed class SimulatedBackend(Dice dice, SimulatedBudget? budget, SoakLog log) : SimulatedPlatform(dice, log), ISlotBackend
{
    private readonly Dictionary<string, SlotRecord> _existing = [];
    private int _created;

    public event Action<LostSlot>? SlotLost;

    public string Name => "simulated";

    public ICallBudget? Budget => budget;

    /// <summary>Whether a creation that is asked for twice leads to the same slot.</summary>
    public bool NamesSlots { get; init; }

    /// <summary>For the test of the tests: never answers a destruction.</summary>
    public bool KeepsSilent { get; init; }

    /// <summary>Slots that exist.</summary>
    public IReadOnlyCollection<SlotRecord> Existing => _existing.Values;

    public override IReadOnlyCollection<string> Left => [.. _existing.Keys];

    public override ISlotBackend Begin() => this;

    public override bool IsThere(InstanceId instance) => _existing.Values.Any(s => s.Instance == instance);

    public Task<BackendSlotId> CreateAsync(SlotTicket ticket, FunctionMeta function, CancellationToken cancellationToken) => Wait($"create {ticket}", mayStorm: true, _ =>
    {
        if (NamesSlots && _existing.Values.FirstOrDefault(s => s.Ticket == ticket) is { } there)
        {
            return there.Id;
        }

        var id = new BackendSlotId($"s{++_created}");
        _existing.Add(id.Value, new SlotRecord(id, ticket, function));
        return id;
    }, CancellationToken.None);

    public Task<Uri?> InitAsync(BackendSlotId slot, InstanceId instance, FunctionMeta function, CancellationToken cancellationToken) => Wait($"init {slot}", mayStorm: false, _ =>
    {
        var record = _existing.GetValueOrDefault(slot.Value) ?? throw Failure(FailureKind.Transient, "no such slot");
        if (record.Instance is { } other && other != instance)
        {
            throw Failure(FailureKind.Permanent, "initialised already");
        }

        record.Instance = instance;
        Made(instance, function.Key);
        return (Uri?)new Uri($"http://{slot.Value}/");
    }, CancellationToken.None);

    public Task<bool> DestroyAsync(SlotTicket ticket, BackendSlotId slot, string reason, CancellationToken cancellationToken) => KeepsSilent ? new TaskCompletionSource<bool>().Task : Wait($"destroy {ticket} {slot}", mayStorm: true, _ =>
    {
        var gone = _existing.Values.Where(s => slot == default ? s.Ticket == ticket : s.Id == slot).ToList();
        if (!KeepsDestroyed)
        {
            gone.ForEach(s => _existing.Remove(s.Id.Value));
        }

        return gone.Count > 0;
    }, CancellationToken.None);

    public Task<IReadOnlyList<ListedSlot>?> ListAsync(IReadOnlyCollection<SlotSnapshot> known, CancellationToken cancellationToken) =>
        !Lists ? Task.FromResult<IReadOnlyList<ListedSlot>?>(null) : Wait("list", mayStorm: false, _ => (IReadOnlyList<ListedSlot>?)[.. _existing.Values.Select(s => new ListedSlot(s.Id, s.Ticket))], CancellationToken.None);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>An instance ends by itself, and the scaler may be told.</summary>
    public override void LoseOne()
    {
        if (_existing.Count == 0)
        {
            return;
        }

        var slot = Dice.Pick([.. _existing.Values]);
        var told = Dice.Percent(50);
        Log.Add($"{slot.Id} is lost{(told ? ", and that is told" : "")}");
        Log.Count(SoakFault.InstanceLost);
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

    public override void CallerEnded()
    {
        SlotLost = null;
        base.CallerEnded();
    }

    protected override Exception Failing(SoakFault fault) => fault switch
    {
        SoakFault.Storm => Failure(FailureKind.Throttled, "throttled in a storm"),
        SoakFault.Throttled => Failure(FailureKind.Throttled, "throttled"),
        SoakFault.Refused => Failure(FailureKind.Permanent, "refused"),
        SoakFault.Late => Unknown("no answer came"),
        SoakFault.AnswerLost => Unknown("the answer was lost"),
        SoakFault.Unforeseen => new InvalidOperationException("unforeseen"),
        SoakFault.GivenUp => new OperationCanceledException("gave up by itself"),
        _ => Failure(FailureKind.Transient, "failed"),
    };

    private static SlotBackendException Failure(FailureKind kind, string message) => new(new SlotFailure(kind, message));

    private static SlotBackendException Unknown(string message) =>
        new(new SlotFailure(FailureKind.Transient, message, OutcomeUnknown: true)) { PlatformUnreachable = true };
}

/// <summary>A slot of the simulated platform.</summary>
internal sealed class SlotRecord(BackendSlotId id, SlotTicket ticket, FunctionMeta function)
{
    public BackendSlotId Id { get; } = id;

    public SlotTicket Ticket { get; } = ticket;

    public FunctionMeta Function { get; } = function;

    public InstanceId? Instance { get; set; }
}
