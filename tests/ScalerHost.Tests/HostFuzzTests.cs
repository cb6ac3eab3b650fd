using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using FuncScaler.Contract;
using FuncScaler.Policies;
using FuncScaler.ScalerHost;
using FuncScaler.ScalerHost.Commands;
using FuncScaler.ScalerHost.Security;
using FuncScaler.SlotBackends.Fake;
using FuncScaler.SlotBackends.Settings;
using Google.Protobuf;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests;

/// <summary>Nearly right requests over real sockets and nearly right files: refused in words, and the scaler goes on.</summary>
public sealed class HostFuzzTests : IAsyncLifetime
{
    private const string Assign = """{"requestId": "r", "metaData": {"key": "f", "runtime": "go", "timeoutInSecs": 60, "memoryInMb": 128}, "timeoutMs": 2000}""";
    private const string Release = """{"assigment": {"requestId": "r", "metaKey": "f", "instanceId": "i-1"}, "result": {"durationInMs": 5, "needDestroy": false, "reason": "x"}}""";

    private readonly TemporaryFolder _folder = new();
    private ScalerServer _scaler = null!;
    private HttpClient _http = null!;
    private HttpClient _grpc = null!;

    public async Task InitializeAsync()
    {
        _scaler = new ScalerServer(
            new FakeBackend(TimeProvider.System),
            new ScalerServerOptions { GrpcPort = 0, HttpPort = 0, Policy = PolicyCatalog.Parse("ttl:300"), DrainTimeout = TimeSpan.Zero, LogLevel = LogLevel.None },
            TimeProvider.System);
        await _scaler.StartAsync(CancellationToken.None);
        _http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{_scaler.HttpPort}") };
        _grpc = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{_scaler.GrpcPort}") };
    }

    public async Task DisposeAsync()
    {
        _http.Dispose();
        _grpc.Dispose();
        await _scaler.DisposeAsync();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("/api/assign", Assign)]
    [InlineData("/api/release", Release)]
    public async Task Json_requests(string path, string good)
    {
        await Mutator.TryAsync([Encoding.UTF8.GetBytes(good)], async mutant =>
        {
            using var content = new ByteArrayContent(mutant) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
            using var answer = await _http.PostAsync(path, content);
            Assert.True(
                answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.BadRequest or HttpStatusCode.NotFound or HttpStatusCode.Conflict or HttpStatusCode.GatewayTimeout or HttpStatusCode.TooManyRequests,
                $"{(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
            using var words = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
            Assert.True(answer.IsSuccessStatusCode || words.RootElement.GetProperty("error").GetString()!.All(c => !char.IsControl(c)), "the error has control characters");
        });
        await IsWellAsync();
    }

    [Fact]
    public async Task Paths_and_queries()
    {
        await Mutator.TryAsync([.. new[] { "/api/explain/f%2Fg", "/api/stats?prefix=f&limit=10&after=a", "/api/stats", "/metrics", "/healthz" }.Select(Encoding.ASCII.GetBytes)], async mutant =>
        {
            // As a client would write it: no spaces and nothing beyond ASCII in a request's first line.
            var path = "/" + new string([.. Encoding.Latin1.GetString(mutant).Where(c => c is > ' ' and < (char)127 and not '#')]).TrimStart('/');
            using var answer = await _http.GetAsync(new Uri(_http.BaseAddress!, path));
            Assert.True((int)answer.StatusCode < 500, $"{path}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
        });
        await IsWellAsync();
    }

    [Theory]
    [InlineData("Assign")]
    [InlineData("Idle")]
    public async Task Grpc_frames(string method)
    {
        IMessage good = method == "Assign"
            ? new AssignRequest { RequestId = "r", Timestamp = 1, MetaData = new Meta { Key = "f", Runtime = "go", TimeoutInSecs = 60, MemoryInMb = 128 } }
            : new IdleRequest { Assigment = new Assignment { RequestId = "r", MetaKey = "f", InstanceId = "i-1" }, Result = new Result { StatusCode = 200, DurationInMs = 5, Reason = "x" } };
        byte[] frame = [0, 0, 0, 0, (byte)good.CalculateSize(), .. good.ToByteArray()];
        await Mutator.TryAsync([frame], async mutant =>
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"/serverless.simulator.Scaler/{method}")
            {
                Version = HttpVersion.Version20,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                Content = new ByteArrayContent(mutant) { Headers = { ContentType = new MediaTypeHeaderValue("application/grpc") } },
            };
            request.Headers.Add("grpc-timeout", "2S");
            using var answer = await _grpc.SendAsync(request);
            await answer.Content.ReadAsByteArrayAsync();
            var status = answer.Headers.TryGetValues("grpc-status", out var early) ? early.First() : answer.TrailingHeaders.GetValues("grpc-status").First();

            // UNKNOWN is what an exception becomes that nobody expected; Grpc.AspNetCore answers so where the five bytes before a message are wrong.
            Assert.True(status != "2" || !IsFrame(mutant), $"status {status} for a frame that is whole");
        });
        await IsWellAsync();
    }

