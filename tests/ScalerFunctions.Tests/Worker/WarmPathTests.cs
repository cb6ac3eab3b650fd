using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Service;
using FuncScaler.ScalerFunctions.Durable;
using FuncScaler.ScalerFunctions.Hosting;
using FuncScaler.ScalerFunctions.Http;
using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Fake;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace FuncScaler.Tests;

/// <summary>The whole worker as the app composes it, its entity behind a durable client that counts.</summary>
public sealed class WarmPathTests : IAsyncLifetime
{
    private readonly EntityDriver _entity = new();
    private readonly FakeDurableClient _client;
    private readonly ServiceProvider _services;
    private readonly ScalerHttpFunctions _functions;

    public WarmPathTests()
    {
        _client = new FakeDurableClient(_entity);
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(
            new Dictionary<string, string?> { ["Scaler:Policy"] = "ttl:300", ["Scaler:OperatorKeySha256"] = Convert.ToHexString(SHA256.HashData("operator"u8)) }).Build());
        services.AddLogging();
        services.AddSingleton<TimeProvider>(_entity.Time);
        services.AddSingleton<ISlotBackend>(new FakeBackend(_entity.Time));
        services.AddScalerApp();
        _services = services.BuildServiceProvider();
        _functions = ActivatorUtilities.CreateInstance<ScalerHttpFunctions>(_services);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => _services.DisposeAsync().AsTask();

    [Fact]
    public async Task A_warm_assign_and_its_release_make_no_durable_call()
    {
        var cold = await WhileTimePassesAsync(AssignAsync("r0"));
        await ReleaseAsync(cold);
        await PassAsync(TimeSpan.FromSeconds(3));
        var calls = _client.Calls;
        Assert.True(calls > 0);

        for (var i = 1; i <= 1000; i++)
        {
            var pending = AssignAsync($"r{i}");
            Assert.True(pending.IsCompleted, "a warm assign waits for nothing");
            await ReleaseAsync(await pending);
        }

        Assert.Equal(calls, _client.Calls);
        Assert.Equal(1000, _services.GetRequiredService<IScaler>().GetStats().Requests.Warm);

        // And what happened is in the ledger a little later, in few calls.
        await PassAsync(TimeSpan.FromSeconds(12));
        Assert.InRange(_client.Calls - calls, 1, 12);
        Assert.Equal(LedgerSlotState.Leased, Assert.Single(_entity.State.Slots.Values).State);
    }

    [Fact]
    public async Task Two_gateways_that_disagree_on_a_functions_memory_are_both_served_warm()
    {
        for (var i = 0; i < 40; i++)
        {
            await ReleaseAsync(await WhileTimePassesAsync(AssignAsync($"r{i}", 128 << (i % 2))));
            await PassAsync(TimeSpan.FromMilliseconds(500));
        }

        var stats = _services.GetRequiredService<IScaler>().GetStats();
        Assert.Equal((2, 38), (stats.Requests.Cold, stats.Requests.Warm));
        Assert.Equal([128, 256], _entity.State.Slots.Values.Select(s => s.MemoryMb).Order());
    }

    [Fact]
    public async Task A_pool_can_be_looked_at_and_told_to_keep_instances()
    {
        var pools = ActivatorUtilities.CreateInstance<PoolFunctions>(_services);
        Assert.Equal(404, Status(await pools.GetAsync(Request("f", ""), _client)));

        var answer = await pools.SetProvisionedAsync(
            Request("f", """{"count":2,"metaData":{"runtime":"go","timeoutInSecs":60,"memoryInMb":128}}"""), _client);

        Assert.Equal(202, Status(answer));
        var pool = JsonNode.Parse(((ContentResult)await pools.GetAsync(Request("f", ""), _client)).Content!)!;
        Assert.Equal((2, 2), ((int)pool["provisioned"]!, (int)pool["counts"]!["Creating"]!));
        Assert.Equal(2, _entity.Started.Count(s => s.Name == "ProvisionSlot"));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("another")]
    public async Task Who_is_no_operator_has_nothing_provisioned(string? key)
    {
        var pools = ActivatorUtilities.CreateInstance<PoolFunctions>(_services);
        var request = Request("f", """{"count":1,"metaData":{"memoryInMb":128}}""");
        request.Headers["x-operator-key"] = key;

        var answer = (ContentResult)await pools.SetProvisionedAsync(request, _client);

        Assert.Equal(403, answer.StatusCode);
        Assert.Contains("send the operator", answer.Content, StringComparison.Ordinal);
        Assert.Null(_entity.Json);
    }

