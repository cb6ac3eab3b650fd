using Azure;

namespace FuncScaler.SlotBackends.Aci;

/// <summary>A long-running operation of Azure Resource Manager, however it was begun.</summary>
internal sealed class ArmGroupOperation(Operation operation) : IGroupOperation
{
    public bool HasCompleted => operation.HasCompleted;

    public TimeSpan RetryAfter => ArmAnswers.RetryAfter(operation.GetRawResponse()) ?? TimeSpan.Zero;

    public Task UpdateAsync(CancellationToken cancellationToken) => ArmAnswers.ReadAsync(() => operation.UpdateStatusAsync(cancellationToken).AsTask());
}
