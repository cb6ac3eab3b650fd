using System.Threading.Channels;
using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Fake;

namespace FuncScaler.Tests.Runtime;

/// <summary>
/// A fake backend that tells the test of every call as soon as it is under way, so that tests need not guess, and that can be cut off.
/// </summary>
internal sealed class ObservedBackend(TimeProvider time) : ISlotBackend
{
    private readonly Channel<string> _calls = Channel.CreateUnbounded<string>();

    public FakeBackend Fake { get; } = new(time);

    /// <summary>Nobody gets through.</summary>
    public bool Unreachable { get; set; }

    /// <summary>Completes when lists, as they were when asked for, may arrive; null for at once.</summary>
    public TaskCompletionSource? ListGate { get; set; }

    public string Name => "observed";

    /// <summary>Waits for the next call; its delay, if any, has begun by then.</summary>
    public async Task<string> NextCallAsync() => await _calls.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30));

    public async Task ExpectAsync(params string[] calls)
    {
        foreach (var call in calls)
        {
            Assert.Equal(call, await NextCallAsync());
        }
    }

    public Task<BackendSlotId> CreateAsync(SlotTicket ticket, FunctionMeta function, CancellationToken cancellationToken) =>
        Observe($"create {ticket}", () => Fake.CreateAsync(ticket, function, cancellationToken));

    public Task<Uri?> InitAsync(BackendSlotId slot, InstanceId instance, FunctionMeta function, CancellationToken cancellationToken) =>
        Observe($"init {instance}", () => Fake.InitAsync(slot, instance, function, cancellationToken));

    public Task<bool> DestroyAsync(SlotTicket ticket, BackendSlotId slot, string reason, CancellationToken cancellationToken) =>
        Observe($"destroy {(slot == default ? "?" : slot.Value)}", () => Fake.DestroyAsync(ticket, slot, reason, cancellationToken));

    public Task<IReadOnlyList<ListedSlot>?> ListAsync(IReadOnlyCollection<SlotSnapshot> known, CancellationToken cancellationToken) =>
        Observe("list", async () =>
        {
            var listed = await Fake.ListAsync(known, cancellationToken);
            await (ListGate?.Task ?? Task.CompletedTask);
            return listed;
        });

    public ValueTask DisposeAsync() => Fake.DisposeAsync();

    private Task<T> Observe<T>(string name, Func<Task<T>> call)
    {
        var task = Unreachable
            ? Task.FromException<T>(new SlotBackendException(new SlotFailure(FailureKind.Transient, "nobody answers")) { PlatformUnreachable = true })
            : call();
        _calls.Writer.TryWrite(name);
        return task;
    }
}
