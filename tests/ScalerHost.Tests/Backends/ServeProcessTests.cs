using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FuncScaler.Contract;
using Grpc.Net.Client;

namespace FuncScaler.Tests.Backends;

/// <summary><c>funcscaler serve --backend process</c>, as a new user runs it: one for all tests, each with a function of its own.</summary>
public sealed class ServeProcessTests(ServeProcess serve) : IClassFixture<ServeProcess>
{
    [Fact]
    public async Task The_answer_to_assign_says_where_the_instance_is_and_how_it_was_started()
    {
        var cold = await serve.AssignAsync("answer", "r1");
        Assert.Equal("cold", cold["start"]!.GetValue<string>());
        var said = await serve.Http.GetStringAsync(cold["address"]!.GetValue<string>());

        await serve.Http.PostAsJsonAsync("/api/release", new { assigment = cold["assigment"], result = new { durationInMs = 1 } });
        var warm = await serve.AssignAsync("answer", "r2");

        Assert.Equal("warm", warm["start"]!.GetValue<string>());
        Assert.Equal(said, await serve.Http.GetStringAsync(warm["address"]!.GetValue<string>()));
    }

    [Fact]
    public async Task Over_grpc_the_address_is_metadata_beside_the_contracts_reply()
    {
        var request = new AssignRequest { RequestId = "r1", MetaData = new Meta { Key = "grpc", Runtime = "node", TimeoutInSecs = 30, MemoryInMb = 256 } };
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{serve.GrpcPort}");

        using var call = new Scaler.ScalerClient(channel).AssignAsync(request);
        var reply = await call;

        var metadata = await call.ResponseHeadersAsync;
        Assert.Equal("cold", metadata.GetValue("x-instance-start"));
        Assert.StartsWith("pid ", await serve.Http.GetStringAsync(metadata.GetValue("x-instance-address")), StringComparison.Ordinal);
        Assert.Equal("r1", reply.Assigment.RequestId);
    }

    [Fact]
    public async Task A_function_that_ends_at_start_is_said_to_fail_in_its_own_words()
    {
        var waited = await serve.AnswerAsync("broken", "r1");
        var atOnce = await serve.AnswerAsync("broken", "r2");
        var stats = await serve.StatsAsync("broken");

        Assert.All([waited["error"]!, atOnce["error"]!, stats["failing"]!], said =>
        {
            Assert.Contains("instances failed to start", said.GetValue<string>(), StringComparison.Ordinal);
            Assert.Contains("exit code 3", said.GetValue<string>(), StringComparison.Ordinal);
            Assert.Contains("no such module", said.GetValue<string>(), StringComparison.Ordinal);
        });
        Assert.Equal("Unavailable", waited["status"]!.GetValue<string>());
    }

    /// <summary>Each end in long runs; else the one that leaves the scaler no time.</summary>
    public static TheoryData<bool> Kills => TestLength.IsLong ? new() { false, true } : new() { true };

    [Theory]
    [MemberData(nameof(Kills))]
    public async Task No_instance_survives_the_scaler_however_it_ends(bool kill)
    {
        await using var own = new ServeProcess();
        await own.InitializeAsync();
        var addresses = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            var assigned = await own.AssignAsync("f", $"r{i}");
            addresses.Add(assigned["address"]!.GetValue<string>());
            await own.Http.GetStringAsync(addresses[^1]);
            if (!kill)
            {
                await own.Http.PostAsJsonAsync("/api/release", new { assigment = assigned["assigment"], result = new { durationInMs = 1 } });
            }
        }

        if (kill)
        {
            own.Process.Kill();
        }
        else
        {
            own.Process.Terminate();
        }

