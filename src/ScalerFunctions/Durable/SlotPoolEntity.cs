using System.Text.Json;
using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using FuncScaler.Policies;
using FuncScaler.Runtime.Leasing;
using FuncScaler.ScalerFunctions.Worker;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Entities;
using Microsoft.Extensions.Logging;

namespace FuncScaler.ScalerFunctions.Durable;

/// <summary>
/// The durable truth about one function's slots. All thinking is <see cref="PoolLedger"/>'s; here its operations become entity operations,
/// and its effects orchestrations and signals to itself. Durable functions apply an operation's state and effects together or not at all.
/// </summary>
public sealed partial class SlotPoolEntity(
    PolicyChoice policy, LeasingOptions options, TimeProvider time, ILogger<SlotPoolEntity> logger, AppLimits? limits = null)
    : TaskEntity<LedgerDocument>
{
    /// <summary>A worker reports.</summary>
    /// <param name="report">A <see cref="WorkerReport"/> as <see cref="LeasingJson"/> writes it.</param>
    public void Report(JsonElement report) => Run((ledger, nowUs, effects) =>
        ledger.Report(nowUs, LeasingJson.ReadReport(report.GetRawText()), effects));

    /// <summary>Something is due.</summary>
    public void Wake() => Run((ledger, nowUs, effects) => ledger.Wake(nowUs, effects));

    /// <summary>A provisioning has succeeded.</summary>
    public void Provisioned(ProvisionedSlot slot) => Run((ledger, nowUs, effects) => ledger.Provisioned(nowUs, slot, effects));

    /// <summary>A provisioning has failed.</summary>
    public void ProvisionFailed(ProvisionFailure failed) =>
        Run((ledger, nowUs, effects) => ledger.ProvisionFailed(nowUs, failed.Ticket, failed.Failure, effects));

    /// <summary>A destroy has ended.</summary>
    public void Destroyed(DestroyOutcome outcome) => Run((ledger, nowUs, effects) =>
    {
        if (outcome.Failure is { } failure)
        {
            ledger.DestroyFailed(nowUs, outcome.Ticket, outcome.Attempt, failure, effects);
        }
        else
        {
            ledger.Destroyed(nowUs, outcome.Ticket, outcome.Attempt, effects);
        }
    });

    /// <summary>The regular look at everything.</summary>
    public void Sweep(PoolSweep sweep) => Run((ledger, nowUs, effects) => ledger.Sweep(nowUs, sweep.AskedUs, sweep.Listed, sweep.Dead ?? [], effects));

    /// <summary>An operator wishes instances to be there at all times.</summary>
    public void SetProvisioned(ProvisionedWish wish) =>
        Run((ledger, nowUs, effects) => ledger.SetProvisioned(nowUs, wish.Function, wish.Count, effects));

    /// <summary>The limits that an operator has set have changed.</summary>
    public void LimitsChanged(LimitsNews news) => Run((ledger, nowUs, effects) => ledger.LimitsChanged(nowUs, news.Settings, effects), news.Settings?.Key);

    [Function(nameof(SlotPoolEntity))]
    public static Task DispatchAsync([EntityTrigger] TaskEntityDispatcher dispatcher) => dispatcher.DispatchAsync<SlotPoolEntity>();

    protected override LedgerDocument InitializeState(TaskEntityOperation entityOperation) => new(new LedgerState());

    /// <param name="operation">What happens.</param>
    /// <param name="key">The function, where the ledger may not know it yet: entities of long keys are named by a hash.</param>
    private void Run(Action<PoolLedger, long, List<LedgerEffect>> operation, MetaKey? key = null)
    {
        var effects = new List<LedgerEffect>();
        var ledger = new PoolLedger(State.State, policy, options, (State.State.Function?.Key ?? key) is { } function ? limits?.Of(function) : null);
        operation(ledger, LedgerClock.NowUs(time), effects);
        foreach (var effect in effects)
        {
            Carry(effect);
        }

        // The document is the same object, changed: set again, it is written again.
        State = new LedgerDocument(ledger.State);
    }

    private void Carry(LedgerEffect effect)
    {
        switch (effect.Kind)
        {
            case LedgerEffectKind.Provision:
                var request = ProvisionRequest.From(effect);
                LogProvision(request.Function.Key.Value, request.Ticket.Value);
                Context.ScheduleNewOrchestration(nameof(PoolOrchestrations.ProvisionSlot), request, new StartOrchestrationOptions(request.Name));
                break;
            case LedgerEffectKind.Destroy:
                var function = effect.Function ?? State.State.Function!;
                LogDestroy(function.Key.Value, effect.Ticket.Value, effect.Reason);
                Context.ScheduleNewOrchestration(
                    nameof(PoolOrchestrations.DestroySlot),
                    new DestroyRequest(function.Key, effect.Ticket, effect.Attempt, effect.BackendSlot, effect.Reason ?? ""),
                    new StartOrchestrationOptions(PoolNames.DestroyOf(effect.Ticket, effect.Attempt)));
                break;
            case LedgerEffectKind.WakeAt:
            case LedgerEffectKind.Look:
            case LedgerEffectKind.Forget:
            default:
                Context.SignalEntity(Context.Id, nameof(Wake), null, new SignalEntityOptions { SignalTime = LedgerClock.At(effect.AtUs) });
                break;
        }
    }

    [LoggerMessage(300, LogLevel.Information, "Function {Function}: slot {Ticket} is created ahead")]
    private partial void LogProvision(string function, long ticket);

    [LoggerMessage(301, LogLevel.Information, "Function {Function}: slot {Ticket} is destroyed: {Reason}")]
    private partial void LogDestroy(string function, long ticket, string? reason);
}
