using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using FuncScaler.FunctionsHost;
using FuncScaler.FunctionsHost.Storage;
using FuncScaler.Tests.FakeArm;
using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Net.Client.Web;

namespace FuncScaler.Tests.Host;

/// <summary>A worker process behind a host that asks for keys, on container instances of a Resource Manager of our own.</summary>
[Collection(StorageDefinition.Name)]
public sealed class EndpointTests(StorageFixture storage, EndpointTests.Running running) : IClassFixture<EndpointTests.Running>, IAsyncLifetime
{
    private const string Key = "a-key";

    private static readonly JsonObject Meta = new() { ["key"] = "f", ["runtime"] = "python", ["timeoutInSecs"] = 5, ["memoryInMb"] = 512 };

    private string? _pool;

    private HttpClient Http => running.Http!;

    public async Task InitializeAsync() => await running.StartAsync(storage);

    public Task DisposeAsync() => Task.CompletedTask;

    [HostFact]
    public void The_worker_lists_what_was_published_and_takes_requests_at_an_address_of_its_own()
    {
        var worker = running.Host!.Workers.Ready.Single();
        Assert.NotNull(worker.HttpUri);
        var published = JsonNode.Parse(File.ReadAllText(Path.Combine(App.Folder, "functions.metadata")))!.AsArray();
        var listed = worker.Functions.Values.ToDictionary(f => f.Name);
        Assert.Equal(published.Select(f => (string)f!["name"]!).Order(), listed.Keys.Order());
        foreach (var function in published)
        {
            var bindings = listed[(string)function!["name"]!].RawBindings.Select(b => JsonNode.Parse(b)!).ToList();
            Assert.Equal(function["bindings"]!.AsArray().Select(Binding), bindings.Select(Binding));
        }

        static string Binding(JsonNode? binding) =>
            $"{binding!["name"]} {binding["type"]} {binding["route"]} {binding["authLevel"]} {binding["schedule"]}".ToLowerInvariant();
    }

    [HostTheory]
    [InlineData("POST", "api/assign")]
    [InlineData("POST", "api/release")]
    [InlineData("POST", "serverless.simulator.Scaler/Assign")]
    [InlineData("POST", "serverless.simulator.Scaler/Idle")]
    [InlineData("GET", "api/stats")]
    [InlineData("GET", "dashboard")]
    [InlineData("GET", "api/dashboard")]
    [InlineData("GET", "api/dashboard/functions")]
    [InlineData("GET", "api/dashboard/explain")]
    [InlineData("GET", "api/pools/f")]
    [InlineData("POST", "api/pools/f/provisioned")]
    public async Task Without_the_key_nobody_gets_in(string method, string path)
    {
        using var none = await Http.SendAsync(new HttpRequestMessage(new HttpMethod(method), path) { Content = new StringContent("{}") });
        Assert.Equal(HttpStatusCode.Unauthorized, none.StatusCode);
        using var wrong = new HttpRequestMessage(new HttpMethod(method), path) { Content = new StringContent("{}"), Headers = { { "x-functions-key", "another" } } };
        using var refused = await Http.SendAsync(wrong);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
    }

    [HostFact]
    public async Task Whether_the_worker_is_ready_may_be_asked_by_anybody()
    {
        await App.UntilReadyAsync(Http);
        Assert.Equal("ok", await Http.GetStringAsync("api/ready"));
    }

