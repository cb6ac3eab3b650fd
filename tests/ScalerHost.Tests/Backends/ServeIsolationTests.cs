using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FuncScaler.Contract;
using FuncScaler.SlotBackends.Process;
using Grpc.Core;
using Grpc.Net.Client;

namespace FuncScaler.Tests.Backends;

/// <summary><c>funcscaler serve --backend process</c> with functions that mean no good.</summary>
public sealed partial class ServeIsolationTests : IAsyncLifetime
{
    // Any path: one process that has left its parent, its session and its process group, as daemons do; its id is the answer.
    private const string Daemons = """
        import http.server, os
        def daemon():
            reader, writer = os.pipe()
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.write(writer, str(os.getpid()).encode())
                    os.execvp('sleep', ['sleep', '1000'])
                os._exit(0)
            os.wait()
            return os.read(reader, 20)
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = b'ready' if self.path == '/health' else daemon()
                self.send_response(200); self.end_headers(); self.wfile.write(body)
            def log_message(self, *arguments): pass
        http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
        """;

    // Prints 64 MB without a line end, then serves; the first three health answers do not end by themselves.
    private const string Talker = """
        import http.server, os, sys, time
        for i in range(64): sys.stdout.write('x' * (1 << 20))
        sys.stdout.flush()
        looks = 0
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                global looks
                looks += 1
                self.send_response(503 if looks <= 3 else 200); self.end_headers()
                end = time.time() + 10
                try:
                    while looks <= 3 and time.time() < end: self.wfile.write(b'y' * (1 << 20))
                except OSError: pass
            def log_message(self, *arguments): pass
        http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
        """;

    private readonly TemporaryFolder _folder = new();
    private FuncScalerProcess? _scaler;
    private HttpClient? _http;
    private int _grpcPort;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        _http?.Dispose();
        if (_scaler is not null)
        {
            await _scaler.DisposeAsync();
        }

