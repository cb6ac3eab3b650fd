using System.Diagnostics.CodeAnalysis;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Runtime.Leasing;
using FuncScaler.ScalerFunctions.Durable;
using FuncScaler.ScalerFunctions.Hosting;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Entities;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.Tests;

public sealed class ProvisionSlotTests
{
    private static readonly DateTimeOffset NotBefore = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static readonly ProvisionRequest Request = new(
        new FunctionMeta(new MetaKey("f"), "go", 60, 128), new SlotTicket(7), new InstanceId("i-7"), LedgerClock.Us(NotBefore));

    [Fact]
    public async Task A_provisioning_asks_the_backend_and_tells_its_ledger()
    {
        var context = new Context(NotBefore + TimeSpan.FromMinutes(14));

        await PoolOrchestrations.ProvisionSlot(context, Request);

        Assert.Equal(["CreateSlotAsync", "InitSlotAsync"], context.Activities);
        Assert.Equal("Provisioned", Assert.Single(context.Signals).Operation);
    }

    [Fact]
    public async Task One_that_begins_when_its_ledger_has_given_it_up_leaves_the_backend_alone()
    {
        // A second run of the same name, after the history of the first was purged: its slot may be in use.
        var context = new Context(NotBefore + TimeSpan.FromMinutes(16));

        await PoolOrchestrations.ProvisionSlot(context, Request);

        Assert.Empty(context.Activities);
        var (operation, input) = Assert.Single(context.Signals);
        Assert.Equal("ProvisionFailed", operation);
        Assert.False(Assert.IsType<ProvisionFailure>(input).Failure.OutcomeUnknown);
    }

    [Fact]
    public void A_history_is_kept_for_longer_than_a_provisioning_may_begin_late()
    {
        var shortest = new ScalerAppOptions { HistoryKept = TimeSpan.FromMicroseconds(PoolOrchestrationSettings.ProvisionTimeoutUs) };

        Assert.True(new ScalerAppOptionsValidator().Validate(null, shortest).Failed);
    }

    /// <summary>One run without a replay; every activity succeeds.</summary>
    private sealed class Context(DateTimeOffset now) : TaskOrchestrationContext
    {
        public List<string> Activities { get; } = [];

        public List<(string Operation, object? Input)> Signals { get; } = [];

        public override TaskName Name => nameof(PoolOrchestrations.ProvisionSlot);

        public override string InstanceId => "provision-7";

        public override ParentOrchestrationInstance? Parent => null;

        public override DateTime CurrentUtcDateTime => now.UtcDateTime;

        public override bool IsReplaying => false;

        public override TaskOrchestrationEntityFeature Entities => new EntityFeature(this);

        protected override ILoggerFactory LoggerFactory => NullLoggerFactory.Instance;

        public override T GetInput<T>() => throw new NotSupportedException();

        public override Task<TResult> CallActivityAsync<TResult>(TaskName name, object? input = null, TaskOptions? options = null)
        {
            Activities.Add(name.Name);
            return Task.FromResult((TResult)(object)new BackendAnswer(new BackendSlotId("s-7"), null));
        }

        public override Task CreateTimer(DateTime fireAt, CancellationToken cancellationToken) => throw new NotSupportedException();

        public override Task<T> WaitForExternalEvent<T>(string eventName, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public override void SendEvent(string instanceId, string eventName, object payload) => throw new NotSupportedException();

        public override void SetCustomStatus(object? customStatus) => throw new NotSupportedException();

        public override Task<TResult> CallSubOrchestratorAsync<TResult>(TaskName orchestratorName, object? input = null, TaskOptions? options = null) =>
            throw new NotSupportedException();

        public override void ContinueAsNew(object? newInput = null, bool preserveUnprocessedEvents = true) => throw new NotSupportedException();

        public override Guid NewGuid() => throw new NotSupportedException();

        private sealed class EntityFeature(Context context) : TaskOrchestrationEntityFeature
        {
            public override Task SignalEntityAsync(EntityInstanceId id, string operationName, object? input = null, SignalEntityOptions? options = null)
            {
                context.Signals.Add((operationName, input));
                return Task.CompletedTask;
            }

            public override Task<TResult> CallEntityAsync<TResult>(
                EntityInstanceId id, string operationName, object? input = null, CallEntityOptions? options = null) => throw new NotSupportedException();

            public override Task CallEntityAsync(
                EntityInstanceId id, string operationName, object? input = null, CallEntityOptions? options = null) => throw new NotSupportedException();

            public override Task<IAsyncDisposable> LockEntitiesAsync(IEnumerable<EntityInstanceId> entityIds) => throw new NotSupportedException();

            public override bool InCriticalSection([NotNullWhen(true)] out IReadOnlyList<EntityInstanceId>? entityIds) => throw new NotSupportedException();
        }
    }
}
