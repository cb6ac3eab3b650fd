using FuncScaler.Leasing;
using FuncScaler.Leasing.Messages;
using FuncScaler.Policies;
using FuncScaler.ScalerFunctions.Durable;
using Google.Protobuf;
using Microsoft.DurableTask.Protobuf;
using Microsoft.DurableTask.Worker.Grpc;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.Tests;

/// <summary>The entity as the Functions host calls it: a batch of operations in, results and actions out, in the host's own encoding.</summary>
public sealed class EntityBatchTests
{
    private static readonly FunctionMeta F = new(new MetaKey("f"), "go", 60, 128);

    [Fact]
    public async Task A_batch_is_applied_in_order_and_starts_what_it_asks_for()
    {
        var batch = new EntityBatchRequest { InstanceId = "@slotpoolentity@f" };
        batch.Operations.Add(Operation("report", LeasingJson.Write(new WorkerReport
        {
            Worker = new WorkerId("w1"),
            Sequence = 1,
            Function = F,
            FirstOperation = 1,
            Operations = [new WorkerOperation { Kind = WorkerOperationKind.Intend, Ticket = new SlotTicket(7) }],
        })));
        batch.Operations.Add(Operation("SetProvisioned", System.Text.Json.JsonSerializer.Serialize(new ProvisionedWish(F, 2))));

        var result = await RunAsync(batch);

        Assert.All(result.Results, r => Assert.Equal(OperationResult.ResultTypeOneofCase.Success, r.ResultTypeCase));
        var state = LeasingJson.ReadLedger(result.EntityState);
        Assert.Equal(2, state.Slots.Count);
        Assert.Contains(7, state.Slots.Keys);
        var provision = Assert.Single(result.Actions, a => a.StartNewOrchestration is not null).StartNewOrchestration;
        Assert.Equal("ProvisionSlot", provision.Name);
        Assert.All(
            result.Actions.Where(a => a.SendSignal is not null),
            a => Assert.Equal(("@slotpoolentity@f", "Wake"), (a.SendSignal.InstanceId, a.SendSignal.Name)));
    }

    [Fact]
    public async Task An_operation_that_fails_changes_nothing_and_the_others_are_applied()
    {
        var batch = new EntityBatchRequest { InstanceId = "@slotpoolentity@f" };
        batch.Operations.Add(Operation("report", "{\"nonsense\":1}"));
        batch.Operations.Add(Operation("wake", null));

        var result = await RunAsync(batch);

        Assert.NotNull(result.Results[0].Failure);
        Assert.NotNull(result.Results[1].Success);
        Assert.Empty(LeasingJson.ReadLedger(result.EntityState).Workers);
    }

    private static OperationRequest Operation(string name, string? input) =>
        new() { Operation = name, RequestId = Guid.NewGuid().ToString(), Input = input };

    private static async Task<EntityBatchResult> RunAsync(EntityBatchRequest batch)
    {
        var entity = new SlotPoolEntity(
            PolicyCatalog.Parse("ttl:300"), new LeasingOptions(), new ManualTimeProvider(), NullLogger<SlotPoolEntity>.Instance);
        var answer = await GrpcEntityRunner.LoadAndRunAsync(Convert.ToBase64String(batch.ToByteArray()), entity);
        return EntityBatchResult.Parser.ParseFrom(Convert.FromBase64String(answer));
    }
}
