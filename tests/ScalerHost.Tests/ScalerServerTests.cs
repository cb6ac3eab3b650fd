using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using FuncScaler.Contract;
using FuncScaler.Policies;
using FuncScaler.ScalerHost;
using FuncScaler.SlotBackends.Simulator;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests;

/// <summary>The service as callers see it: JSON and gRPC over real sockets, on a platform that may die.</summary>
public sealed partial class ScalerServerTests : IAsyncLifetime
{
    private readonly MiniPlatform _platform = new();
    private ScalerServer _scaler = null!;
    private GrpcChannel _grpc = null!;
    private Scaler.ScalerClient _client = null!;
    private HttpClient _http = null!;

    public async Task InitializeAsync()
    {
        await _platform.StartAsync();
        await StartScalerAsync(keep: false);
    }

    public async Task DisposeAsync()
    {
        await DisposeScalerAsync();
        await _platform.DisposeAsync();
    }

    [Fact]
    public async Task Json_assigns_and_releases_and_shows_the_state()
    {
        var assigned = await PostAsync("/api/assign", """{"requestId": "r1", "metaData": {"key": "f", "runtime": "go", "timeoutInSecs": 60, "memoryInMb": "128"}}""");
        Assert.Equal(HttpStatusCode.OK, assigned.Status);
        Assert.Equal("Ok", (string)assigned.Body["status"]!);
        var assignment = assigned.Body["assigment"]!;
        Assert.Equal(_platform.Slots.Single().Value, (string)assignment["instanceId"]!);

        var released = await PostAsync("/api/release", new JsonObject { ["assigment"] = assignment.DeepClone(), ["result"] = new JsonObject { ["durationInMs"] = 5 } }.ToJsonString());
        Assert.Equal(HttpStatusCode.OK, released.Status);
        var stats = (await _http.GetFromJsonAsync<JsonObject>("/api/stats"))!;
        Assert.Equal(1, (int)stats["requests"]!["cold"]!);
        Assert.Equal(1, (int)stats["slots"]!["idle"]!);
        Assert.Equal("f", (string)stats["functions"]![0]!["key"]!);
        Assert.Equal("ok", await _http.GetStringAsync("/healthz"));
    }

    [Fact]
    public async Task Two_gateways_that_disagree_on_a_functions_memory_are_both_served_warm()
    {
        for (var i = 0; i < 10; i++)
        {
            var assigned = await PostAsync(
                "/api/assign", $$$"""{"requestId": "r{{{i}}}", "metaData": {"key": "f", "runtime": "go", "timeoutInSecs": 60, "memoryInMb": {{{128 << (i % 2)}}}}}""");
            await PostAsync("/api/release", new JsonObject { ["assigment"] = assigned.Body["assigment"]!.DeepClone() }.ToJsonString());
        }

        var stats = (await _http.GetFromJsonAsync<JsonObject>("/api/stats"))!;
        Assert.Equal((2, 8), ((int)stats["requests"]!["cold"]!, (int)stats["requests"]!["warm"]!));
        Assert.Equal([(128, 1), (256, 1)], stats["functions"]!.AsArray().Select(f => ((int)f!["memoryMb"]!, (int)f["idle"]!)).Order());
    }

    [Fact]
    public async Task Disposing_of_the_scaler_twice_is_harmless()
    {
        await _scaler.DisposeAsync();
        await _scaler.DisposeAsync();
    }

