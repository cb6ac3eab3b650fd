using System.Collections.Concurrent;
using System.Text.Json;
using FuncScaler.Contract;
using FuncScaler.Tests.Contracts;
using FuncScaler.UnaryGrpc.Health;

namespace FuncScaler.UnaryGrpc.Tests.Interop;

/// <summary>One run of somebody else's client through all it has to try, against our server.</summary>
public abstract class ForeignClient : IAsyncLifetime
{
    public const string Detail = "没有这个函数: 100% 🚀\n";

    private const int Together = 1_000;

    private readonly ConcurrentDictionary<string, TaskCompletionSource> _waiting = new();
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _ended = new();
    private readonly TaskCompletionSource _allTogether = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentDictionary<string, int> _peersTogether = new();
    private JsonDocument? _outcome;
    private int _together;

    /// <summary>How many connections the calls came over that were all in flight at once.</summary>
    public int ConnectionsTogether => _peersTogether.Count;

    public JsonElement Outcome(string name) => _outcome!.RootElement.GetProperty(name);

    public int Code(string name) => Outcome(name).GetProperty("code").GetInt32();

    public async Task InitializeAsync()
    {
        if (WhyNot is not null)
        {
            return;
        }

        var assign = new UnaryMethod<AssignRequest, AssignReply>(ScalerContract.Assign);
        UnaryRoutes routes = new UnaryRoutes().Add(assign, AssignAsync).AddHealth(new ServingStates());
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(routes);
        await using InteropProcess client = Start(server.Address.Authority);
        _outcome = JsonDocument.Parse(await client.ReadLineAsync());
    }

    public Task DisposeAsync()
    {
        _outcome?.Dispose();
        return Task.CompletedTask;
    }

    private protected abstract string? WhyNot { get; }

    private protected abstract InteropProcess Start(string address);

    private async ValueTask<AssignReply> AssignAsync(AssignRequest request, UnaryCall call)
    {
        string instance = $"i-{request.Timestamp}";
        switch (request.MetaData.Key)
        {
            case "error":
                throw new GrpcException(GrpcStatus.NotFound, Detail);
            case "failure":
                throw new InvalidOperationException("password=hunter2");
            case "wait":
                Signal(_waiting, request.RequestId).SetResult();
                try
                {
                    await Task.Delay(Timeout.InfiniteTimeSpan, call.Cancellation);
                }
                finally
                {
                    Signal(_ended, request.RequestId).SetResult();
                }

                break;
            case "until-waiting":
                await Signal(_waiting, request.RequestId).Task;
                break;
            case "until-ended":
                bool arrived = Signal(_waiting, request.RequestId).Task.IsCompleted;
                await (arrived ? Signal(_ended, request.RequestId).Task : Task.CompletedTask);
                instance = arrived ? "ended" : "never arrived";
                break;
            case "together":
                _peersTogether.TryAdd(call.Peer, 0);
                if (Interlocked.Increment(ref _together) == Together)
                {
                    _allTogether.SetResult();
                }

                await _allTogether.Task;
                break;
        }

        return new AssignReply
        {
            Assigment = new Assignment { RequestId = request.RequestId, MetaKey = request.MetaData.Key, InstanceId = instance },
        };
    }

    private static TaskCompletionSource Signal(ConcurrentDictionary<string, TaskCompletionSource> signals, string id) =>
        signals.GetOrAdd(id, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
}

public sealed class NodeClient : ForeignClient
{
    private protected override string? WhyNot => InteropRuntimes.WhyNoNode;

    private protected override InteropProcess Start(string address) => InteropProcess.Node("client.mjs", address);
}

public sealed class PythonClient : ForeignClient
{
    private protected override string? WhyNot => InteropRuntimes.WhyNoPython;

    private protected override InteropProcess Start(string address) => InteropProcess.Python("client", address);
}
