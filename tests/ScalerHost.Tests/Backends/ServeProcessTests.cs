using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FuncScaler.Contract;
using Grpc.Net.Client;

namespace FuncScaler.Tests.Backends;

/// <summary><c>funcscaler serve --backend process</c>, as a new user runs it.</summary>
public sealed partial class ServeProcessTests : IAsyncLifetime
{
    private const string Server =
        "require('node:http').createServer((q, s) => s.end('pid ' + process.pid)).listen(process.env.PORT, '127.0.0.1')";

    private readonly TemporaryFolder _folder = new();
    private FuncScalerProcess _scaler = null!;
    private HttpClient _http = null!;
    private int _grpcPort;

    public async Task InitializeAsync()
    {
        var functions = _folder.File("functions.json", $$"""{ "functions": { "f": { "command": ["node", "-e", "{{Server}}"] }, "broken": { "command": ["sh", "-c", "echo no such module >&2; exit 3"] } } }""");
        _scaler = FuncScalerProcess.Start(
            "serve", "--backend", "process", "--functions", functions, "--grpc-port", "0", "--http-port", "0", "--policy", "ttl:300", "--max-delay", "0");
        var line = await _scaler.ReadLineAsync();
        Assert.True(line is not null, line is null ? (await _scaler.WaitAsync()).Errors : "");
        var ports = Ports().Match(line!);
        _grpcPort = int.Parse(ports.Groups[1].Value, CultureInfo.InvariantCulture);
        _http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{ports.Groups[2].Value}") };
    }