        await own.Process.WaitAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        foreach (var address in addresses)
        {
            while (await AnswersAsync(address))
            {
                await Task.Delay(5, limit.Token);
            }
        }
    }

    [Fact]
    public async Task Requests_share_a_process_as_far_as_their_callers_say()
    {
        var assigned = await Task.WhenAll(Enumerable.Range(0, 3).Select(i => serve.AssignAsync("shared", $"r{i}", concurrency: 3)));
        var said = await Task.WhenAll(assigned.Select(a => serve.Http.GetStringAsync(a["address"]!.GetValue<string>())));
        Assert.Single(said.Distinct());

        // A fourth needs another process; and one that says nothing of it shares with nobody.
        var other = await serve.AssignAsync("shared", "r4", concurrency: 3);
        Assert.NotEqual(said[0], await serve.Http.GetStringAsync(other["address"]!.GetValue<string>()));
        var alone = await serve.AssignAsync("shared", "r5");
        var stats = await serve.StatsAsync("shared");

        Assert.Equal((3, 5, 1), (stats["busy"]!.GetValue<int>(), stats["executing"]!.GetValue<int>(), stats["requestsPerInstance"]!.GetValue<int>()));
        Assert.NotEqual(other["assigment"]!["instanceId"]!.GetValue<string>(), alone["assigment"]!["instanceId"]!.GetValue<string>());

        // The first release of several leaves the process to the others.
        await serve.Http.PostAsJsonAsync("/api/release", new { assigment = assigned[0]["assigment"], result = new { durationInMs = 1 } });
        Assert.Equal(said[1], await serve.Http.GetStringAsync(assigned[1]["address"]!.GetValue<string>()));
    }

    [Fact]
    public async Task A_number_of_requests_that_is_none_is_named()
    {
        var answer = await serve.AnswerAsync("many", "r1", "many");

        Assert.Contains("x-max-concurrency is no whole number from 1 to 1000", answer["error"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_instance_that_dies_unused_is_replaced()
    {
        var first = await serve.AssignAsync("dies", "r1");
        var pid = int.Parse((await serve.Http.GetStringAsync(first["address"]!.GetValue<string>()))[4..], CultureInfo.InvariantCulture);
        await serve.Http.PostAsJsonAsync("/api/release", new { assigment = first["assigment"], result = new { durationInMs = 1 } });

        System.Diagnostics.Process.GetProcessById(pid).Kill();
        await Eventually.HoldsAsync(async () => await serve.SlotsAsync("dies") == 0);

        Assert.Equal("cold", (await serve.AssignAsync("dies", "r2"))["start"]!.GetValue<string>());
    }

    [Fact]
    public async Task An_instance_that_a_gateway_reports_as_broken_is_replaced()
    {
        var first = await serve.AssignAsync("replaced", "r1");

        await serve.Http.PostAsJsonAsync(
            "/api/release", new { assigment = first["assigment"], result = new { durationInMs = 1, needDestroy = true, reason = "Connection refused" } });
        var second = await serve.AssignAsync("replaced", "r2");

        Assert.Equal("cold", second["start"]!.GetValue<string>());
        Assert.NotEqual(first["address"]!.GetValue<string>(), second["address"]!.GetValue<string>());
        await Eventually.HoldsAsync(async () => await serve.SlotsAsync("replaced") == 1);
    }

    private static async Task<bool> AnswersAsync(string address)
    {
        try
        {
            using var http = new HttpClient();
            await http.GetStringAsync(address);
            return true;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}

/// <summary>The program with processes of Node; a function of any name is one, but for the one that ends at once.</summary>
public sealed partial class ServeProcess : IAsyncLifetime, IAsyncDisposable
{
    private const string Server =
        "require('node:http').createServer((q, s) => s.end('pid ' + process.pid)).listen(process.env.PORT, '127.0.0.1')";

    private readonly TemporaryFolder _folder = new();

    internal FuncScalerProcess Process { get; private set; } = null!;

    public HttpClient Http { get; private set; } = null!;

    public int GrpcPort { get; private set; }

    public async Task InitializeAsync()
    {
        var functions = _folder.File("functions.json", $$"""{ "runtimes": { "node": { "command": ["node", "-e", "{{Server}}"] } }, "functions": { "broken": { "command": ["sh", "-c", "echo no such module >&2; exit 3"] } } }""");
        Process = FuncScalerProcess.Start(
            "serve", "--backend", "process", "--functions", functions, "--grpc-port", "0", "--http-port", "0", "--policy", "ttl:300", "--max-delay", "0");
        var line = await Process.ReadLineAsync();
        Assert.True(line is not null, line is null ? (await Process.WaitAsync()).Errors : "");
        var ports = Ports().Match(line!);
        GrpcPort = int.Parse(ports.Groups[1].Value, CultureInfo.InvariantCulture);
        Http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{ports.Groups[2].Value}") };
    }

    public async ValueTask DisposeAsync()
    {
        Http?.Dispose();
        await Process.DisposeAsync();
        _folder.Dispose();
    }

    async Task IAsyncLifetime.DisposeAsync() => await DisposeAsync();

    public async Task<JsonNode> AssignAsync(string function, string request, int concurrency = 1)
    {
        var reply = await AnswerAsync(function, request, concurrency == 1 ? "" : $"{concurrency}");
        Assert.True(reply["assigment"] is not null, reply.ToJsonString());
        return reply;
    }

    public async Task<JsonNode> AnswerAsync(string function, string request, string concurrency = "")
    {
        using var assign = new HttpRequestMessage(HttpMethod.Post, "/api/assign")
        {
            Content = JsonContent.Create(new { requestId = request, metaData = new { key = function, runtime = "node", timeoutInSecs = 30, memoryInMb = 256 } }),
        };
        if (concurrency.Length > 0)
        {
            assign.Headers.Add("x-max-concurrency", concurrency);
        }

        using var response = await Http.SendAsync(assign);
        return (await response.Content.ReadFromJsonAsync<JsonNode>())!;
    }

    /// <summary>What GET /api/stats says of a function.</summary>
    public async Task<JsonNode> StatsAsync(string function) =>
        (await Http.GetFromJsonAsync<JsonObject>("/api/stats"))!["functions"]!.AsArray().Single(f => (string)f!["key"]! == function)!;

    /// <summary>How many slots of a function there are.</summary>
    public async Task<int> SlotsAsync(string function) =>
        (await Http.GetFromJsonAsync<JsonArray>("/api/slots"))!.Count(s => (string)s!["function"]! == function);

    [GeneratedRegex(@"gRPC on 127\.0\.0\.1:(\d+), HTTP on 127\.0\.0\.1:(\d+)")]
    private static partial Regex Ports();
}