    [Fact]
    public async Task Where_no_operator_is_named_nobody_has_anything_provisioned()
    {
        var pools = ActivatorUtilities.CreateInstance<PoolFunctions>(_services, Options.Create(new ScalerAppOptions()));

        var answer = (ContentResult)await pools.SetProvisionedAsync(Request("f", """{"count":1,"metaData":{"memoryInMb":128}}"""), _client);

        Assert.Equal(403, answer.StatusCode);
        Assert.Contains("set Scaler:OperatorKeySha256", answer.Content, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nonsense", "the body is no")]
    [InlineData("{}", "count is missing")]
    [InlineData("""{"count":-1}""", "count is -1")]
    [InlineData("""{"count":101}""", "give 0 to 100")]
    [InlineData("""{"count":1}""", "send metaData")]
    [InlineData("""{"count":1,"metaData":{"memoryInMb":0}}""", "meta_data.memory_in_mb is 0")]
    [InlineData("""{"count":1,"metaData":{"memoryInMb":-1}}""", "memoryInMb")]
    [InlineData("""{"count":1,"metaData":{"memoryInMb":1,"runtime":"a\u0007"}}""", "control character (U+0007)")]
    public async Task A_wrong_wish_is_answered_with_what_is_wrong(string body, string error)
    {
        var pools = ActivatorUtilities.CreateInstance<PoolFunctions>(_services);

        var answer = (ContentResult)await pools.SetProvisionedAsync(Request("f", body), _client);

        Assert.Equal(400, answer.StatusCode);
        Assert.Contains(error, (string?)JsonNode.Parse(answer.Content!)!["error"], StringComparison.Ordinal);
        Assert.Null(_entity.Json);
    }

    [Fact]
    public async Task A_wish_that_is_too_long_or_for_an_unfit_key_is_refused()
    {
        var pools = ActivatorUtilities.CreateInstance<PoolFunctions>(_services);
        const string Wish = """{"count":1,"metaData":{"memoryInMb":1}}""";

        Assert.Equal(413, Status(await pools.SetProvisionedAsync(Request("f", Wish + new string(' ', ScalerJsonApi.LargestBody)), _client)));
        Assert.Equal(400, Status(await pools.SetProvisionedAsync(Request(new string('f', 5000), Wish), _client)));
        Assert.Null(_entity.Json);
    }

    [Fact]
    public async Task The_sweep_reads_every_ledger_and_tells_those_that_have_something_to_learn()
    {
        await ReleaseAsync(await WhileTimePassesAsync(AssignAsync("r0")));
        await PassAsync(TimeSpan.FromSeconds(3));
        var backend = (FakeBackend)_services.GetRequiredService<ISlotBackend>();
        var stranger = backend.Plant();
        var sweep = ActivatorUtilities.CreateInstance<SweepActivities>(_services);

        var found = await sweep.LookAsync("sweep-1", _client, CancellationToken.None);

        // All is as the ledger says, so it has nothing to learn; nor is the stranger anybody's who lives, as tickets name their workers.
        Assert.Empty(found.Pools);
        backend.Lose(backend.Existing.First(id => id != stranger));
        _entity.Time.Advance(TimeSpan.FromSeconds(10));

        found = await sweep.LookAsync("sweep-2", _client, CancellationToken.None);

        var pool = Assert.Single(found.Pools);
        Assert.Equal("f", pool.Key);
        Assert.Empty(pool.Value.Listed!);
    }

    private static int? Status(IActionResult answer) => ((ContentResult)answer).StatusCode;

    private static HttpRequest Request(string key, string body)
    {
        var request = new DefaultHttpContext().Request;
        request.ContentType = "application/json";
        request.Body = new MemoryStream(Encoding.UTF8.GetBytes(body));
        request.RouteValues["metaKey"] = key;
        request.Headers["x-operator-key"] = "operator";
        return request;
    }

    private async Task<JsonNode> AssignAsync(string request, int memoryMb = 128)
    {
        var answer = (ContentResult)await _functions.AssignAsync(
            Request("", $$$"""{"requestId":"{{{request}}}","metaData":{"key":"f","runtime":"go","timeoutInSecs":60,"memoryInMb":{{{memoryMb}}}}}"""), _client);
        Assert.Equal(200, answer.StatusCode);
        return JsonNode.Parse(answer.Content!)!["assigment"]!;
    }

    private async Task ReleaseAsync(JsonNode assignment)
    {
        var answer = await _functions.ReleaseAsync(Request("", $$"""{"assigment":{{assignment.ToJsonString()}} }"""), _client);
        Assert.Equal(200, Status(answer));
    }

    private async Task PassAsync(TimeSpan time)
    {
        for (var passed = TimeSpan.Zero; passed < time; passed += TimeSpan.FromMilliseconds(50))
        {
            _entity.Time.Advance(TimeSpan.FromMilliseconds(50));
            await Task.Delay(1);
        }
    }

    private async Task<T> WhileTimePassesAsync<T>(Task<T> task)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!task.IsCompleted)
        {
            limit.Token.ThrowIfCancellationRequested();
            await PassAsync(TimeSpan.FromMilliseconds(50));
        }

        return await task;
    }
}