    public async Task DisposeAsync()
    {
        _http?.Dispose();
        await _scaler.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task The_answer_to_assign_says_where_the_instance_is_and_how_it_was_started()
    {
        var cold = await AssignAsync("r1");
        Assert.Equal("cold", cold["start"]!.GetValue<string>());
        var said = await _http.GetStringAsync(cold["address"]!.GetValue<string>());

        await _http.PostAsJsonAsync("/api/release", new { assigment = cold["assigment"], result = new { durationInMs = 1 } });
        var warm = await AssignAsync("r2");

        Assert.Equal("warm", warm["start"]!.GetValue<string>());
        Assert.Equal(said, await _http.GetStringAsync(warm["address"]!.GetValue<string>()));
    }

    [Fact]
    public async Task Over_grpc_the_address_is_metadata_beside_the_contracts_reply()
    {
        var request = new AssignRequest { RequestId = "r1", MetaData = new Meta { Key = "f", Runtime = "node", TimeoutInSecs = 30, MemoryInMb = 256 } };
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{_grpcPort}");

        using var call = new Scaler.ScalerClient(channel).AssignAsync(request);
        var reply = await call;

        var metadata = await call.ResponseHeadersAsync;
        Assert.Equal("cold", metadata.GetValue("x-instance-start"));
        Assert.StartsWith("pid ", await _http.GetStringAsync(metadata.GetValue("x-instance-address")), StringComparison.Ordinal);
        Assert.Equal("r1", reply.Assigment.RequestId);
    }

    [Fact]
    public async Task A_function_that_ends_at_start_is_said_to_fail_in_its_own_words()
    {
        var waited = await AnswerAsync("r1", "broken");
        var atOnce = await AnswerAsync("r2", "broken");
        var stats = (await _http.GetFromJsonAsync<JsonObject>("/api/stats"))!;

        Assert.All([waited["error"]!, atOnce["error"]!, stats["functions"]![0]!["failing"]!], said =>
        {
            Assert.Contains("instances failed to start", said.GetValue<string>(), StringComparison.Ordinal);
            Assert.Contains("exit code 3", said.GetValue<string>(), StringComparison.Ordinal);
            Assert.Contains("no such module", said.GetValue<string>(), StringComparison.Ordinal);
        });
        Assert.Equal("Unavailable", waited["status"]!.GetValue<string>());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task No_instance_survives_the_scaler_however_it_ends(bool kill)
    {
        var addresses = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            var assigned = await AssignAsync($"r{i}");
            addresses.Add(assigned["address"]!.GetValue<string>());
            await _http.GetStringAsync(addresses[^1]);
            if (!kill)
            {
                await _http.PostAsJsonAsync("/api/release", new { assigment = assigned["assigment"], result = new { durationInMs = 1 } });
            }
        }

        if (kill)
        {
            _scaler.Kill();
        }
        else
        {
            _scaler.Terminate();
        }

        await _scaler.WaitAsync();
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
        var assigned = await Task.WhenAll(Enumerable.Range(0, 3).Select(i => AssignAsync($"r{i}", concurrency: 3)));
        var said = await Task.WhenAll(assigned.Select(a => _http.GetStringAsync(a["address"]!.GetValue<string>())));
        Assert.Single(said.Distinct());

        // A fourth needs another process; and one that says nothing of it shares with nobody.
        var other = await AssignAsync("r4", concurrency: 3);
        Assert.NotEqual(said[0], await _http.GetStringAsync(other["address"]!.GetValue<string>()));
        var alone = await AssignAsync("r5");
        var stats = (await _http.GetFromJsonAsync<JsonObject>("/api/stats"))!["functions"]![0]!;

        Assert.Equal((3, 5, 1), (stats["busy"]!.GetValue<int>(), stats["executing"]!.GetValue<int>(), stats["requestsPerInstance"]!.GetValue<int>()));
        Assert.NotEqual(other["assigment"]!["instanceId"]!.GetValue<string>(), alone["assigment"]!["instanceId"]!.GetValue<string>());

        // The first release of several leaves the process to the others.
        await _http.PostAsJsonAsync("/api/release", new { assigment = assigned[0]["assigment"], result = new { durationInMs = 1 } });
        Assert.Equal(said[1], await _http.GetStringAsync(assigned[1]["address"]!.GetValue<string>()));
    }

    [Fact]
    public async Task A_number_of_requests_that_is_none_is_named()
    {
        var answer = await AnswerAsync("r1", "f", "many");

        Assert.Contains("x-max-concurrency is no whole number from 1 to 1000", answer["error"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_instance_that_dies_unused_is_replaced()
    {
        var first = await AssignAsync("r1");
        var pid = int.Parse((await _http.GetStringAsync(first["address"]!.GetValue<string>()))[4..], CultureInfo.InvariantCulture);
        await _http.PostAsJsonAsync("/api/release", new { assigment = first["assigment"], result = new { durationInMs = 1 } });

        System.Diagnostics.Process.GetProcessById(pid).Kill();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while ((await _http.GetFromJsonAsync<JsonArray>("/api/slots", limit.Token))!.Count > 0)
        {
            await Task.Delay(50, limit.Token);
        }

        Assert.Equal("cold", (await AssignAsync("r2"))["start"]!.GetValue<string>());
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

    private async Task<JsonNode> AssignAsync(string request, int concurrency = 1)
    {
        var reply = await AnswerAsync(request, "f", concurrency == 1 ? "" : $"{concurrency}");
        Assert.True(reply["assigment"] is not null, reply.ToJsonString());
        return reply;
    }

    private async Task<JsonNode> AnswerAsync(string request, string key, string concurrency = "")
    {
        using var assign = new HttpRequestMessage(HttpMethod.Post, "/api/assign")
        {
            Content = JsonContent.Create(new { requestId = request, metaData = new { key, runtime = "node", timeoutInSecs = 30, memoryInMb = 256 } }),
        };
        if (concurrency.Length > 0)
        {
            assign.Headers.Add("x-max-concurrency", concurrency);
        }

        using var response = await _http.SendAsync(assign);
        return (await response.Content.ReadFromJsonAsync<JsonNode>())!;
    }

    [GeneratedRegex(@"gRPC on 127\.0\.0\.1:(\d+), HTTP on 127\.0\.0\.1:(\d+)")]
    private static partial Regex Ports();
}
