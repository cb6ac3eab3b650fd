using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using FuncScaler.Runtime.Leasing;
using FuncScaler.Runtime.Telemetry;
using FuncScaler.SlotBackends;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;
using Microsoft.DurableTask.Client.Entities;
using Microsoft.Extensions.Logging;

namespace FuncScaler.ScalerFunctions.Durable;

/// <summary>The periodic look at everything: the safety net under timers, leases and workers.</summary>
public sealed partial class SweepActivities(ISlotBackend backend, LeasingOptions options, TimeProvider time, ILogger<SweepActivities> logger)
{
    /// <summary>Every minute; the Functions host runs a timer on one instance only.</summary>
    private const string Schedule = "0 * * * * *";

    [Function("Sweep")]
    public Task SweepAsync([TimerTrigger(Schedule)] TimerInfo timer, [DurableClient] DurableTaskClient client, CancellationToken cancellationToken) =>
        client.ScheduleNewOrchestrationInstanceAsync(
            nameof(PoolOrchestrations.ReconcilePools),
            null,
            new StartOrchestrationOptions($"reconcile-{time.GetUtcNow():yyyyMMddHHmmss}"),
            cancellationToken);

    /// <summary>Reads the ledgers, asks the backend, and compares.</summary>
    [Function(nameof(LookAsync))]
    public async Task<SweepFindings> LookAsync(
        [ActivityTrigger] string orchestration, [DurableClient] DurableTaskClient client, CancellationToken cancellationToken)
    {
        // Backends without a list look up what they are shown.
        var known = (await LedgersAsync(client, cancellationToken)).Values.SelectMany(Snapshots).ToList();
        var askedUs = LedgerClock.NowUs(time);
        IReadOnlyList<ListedSlot>? listed = null;
        try
        {
            listed = await backend.ListAsync(known, cancellationToken);
        }
        catch (SlotBackendException e)
        {
            LogNoList(e.Message);
        }

        // After the list the workers, and after those the ledgers: what is in the list was told by then, or may still be told, or is nobody's.
        var workers = await WorkersAsync(client, cancellationToken);
        var ledgers = await LedgersAsync(client, cancellationToken);
        var orphans = listed is null ? [] : Sweeper.Orphans(askedUs, listed, workers.Values, ledgers.Values, options);
        ScalerTelemetry.CountFinding(ReconcileFinding.Leaked, orphans.Count);
        LogLooked(orchestration, ledgers.Count, listed?.Count ?? -1, orphans.Count);
        var pools = new Dictionary<string, PoolSweep>();
        foreach (var (key, ledger) in ledgers)
        {
            var own = listed is null ? null : Own(ledger, listed);
            var dead = Sweeper.DeadOf(ledger, workers, askedUs);
            if (Sweeper.Concerns(ledger, askedUs, own, dead, options))
            {
                pools.Add(key, new PoolSweep(askedUs, own, dead));
            }
        }

        return new SweepFindings(
            pools,
            orphans,
            listed is null ? Sweeper.Untold(askedUs, workers.Values, ledgers.Values, options) : [],
            [.. Sweeper.Dead(askedUs, workers.Values, options).Select(w => w.Worker)],
            [.. Sweeper.Late(askedUs, workers.Values, options).Select(w => w.Worker)]);
    }

    private static async Task<Dictionary<WorkerId, WorkerState>> WorkersAsync(DurableTaskClient client, CancellationToken cancellationToken)
    {
        var workers = new Dictionary<WorkerId, WorkerState>();
        var query = new EntityQuery { InstanceIdStartsWith = nameof(WorkerEntity), IncludeState = true };
        await foreach (var entity in client.Entities.GetAllEntitiesAsync<WorkerDocument>(query).WithCancellation(cancellationToken))
        {
            if (entity is { IncludesState: true, State.State: var state })
            {
                workers[state.Worker] = state;
            }
        }

        return workers;
    }

    private static async Task<Dictionary<string, LedgerState>> LedgersAsync(DurableTaskClient client, CancellationToken cancellationToken)
    {
        var ledgers = new Dictionary<string, LedgerState>();
        await foreach (var (key, state) in LedgerEntities.ReadAllAsync(client, cancellationToken))
        {
            ledgers[key] = state;
        }

        return ledgers;
    }

    private static IEnumerable<SlotSnapshot> Snapshots(LedgerState ledger) => ledger.Slots.Select(s => new SlotSnapshot(
        new SlotTicket(s.Key), StateOf(s.Value), s.Value.BackendSlot, s.Value.Instance, s.Value.Holders is [var holder, ..] ? holder : default, s.Value.MemoryMb, s.Value.Holders?.Count ?? 0));

    private static SlotState StateOf(LedgerSlot slot) => slot.State switch
    {
        LedgerSlotState.Destroying => SlotState.Destroying,
        LedgerSlotState.Idle => SlotState.Idle,

        // Whatever the ledger calls it, without an instance it is not ready, and looking at it must not make it so.
        _ when slot.Instance == default => SlotState.Creating,
        _ => SlotState.Busy,
    };

    private static List<ListedSlot> Own(LedgerState ledger, IReadOnlyList<ListedSlot> listed)
    {
        var ids = ledger.Slots.Values.Select(s => s.BackendSlot).Where(id => id != default).ToHashSet();
        return [.. listed.Where(l => ids.Contains(l.Id) || ledger.Slots.ContainsKey(l.Ticket.Value))];
    }

    [LoggerMessage(310, LogLevel.Information, "Sweep {Orchestration}: {Pools} pools, the backend lists {Listed} slots, {Orphans} of them nobody's")]
    private partial void LogLooked(string orchestration, int pools, int listed, int orphans);

    [LoggerMessage(311, LogLevel.Warning, "The backend's list cannot be had; the sweep goes on without: {Reason}")]
    private partial void LogNoList(string reason);
}
