using FuncScaler.Runtime.Leasing;
using Microsoft.Extensions.Logging;

namespace FuncScaler.ScalerFunctions.Worker;

/// <summary>Whether a worker's first requests wait for nothing but the backend.</summary>
public sealed partial class WorkerReadiness(WorkerRuntime runtime, TimeProvider time, ILogger<WorkerReadiness> logger)
{
    /// <summary>What others have learned is worth this much of a start.</summary>
    private static readonly TimeSpan LearnLimit = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private Task? _learning;

    /// <summary>The rehearsal before the first request; done where there is none.</summary>
    internal Task Rehearsal { get; set; } = Task.CompletedTask;

    /// <summary>Whether the worker has its lease, has rehearsed, and has read what others have learned.</summary>
    public bool IsReady => runtime.IsReady && Rehearsal.IsCompleted && _learning is { IsCompleted: true };

    /// <inheritdoc cref="WorkerRuntime.Begin"/>
    public void Begin()
    {
        runtime.Begin();
        lock (_gate)
        {
            _learning ??= LearnAsync();
        }
    }

    private async Task LearnAsync()
    {
        using var limit = new CancellationTokenSource(LearnLimit, time);
        try
        {
            LogLearned(await runtime.LearnAsync(limit.Token).ConfigureAwait(false));
        }
        catch (Exception e)
        {
            // It learns for itself, as the first worker did.
            LogNotLearned(e.Message);
        }
    }

    [LoggerMessage(220, LogLevel.Information, "Other workers have learned something of {Count} functions")]
    private partial void LogLearned(int count);

    [LoggerMessage(221, LogLevel.Warning, "What other workers have learned could not be read, so this one begins without it: {Reason}")]
    private partial void LogNotLearned(string reason);
}
