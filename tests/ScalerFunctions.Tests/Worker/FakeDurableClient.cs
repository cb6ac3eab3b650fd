using System.Globalization;
using System.Text.Json;
using FuncScaler.Leasing.Messages;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;
using Microsoft.DurableTask.Client.Entities;
using Microsoft.DurableTask.Entities;

namespace FuncScaler.Tests;

/// <summary>A durable client whose entities, one pool and any workers, are driven in memory, which counts its calls, and whose orchestrations a test makes up.</summary>
internal sealed class FakeDurableClient(EntityDriver entity) : DurableTaskClient("fake")
{
    private readonly CountingEntityClient _entities = new(entity);

    /// <summary>Calls of any kind.</summary>
    public int Calls => _entities.Calls;

    /// <summary>What happens to a signal before the entity gets it; it may fail, or never end.</summary>
    public Func<CancellationToken, Task> OnSignal
    {
        get => _entities.OnSignal;
        set => _entities.OnSignal = value;
    }

    /// <summary>The orchestrations there are; purging takes them away.</summary>
    public List<OrchestrationMetadata> Instances { get; } = [];

    /// <summary>What happens before an orchestration is purged; it may fail, or never end.</summary>
    public Func<string, CancellationToken, Task> OnPurge { get; set; } = (_, _) => Task.CompletedTask;

    public override DurableEntityClient Entities => _entities;

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    public override AsyncPageable<OrchestrationMetadata> GetAllInstancesAsync(OrchestrationQuery? filter = null)
    {
        List<OrchestrationMetadata> found;
        lock (Instances)
        {
            found = [.. Instances.Where(i => i.CreatedAt < filter!.CreatedTo && filter.Statuses!.Contains(i.RuntimeStatus)).OrderBy(i => i.InstanceId)];
        }

        return Pageable.Create<OrchestrationMetadata>((continuation, _) =>
        {
            var from = continuation is null ? 0 : int.Parse(continuation, CultureInfo.InvariantCulture);
            var to = Math.Min(found.Count, from + filter!.PageSize);
            return Task.FromResult(new Page<OrchestrationMetadata>(
                found[from..to], to == found.Count ? null : to.ToString(CultureInfo.InvariantCulture)));
        });
    }

    public override async Task<PurgeResult> PurgeInstanceAsync(
        string instanceId, PurgeInstanceOptions? options = null, CancellationToken cancellation = default)
    {
        await OnPurge(instanceId, cancellation);
        lock (Instances)
        {
            return new PurgeResult(Instances.RemoveAll(i => i.InstanceId == instanceId));
        }
    }

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
        private readonly Dictionary<EntityInstanceId, EntityDriver> _workers = [];
        private readonly SemaphoreSlim _one = new(1);
        private int _calls;

        public int Calls => Volatile.Read(ref _calls);

        public Func<CancellationToken, Task> OnSignal { get; set; } = _ => Task.CompletedTask;

        public override async Task SignalEntityAsync(
            EntityInstanceId id, string operationName, object? input = null, SignalEntityOptions? options = null, CancellationToken cancellation = default)
        {
            Interlocked.Increment(ref _calls);
            await OnSignal(cancellation);
            await _one.WaitAsync(cancellation);
            try
            {
                await Driver(id).CallAsync(operationName, input);
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
                return Driver(id).Json is { } json ? new EntityMetadata<T>(id, JsonSerializer.Deserialize<T>(json)) : null;
            }
            finally
            {
                _one.Release();
            }
        }

        public override Task<EntityMetadata?> GetEntityAsync(
            EntityInstanceId id, bool includeState = true, CancellationToken cancellation = default) => throw new NotSupportedException();

        public override AsyncPageable<EntityMetadata> GetAllEntitiesAsync(EntityQuery? filter = null) => throw new NotSupportedException();

        public override AsyncPageable<EntityMetadata<T>> GetAllEntitiesAsync<T>(EntityQuery? filter = null)
        {
            var found = _workers.Values.Append(entity).Where(e => e.Json is not null
                && e.Id.ToString().StartsWith($"@{filter!.InstanceIdStartsWith!.TrimStart('@')}", StringComparison.OrdinalIgnoreCase));
            return Pageable.Create<EntityMetadata<T>>((_, _) => Task.FromResult(new Page<EntityMetadata<T>>(
                [.. found.Select(e => new EntityMetadata<T>(e.Id, JsonSerializer.Deserialize<T>(e.Json!)))])));
        }

        public override Task<CleanEntityStorageResult> CleanEntityStorageAsync(
            CleanEntityStorageRequest? request = null, bool continueUntilComplete = true, CancellationToken cancellation = default) =>
            throw new NotSupportedException();

        private EntityDriver Driver(EntityInstanceId id)
        {
            if (id == entity.Id)
            {
                return entity;
            }

            if (!_workers.TryGetValue(id, out var driver))
            {
                _workers.Add(id, driver = new EntityDriver(worker: new WorkerId(id.Key), time: entity.Time));
            }

            return driver;
        }
    }
}