    [HostFact]
    public async Task An_instance_is_assigned_released_and_given_again_in_json()
    {
        var first = await SendAsync(HttpMethod.Post, "api/assign", new JsonObject { ["requestId"] = "json-1", ["metaData"] = Meta.DeepClone() });
        Assert.Equal(HttpStatusCode.OK, first.Status);
        var release = new JsonObject
        {
            ["assigment"] = first.Body!["assigment"]!.DeepClone(),
            ["result"] = new JsonObject { ["statusCode"] = 200, ["durationInMs"] = 3 },
        };
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(HttpMethod.Post, "api/release", release)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync(HttpMethod.Post, "api/release", release.DeepClone())).Status);

        var again = await SendAsync(HttpMethod.Post, "api/assign", new JsonObject { ["requestId"] = "json-2", ["metaData"] = Meta.DeepClone() });
        Assert.Equal((string?)first.Body["assigment"]!["instanceId"], (string?)again.Body!["assigment"]!["instanceId"]);
        await SendAsync(HttpMethod.Post, "api/release", new JsonObject { ["assigment"] = again.Body["assigment"]!.DeepClone() });
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(HttpMethod.Get, "api/stats")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await SendAsync(HttpMethod.Post, "api/assign", new JsonObject())).Status);
    }

    [HostFact]
    public async Task A_gRPC_Web_client_is_served_on_the_contracts_own_paths_and_needs_the_key()
    {
        using var channel = GrpcChannel.ForAddress(running.Host!.Url, new GrpcChannelOptions
        {
            // What a Functions front end speaks for certain.
            HttpVersion = HttpVersion.Version11,
            HttpHandler = new GrpcWebHandler(GrpcWebMode.GrpcWeb, new HttpClientHandler()),
        });
        var calls = new ScalerCalls(channel.CreateCallInvoker(), Key);
        var assigned = await calls.AssignAsync("web-1", "web");
        Assert.Equal(Contract.Status.Ok, assigned.Status);
        Assert.Equal(Contract.Status.Ok, (await calls.IdleAsync(assigned.Assigment)).Status);
        var twice = await Assert.ThrowsAsync<RpcException>(() => calls.IdleAsync(assigned.Assigment));
        Assert.Equal(StatusCode.NotFound, twice.StatusCode);

        var refused = await Assert.ThrowsAsync<RpcException>(() => new ScalerCalls(channel.CreateCallInvoker()).AssignAsync("web-2", "web"));
        Assert.Equal(StatusCode.Unauthenticated, refused.StatusCode);
    }

    [HostFact]
    public async Task The_dashboard_is_a_page_with_its_figures_behind_the_key()
    {
        using var page = await Http.GetAsync(new Uri($"dashboard?code={Key}", UriKind.Relative));
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        Assert.Equal("text/html", page.Content.Headers.ContentType!.MediaType);
        Assert.Contains("script-src 'sha256-", Assert.Single(page.Headers.GetValues("Content-Security-Policy")), StringComparison.Ordinal);

        var (status, snapshot) = await SendAsync(HttpMethod.Get, "api/dashboard");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("aci", (string)snapshot!["totals"]!["backend"]!);
    }

    [HostFact]
    public async Task A_wish_travels_through_entity_orchestration_and_activities_and_the_ledger_can_be_read()
    {
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync(HttpMethod.Get, "api/pools/wished")).Status);
        var meta = Meta.DeepClone();
        meta["key"] = "wished";
        var wish = new JsonObject { ["count"] = 2, ["metaData"] = meta };
        Assert.Equal(HttpStatusCode.Accepted, (await SendAsync(HttpMethod.Post, "api/pools/wished/provisioned", wish)).Status);
        await Waiting.UntilAsync("both instances are idle", App.Limit, async () => await IdleAsync("wished") == 2, () => $"{_pool}\n{running.Log}");

        // The first request is served from them: the platform has no third.
        var assigned = await SendAsync(HttpMethod.Post, "api/assign", new JsonObject { ["requestId"] = "wished-1", ["metaData"] = meta.DeepClone() });
        Assert.Equal(HttpStatusCode.OK, assigned.Status);
        await SendAsync(HttpMethod.Post, "api/release", new JsonObject { ["assigment"] = assigned.Body!["assigment"]!.DeepClone() });
    }

    [HostFact]
    public async Task The_sweep_destroys_what_no_ledger_knows()
    {
        running.Platform!.Plant("slots", "orphan-1", ("funcscaler-owner", "host-tests"), ("funcscaler-run", "app"), ("funcscaler-ticket", "1"));
        await Waiting.UntilAsync(
            "the orphan is gone",
            App.Limit,
            async () =>
            {
                await App.SweepAsync(running.Host!);
                return running.Platform.Groups.All(g => g.Name != "orphan-1");
            },
            running.Log.ToString);
    }

    [HostFact]
    public void Storage_operations_are_counted_by_kind()
    {
        var counts = running.Meter!.Counts;
        Assert.True(counts["Queue GetMessages"] > 0);
        Assert.True(counts["Queue PutMessage"] > 0);
        Assert.True(counts["Table Batch"] > 0);
        Assert.DoesNotContain(counts.Keys, kind => kind.EndsWith(" GET", StringComparison.Ordinal));
    }

    private async Task<int> IdleAsync(string function)
    {
        var pool = await SendAsync(HttpMethod.Get, $"api/pools/{function}");
        _pool = pool.Body?.ToJsonString();
        return pool.Status == HttpStatusCode.OK ? (int?)pool.Body!["counts"]?["Idle"] ?? 0 : 0;
    }

    private async Task<(HttpStatusCode Status, JsonNode? Body)> SendAsync(HttpMethod method, string path, JsonNode? body = null)
    {
        using var request = new HttpRequestMessage(method, path) { Headers = { { "x-functions-key", Key }, { "x-operator-key", App.OperatorKey } } };
        request.Content = body is null ? null : JsonContent.Create(body);
        using var answer = await Http.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        return (answer.StatusCode, text.StartsWith('{') ? JsonNode.Parse(text) : null);
    }

    /// <summary>One host for the class.</summary>
    public sealed class Running : IAsyncLifetime
    {
        private Task? _starting;

        internal HostLog Log { get; } = new();

        internal StandIn? Host { get; private set; }

        internal FakeArmServer? Platform { get; private set; }

        internal StorageMeter? Meter { get; private set; }

        internal HttpClient? Http { get; private set; }

        /// <summary>The first test starts it; when that fails, it has failed for all.</summary>
        internal Task StartAsync(StorageFixture storage) => _starting ??= StartOnceAsync(storage);

        private async Task StartOnceAsync(StorageFixture storage)
        {
            Platform = await App.StartPlatformAsync();
            Meter = await StorageMeter.StartAsync(storage.Azurite.Services, CancellationToken.None);
            Host = await App.StartAsync(new HostOptions
            {
                App = App.Folder,
                Storage = Meter.ConnectionString,
                Hub = StorageFixture.NewHub(),
                FunctionKey = Key,
                Settings = App.OnContainerInstances(Platform),
                Timers = false,
                Log = Log.Add,
            });
            Http = new HttpClient { BaseAddress = Host.Url, Timeout = App.Limit };
        }

        public Task InitializeAsync() => Task.CompletedTask;

        public async Task DisposeAsync()
        {
            if (Host is not null)
            {
                await Host.DisposeAsync();
            }

            if (Meter is not null)
            {
                await Meter.DisposeAsync();
            }

            if (Platform is not null)
            {
                await Platform.DisposeAsync();
            }

            Http?.Dispose();
        }
    }
}
