using System.Collections.Concurrent;
using FuncScaler.SlotBackends.Budget;

namespace FuncScaler.SlotBackends.Fake;

/// <summary>What a scripted call of a <see cref="FakeBackend"/> does.</summary>
public sealed record FakeAnswer
{
    /// <summary>Takes effect and says so.</summary>
    public static FakeAnswer Success { get; } = new();

    /// <summary>How long the call takes; <see cref="Timeout.InfiniteTimeSpan"/> for one that never answers.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>The failure it ends with; null for success.</summary>
    public SlotFailure? Failure { get; init; }

    /// <summary>Whether a failing call takes effect all the same, as when only the answer was lost.</summary>
    public bool TakesEffect { get; init; }

    /// <summary>For CreateSlot: the slot id to claim, as a lying backend would; null for a new one.</summary>
    public BackendSlotId? SlotId { get; init; }
}

/// <summary>
/// Slots that exist only in memory, with scripted latencies and faults, for tests of whatever uses an <see cref="ISlotBackend"/>. It
/// refuses what a real platform refuses, and knows at any time which slots exist.
/// </summary>
public sealed class FakeBackend(TimeProvider time) : ISlotBackend
{
    private readonly ConcurrentDictionary<BackendSlotId, Entry> _slots = new();
    private readonly ConcurrentQueue<FakeAnswer> _creates = new();
    private readonly ConcurrentQueue<FakeAnswer> _inits = new();
    private readonly ConcurrentQueue<FakeAnswer> _destroys = new();
    private long _lastId;

    public string Name => "fake";

    /// <summary>What is rationed; null for nothing.</summary>
    public ICallBudget? Budget { get; init; }

    /// <summary>What every create does that no script entry is left for.</summary>
    public FakeAnswer OnCreate { get; set; } = FakeAnswer.Success;

    /// <summary>What every init does that no script entry is left for.</summary>
    public FakeAnswer OnInit { get; set; } = FakeAnswer.Success;

    /// <summary>What every destroy does that no script entry is left for.</summary>
    public FakeAnswer OnDestroy { get; set; } = FakeAnswer.Success;

    /// <summary>Whether the list can be had.</summary>
    public bool CanList { get; set; } = true;

    /// <summary>The slots that exist.</summary>
    public IReadOnlyCollection<BackendSlotId> Existing => [.. _slots.Keys];

    /// <summary>How many slots were ever created.</summary>
    public long CreatedCount => Interlocked.Read(ref _lastId);

    /// <summary>Scripts the next creates, in order.</summary>
    public void NextCreates(params FakeAnswer[] answers) => Enqueue(_creates, answers);

    /// <summary>Scripts the next inits, in order.</summary>
    public void NextInits(params FakeAnswer[] answers) => Enqueue(_inits, answers);

    /// <summary>Scripts the next destroys, in order.</summary>
    public void NextDestroys(params FakeAnswer[] answers) => Enqueue(_destroys, answers);

    /// <summary>Takes a slot away behind the scaler's back.</summary>
    public void Lose(BackendSlotId slot) => _slots.TryRemove(slot, out _);

    /// <summary>Puts a slot there that nobody asked for.</summary>
    public BackendSlotId Plant()
    {
        var id = NewId();
        _slots[id] = new Entry(default);
        return id;
    }

    public async Task<BackendSlotId> CreateAsync(SlotTicket ticket, FunctionMeta function, CancellationToken cancellationToken)
    {
        var answer = Next(_creates, OnCreate);
        await DelayAsync(answer, cancellationToken).ConfigureAwait(false);
        var id = answer.SlotId ?? (answer.Failure is null || answer.TakesEffect ? NewId() : default);
        if (id != default)
        {
            _slots.TryAdd(id, new Entry(ticket));
        }

        ThrowIfFailing(answer);
        return id;
    }

    public async Task<Uri?> InitAsync(BackendSlotId slot, InstanceId instance, FunctionMeta function, CancellationToken cancellationToken)
    {
        var answer = Next(_inits, OnInit);
        await DelayAsync(answer, cancellationToken).ConfigureAwait(false);
        if (!answer.TakesEffect)
        {
            ThrowIfFailing(answer);
        }

        if (!_slots.TryGetValue(slot, out var entry))
        {
            throw new SlotBackendException(new SlotFailure(FailureKind.Transient, $"there is no slot {slot}"));
        }

        lock (entry)
        {
            if (entry.Instance is { } other && other != instance)
            {
                throw new SlotBackendException(new SlotFailure(FailureKind.Permanent, $"slot {slot} is already allocated"));
            }

            entry.Instance = instance;
        }

        ThrowIfFailing(answer);
        return null;
    }

    public async Task<bool> DestroyAsync(SlotTicket ticket, BackendSlotId slot, string reason, CancellationToken cancellationToken)
    {
        var answer = Next(_destroys, OnDestroy);
        await DelayAsync(answer, cancellationToken).ConfigureAwait(false);
        if (answer.Failure is not null && !answer.TakesEffect)
        {
            ThrowIfFailing(answer);
        }

        if (slot == default)
        {
            slot = _slots.FirstOrDefault(s => s.Value.Ticket == ticket).Key;
        }

        var known = slot != default && _slots.TryRemove(slot, out _);
        ThrowIfFailing(answer);
        return known;
    }

    public Task<IReadOnlyList<ListedSlot>?> ListAsync(IReadOnlyCollection<SlotSnapshot> known, CancellationToken cancellationToken) =>
        cancellationToken.IsCancellationRequested
            ? Task.FromCanceled<IReadOnlyList<ListedSlot>?>(cancellationToken)
            : Task.FromResult<IReadOnlyList<ListedSlot>?>(CanList ? [.. _slots.Select(s => new ListedSlot(s.Key, s.Value.Ticket))] : null);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static void Enqueue(ConcurrentQueue<FakeAnswer> script, FakeAnswer[] answers)
    {
        foreach (var answer in answers)
        {
            script.Enqueue(answer);
        }
    }

    private static FakeAnswer Next(ConcurrentQueue<FakeAnswer> script, FakeAnswer otherwise) =>
        script.TryDequeue(out var answer) ? answer : otherwise;

    private static void ThrowIfFailing(FakeAnswer answer)
    {
        if (answer.Failure is not null)
        {
            throw new SlotBackendException(answer.Failure);
        }
    }

    private BackendSlotId NewId() => new($"fake-{Interlocked.Increment(ref _lastId)}");

    private Task DelayAsync(FakeAnswer answer, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return answer.Delay == TimeSpan.Zero ? Task.CompletedTask : Task.Delay(answer.Delay, time, cancellationToken);
    }

    private sealed class Entry(SlotTicket ticket)
    {
        public SlotTicket Ticket { get; } = ticket;

        public InstanceId? Instance { get; set; }
    }
}