        _folder.Dispose();
    }

    /// <summary>Each isolation with each end in long runs; else each isolation once, and each end once.</summary>
    public static TheoryData<string, bool> Ends => TestLength.IsLong
        ? new() { { "auto", false }, { "auto", true }, { "tree", false }, { "tree", true } }
        : new() { { "auto", false }, { "tree", true } };

    [PythonTheory]
    [MemberData(nameof(Ends))]
    public async Task No_daemon_of_a_function_survives_the_scaler_however_it_ends(string isolation, bool kill)
    {
        await StartAsync(Daemons, isolation);
        var daemons = new List<int>();
        for (var i = 0; i < 3; i++)
        {
            var assigned = await AssignAsync($"r{i}");
            daemons.Add(int.Parse(await _http!.GetStringAsync(new Uri(new Uri(assigned["address"]!.GetValue<string>()), "daemon")), CultureInfo.InvariantCulture));
            if (!kill)
            {
                await ReleaseAsync(assigned);
            }
        }

        Assert.All(daemons, d => Assert.True(Runs(d)));
        if (kill)
        {
            _scaler!.Kill();
        }
        else
        {
            _scaler!.Terminate();
        }

        await _scaler.WaitAsync();
        await Eventually.HoldsAsync(() => !daemons.Exists(Runs));
    }

    [PythonFact]
    public async Task A_function_that_talks_without_end_takes_no_memory_of_the_scalers()
    {
        await StartAsync(Talker, "auto");
        var before = ResidentMb(_scaler!.Id);

        await AssignAsync("r1");

        Assert.InRange(ResidentMb(_scaler.Id) - before, -100, 40);
    }

    private static bool Runs(int process) =>
        File.Exists($"/proc/{process}/stat") && !ReadStat(process).Contains(") Z ", StringComparison.Ordinal) && ReadStat(process).Length > 0;

    private static string ReadStat(int process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/stat");
        }
        catch (IOException)
        {
            return "";
        }
    }

    private static long ResidentMb(int process) =>
        long.Parse(File.ReadAllText($"/proc/{process}/statm").Split(' ')[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize >> 20;

    public static TheoryData<string> Isolations => TestLength.IsLong ? new() { "auto", "tree" } : new() { "auto" };

    [PythonTheory]
    [MemberData(nameof(Isolations))]
    public async Task A_scaler_out_of_descriptors_has_its_callers_wait_and_serves_them_once_it_has_some(string isolation)
    {
        await StartAsync(Daemons, isolation);
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{_grpcPort}");
        var client = new Scaler.ScalerClient(channel);

        var used = Directory.GetFiles($"/proc/{_scaler!.Id}/fd").Length;
        var before = DescriptorLimit.Set(_scaler.Id, (ulong)used + Descriptors.Reserve);
        var refused = await Assert.ThrowsAsync<RpcException>(async () => await AssignAsync(client, "r1", TimeSpan.FromSeconds(10)));
        var waiting = AssignAsync(client, "r2", TimeSpan.FromSeconds(60));
        await Assert.ThrowsAsync<RpcException>(async () => await AssignAsync(client, "r3", TimeSpan.FromSeconds(1)));
        DescriptorLimit.Set(_scaler.Id, before);

        // Not UNKNOWN, and not for good: a caller that does not wait so long may try again.
        Assert.True(refused.StatusCode is StatusCode.DeadlineExceeded or StatusCode.Unavailable, refused.Status.ToString());
        Assert.Contains("too many open files", refused.Status.Detail, StringComparison.Ordinal);
        AssignReply? reply = null;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (reply is null)
        {
            try
            {
                reply = await waiting;
            }
            catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable)
            {
                limit.Token.ThrowIfCancellationRequested();
                waiting = AssignAsync(client, "r2", TimeSpan.FromSeconds(60));
            }
        }

        Assert.Equal("r2", reply.Assigment.RequestId);
    }

    [PythonFact]
    public async Task Connections_leave_descriptors_for_instances()
    {
        const int Most = 800;
        await StartAsync(Daemons, "auto", Most);
        var idle = new List<Socket>();
        try
        {
            for (var i = 0; i < Most; i++)
            {
                idle.Add(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
                await idle[i].ConnectAsync(IPAddress.Loopback, _grpcPort);
            }

            // Those beyond the limit are closed at once; the JSON port counts for itself.
            await Eventually.HoldsAsync(() => idle.Any(s => s.Poll(0, SelectMode.SelectRead)));
            await ReleaseAsync(await AssignAsync("r1"));
            Assert.InRange(Directory.GetFiles($"/proc/{_scaler!.Id}/fd").Length, 100, Most - Descriptors.Reserve);
        }
        finally
        {
            idle.ForEach(s => s.Dispose());
        }
    }

    private static async Task<AssignReply> AssignAsync(Scaler.ScalerClient client, string request, TimeSpan patience) => await client.AssignAsync(
        new AssignRequest { RequestId = request, MetaData = new Meta { Key = "f", Runtime = "python", TimeoutInSecs = 30, MemoryInMb = 256 } },
        deadline: DateTime.UtcNow + patience);

    private async Task StartAsync(string script, string isolation, int? descriptors = null)
    {
        var functions = _folder.File("functions.json", new JsonObject
        {
            ["isolation"] = isolation,
            ["functions"] = new JsonObject
            {
                ["f"] = new JsonObject
                {
                    ["command"] = new JsonArray(Python.Path ?? "python3", "-S", "-c", script),
                    ["start"] = new JsonObject { ["healthPath"] = "/health", ["timeout"] = "00:00:30", ["pollDelay"] = "00:00:00.010" },
                },
            },
        }.ToJsonString());
        string[] serve = ["serve", "--backend", "process", "--functions", functions, "--grpc-port", "0", "--http-port", "0", "--policy", "ttl:300", "--max-delay", "0"];
        _scaler = descriptors is { } most ? FuncScalerProcess.StartWithin(most, serve) : FuncScalerProcess.Start(serve);
        var line = await _scaler.ReadLineAsync();
        Assert.True(line is not null, line is null ? (await _scaler.WaitAsync()).Errors : "");
        var ports = Port().Match(line!);
        _grpcPort = int.Parse(ports.Groups[1].Value, CultureInfo.InvariantCulture);
        _http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{ports.Groups[2].Value}") };
    }

    private async Task<JsonNode> AssignAsync(string request)
    {
        using var response = await _http!.PostAsJsonAsync(
            "/api/assign", new { requestId = request, metaData = new { key = "f", runtime = "python", timeoutInSecs = 30, memoryInMb = 256 } });
        var reply = (await response.Content.ReadFromJsonAsync<JsonNode>())!;
        Assert.True(response.IsSuccessStatusCode, reply.ToJsonString());
        return reply;
    }

    private async Task ReleaseAsync(JsonNode assigned)
    {
        using var response = await _http!.PostAsJsonAsync("/api/release", new { assigment = assigned["assigment"], result = new { durationInMs = 1 } });
        Assert.True(response.IsSuccessStatusCode);
    }

    [GeneratedRegex(@"gRPC on 127\.0\.0\.1:(\d+), HTTP on 127\.0\.0\.1:(\d+)")]
    private static partial Regex Port();
}
