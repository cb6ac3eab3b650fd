using FuncScaler.Contract;
using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.ScalerHost;
using FuncScaler.SlotBackends.Simulator;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests;

/// <summary>A limits file, from its text to what callers and the platform see of it.</summary>
public sealed class LimitsWatchTests : IAsyncLifetime
{
    private readonly MiniPlatform _platform = new();
    private readonly TemporaryFolder _folder = new();
    private readonly ManualTimeProvider _time = new();

    public Task InitializeAsync() => _platform.StartAsync();

    public async Task DisposeAsync()
    {
        _folder.Dispose();
        await _platform.DisposeAsync();
    }

    [Fact]
    public async Task Limits_hold_from_the_start_and_change_without_a_restart()
    {
        var file = Write("""{"functions": {"f": {"min": 2, "max": 2, "maxWaiting": 1, "concurrency": 2, "memoryMb": 128, "runtime": "go", "timeoutSeconds": 60}}}""");
        await using var scaler = Scaler(file);
        await scaler.StartAsync(CancellationToken.None);
        scaler.FollowLimits();

        // The floor, before any request.
        await Eventually.HoldsAsync(() => scaler.Runtime.GetStats().Slots.Idle == 2);

        // Two instances of two places: a fifth request waits, a sixth is told to come again.
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{scaler.GrpcPort}");
        var client = new Scaler.ScalerClient(channel);
        for (var i = 1; i <= 4; i++)
        {
            await AssignAsync(client, i);
        }

        Assert.Equal((2, 4), (scaler.Runtime.GetStats().Slots.Busy, scaler.Runtime.GetStats().Functions.Single().Executing));
        var fifth = AssignAsync(client, 5);
        await Eventually.HoldsAsync(() => scaler.Runtime.GetStats().Requests.Waiting == 1);
        var refused = await Assert.ThrowsAsync<RpcException>(() => AssignAsync(client, 6));
        Assert.Equal(StatusCode.ResourceExhausted, refused.StatusCode);
        Assert.Contains(refused.Trailers, t => t.Key == "grpc-retry-pushback-ms");

        // A file that cannot be used changes nothing; one that can serves the one who waits.
        Write("""{"functions": {"f": {"min": 5, "max": 2}}}""");
        _time.Advance(FileWatch.Interval);
        Assert.Equal(2, scaler.Runtime.GetStats().Functions.Single().MaxInstances);
        Write("""{"functions": {"f": {"max": 4, "concurrency": 2}}}""");
        _time.Advance(FileWatch.Interval);
        await fifth;
        Assert.Equal((0, 4), (scaler.Runtime.GetStats().Functions.Single().MinInstances, scaler.Runtime.GetStats().Functions.Single().MaxInstances));
    }

    [Fact]
    public void A_file_that_is_wrong_at_the_start_is_told()
    {
        var e = Assert.Throws<CommandException>(() => LimitsFile.Open(Write("""{"functions": {"f": {"min": 5, "max": 2}}}"""), _time));
        Assert.EndsWith("functions.f.max 2 is less than min: give at least as many, or 0 for no limit.", e.Message, StringComparison.Ordinal);
        Assert.Contains("cannot be read", Assert.Throws<CommandException>(() => LimitsFile.Open(Path.Combine(_folder.Path, "none.json"), _time)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_function_that_follows_another_has_its_instances_when_that_one_is_asked_for()
    {
        var file = Write("""
            {
              "functions": {"each": {"memoryMb": 128, "runtime": "go", "timeoutSeconds": 60}},
              "groups": [{"parent": "f", "child": "each", "fanOut": 2, "delay": "30s"}]
            }
            """);
        await using var scaler = Scaler(file);
        await scaler.StartAsync(CancellationToken.None);
        scaler.FollowLimits();
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{scaler.GrpcPort}");
        await AssignAsync(new Scaler.ScalerClient(channel), 1);

        await Eventually.HoldsAsync(() => scaler.Runtime.GetStats().Slots is { Idle: 2, Busy: 1 });
        Assert.Equal(1, scaler.Runtime.GetStats().Functions.Single(f => f.Key == "f").Busy);
    }

    private static async Task AssignAsync(Scaler.ScalerClient client, int request) => await client.AssignAsync(
        new AssignRequest { RequestId = $"r{request}", MetaData = new Meta { Key = "f", Runtime = "go", TimeoutInSecs = 60, MemoryInMb = 128 } },
        deadline: DateTime.UtcNow + TimeSpan.FromSeconds(60));

    private string Write(string text) => _folder.File("limits.json", text);

    private ScalerServer Scaler(string file) => new(
        new SimulatorBackend(PlatformChannel.Open(_platform.Address), new SimulatorBackendOptions(), TimeProvider.System),
        new ScalerServerOptions
        {
            GrpcPort = 0,
            HttpPort = 0,
            Policy = PolicyCatalog.Parse("ttl:300"),
            DrainTimeout = TimeSpan.Zero,
            Limits = LimitsFile.Open(file, _time),
            LogLevel = LogLevel.None,
        },
        TimeProvider.System);
}