    [Theory]
    [InlineData("/api/assign", "{", HttpStatusCode.BadRequest, "not a AssignRequest")]
    [InlineData("/api/assign", "{}", HttpStatusCode.BadRequest, "request_id is empty")]
    [InlineData("/api/assign", """{"requestId": "r", "metaData": {"key": "f"}}""", HttpStatusCode.BadRequest, "memory_in_mb is 0")]
    [InlineData("/api/release", """{"assigment": {"requestId": "r", "metaKey": "f", "instanceId": "i"}}""", HttpStatusCode.NotFound, "holds no instance")]
    public async Task Json_errors_say_what_is_wrong(string path, string body, HttpStatusCode status, string message)
    {
        var answer = await PostAsync(path, body);

        Assert.Equal(status, answer.Status);
        Assert.Contains(message, (string)answer.Body["error"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Json_explains_a_function_or_says_why_not()
    {
        await DisposeScalerAsync();
        await StartScalerAsync(keep: false, "adaptive:price=2");
        await IdleAsync((await AssignAsync("r1", key: "team/f")).Assigment);

        var explained = (await _http.GetFromJsonAsync<JsonObject>("/api/explain/team/f"))!;
        Assert.Equal("team/f", (string)explained["function"]!);
        Assert.Equal(1, (int)explained["arrivals"]!);
        Assert.Equal(2, (double)explained["price"]!["given"]!);
        Assert.Equal(["create", "keep"], explained["decisions"]!.AsArray().Select(d => (string)d!["what"]!));
        await AssertNotFoundAsync("/api/explain/nosuch", "No request has asked for a function 'nosuch' yet");

        await DisposeScalerAsync();
        await StartScalerAsync(keep: false);
        await AssignAsync("r2", key: "f");
        await AssertNotFoundAsync("/api/explain/f", "The policy 'ttl:300' does not explain its decisions. These do: adaptive.");

        async Task AssertNotFoundAsync(string path, string message)
        {
            using var answer = await _http.GetAsync(new Uri(path, UriKind.Relative));
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
            var body = (await answer.Content.ReadFromJsonAsync<JsonObject>())!;
            Assert.Contains(message, (string)body["error"]!, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_release_that_matches_nothing_is_not_found_and_changes_nothing()
    {
        var reply = await AssignAsync("r1");
        var wrong = reply.Assigment.Clone();
        wrong.InstanceId = "another";

        Assert.Equal(StatusCode.InvalidArgument, (await Assert.ThrowsAsync<RpcException>(() => IdleAsync(wrong))).StatusCode);
        await IdleAsync(reply.Assigment);
        Assert.Equal(StatusCode.NotFound, (await Assert.ThrowsAsync<RpcException>(() => IdleAsync(reply.Assigment))).StatusCode);
        Assert.Equal(1, _scaler.Runtime.GetStats().Slots.Idle);
    }

    [Fact]
    public async Task Requests_to_a_dead_platform_are_answered_within_their_deadline_with_the_reason()
    {
        // On a clock of the test's own: how long this machine takes to refuse a connection is not what is asked.
        var time = new ManualTimeProvider();
        await DisposeScalerAsync();
        await StartScalerAsync(keep: false, time: time);
        await _platform.KillAsync();
        var errors = Enumerable.Range(0, 20)
            .Select(i => Assert.ThrowsAsync<RpcException>(() => AssignAsync($"r{i}", timeout: TimeSpan.FromSeconds(30))))
            .ToArray();
        await Eventually.HoldsAsync(() => _scaler.Runtime.GetStats() is { Requests.Waiting: 20, Slots.BackendFailures: > 0 });

        time.Advance(TimeSpan.FromSeconds(29.95));

        // Our answer, not the client's own time-out: it carries the backend's words.
        Assert.All(await Task.WhenAll(errors), error =>
        {
            Assert.Equal(StatusCode.DeadlineExceeded, error.StatusCode);
            Assert.Contains("the backend said: CreateSlot failed: Unavailable", error.Status.Detail, StringComparison.Ordinal);
        });
        Assert.Equal(0, _scaler.Runtime.GetStats().Requests.Waiting);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_platform_that_dies_and_returns_is_served_again_and_nothing_leaks(bool slotsSurvive)
    {
        var held = await AssignAsync("held");
        await IdleAsync((await AssignAsync("other")).Assigment);
        _platform.CreateGate = new TaskCompletionSource();
        var waiting = AssignAsync("waiting", memoryMb: 256, key: "g");
        await _platform.KillAsync();
        if (!slotsSurvive)
        {
            _platform.Slots.Clear();
        }

        _platform.CreateGate = MiniPlatform.Open();
        await _platform.StartAsync();

        var reply = await waiting;
        Assert.Contains(reply.Assigment.InstanceId, _platform.Slots.Values);
        await IdleAsync(reply.Assigment);
        await IdleAsync(held.Assigment);

        // An instance that the platform has forgotten serves nobody any more, once the two have compared notes.
        await _scaler.Runtime.ReconcileAsync(CancellationToken.None);
        var next = await AssignAsync("next");
        Assert.Contains(next.Assigment.InstanceId, _platform.Slots.Values);
        await IdleAsync(next.Assigment);
        await _scaler.StopAsync(CancellationToken.None);
        Assert.Empty(_platform.Slots);
    }

    [Fact]
    public async Task Its_health_says_when_requests_are_welcome()
    {
        var health = new Health.HealthClient(_grpc);
        var service = new HealthCheckRequest { Service = "serverless.simulator.Scaler" };
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, (await health.CheckAsync(service)).Status);
        using var watch = health.Watch(service);
        Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None));

        _scaler.SetServing(true);
        Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, watch.ResponseStream.Current.Status);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, (await health.CheckAsync(new HealthCheckRequest())).Status);

        // While it stops, with an instance still in use, it is there to say so.
        var held = await AssignAsync("r1");
        var stop = _scaler.StopAsync(CancellationToken.None);
        Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, watch.ResponseStream.Current.Status);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, (await health.CheckAsync(service)).Status);
        await IdleAsync(held.Assigment);
        await stop;
    }

