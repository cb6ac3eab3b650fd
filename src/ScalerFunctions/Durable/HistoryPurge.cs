using System.Runtime.CompilerServices;
using FuncScaler.ScalerFunctions.Hosting;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FuncScaler.ScalerFunctions.Durable;

/// <summary>Deletes what Durable keeps of orchestrations that ended long ago: nothing else does, and it would grow for ever.</summary>
/// <remarks>
/// An orchestration of the same name could then run a second time. That does no harm (docs/explanation/azure-protocol.md): a provisioning that begins so
/// late leaves the backend alone, and a destroy destroys only what was to be destroyed.
/// </remarks>
public sealed partial class HistoryPurge(IOptions<ScalerAppOptions> options, TimeProvider time, ILogger<HistoryPurge> logger)
{
    /// <summary>The longest a run may take; the next one goes on.</summary>
    internal static readonly TimeSpan MaxRun = TimeSpan.FromMinutes(1);

    /// <summary>Deletions at the same time: each is a few calls of the storage.</summary>
    private const int Together = 8;

    /// <summary>Every 10 minutes, between two sweeps; the Functions host runs a timer on one instance only.</summary>
    private const string Schedule = "30 */10 * * * *";

    private static readonly OrchestrationRuntimeStatus[] Ended =
        [OrchestrationRuntimeStatus.Completed, OrchestrationRuntimeStatus.Failed, OrchestrationRuntimeStatus.Terminated];

    /// <summary>Deletes up to <see cref="ScalerAppOptions.MaxPurgesPerRun"/> histories.</summary>
    /// <exception cref="OperationCanceledException">The worker is stopping.</exception>
    [Function("PurgeHistory")]
    public async Task PurgeAsync([TimerTrigger(Schedule)] TimerInfo timer, [DurableClient] DurableTaskClient client, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(MaxRun, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        var (purged, failed) = (0, 0);
        var left = options.Value.MaxPurgesPerRun;
        try
        {
            await foreach (var page in EndedBefore(client, time.GetUtcNow() - options.Value.HistoryKept, either.Token))
            {
                var due = page.Take(left).ToList();
                left -= due.Count;
                await Parallel.ForEachAsync(
                    due,
                    new ParallelOptions { MaxDegreeOfParallelism = Together, CancellationToken = either.Token },
                    async (instance, token) =>
                    {
                        if (await TryPurgeAsync(client, instance, token))
                        {
                            Interlocked.Increment(ref purged);
                        }
                        else
                        {
                            Interlocked.Increment(ref failed);
                        }
                    });
                if (left == 0)
                {
                    break;
                }
            }
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            // The next run goes on.
        }

        LogPurged(purged, failed);
    }

    /// <summary>Ids of orchestrations that had ended by then, page by page.</summary>
    private static async IAsyncEnumerable<IEnumerable<string>> EndedBefore(
        DurableTaskClient client,
        DateTimeOffset limit,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // Created before it is a condition that the storage can check; that it ended before it is checked here.
        var query = new OrchestrationQuery { CreatedTo = limit, Statuses = Ended };
        var pages = client.GetAllInstancesAsync(query).AsPages();
        await foreach (var page in pages.WithCancellation(cancellationToken))
        {
            // An entity is stored as an orchestration whose name begins with @, and its state is the truth about slots.
            yield return page.Values.Where(i => i.LastUpdatedAt < limit && Ended.Contains(i.RuntimeStatus) && !i.InstanceId.StartsWith('@')).Select(i => i.InstanceId);
        }
    }

    /// <summary>One that cannot be deleted does not keep the others from it; the next run tries again.</summary>
    private async Task<bool> TryPurgeAsync(DurableTaskClient client, string instance, CancellationToken cancellationToken)
    {
        try
        {
            await client.PurgeInstanceAsync(instance, cancellationToken);
            return true;
        }
        catch (Exception e) when (e is not OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            LogNotPurged(instance, e.Message);
            return false;
        }
    }

    [LoggerMessage(320, LogLevel.Information, "{Purged} histories of ended orchestrations are deleted, {Failed} could not be")]
    private partial void LogPurged(int purged, int failed);

    [LoggerMessage(321, LogLevel.Warning, "The history of {Instance} could not be deleted; the next run tries again: {Reason}")]
    private partial void LogNotPurged(string instance, string reason);
}
