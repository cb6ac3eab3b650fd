using Microsoft.Extensions.Logging;

namespace Microsoft.DurableTask
{
    public readonly struct TaskName
    {
        public static implicit operator TaskName(string value) => throw null!;

        public static implicit operator string(TaskName value) => throw null!;
    }

    public abstract class TaskOrchestrationContext
    {
        public abstract string InstanceId { get; }

        public abstract DateTime CurrentUtcDateTime { get; }

        public virtual Entities.TaskOrchestrationEntityFeature Entities => throw null!;

        public virtual Task CallActivityAsync(TaskName name, object? input = null, TaskOptions? options = null) => throw null!;

        public abstract Task<TResult> CallActivityAsync<TResult>(TaskName name, object? input = null, TaskOptions? options = null);

        public virtual Task CallSubOrchestratorAsync(TaskName orchestratorName, object? input = null, TaskOptions? options = null) => throw null!;

        public virtual Task CreateTimer(TimeSpan delay, CancellationToken cancellationToken) => throw null!;

        public virtual ILogger CreateReplaySafeLogger(string categoryName) => throw null!;
    }

    public record TaskOptions
    {
        internal TaskOptions() => throw null!;

        public TaskOptions(TaskOptions options) => throw null!;

        public static TaskOptions FromRetryPolicy(RetryPolicy policy) => throw null!;
    }

    public class RetryPolicy
    {
        public RetryPolicy(
            int maxNumberOfAttempts,
            TimeSpan firstRetryInterval,
            double backoffCoefficient = 1.0,
            TimeSpan? maxRetryInterval = null,
            TimeSpan? retryTimeout = null) => throw null!;
    }

    public record StartOrchestrationOptions
    {
        public StartOrchestrationOptions(StartOrchestrationOptions options) => throw null!;

        public StartOrchestrationOptions(string? InstanceId = null, DateTimeOffset? StartAt = null) => throw null!;

        public string? InstanceId { get => throw null!; init => throw null!; }
    }

    public sealed class TaskFailedException : Exception
    {
        internal TaskFailedException() => throw null!;

        public TaskFailureDetails FailureDetails => throw null!;
    }

    public record TaskFailureDetails
    {
        internal TaskFailureDetails() => throw null!;

        public string ErrorMessage { get => throw null!; init => throw null!; }
    }

    public abstract class AsyncPageable<T> : IAsyncEnumerable<T>
    {
        public IAsyncEnumerator<T> GetAsyncEnumerator(CancellationToken cancellationToken = default) => throw null!;
    }
}

namespace Microsoft.DurableTask.Entities
{
    public readonly record struct EntityInstanceId
    {
        public EntityInstanceId(string name, string key) => throw null!;

        public string Name => throw null!;

        public string Key => throw null!;
    }

    public interface ITaskEntity
    {
        ValueTask<object?> RunAsync(TaskEntityOperation operation);
    }

    public abstract class TaskEntity<TState> : ITaskEntity
    {
        protected TState State { get => throw null!; set => throw null!; }

        protected TaskEntityContext Context => throw null!;

        public ValueTask<object?> RunAsync(TaskEntityOperation operation) => throw null!;

        protected virtual TState InitializeState(TaskEntityOperation entityOperation) => throw null!;
    }

    public abstract class TaskEntityContext
    {
        public abstract EntityInstanceId Id { get; }

        public abstract void SignalEntity(EntityInstanceId id, string operationName, object? input = null, SignalEntityOptions? options = null);

        public abstract string ScheduleNewOrchestration(TaskName name, object? input = null, StartOrchestrationOptions? options = null);
    }

    public abstract class TaskEntityOperation
    {
        public abstract string Name { get; }

        public abstract TaskEntityContext Context { get; }

        public abstract TaskEntityState State { get; }

        public abstract bool HasInput { get; }

        public abstract object? GetInput(Type inputType);
    }

    public abstract class TaskEntityState
    {
        public abstract bool HasState { get; }

        public abstract object? GetState(Type type);

        public abstract void SetState(object? state);
    }

    public record SignalEntityOptions
    {
        public DateTimeOffset? SignalTime { get => throw null!; init => throw null!; }
    }

    public record CallEntityOptions;

    public abstract class TaskOrchestrationEntityFeature
    {
        public abstract Task<TResult> CallEntityAsync<TResult>(
            EntityInstanceId id, string operationName, object? input = null, CallEntityOptions? options = null);

        public abstract Task CallEntityAsync(
            EntityInstanceId id, string operationName, object? input = null, CallEntityOptions? options = null);

        public abstract Task SignalEntityAsync(
            EntityInstanceId id, string operationName, object? input = null, SignalEntityOptions? options = null);
    }
}
