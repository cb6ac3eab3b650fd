using Microsoft.DurableTask.Client.Entities;
using Microsoft.DurableTask.Entities;

namespace Microsoft.DurableTask.Client
{
    public abstract class DurableTaskClient
    {
        protected DurableTaskClient(string name) => throw null!;

        public virtual DurableEntityClient Entities => throw null!;

        public abstract Task<string> ScheduleNewOrchestrationInstanceAsync(
            TaskName orchestratorName, object? input = null, StartOrchestrationOptions? options = null, CancellationToken cancellation = default);
    }
}

namespace Microsoft.DurableTask.Client.Entities
{
    public abstract class DurableEntityClient
    {
        protected DurableEntityClient(string name) => throw null!;

        public abstract Task SignalEntityAsync(
            EntityInstanceId id,
            string operationName,
            object? input = null,
            SignalEntityOptions? options = null,
            CancellationToken cancellation = default);

        public abstract Task<EntityMetadata<T>?> GetEntityAsync<T>(
            EntityInstanceId id, bool includeState = true, CancellationToken cancellation = default);

        public abstract AsyncPageable<EntityMetadata<T>> GetAllEntitiesAsync<T>(EntityQuery? filter = null);
    }

    public class EntityMetadata<TState>
    {
        internal EntityMetadata() => throw null!;

        public EntityInstanceId Id => throw null!;

        public bool IncludesState => throw null!;

        public TState State => throw null!;
    }

    public record EntityQuery
    {
        public string? InstanceIdStartsWith { get => throw null!; init => throw null!; }

        public bool IncludeState { get => throw null!; init => throw null!; }
    }
}
