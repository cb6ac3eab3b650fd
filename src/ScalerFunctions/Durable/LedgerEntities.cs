using System.Runtime.CompilerServices;
using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using Microsoft.DurableTask.Client;
using Microsoft.DurableTask.Client.Entities;

namespace FuncScaler.ScalerFunctions.Durable;

/// <summary>Reads the ledgers out of their entities.</summary>
internal static class LedgerEntities
{
    /// <summary>The ledgers of all functions, with the keys of their entities.</summary>
    public static async IAsyncEnumerable<(string Key, LedgerState State)> ReadAllAsync(
        DurableTaskClient client, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var query = new EntityQuery { InstanceIdStartsWith = nameof(SlotPoolEntity), IncludeState = true };
        await foreach (var entity in client.Entities.GetAllEntitiesAsync<LedgerDocument>(query).WithCancellation(cancellationToken))
        {
            if (entity.IncludesState)
            {
                yield return (entity.Id.Key, entity.State.State);
            }
        }
    }
}
