using FuncScaler.SlotBackends;

namespace FuncScaler.Tests.State;

/// <summary>A backend whose slots outlive the runtime.</summary>
internal sealed class Undisposed(ISlotBackend backend) : ISlotBackend
{
    public string Name => backend.Name;

    public Task<BackendSlotId> CreateAsync(SlotTicket ticket, FunctionMeta function, CancellationToken cancellationToken) => backend.CreateAsync(ticket, function, cancellationToken);

    public Task<Uri?> InitAsync(BackendSlotId slot, InstanceId instance, FunctionMeta function, CancellationToken cancellationToken) =>
        backend.InitAsync(slot, instance, function, cancellationToken);

    public Task<bool> DestroyAsync(SlotTicket ticket, BackendSlotId slot, string reason, CancellationToken cancellationToken) =>
        backend.DestroyAsync(ticket, slot, reason, cancellationToken);

    public Task<IReadOnlyList<ListedSlot>?> ListAsync(IReadOnlyCollection<SlotSnapshot> known, CancellationToken cancellationToken) => backend.ListAsync(known, cancellationToken);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
