using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Budget;
using FuncScaler.Tests.Pool;

namespace FuncScaler.Tests.Simulation;

/// <summary>A backend whose every call waits until the world answers it: well, badly, with a lie, or not at all for a long time.</summary>
internal sealed class SimulatedBackend(Dice dice, ICallBudget? budget, List<string> log) : ISlotBackend
{
    private readonly List<PendingCall> _pending = [];
    private readonly Dictionary<string, SlotRecord> _existing = [];
    private int _created;

    public string Name => "simulated";

    public ICallBudget? Budget => budget;

    /// <summary>Slots that exist.</summary>
    public IReadOnlyCollection<SlotRecord> Existing => _existing.Values;

    /// <summary>The function that each instance was made for, whether or not it still exists.</summary>
    public Dictionary<InstanceId, MetaKey> Instances { get; } = [];

    public int PendingCount => _pending.Count;

    public Task<BackendSlotId> CreateAsync(SlotTicket ticket, FunctionMeta function, CancellationToken cancellationToken) => Wait($"create {ticket}", () =>
    {
        var id = new BackendSlotId($"s{++_created}");
        _existing.Add(id.Value, new SlotRecord(id, ticket, function));
        return id;
    });

    public Task<Uri?> InitAsync(BackendSlotId slot, InstanceId instance, FunctionMeta function, CancellationToken cancellationToken) => Wait($"init {slot}", () =>
    {
        var record = _existing.GetValueOrDefault(slot.Value) ?? throw Failure(FailureKind.Transient, "no such slot");
        if (record.Instance is { } other && other != instance)
        {
            throw Failure(FailureKind.Permanent, "initialised already");
        }

        record.Instance = instance;
        Assert.True(Instances.TryAdd(instance, function.Key) || Instances[instance] == function.Key, $"{instance} was made for two functions");
        return (Uri?)new Uri($"http://{slot.Value}/");
    });

    public Task<bool> DestroyAsync(SlotTicket ticket, BackendSlotId slot, string reason, CancellationToken cancellationToken) => Wait($"destroy {ticket} {slot}", () =>
    {
        var gone = _existing.Values.Where(s => slot == default ? s.Ticket == ticket : s.Id == slot).ToList();
        gone.ForEach(s => _existing.Remove(s.Id.Value));
        return gone.Count > 0;
    });

    public Task<IReadOnlyList<ListedSlot>?> ListAsync(IReadOnlyCollection<SlotSnapshot> known, CancellationToken cancellationToken) =>
        Wait("list", () => (IReadOnlyList<ListedSlot>?)[.. _existing.Values.Select(s => new ListedSlot(s.Id, s.Ticket))]);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Answers one of the calls, not always the oldest.</summary>
    /// <param name="well">Only good answers, as when the platform has recovered.</param>
    public void AnswerOne(bool well)
    {
        var call = dice.Pick(_pending);
        _pending.Remove(call);
        var fate = well ? 0 : dice.Next(100);
        log.Add($"{call.Name} -> {fate}");
        switch (fate)
        {
            case < 72:
                call.Answer(true, null);
                break;
            case < 80:
                call.Answer(false, Failure(FailureKind.Transient, "failed"));
                break;
            case < 84:
                call.Answer(false, Failure(FailureKind.Throttled, "throttled"));
                break;
            case < 86:
                call.Answer(false, Failure(FailureKind.Permanent, "refused"));
                break;
            case < 90:
                call.Answer(true, new SlotBackendException(new SlotFailure(FailureKind.Transient, "the answer was lost", OutcomeUnknown: true)) { PlatformUnreachable = true });
                break;
            case < 95:
                // Nobody foresaw it, and it happens after the call has taken effect.
                call.Answer(true, new InvalidOperationException("unforeseen"));
                break;
            default:
                call.Answer(false, new OperationCanceledException("gave up by itself"));
                break;
        }
    }

    private static SlotBackendException Failure(FailureKind kind, string message) => new(new SlotFailure(kind, message));

    private Task<T> Wait<T>(string name, Func<T> effect)
    {
        // Continuations run where the answer is given, so that the seed alone decides the order.
        var completion = new TaskCompletionSource<T>();
        _pending.Add(new PendingCall(name, (takesEffect, failure) =>
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
    }

    private sealed record PendingCall(string Name, Action<bool, Exception?> Answer);
}

/// <summary>A slot of the simulated platform.</summary>
internal sealed class SlotRecord(BackendSlotId id, SlotTicket ticket, FunctionMeta function)
{
    public BackendSlotId Id { get; } = id;

    public SlotTicket Ticket { get; } = ticket;

    public FunctionMeta Function { get; } = function;

    public InstanceId? Instance { get; set; }
}
