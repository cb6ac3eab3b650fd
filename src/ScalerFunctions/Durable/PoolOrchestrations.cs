using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Runtime.Leasing;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Entities;

namespace FuncScaler.ScalerFunctions.Durable;

/// <summary>
/// What takes longer than an entity may: asking the backend, with retries and compensation, surviving whatever worker dies in between.
/// Each slot is an orchestration of its own, so several are made at the same time; the ledger's rate limit says when each may begin.
/// </summary>
public static class PoolOrchestrations
{
    private const int SlotsTogether = 32;

    /// <summary>Creates and initialises a slot and tells its ledger; whatever fails, nothing is left behind.</summary>
    [Function(nameof(ProvisionSlot))]
    public static async Task ProvisionSlot([OrchestrationTrigger] TaskOrchestrationContext context, ProvisionRequest request)
    {
        var pool = PoolNames.EntityOf(request.Function.Key);
        if (Now(context) > request.NotBeforeUs + PoolOrchestrationSettings.ProvisionTimeoutUs)
        {
            // The ledger has given it up; or this is a second run, and the slot of the first may be in use.
            var late = new SlotFailure(FailureKind.Transient, "the provisioning began too late", OutcomeUnknown: false);
            await context.Entities.SignalEntityAsync(pool, nameof(SlotPoolEntity.ProvisionFailed), new ProvisionFailure(request.Ticket, late));
            return;
        }

        var steps = new Provisioning(request.NotBeforeUs, Now(context), PoolOrchestrationSettings.Retries);
        for (var step = steps.Next; step.Kind is not (ProvisionStepKind.Register or ProvisionStepKind.Report); step = steps.Next)
        {
            switch (step.Kind)
            {
                case ProvisionStepKind.Wait:
                    await context.CreateTimer(TimeSpan.FromMicroseconds(step.WaitUs), CancellationToken.None);
                    steps.Waited(Now(context));
                    break;
                case ProvisionStepKind.Create:
                    var created = await AskAsync(context, nameof(BackendActivities.CreateSlotAsync), request, outcomeUnknown: true);
                    if (created.Failure is { } refused)
                    {
                        steps.Failed(Now(context), refused);
                    }
                    else
                    {
                        steps.Created(Now(context), created.BackendSlot);
                    }

                    break;
                case ProvisionStepKind.Init:
                    var init = new InitRequest(step.BackendSlot, request.Instance, request.Function);
                    Answer(await AskAsync(context, nameof(BackendActivities.InitSlotAsync), init, outcomeUnknown: false));
                    break;
                case ProvisionStepKind.Destroy:
                default:
                    var destroy = new DestroyRequest(request.Function.Key, request.Ticket, 0, step.BackendSlot, "its provisioning failed");
                    Answer(await AskAsync(context, nameof(BackendActivities.DestroySlotAsync), destroy, outcomeUnknown: false));
                    break;
            }
        }

        if (steps.Next.Failure is { } failure)
        {
            await context.Entities.SignalEntityAsync(
                pool, nameof(SlotPoolEntity.ProvisionFailed), new ProvisionFailure(request.Ticket, failure));
        }
        else
        {
            await context.Entities.SignalEntityAsync(pool, nameof(SlotPoolEntity.Provisioned), steps.Result(request));
        }

        void Answer(BackendAnswer answer)
        {
            if (answer.Failure is { } refused)
            {
                steps.Failed(Now(context), refused);
            }
            else
            {
                steps.Done(Now(context), answer.Address);
            }
        }
    }

    /// <summary>Destroys a slot and tells its ledger, which asks again until it has succeeded.</summary>
    [Function(nameof(DestroySlot))]
    public static async Task DestroySlot([OrchestrationTrigger] TaskOrchestrationContext context, DestroyRequest request)
    {
        var answer = await AskAsync(context, nameof(BackendActivities.DestroySlotAsync), request, outcomeUnknown: false);
        await context.Entities.SignalEntityAsync(
            PoolNames.EntityOf(request.Function), nameof(SlotPoolEntity.Destroyed), new DestroyOutcome(request.Ticket, request.Attempt, answer.Failure));
    }

    /// <summary>
    /// Compares all ledgers with the backend's list and with the workers' lives. Tells those that have something to learn or have lost a timer.
    /// </summary>
    [Function(nameof(ReconcilePools))]
    public static async Task ReconcilePools([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var found = await context.CallActivityAsync<SweepFindings>(nameof(SweepActivities.LookAsync), context.InstanceId, PoolOrchestrationSettings.Insist);
        foreach (var (key, sweep) in found.Pools)
        {
            await context.Entities.SignalEntityAsync(
                new EntityInstanceId(nameof(SlotPoolEntity), key), nameof(SlotPoolEntity.Sweep), sweep);
        }

        foreach (var worker in found.Late)
        {
            await context.Entities.SignalEntityAsync(PoolNames.EntityOf(worker), nameof(WorkerEntity.Wake));
        }

        var orphans = found.Orphans.Concat(found.Untold.Select(t => new ListedSlot(default, t))).ToList();
        var failed = false;
        foreach (var together in orphans.Chunk(SlotsTogether))
        {
            var requests = together.Select(o => new DestroyRequest(default, o.Ticket, 0, o.Id, "no ledger knows it")).ToArray();
            try
            {
                var answers = await context.CallActivityAsync<BackendAnswer[]>(nameof(BackendActivities.DestroySlotsAsync), requests);
                failed |= answers.Any(a => a.Failure is not null);
            }
            catch (TaskFailedException)
            {
                failed = true;
            }
        }

        // What could not be destroyed the next sweep finds again.
        foreach (var worker in failed ? [] : found.Swept)
        {
            await context.Entities.SignalEntityAsync(PoolNames.EntityOf(worker), nameof(WorkerEntity.Swept));
        }
    }

    /// <summary>An activity that itself failed, for whatever reason, is a backend that did not answer.</summary>
    private static async Task<BackendAnswer> AskAsync(TaskOrchestrationContext context, string activity, object input, bool outcomeUnknown)
    {
        try
        {
            return await context.CallActivityAsync<BackendAnswer>(activity, input);
        }
        catch (TaskFailedException e)
        {
            return new BackendAnswer(default, new SlotFailure(FailureKind.Transient, RemoteWords.Clean(e.FailureDetails.ErrorMessage), OutcomeUnknown: outcomeUnknown));
        }
    }

    private static long Now(TaskOrchestrationContext context) => LedgerClock.Us(new DateTimeOffset(context.CurrentUtcDateTime, TimeSpan.Zero));
}

/// <summary>What orchestrations need to know; constant, because a replay must find what the first run found.</summary>
internal static class PoolOrchestrationSettings
{
    /// <summary>Pauses between tries.</summary>
    public static SlotPoolOptions Retries { get; } = new();

    /// <summary>After this long without an answer the ledger gives a provisioning up, µs.</summary>
    public static long ProvisionTimeoutUs { get; } = (long)new LeasingOptions().ProvisionTimeout.TotalMicroseconds;

    /// <summary>For an activity that only reads.</summary>
    public static TaskOptions Insist { get; } = TaskOptions.FromRetryPolicy(new RetryPolicy(3, TimeSpan.FromSeconds(2), 2));
}
