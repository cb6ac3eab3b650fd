using System.Globalization;
using FuncScaler.Contract;

namespace FuncScaler.UnaryGrpc.Tests.Interop;

/// <summary>Somebody else's Platform server, for the tests of one class.</summary>
public abstract class ForeignServer : IAsyncLifetime
{
    private InteropProcess? _process;

    public IUnaryChannel Channel { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        if (WhyNot is null)
        {
            _process = Start();
            int port = int.Parse(await _process.ReadLineAsync(), CultureInfo.InvariantCulture);
            Channel = new HttpUnaryChannel($"127.0.0.1:{port}");
        }
    }

    public async Task DisposeAsync()
    {
        if (_process is not null)
        {
            await Channel.DisposeAsync();
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

/// <summary>What our channel is expected to do with any server.</summary>
internal static class PlatformCalls
{
    private static readonly UnaryMethod<CreateSlotRequest, CreateSlotReply> CreateSlot = new(ScalerContract.CreateSlot);
    private static readonly UnaryMethod<DestroySlotRequest, DestroySlotReply> DestroySlot = new(ScalerContract.DestroySlot);
    private static readonly UnaryMethod<InitRequest, InitReply> Init = new(ScalerContract.Init);

    public static async Task ReplyAsync(IUnaryChannel channel)
    {
        CreateSlotReply reply = await CreateAsync(channel, "r1");

        Assert.Equal("slot-r1", reply.Slot.Id);
        Assert.Equal(512UL, reply.Slot.ResourceConfig.MemoryInMegabytes);
        Assert.Equal(500UL, reply.Slot.CreateDurationInMs);
    }

    public static async Task ErrorAsync(IUnaryChannel channel)
    {
        GrpcException error = await Assert.ThrowsAsync<GrpcException>(() => CreateAsync(channel, "error"));

        Assert.Equal((GrpcStatus.ResourceExhausted, "没有内存了: 100% 🚀\n"), (error.Status, error.Detail));
    }

    public static async Task UnimplementedAsync(IUnaryChannel channel)
    {
        GrpcException error = await Assert.ThrowsAsync<GrpcException>(
            () => channel.CallAsync(Init, new InitRequest(), null, default).AsTask());

        Assert.Equal(GrpcStatus.Unimplemented, error.Status);
    }

    public static async Task LargeReplyAsync(IUnaryChannel channel) =>
        Assert.Equal(3 << 20, (await CreateAsync(channel, "large")).ErrorMessage.Length);

    public static async Task TimeoutIsUnderstoodAsync(IUnaryChannel channel) =>
        Assert.Equal("120", (await CreateAsync(channel, "deadline", TimeSpan.FromHours(2))).ErrorMessage);

    public static async Task DeadlineOrCancellationAsync(IUnaryChannel channel)
    {
        GrpcException deadline = await Assert.ThrowsAsync<GrpcException>(
            () => CreateAsync(channel, "wait-deadline", TimeSpan.FromMilliseconds(300)));
        Assert.Equal(GrpcStatus.DeadlineExceeded, deadline.Status);

        using var cancel = new CancellationTokenSource();
        Task<CreateSlotReply> pending = CreateAsync(channel, "wait-cancel", null, cancel.Token);
        await SeenAsync(channel, "started wait-cancel");
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => pending);
        await SeenAsync(channel, "cancelled wait-cancel");
    }

    public static async Task CompressedReplyAsync(IUnaryChannel channel) =>
        Assert.Equal(new string('z', 5_000), (await CreateAsync(channel, "gzip")).ErrorMessage);

    public static async Task ManyAsync(IUnaryChannel channel)
    {
        CreateSlotReply[] replies = await Task.WhenAll(Enumerable.Range(0, 1_000).Select(i => CreateAsync(channel, $"r{i}")));

        Assert.Equal(Enumerable.Range(0, 1_000).Select(i => $"slot-r{i}"), replies.Select(reply => reply.Slot.Id));
    }

    private static Task<CreateSlotReply> CreateAsync(
        IUnaryChannel channel, string behaviour, TimeSpan? timeout = null, CancellationToken cancellationToken = default) =>
        channel.CallAsync(
            CreateSlot,
            new CreateSlotRequest { RequestId = behaviour, ResourceConfig = new ResourceConfig { MemoryInMegabytes = 512 } },
            timeout,
            cancellationToken).AsTask();

    /// <summary>Returns once the server has seen that happen to a waiting call.</summary>
    private static async Task SeenAsync(IUnaryChannel channel, string what) =>
        await channel.CallAsync(DestroySlot, new DestroySlotRequest { Id = what }, null, default);
}
