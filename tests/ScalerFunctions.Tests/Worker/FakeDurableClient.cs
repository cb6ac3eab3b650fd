using System.Text.Json;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;
using Microsoft.DurableTask.Client.Entities;
using Microsoft.DurableTask.Entities;

namespace FuncScaler.Tests;

/// <summary>A durable client whose one entity is driven in memory, and which counts its calls.</summary>
internal sealed class FakeDurableClient(EntityDriver entity) : DurableTaskClient("fake")
{
    private readonly CountingEntityClient _entities = new(entity);

    /// <summary>Calls of any kind.</summary>
    public int Calls => _entities.Calls;

    public override DurableEntityClient Entities => _entities;

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    public override AsyncPageable<OrchestrationMetadata> GetAllInstancesAsync(OrchestrationQuery? filter = null) => throw new NotSupportedException();

    public override Task<OrchestrationMetadata?> GetInstancesAsync(
        string instanceId, bool getInputsAndOutputs = false, CancellationToken cancellation = default) => throw new NotSupportedException();

    public override Task RaiseEventAsync(
        string instanceId, string eventName, object? eventPayload = null, CancellationToken cancellation = default) => throw new NotSupportedException();

    public override Task ResumeInstanceAsync(string instanceId, string? reason = null, CancellationToken cancellation = default) =>
        throw new NotSupportedException();

    public override Task<string> ScheduleNewOrchestrationInstanceAsync(
        TaskName orchestratorName, object? input = null, StartOrchestrationOptions? options = null, CancellationToken cancellation = default) =>
        throw new NotSupportedException();

    public override Task SuspendInstanceAsync(string instanceId, string? reason = null, CancellationToken cancellation = default) =>
        throw new NotSupportedException();

    public override Task<OrchestrationMetadata> WaitForInstanceCompletionAsync(
        string instanceId, bool getInputsAndOutputs = false, CancellationToken cancellation = default) => throw new NotSupportedException();

    public override Task<OrchestrationMetadata> WaitForInstanceStartAsync(
        string instanceId, bool getInputsAndOutputs = false, CancellationToken cancellation = default) => throw new NotSupportedException();

    private sealed class CountingEntityClient(EntityDriver entity) : DurableEntityClient("fake")
    {
        private readonly SemaphoreSlim _one = new(1);
        private int _calls;

        public int Calls => Volatile.Read(ref _calls);

        public override async Task SignalEntityAsync(
            EntityInstanceId id, string operationName, object? input = null, SignalEntityOptions? options = null, CancellationToken cancellation = default)
        {
            Interlocked.Increment(ref _calls);
            await _one.WaitAsync(cancellation);
            try
            {
                await entity.CallAsync(operationName, input);
            }
            finally
            {
                _one.Release();
            }
        }

        public override async Task<EntityMetadata<T>?> GetEntityAsync<T>(
            EntityInstanceId id, bool includeState = true, CancellationToken cancellation = default)
        {
            Interlocked.Increment(ref _calls);
            await _one.WaitAsync(cancellation);
            try
            {
                return entity.Json is null ? null : new EntityMetadata<T>(id, JsonSerializer.Deserialize<T>(entity.Json));
            }
            finally
            {
                _one.Release();
            }
        }

        public override Task<EntityMetadata?> GetEntityAsync(
            EntityInstanceId id, bool includeState = true, CancellationToken cancellation = default) => throw new NotSupportedException();

        public override AsyncPageable<EntityMetadata> GetAllEntitiesAsync(EntityQuery? filter = null) => throw new NotSupportedException();

        public override AsyncPageable<EntityMetadata<T>> GetAllEntitiesAsync<T>(EntityQuery? filter = null) => entity.Json is null
            ? Pageable.Create<EntityMetadata<T>>((_, _) => Task.FromResult(new Page<EntityMetadata<T>>([])))
            : Pageable.Create<EntityMetadata<T>>((_, _) => Task.FromResult(new Page<EntityMetadata<T>>(
                [new EntityMetadata<T>(new EntityInstanceId("slotpoolentity", "f"), JsonSerializer.Deserialize<T>(entity.Json))])));

        public override Task<CleanEntityStorageResult> CleanEntityStorageAsync(
            CleanEntityStorageRequest? request = null, bool continueUntilComplete = true, CancellationToken cancellation = default) =>
            throw new NotSupportedException();
    }
}
