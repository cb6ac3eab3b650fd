using FuncScaler.Runtime.Leasing;

namespace FuncScaler.ScalerFunctions.Worker;

/// <summary>Whether a worker's first requests wait for nothing but the backend.</summary>
public sealed class WorkerReadiness(WorkerRuntime runtime)
{
    /// <summary>The rehearsal before the first request; done where there is none.</summary>
    internal Task Rehearsal { get; set; } = Task.CompletedTask;

    /// <summary>Whether the worker has its lease, and has rehearsed.</summary>
    public bool IsReady => runtime.IsReady && Rehearsal.IsCompleted;

    /// <inheritdoc cref="WorkerRuntime.Begin"/>
    public void Begin() => runtime.Begin();
}
