using System.Text.Json;
using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using FuncScaler.Policies;
using FuncScaler.ScalerFunctions.Durable;
using FuncScaler.ScalerFunctions.Worker;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Entities;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.Tests;

/// <summary>
/// Runs an entity's operations, a pool's where nothing else is said, through the durable SDK's own dispatcher, with state and inputs as JSON in between, as in storage.
/// </summary>
internal sealed class EntityDriver(string policy = "ttl:300", LeasingOptions? options = null, WorkerId? worker = null, ManualTimeProvider? time = null, AppLimits? limits = null)
{
    private string? _state;

    public ManualTimeProvider Time { get; } = time ?? new();

    /// <summary>The entity's id.</summary>
    public EntityInstanceId Id { get; } = worker is { } life ? PoolNames.EntityOf(life) : PoolNames.EntityOf(new MetaKey("f"));

    /// <summary>Orchestrations started, in order: name, instance id, input as JSON.</summary>
    public List<(string Name, string Id, string Input)> Started { get; } = [];

    /// <summary>Signals sent: operation and time.</summary>
    public List<(string Operation, DateTimeOffset? At)> Signals { get; } = [];

    public LedgerState State => JsonSerializer.Deserialize<LedgerDocument>(_state!)!.State;

    /// <summary>The state as it stands in storage.</summary>
    public string? Json
    {
        get => _state;
        set => _state = value;
    }

    public async Task CallAsync(string operation, object? input = null)
    {
        var leasing = options ?? new LeasingOptions();
        ITaskEntity entity = worker is null
            ? new SlotPoolEntity(PolicyCatalog.Parse(policy), leasing, Time, NullLogger<SlotPoolEntity>.Instance, limits)
            : new WorkerEntity(leasing, Time, NullLogger<WorkerEntity>.Instance);
        await entity.RunAsync(new Operation(this, operation, input is null ? null : JsonSerializer.Serialize(input)));
    }

    /// <summary>A beat, the way a worker sends it.</summary>
    public Task BeatAsync(WorkerBeat beat) => CallAsync("Beat", JsonDocument.Parse(LeasingJson.Write(beat)).RootElement);

    /// <summary>A report, the way a worker sends it.</summary>
    public Task ReportAsync(WorkerReport report) => CallAsync("Report", JsonDocument.Parse(LeasingJson.Write(report)).RootElement);

    private sealed class Operation(EntityDriver driver, string name, string? input) : TaskEntityOperation
    {
        public override string Name => name;

        public override TaskEntityContext Context { get; } = new EntityContext(driver);

        public override TaskEntityState State { get; } = new EntityState(driver);

        public override bool HasInput => input is not null;

        public override object? GetInput(Type inputType) => input is null ? null : JsonSerializer.Deserialize(input, inputType);
    }

    private sealed class EntityState(EntityDriver driver) : TaskEntityState
    {
        public override bool HasState => driver._state is not null;

        public override object? GetState(Type type) => driver._state is null ? null : JsonSerializer.Deserialize(driver._state, type);

        public override void SetState(object? state) => driver._state = state is null ? null : JsonSerializer.Serialize(state, state.GetType());
    }

    private sealed class EntityContext(EntityDriver driver) : TaskEntityContext
    {
        public override EntityInstanceId Id => driver.Id;

        public override void SignalEntity(EntityInstanceId id, string operationName, object? input = null, SignalEntityOptions? options = null)
        {
            Assert.Equal(Id, id);
            driver.Signals.Add((operationName, options?.SignalTime));
        }

        public override string ScheduleNewOrchestration(TaskName name, object? input = null, StartOrchestrationOptions? options = null)
        {
            driver.Started.Add((name, options!.InstanceId!, JsonSerializer.Serialize(input)));
            return options.InstanceId!;
        }
    }
}