    [Fact]
    public async Task A_caller_that_goes_away_or_whose_time_is_up_waits_no_longer()
    {
        _platform.CreateGate = new TaskCompletionSource();
        var late = Assert.ThrowsAsync<RpcException>(() => AssignAsync("late", timeout: TimeSpan.FromSeconds(1)));
        using var leaving = new CancellationTokenSource();
        var meta = new Meta { Key = "f", Runtime = "go", TimeoutInSecs = 60, MemoryInMb = 128 };
        var gone = Assert.ThrowsAsync<RpcException>(
            () => _client.AssignAsync(new AssignRequest { RequestId = "gone", MetaData = meta }, cancellationToken: leaving.Token).ResponseAsync);
        await Eventually.HoldsAsync(() => _scaler.Runtime.GetStats().Requests.Assigns == 2);

        await leaving.CancelAsync();

        Assert.Equal(StatusCode.Cancelled, (await gone).StatusCode);
        Assert.Equal(StatusCode.DeadlineExceeded, (await late).StatusCode);
        await Eventually.HoldsAsync(() => _scaler.Runtime.GetStats().Requests.Waiting == 0);
        _platform.CreateGate.SetResult();
    }

    [Fact]
    public async Task A_stop_gives_every_instance_back()
    {
        var first = await AssignAsync("r1");
        var second = await AssignAsync("r2");
        await IdleAsync(first.Assigment);

        var stop = _scaler.StopAsync(CancellationToken.None);
        Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(() => AssignAsync("r3"))).StatusCode);
        Assert.False(stop.IsCompleted);
        await IdleAsync(second.Assigment);
        await stop;

        Assert.Empty(_platform.Slots);
    }

    [Fact]
    public async Task A_stop_that_keeps_leaves_instances_alone()
    {
        await DisposeScalerAsync();
        await StartScalerAsync(keep: true);
        await IdleAsync((await AssignAsync("r1")).Assigment);

        await _scaler.StopAsync(CancellationToken.None);

        Assert.Single(_platform.Slots);
    }

    private async Task StartScalerAsync(bool keep, string policy = "ttl:300", TimeProvider? time = null, SlotPoolOptions? pool = null)
    {
        _scaler = new ScalerServer(
            new SimulatorBackend(PlatformChannel.Open(_platform.Address), new SimulatorBackendOptions(), TimeProvider.System),
            new ScalerServerOptions
            {
                GrpcPort = 0,
                HttpPort = 0,
                Policy = PolicyCatalog.Parse(policy),
                Runtime = new() { Pool = pool ?? new SlotPoolOptions() },
                KeepInstances = keep,
                LogLevel = LogLevel.None,
            },
            time ?? TimeProvider.System);
        await _scaler.StartAsync(CancellationToken.None);
        _grpc = GrpcChannel.ForAddress($"http://127.0.0.1:{_scaler.GrpcPort}");
        _client = new Scaler.ScalerClient(_grpc);
        _http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{_scaler.HttpPort}") };
    }

    private async Task DisposeScalerAsync()
    {
        _grpc.Dispose();
        _http.Dispose();

        // Tests leave requests open; nobody releases them any more.
        await _scaler.StopAsync(new CancellationToken(canceled: true));
        await _scaler.DisposeAsync();
    }

    private Task<AssignReply> AssignAsync(string request, int memoryMb = 128, string key = "f", TimeSpan? timeout = null) => _client.AssignAsync(
        new AssignRequest { RequestId = request, MetaData = new Meta { Key = key, Runtime = "go", TimeoutInSecs = 60, MemoryInMb = (ulong)memoryMb } },
        deadline: DateTime.UtcNow + (timeout ?? TimeSpan.FromSeconds(60))).ResponseAsync;

    private Task<IdleReply> IdleAsync(Assignment assignment) => _client.IdleAsync(
        new IdleRequest { Assigment = assignment, Result = new Result { StatusCode = 200, DurationInMs = 5 } },
        deadline: DateTime.UtcNow + TimeSpan.FromSeconds(60)).ResponseAsync;

    private async Task<(HttpStatusCode Status, JsonObject Body)> PostAsync(string path, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await _http.PostAsync(new Uri(path, UriKind.Relative), content);
        return (response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsObject());
    }
}
