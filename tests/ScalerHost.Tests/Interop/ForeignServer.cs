using System.Globalization;
using FuncScaler.Contract;
using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Simulator;
using Grpc.Core;

namespace FuncScaler.Tests.Interop;

/// <summary>Somebody else's Platform server, for the tests of one class.</summary>
public abstract class ForeignServer : IAsyncLifetime
{
    private InteropProcess? _process;

    public Uri Address { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        if (WhyNot is null)
        {
            _process = Start();
            var port = int.Parse(await _process.ReadLineAsync(), CultureInfo.InvariantCulture);
            Address = new Uri($"http://127.0.0.1:{port}");
        }
    }

    public async Task DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }
    }

    private protected abstract string? WhyNot { get; }

    private protected abstract InteropProcess Start();
}

public sealed class NodeServer : ForeignServer
{
    private protected override string? WhyNot => InteropRuntimes.WhyNoNode;

    private protected override InteropProcess Start() => InteropProcess.Node("server.mjs");
}

public sealed class PythonServer : ForeignServer
{
    private protected override string? WhyNot => InteropRuntimes.WhyNoPython;

    private protected override InteropProcess Start() => InteropProcess.Python("server");
}

/// <summary>What is expected of any server. It tells by the memory of a slot how to behave, or by the request's id.</summary>
internal static class PlatformCalls
{
    // It sends a line end besides, which is no part of a message on one line.
    private const string Detail = "没有内存了: 100% 🚀";

    public static async Task SlotAsync(Uri address)
    {
        await using var backend = new SimulatorBackend(PlatformChannel.Open(address), new SimulatorBackendOptions(), TimeProvider.System);

        var slot = await backend.CreateAsync(new SlotTicket(1), Function(512), CancellationToken.None);

        Assert.Equal("slot-of-512", slot.Value);
        Assert.True(await backend.DestroyAsync(new SlotTicket(1), slot, "done", CancellationToken.None));
    }

    public static async Task ErrorAsync(Uri address)
    {
        await using var backend = new SimulatorBackend(
            PlatformChannel.Open(address), new SimulatorBackendOptions { MaxRetries = 0 }, TimeProvider.System);

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => backend.CreateAsync(new SlotTicket(1), Function(429), CancellationToken.None));

        Assert.Equal((FailureKind.Throttled, false), (e.Failure.Kind, e.Failure.OutcomeUnknown));
        Assert.Contains(Detail.TrimEnd(), e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(e.Message, char.IsControl);
    }

    public static async Task UnimplementedAsync(Uri address)
    {
        await using var backend = new SimulatorBackend(PlatformChannel.Open(address), new SimulatorBackendOptions(), TimeProvider.System);

        var e = await Assert.ThrowsAsync<SlotBackendException>(
            () => backend.InitAsync(new BackendSlotId("slot"), new InstanceId("i"), Function(512), CancellationToken.None));

        Assert.Equal(FailureKind.Permanent, e.Failure.Kind);
    }

    public static async Task LargeReplyAsync(Uri address)
    {
        using var channel = PlatformChannel.Open(address);
        Assert.Equal(60 << 10, (await CreateAsync(channel, "large")).ErrorMessage.Length);
    }

    public static async Task TimeoutIsUnderstoodAsync(Uri address)
    {
        using var channel = PlatformChannel.Open(address);
        Assert.Equal("120", (await CreateAsync(channel, "deadline", TimeSpan.FromHours(2))).ErrorMessage);
    }

    public static async Task DeadlineOrCancellationAsync(Uri address)
    {
        using var channel = PlatformChannel.Open(address);
        var deadline = await Assert.ThrowsAsync<RpcException>(() => CreateAsync(channel, "wait-deadline", TimeSpan.FromMilliseconds(300)));
        Assert.Equal(StatusCode.DeadlineExceeded, deadline.StatusCode);

        using var cancel = new CancellationTokenSource();
        var pending = CreateAsync(channel, "wait-cancel", null, cancel.Token);
        await SeenAsync(channel, "started wait-cancel");
        await cancel.CancelAsync();
        await Assert.ThrowsAsync<RpcException>(() => pending);
        await SeenAsync(channel, "cancelled wait-cancel");
    }

    public static async Task CompressedReplyAsync(Uri address)
    {
        using var channel = PlatformChannel.Open(address);
        Assert.Equal(new string('z', 5_000), (await CreateAsync(channel, "gzip")).ErrorMessage);
    }

    public static async Task ManyAsync(Uri address)
    {
        using var channel = PlatformChannel.Open(address);

        var replies = await Task.WhenAll(Enumerable.Range(0, 1_000).Select(i => CreateAsync(channel, $"r{i}")));

        Assert.Equal(Enumerable.Range(0, 1_000).Select(i => $"slot-r{i}"), replies.Select(reply => reply.Slot.Id));
    }

    private static FunctionMeta Function(int memoryMb) => new(new MetaKey("f"), "go", 60, memoryMb);

    private static Task<CreateSlotReply> CreateAsync(
        ChannelBase channel, string behaviour, TimeSpan? timeout = null, CancellationToken cancellationToken = default) =>
        new Platform.PlatformClient(channel).CreateSlotAsync(
            new CreateSlotRequest { RequestId = behaviour, ResourceConfig = new ResourceConfig { MemoryInMegabytes = 1 } },
            deadline: timeout is { } limit ? DateTime.UtcNow + limit : null,
            cancellationToken: cancellationToken).ResponseAsync;

    /// <summary>Returns once the server has seen that happen to a waiting call.</summary>
    private static async Task SeenAsync(ChannelBase channel, string what) =>
        await new Platform.PlatformClient(channel).DestroySlotAsync(new DestroySlotRequest { Id = what });
}