    [Theory]
    [InlineData("serverless.simulator.Scaler/Assign", "AssignRequest")]
    [InlineData("serverless.simulator.Scaler/Idle", "IdleRequest")]
    public async Task A_frame_that_is_no_message_is_the_callers_mistake(string method, string message)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, method)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent([0, 0, 0, 0, 2, 0x0a, 0x7f]) { Headers = { ContentType = new MediaTypeHeaderValue("application/grpc") } },
        };
        using var answer = await _grpc.SendAsync(request);
        await answer.Content.ReadAsByteArrayAsync();
        var fields = answer.TrailingHeaders.Concat(answer.Headers).ToDictionary(h => h.Key, h => h.Value.Single());

        Assert.Equal("3", fields["grpc-status"]);
        Assert.Equal($"The frame is no {message}: send it in protobuf's binary form, as the .proto file has it.", Uri.UnescapeDataString(fields["grpc-message"]));
    }

    [Fact]
    public void Security_files() => Fuzz(
        ["""{ "callers": [{ "name": "gateway", "tokenSha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "rights": ["call", "read"], "functions": ["team/"], "requestsPerSecond": 50, "burst": 5 }], "tlsInFront": true }"""],
        file => SecurityFile.Read(file, TimeProvider.System, [], out _));

    [Fact]
    public void Files_of_functions() => Fuzz([File.ReadAllText(Path.Combine(Repository.Root, "samples", "functions.json"))], file => BackendFile.Open("process", file, new Uri("http://127.0.0.1:1")));

    [Fact]
    public void Files_of_container_instances() => Fuzz([File.ReadAllText(Path.Combine(Repository.Root, "samples", "aci.json"))], file => BackendFile.Open("aci", file, new Uri("http://127.0.0.1:1")));

    [Fact]
    public void Files_of_experiments() => Fuzz(["""{ "preset": ["dense", "sparse"], "length": 600, "policy": "adaptive,ttl:9", "seeds": "1..3", "json": true }"""], file => ExperimentFile.Read(file));

    private void Fuzz(string[] good, Action<string> read)
    {
        var file = Path.Combine(_folder.Path, "file.json");
        Mutator.Try([.. good.Select(Encoding.UTF8.GetBytes)], mutant =>
        {
            File.WriteAllBytes(file, mutant);
            try
            {
                read(file);
            }
            catch (Exception e) when (e is CommandException or BackendSettingsException)
            {
                // Several errors stand on a line each.
                Assert.DoesNotContain(e.Message, c => char.IsControl(c) && c != '\n');
            }
        });
    }

    /// <summary>A byte for compression, four for the length, and as many bytes.</summary>
    private static bool IsFrame(byte[] frame) =>
        frame.Length >= 5 && frame[0] == 0 && BinaryPrimitives.ReadInt32BigEndian(frame.AsSpan(1)) == frame.Length - 5;

    /// <summary>A good request is still served.</summary>
    private async Task IsWellAsync()
    {
        using var content = new StringContent(Assign.Replace("\"r\"", "\"last\"", StringComparison.Ordinal), Encoding.UTF8, "application/json");
        using var answer = await _http.PostAsync("/api/assign", content);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }
}
