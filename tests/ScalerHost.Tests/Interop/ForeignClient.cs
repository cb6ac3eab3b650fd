using System.Text.Json;
using FuncScaler.Policies;
using FuncScaler.ScalerHost;
using FuncScaler.SlotBackends;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests.Interop;

/// <summary>One run of somebody else's client through all it has to try, against a scaler.</summary>
public abstract class ForeignClient : IAsyncLifetime
{
    public const string Detail = "没有内存了: 100% 🚀";

    private const int Together = 1_000;

    private JsonDocument? _outcome;

    /// <summary>What came of a call: its code, and what the client found out besides.</summary>
    public JsonElement Outcome(string name) => _outcome!.RootElement.GetProperty(name);

    public int Code(string name) => Outcome(name).GetProperty("code").GetInt32();

    public string Details(string name) => Outcome(name).GetProperty("details").GetString()!;

    public async Task InitializeAsync()
    {
        if (WhyNot is not null)
        {
            return;
        }

        var backend = new Backend();
        await using var scaler = new ScalerServer(
            backend,
            new ScalerServerOptions { GrpcPort = 0, HttpPort = 0, Policy = PolicyCatalog.Parse("ttl:300"), DrainTimeout = TimeSpan.Zero, LogLevel = LogLevel.None },
            TimeProvider.System);
        await scaler.StartAsync(CancellationToken.None);
        scaler.SetServing(true);
        await using var client = Start($"127.0.0.1:{scaler.GrpcPort}", $"http://127.0.0.1:{scaler.HttpPort}");
        var answer = client.ReadLineAsync();

        // Slots of that function appear only when all its requests wait, each on a stream of the client's one connection.
        while (!answer.IsCompleted && scaler.Runtime.GetStats().Requests.Waiting < Together)
        {
            await Task.Delay(5);
        }

        backend.AllTogether.SetResult();
        _outcome = JsonDocument.Parse(await answer);
    }

    public Task DisposeAsync()
    {
        _outcome?.Dispose();
        return Task.CompletedTask;
    }

    private protected abstract string? WhyNot { get; }

    private protected abstract InteropProcess Start(string grpc, string http);

    /// <summary>Does with a slot what the function's name says.</summary>
    private sealed class Backend : ISlotBackend
    {
        private int _lastId;

        public TaskCompletionSource AllTogether { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string Name => "interop";

        public async Task<BackendSlotId> CreateAsync(SlotTicket ticket, FunctionMeta function, CancellationToken cancellationToken)
        {
            switch (function.Key.Value)
            {
                case "wait":
                    await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
                    break;
                case "together":
                    await AllTogether.Task.WaitAsync(cancellationToken);
                    break;
                case "refused":
                    throw new SlotBackendException(new SlotFailure(FailureKind.Permanent, Detail));
            }

            return new BackendSlotId($"slot-{Interlocked.Increment(ref _lastId)}");
        }

        public Task<Uri?> InitAsync(BackendSlotId slot, InstanceId instance, FunctionMeta function, CancellationToken cancellationToken) =>
            Task.FromResult<Uri?>(new Uri("http://192.0.2.1/"));

        public Task<bool> DestroyAsync(SlotTicket ticket, BackendSlotId slot, string reason, CancellationToken cancellationToken) => Task.FromResult(true);

        public Task<IReadOnlyList<ListedSlot>?> ListAsync(IReadOnlyCollection<SlotSnapshot> known, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<ListedSlot>?>(null);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}

public sealed class NodeClient : ForeignClient
{
    private protected override string? WhyNot => InteropRuntimes.WhyNoNode;

    private protected override InteropProcess Start(string grpc, string http) => InteropProcess.Node("client.mjs", grpc, http);
}

public sealed class PythonClient : ForeignClient
{
    private protected override string? WhyNot => InteropRuntimes.WhyNoPython;

    private protected override InteropProcess Start(string grpc, string http) => InteropProcess.Python("client", grpc, http);
}
