using FuncScaler.Leasing.Ledger;
using FuncScaler.SlotBackends;
using Microsoft.Azure.Functions.Worker;

namespace FuncScaler.ScalerFunctions.Durable;

/// <summary>The backend, for orchestrations: each call an activity, each failure an answer.</summary>
public sealed class BackendActivities(ISlotBackend backend)
{
    [Function(nameof(CreateSlotAsync))]
    public Task<BackendAnswer> CreateSlotAsync([ActivityTrigger] ProvisionRequest request, CancellationToken cancellationToken) =>
        AnswerAsync(async () => new BackendAnswer(await backend.CreateAsync(request.Ticket, request.Function, cancellationToken), null));

    [Function(nameof(InitSlotAsync))]
    public Task<BackendAnswer> InitSlotAsync([ActivityTrigger] InitRequest request, CancellationToken cancellationToken) =>
        AnswerAsync(async () => new BackendAnswer(
            request.BackendSlot, null, await backend.InitAsync(request.BackendSlot, request.Instance, request.Function, cancellationToken)));

    [Function(nameof(DestroySlotAsync))]
    public Task<BackendAnswer> DestroySlotAsync([ActivityTrigger] DestroyRequest request, CancellationToken cancellationToken) =>
        AnswerAsync(async () =>
        {
            await backend.DestroyAsync(request.Ticket, request.BackendSlot, request.Reason, cancellationToken);
            return new BackendAnswer(request.BackendSlot, null);
        });

    /// <summary>Destroys several slots; answers in their order.</summary>
    [Function(nameof(DestroySlotsAsync))]
    public Task<BackendAnswer[]> DestroySlotsAsync([ActivityTrigger] DestroyRequest[] requests, CancellationToken cancellationToken) =>
        Task.WhenAll(requests.Select(request => DestroySlotAsync(request, cancellationToken)));

    private static async Task<BackendAnswer> AnswerAsync(Func<Task<BackendAnswer>> call)
    {
        try
        {
            return await call();
        }
        catch (SlotBackendException e)
        {
            return new BackendAnswer(default, e.Failure);
        }
    }
}
