using FuncScaler.Leasing;
using FuncScaler.SlotBackends;
using Microsoft.Azure.Functions.Worker;

namespace FuncScaler.ScalerFunctions;

/// <summary>The backend, for orchestrations: each call an activity, each failure an answer.</summary>
public sealed class BackendActivities(ISlotBackend backend)
{
    [Function(nameof(CreateSlotAsync))]
    public Task<BackendAnswer> CreateSlotAsync([ActivityTrigger] ProvisionRequest request, CancellationToken cancellationToken) =>
        AnswerAsync(() => backend.CreateAsync(request.Ticket, request.Function, cancellationToken));

    [Function(nameof(InitSlotAsync))]
    public Task<BackendAnswer> InitSlotAsync([ActivityTrigger] InitRequest request, CancellationToken cancellationToken) =>
        AnswerAsync(async () =>
        {
            await backend.InitAsync(request.BackendSlot, request.Instance, request.Function, cancellationToken);
            return request.BackendSlot;
        });

    [Function(nameof(DestroySlotAsync))]
    public Task<BackendAnswer> DestroySlotAsync([ActivityTrigger] DestroyRequest request, CancellationToken cancellationToken) =>
        AnswerAsync(async () =>
        {
            await backend.DestroyAsync(request.Ticket, request.BackendSlot, request.Reason, cancellationToken);
            return request.BackendSlot;
        });

    private static async Task<BackendAnswer> AnswerAsync(Func<Task<BackendSlotId>> call)
    {
        try
        {
            return new BackendAnswer(await call(), null);
        }
        catch (SlotBackendException e)
        {
            return new BackendAnswer(default, e.Failure);
        }
    }
}
