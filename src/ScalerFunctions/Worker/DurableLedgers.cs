using System.Runtime.CompilerServices;
using System.Text.Json;
using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using FuncScaler.Runtime.Leasing;
using FuncScaler.ScalerFunctions.Durable;
using Microsoft.DurableTask.Client;
using Microsoft.DurableTask.Entities;

namespace FuncScaler.ScalerFunctions.Worker;

/// <summary>
/// The ledgers as durable entities. The Functions host tells a worker how to reach them only with an invocation, so the first one that
/// brings a client makes the connection, for this worker's whole life.
/// </summary>
public sealed class DurableLedgers : ILedgers
{
    private readonly TaskCompletionSource<DurableTaskClient> _client = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private long _begun;
    private long _sent;
    private long _failed;

    /// <summary>What has become of reports so far.</summary>
    internal ReportCounts Reports => new(Interlocked.Read(ref _begun), Interlocked.Read(ref _sent), Interlocked.Read(ref _failed));

    /// <summary>Whether the way to the ledgers is known.</summary>
    public bool Connected => _client.Task.IsCompletedSuccessfully;

    /// <summary>Ends when the way is known.</summary>
    internal Task WhenConnected => _client.Task;

    /// <summary>Takes the client that came with an invocation; all are the same.</summary>
    public void Connect(DurableTaskClient client)
    {
        if (!_client.Task.IsCompleted)
        {
            _client.TrySetResult(client);
        }
    }

    /// <inheritdoc />
    public Task ReportAsync(MetaKey function, WorkerReport report, CancellationToken cancellationToken) =>
        SignalAsync(PoolNames.EntityOf(function), nameof(SlotPoolEntity.Report), LeasingJson.Write(report), cancellationToken);

    /// <inheritdoc />
    public Task BeatAsync(WorkerBeat beat, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(beat);
        return SignalAsync(PoolNames.EntityOf(beat.Worker), nameof(WorkerEntity.Beat), LeasingJson.Write(beat), cancellationToken);
    }

    /// <inheritdoc />
    public async Task<WorkerState?> ReadWorkerAsync(WorkerId worker, CancellationToken cancellationToken)
    {
        var client = await _client.Task.WaitAsync(cancellationToken);
        var entity = await client.Entities.GetEntityAsync<WorkerDocument>(PoolNames.EntityOf(worker), true, cancellationToken);
        return entity is { IncludesState: true } ? entity.State.State : null;
    }

    private async Task SignalAsync(EntityInstanceId entity, string operation, string message, CancellationToken cancellationToken)
    {
        var client = await _client.Task.WaitAsync(cancellationToken);
        using var json = JsonDocument.Parse(message);
        Interlocked.Increment(ref _begun);
        try
        {
            await client.Entities.SignalEntityAsync(entity, operation, json.RootElement, null, cancellationToken);
            Interlocked.Increment(ref _sent);
        }
        catch
        {
            Interlocked.Increment(ref _failed);
            throw;
        }
    }

    /// <summary>Sends an operator's wish on its way to a function's ledger.</summary>
    public async Task SetProvisionedAsync(ProvisionedWish wish, CancellationToken cancellationToken)
    {
        var client = await _client.Task.WaitAsync(cancellationToken);
        await client.Entities.SignalEntityAsync(
            PoolNames.EntityOf(wish.Function.Key), nameof(SlotPoolEntity.SetProvisioned), wish, null, cancellationToken);
    }

    /// <summary>Tells a function's ledger that the limits are new.</summary>
    /// <param name="function">The function.</param>
    /// <param name="settings">The settings of its instances, where the limits tell them.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    internal async Task LimitsChangedAsync(MetaKey function, FunctionMeta? settings, CancellationToken cancellationToken)
    {
        var client = await _client.Task.WaitAsync(cancellationToken);
        await client.Entities.SignalEntityAsync(
            PoolNames.EntityOf(function), nameof(SlotPoolEntity.LimitsChanged), new LimitsNews(settings), null, cancellationToken);
    }

    /// <inheritdoc />
    public async IAsyncEnumerable<LedgerState> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var client = await _client.Task.WaitAsync(cancellationToken);
        await foreach (var (_, state) in LedgerEntities.ReadAllAsync(client, cancellationToken))
        {
            yield return state;
        }
    }

    /// <inheritdoc />
    public async Task<LedgerState?> ReadAsync(MetaKey function, CancellationToken cancellationToken)
    {
        var client = await _client.Task.WaitAsync(cancellationToken);
        var entity = await client.Entities.GetEntityAsync<LedgerDocument>(PoolNames.EntityOf(function), true, cancellationToken);
        return entity is { IncludesState: true } ? entity.State.State : null;
    }
}

/// <summary>What has become of a worker's reports and beats since its start; those before the first connection are not counted.</summary>
/// <param name="Begun">Given to the client.</param>
/// <param name="Sent">Taken by the host.</param>
/// <param name="Failed">Not taken.</param>
internal readonly record struct ReportCounts(long Begun, long Sent, long Failed);
