using FuncScaler.Policies;
using FuncScaler.ScalerHost;
using FuncScaler.SlotBackends.Fake;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests;

/// <summary>Floods of HTTP/2 frames, and what other callers notice of them.</summary>
public sealed partial class ScalerServerTests
{
    private const string AssignPath = "/serverless.simulator.Scaler/Assign";

    [Theory]
    [InlineData("reset", 60_000)]
    [InlineData("ping", 20_000)]
    [InlineData("settings", 20_000)]
    [InlineData("priority", 20_000)]
    public async Task A_flood_of_frames_is_cut_and_other_callers_are_served_meanwhile(string kind, int frames)
    {
        await IdleAsync((await AssignAsync("warm")).Assigment);
        using var flooder = await Http2Socket.ConnectAsync(_scaler.GrpcPort, AssignPath);
        var flood = Task.Run(() => flooder.FloodAsync(Enumerable.Range(0, frames).SelectMany(i => FramesOf(flooder, kind, 2 * i + 1))));

        var served = 0;
        do
        {
            await IdleAsync((await AssignAsync($"r{served++}")).Assigment);
        }
        while (!flood.IsCompleted);

        Assert.NotNull(await flood);
        await IdleAsync((await AssignAsync("after")).Assigment);
        Assert.Equal(served + 2, _scaler.Runtime.GetStats().Requests.Releases);
        Assert.Equal(0, _scaler.Runtime.GetStats().Requests.Waiting);
    }

    [Fact]
    public async Task Streams_beyond_the_limit_are_refused_and_other_callers_are_served()
    {
        using var flooder = await Http2Socket.ConnectAsync(_scaler.GrpcPort, AssignPath);

        await flooder.FloodAsync(Enumerable.Range(0, 18_000).Select(i => flooder.Open(2 * i + 1)));

        await Eventually.HoldsAsync(() => flooder.Refused >= 18_000 - 16_384);
        await IdleAsync((await AssignAsync("after")).Assigment);
    }

    /// <summary>gRPC's handler takes each call that its caller resets for an error.</summary>
    [Fact]
    public async Task A_flood_of_calls_that_are_reset_has_a_few_lines_in_the_log()
    {
        await using var scaler = new ScalerServer(
            new FakeBackend(TimeProvider.System),
            new ScalerServerOptions { GrpcPort = 0, HttpPort = null, Policy = PolicyCatalog.Parse("ttl:1"), LogLevel = LogLevel.Warning },
            TimeProvider.System);
        var logs = scaler.Services.GetRequiredService<ILoggerFactory>();
        var handler = logs.CreateLogger("Grpc.AspNetCore.Server.ServerCallHandler");

        Assert.InRange(Enumerable.Range(0, 1000).Count(_ => handler.IsEnabled(LogLevel.Error)), 1, 20);
        Assert.True(handler.IsEnabled(LogLevel.Warning));
        Assert.False(handler.IsEnabled(LogLevel.Information));
        Assert.True(logs.CreateLogger("another").IsEnabled(LogLevel.Error));
    }

    [Fact]
    public async Task What_clients_do_is_no_flood()
    {
        using var client = await Http2Socket.ConnectAsync(_scaler.GrpcPort, AssignPath);

        // A thousand callers leave at once, ten times in a row, with pings in between.
        var frames = Enumerable.Range(0, 10_000).SelectMany(i => (byte[][])[client.Open(2 * i + 1), Http2Socket.Reset(2 * i + 1), .. i % 20 == 0 ? [Http2Socket.Ping()] : Array.Empty<byte[]>()]);

        Assert.Null(await client.FloodAsync(frames));
        await IdleAsync((await AssignAsync("after")).Assigment);
    }

    private static byte[][] FramesOf(Http2Socket socket, string kind, int stream) => kind switch
    {
        "reset" => [socket.Open(stream), Http2Socket.Reset(stream)],
        "ping" => [Http2Socket.Ping()],
        "settings" => [Http2Socket.Settings()],
        _ => [Http2Socket.Priority(stream)],
    };
}
