using System.Text.Json;
using DurableTask.AzureStorage;
using DurableTask.Core;
using DurableTask.Core.Entities;
using DurableTask.Core.Entities.OperationFormat;
using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Policies;
using FuncScaler.ScalerFunctions.Durable;
using FuncScaler.SlotBackends;
using Microsoft.DurableTask.Worker;
using Microsoft.DurableTask.Worker.Shims;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.Tests.Engine;

/// <summary>
/// The Durable Task Framework's own dispatchers on Azure Storage, around the app's entity, orchestrations and activities: no host, no
/// worker process. Not started, it is a client of a task hub that others serve.
/// </summary>
internal sealed class AzuriteEngine : IAsyncDisposable
{
    private static readonly TimeSpan Hidden = TimeSpan.FromSeconds(5);

    private readonly AzureStorageOrchestrationService _service;
    private readonly DurableTaskShimFactory _shims = new(new DurableTaskWorkerOptions { EnableEntitySupport = true }, NullLoggerFactory.Instance);
    private readonly TaskHubWorker _worker;
    private bool _started;

    public AzuriteEngine(string storage, string hub, ISlotBackend backend)
    {
        _service = new AzureStorageOrchestrationService(new AzureStorageOrchestrationServiceSettings
        {
            TaskHubName = hub,
            StorageAccountClientProvider = new StorageAccountClientProvider(storage),
            UseSeparateQueueForEntityWorkItems = true,
            MaxQueuePollingInterval = TimeSpan.FromMilliseconds(100),

            // What a process that died had taken from the queues is hidden for so long: 5 minutes by default, in host.json less.
            ControlQueueVisibilityTimeout = Hidden,
            WorkItemQueueVisibilityTimeout = Hidden,
        });
        var activities = new BackendActivities(backend);
        var orchestrations = new Registry<TaskOrchestration>
        {
            [nameof(PoolOrchestrations.ProvisionSlot)] = () => Orchestration<ProvisionRequest>(nameof(PoolOrchestrations.ProvisionSlot), PoolOrchestrations.ProvisionSlot),
            [nameof(PoolOrchestrations.DestroySlot)] = () => Orchestration<DestroyRequest>(nameof(PoolOrchestrations.DestroySlot), PoolOrchestrations.DestroySlot),
        };
        var calls = new Registry<TaskActivity>
        {
            [nameof(BackendActivities.CreateSlotAsync)] = () => Activity<ProvisionRequest>(nameof(BackendActivities.CreateSlotAsync), activities.CreateSlotAsync),
            [nameof(BackendActivities.InitSlotAsync)] = () => Activity<InitRequest>(nameof(BackendActivities.InitSlotAsync), activities.InitSlotAsync),
            [nameof(BackendActivities.DestroySlotAsync)] = () => Activity<DestroyRequest>(nameof(BackendActivities.DestroySlotAsync), activities.DestroySlotAsync),
        };
        _worker = new TaskHubWorker(_service, orchestrations, calls, new Registry<TaskEntity>(), NullLoggerFactory.Instance)
        {
            ErrorPropagationMode = ErrorPropagationMode.UseFailureDetails,
        };
        _worker.AddEntityDispatcherMiddleware(async (context, _) =>
        {
            var batch = context.GetProperty<EntityBatchRequest>();
            context.SetProperty(await Entity(batch));
        });
    }

    /// <summary>What runs an entity's operations; the app's entity, unless a test has something else in mind.</summary>
    public Func<EntityBatchRequest, Task<EntityBatchResult>> Entity
    {
        get => field ??= batch => _shims.CreateEntity(
            nameof(SlotPoolEntity),
            new SlotPoolEntity(PolicyCatalog.Parse("ttl:300"), new LeasingOptions(), TimeProvider.System, NullLogger<SlotPoolEntity>.Instance),
            EntityId.FromString(batch.InstanceId!)).ExecuteOperationBatchAsync(batch);
        set;
    }

    public async Task StartAsync()
    {
        await _service.CreateIfNotExistsAsync();
        await _worker.StartAsync();
        _started = true;
    }

    /// <summary>Sends an entity an operation.</summary>
    public Task SignalAsync(MetaKey function, string operation, object? input)
    {
        var id = new OrchestrationInstance { InstanceId = PoolNames.EntityOf(function).ToString() };
        var message = ClientEntityHelpers.EmitOperationSignal(id, Guid.NewGuid(), operation, JsonSerializer.Serialize(input), null);
        return ((IOrchestrationServiceClient)_service).SendTaskOrchestrationMessageAsync(message.AsTaskMessage());
    }

    /// <summary>An entity's state, as it stands in storage.</summary>
    public async Task<string?> ReadJsonAsync(MetaKey function)
    {
        var id = EntityId.FromString(PoolNames.EntityOf(function).ToString());
        var found = await ((IEntityOrchestrationService)_service).EntityBackendQueries!.GetEntityAsync(id, includeState: true, includeStateless: false, default);
        return found?.SerializedState;
    }

    public async Task<LedgerState?> ReadAsync(MetaKey function) =>
        await ReadJsonAsync(function) is { } json ? JsonSerializer.Deserialize<LedgerDocument>(json)!.State : null;

    /// <summary>Stops in order.</summary>
    public async Task StopAsync()
    {
        _started = false;
        await _worker.StopAsync();
    }

    /// <summary>Ends at once, as a process does that is killed; what it had begun is found by the next one.</summary>
    public async Task CrashAsync()
    {
        if (_started)
        {
            _started = false;
            await _worker.StopAsync(isForced: true);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await CrashAsync();
        _worker.Dispose();
    }

    private TaskOrchestration Orchestration<T>(string name, Func<Microsoft.DurableTask.TaskOrchestrationContext, T, Task> run) =>
        _shims.CreateOrchestration<T, object?>(name, async (context, input) =>
        {
            await run(context, input!);
            return null;
        });

    private TaskActivity Activity<T>(string name, Func<T, CancellationToken, Task<BackendAnswer>> run) =>
        _shims.CreateActivity<T, BackendAnswer>(name, async (_, input) => await run(input!, CancellationToken.None));

    private sealed class Registry<T> : Dictionary<string, Func<T>>, INameVersionObjectManager<T>
        where T : class
    {
        public Registry()
            : base(StringComparer.OrdinalIgnoreCase)
        {
        }

        public void Add(ObjectCreator<T> creator) => throw new NotSupportedException();

        public T? GetObject(string name, string? version) => TryGetValue(name, out var make) ? make() : null;
    }
}
