using System.Text.Json;
using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Runtime.Leasing;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Entities;
using Microsoft.Extensions.Logging;

namespace FuncScaler.ScalerFunctions.Durable;

/// <summary>
/// The durable truth about one life of a worker. All thinking is <see cref="WorkerLedger"/>'s; here its operations become entity operations,
/// and its effects a signal to itself or an orchestration that looks at everything.
/// </summary>
public sealed partial class WorkerEntity(LeasingOptions options, TimeProvider time, ILogger<WorkerEntity> logger) : TaskEntity<WorkerDocument>
{
    /// <summary>The worker lives.</summary>
    /// <param name="beat">A <see cref="FuncScaler.Leasing.Messages.WorkerBeat"/> as <see cref="LeasingJson"/> writes it.</param>
    public void Beat(JsonElement beat) => Run((ledger, nowUs, effects) => ledger.Beat(nowUs, LeasingJson.ReadBeat(beat.GetRawText()), effects));

    /// <summary>Something is due.</summary>
    public void Wake() => Run((ledger, nowUs, effects) => ledger.Wake(nowUs, effects));

    /// <summary>What the worker may have created without telling is gone.</summary>
    public void Swept() => Run((ledger, nowUs, effects) => ledger.Swept(nowUs, effects));

    [Function(nameof(WorkerEntity))]
    public static Task DispatchAsync([EntityTrigger] TaskEntityDispatcher dispatcher) => dispatcher.DispatchAsync<WorkerEntity>();

    protected override WorkerDocument InitializeState(TaskEntityOperation entityOperation) => new(new WorkerState());

    private void Run(Action<WorkerLedger, long, List<LedgerEffect>> operation)
    {
        var effects = new List<LedgerEffect>();
        var ledger = new WorkerLedger(State.State, options);
        operation(ledger, LedgerClock.NowUs(time), effects);
        var forgotten = false;
        foreach (var effect in effects)
        {
            switch (effect.Kind)
            {
                case LedgerEffectKind.WakeAt:
                    Context.SignalEntity(Context.Id, nameof(Wake), null, new SignalEntityOptions { SignalTime = LedgerClock.At(effect.AtUs) });
                    break;
                case LedgerEffectKind.Look:
                    LogOver(ledger.State.Worker.Value);
                    Context.ScheduleNewOrchestration(
                        nameof(PoolOrchestrations.ReconcilePools), null, new StartOrchestrationOptions(PoolNames.LookFor(ledger.State.Worker)));
                    break;
                case LedgerEffectKind.Forget:
                default:
                    forgotten = true;
                    break;
            }
        }

        // The document is the same object, changed: set again, it is written again; null deletes it.
        State = forgotten ? null! : new WorkerDocument(ledger.State);
    }

    [LoggerMessage(302, LogLevel.Warning, "Worker {Worker} was silent for longer than its lease: its life is over")]
    private partial void LogOver(string worker);
}
