using System.Text.Json;
using FuncScaler.Policies;
using FuncScaler.Runtime.Service;
using FuncScaler.ScalerHost;
using FuncScaler.SlotBackends;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests.Interop;

/// <summary>One run of somebody else's client through all it has to try, against a scaler, and what is expected of any such client.</summary>
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
        await using var full = await StartFullAsync();
        await using var client = Start($"127.0.0.1:{scaler.GrpcPort}", $"http://127.0.0.1:{scaler.HttpPort}", $"127.0.0.1:{full.GrpcPort}");
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

    internal void ExpectAssignAndRelease()
    {
        Assert.Equal((0, 0), (Code("ok"), Code("released")));
        Assert.StartsWith("i-", Outcome("ok").GetProperty("instance").GetString(), StringComparison.Ordinal);
    }

    internal void ExpectMetadata()
    {
        Assert.Equal("http://192.0.2.1/", Outcome("ok").GetProperty("address").GetString());
        Assert.Equal("cold", Outcome("ok").GetProperty("start").GetString());
    }

    internal void ExpectErrors()
    {
        Assert.Equal((int)StatusCode.InvalidArgument, Code("invalid"));
        Assert.Contains("request_id is empty", Details("invalid"), StringComparison.Ordinal);
        Assert.Equal((int)StatusCode.NotFound, Code("releasedTwice"));
        Assert.Contains("nothing was changed", Details("releasedTwice"), StringComparison.Ordinal);
        Assert.Equal((int)StatusCode.FailedPrecondition, Code("refused"));
        Assert.Contains(Detail, Details("refused"), StringComparison.Ordinal);
    }

    internal void ExpectDeadline()
    {
        Assert.Equal((int)StatusCode.DeadlineExceeded, Code("deadline"));
        Assert.Equal(0, Outcome("deadline").GetProperty("waiting").GetInt32());
    }

    internal void ExpectCancellation()
    {
        Assert.Equal((int)StatusCode.Cancelled, Code("cancelled"));
        Assert.Equal(0, Outcome("cancelled").GetProperty("waiting").GetInt32());
    }

    internal void ExpectCompression()
    {
        Assert.Equal(500, Outcome("gzip").GetProperty("characters").GetInt32());
        Assert.Equal(500, Outcome("deflate").GetProperty("characters").GetInt32());
    }

    internal void ExpectMessageLimit()
    {
        Assert.Equal(512, Outcome("large").GetProperty("characters").GetInt32());
        Assert.Equal((int)StatusCode.ResourceExhausted, Code("tooLarge"));
        Assert.Equal(1, Outcome("afterTooLarge").GetProperty("characters").GetInt32());
    }

    internal void ExpectUnknownMethod() => Assert.Equal((int)StatusCode.Unimplemented, Code("unknown"));

    internal void ExpectHealth()
    {
        Assert.Equal(1, Outcome("health").GetProperty("server").GetInt32());
        Assert.Equal(1, Outcome("health").GetProperty("service").GetInt32());
        Assert.Equal(1, Outcome("health").GetProperty("watched").GetInt32());
        Assert.Equal((int)StatusCode.NotFound, Code("healthOfNobody"));
    }

    internal void ExpectReflection()
    {
        var services = Outcome("reflection").EnumerateArray().Select(name => name.GetString()).ToArray();
        Assert.Contains("serverless.simulator.Scaler", services);
        Assert.Contains("grpc.health.v1.Health", services);
    }

    /// <summary>The script opens one connection: all requests wait at once only where the server allows as many streams.</summary>
    internal void ExpectManyStreams() =>
        Assert.Equal(1_000, Outcome("parallel").GetProperty("right").GetInt32());

    /// <summary>Hundreds of assigns are refused on one connection before they are read, as the missing date tells, and all else on it is served.</summary>
    internal void ExpectRefusalsUnread()
    {
        var full = Outcome("full");
        Assert.Equal(500, full.GetProperty("refused").GetInt32());
        Assert.Equal("the scaler is short of memory and takes no more requests for now", full.GetProperty("details").GetString());
        Assert.Equal("2000", full.GetProperty("pushback").GetString());
        Assert.False(full.GetProperty("isDated").GetBoolean());
        Assert.Equal((int)StatusCode.NotFound, full.GetProperty("released").GetInt32());
        Assert.Equal(1, full.GetProperty("health").GetInt32());
    }

    private protected abstract string? WhyNot { get; }

    private protected abstract InteropProcess Start(string grpc, string http, string full);

    /// <summary>A scaler that takes no more assigns, as it is short of memory.</summary>
    private static async Task<ScalerServer> StartFullAsync()
    {
        var full = new ScalerServer(
            new Backend(),
            new ScalerServerOptions
            {
                GrpcPort = 0,
                HttpPort = null,
                Policy = PolicyCatalog.Parse("ttl:300"),
                DrainTimeout = TimeSpan.Zero,
                LogLevel = LogLevel.None,
                Admission = new AdmissionOptions { MaxMemoryBytes = 1 },
            },
            TimeProvider.System);
        await full.StartAsync(CancellationToken.None);
        full.SetServing(true);
        return full;
    }

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

    private protected override InteropProcess Start(string grpc, string http, string full) => InteropProcess.Node("client.mjs", grpc, http, full);
}

public sealed class PythonClient : ForeignClient
{
    private protected override string? WhyNot => InteropRuntimes.WhyNoPython;

    private protected override InteropProcess Start(string grpc, string http, string full) => InteropProcess.Python("client", grpc, http, full);
}
