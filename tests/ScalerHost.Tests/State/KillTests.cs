using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using FuncScaler.Tests.Backends;
using FuncScaler.Tests.FakeArm;

namespace FuncScaler.Tests.State;

/// <summary>
/// <c>serve --state</c> is killed under load, again and again: nothing is leaked, nothing is given to two, releases of what was granted before
/// are accepted, and what was learned stays. FUNCSCALER_KILLS says how often; docs/explanation/reliability.md has the figures of long runs.
/// </summary>
public sealed class KillTests(Xunit.Abstractions.ITestOutputHelper output) : IDisposable
{
    private static readonly long Kills = TestLength.Count("FUNCSCALER_KILLS", 1, 10);

    private readonly TemporaryFolder _folder = new();
    private readonly ReservedPort _grpc = new();
    private readonly ReservedPort _http = new();

    private string State => Path.Combine(_folder.Path, "state.db");

    public void Dispose()
    {
        _folder.Dispose();
        _grpc.Dispose();
        _http.Dispose();
    }

    [Fact]
    public async Task Killed_under_load_it_leaks_nothing_doubles_nothing_and_remembers()
    {
        var platform = new IdempotentPlatform();
        await using var server = await GrpcTestServer.StartAsync(platform);

        await KillAgainAndAgainAsync(["--platform", server.Address.Authority], between: null, () => platform.Slots.Count);

        output.WriteLine($"{platform.Created} slots were created");
        Assert.Empty(platform.Slots);
    }

    [PythonFact]
    public async Task Killed_under_load_with_instances_that_are_processes()
    {
        var settings = Path.Combine(_folder.Path, "functions.json");
        await File.WriteAllTextAsync(settings, $$"""
            { "runtimes": { "go": { "command": ["{{Python.Path}}", "-S", "-c", "{{PythonServer}}"] } } }
            """);

        await KillAgainAndAgainAsync(["--backend", "process", "--functions", settings], between: null, slotsThatExist: null);
    }

    [Fact]
    public async Task Killed_under_load_with_instances_that_are_container_groups()
    {
        await using var fake = await FakeArmServer.StartAsync();
        fake.MaxGroupsPerRegion = 1000;
        (fake.Provisioning, fake.Deleting) = (TimeSpan.FromMilliseconds(60), TimeSpan.FromMilliseconds(30));
        fake.Plant("slots", "somebody-elses");
        var settings = Path.Combine(_folder.Path, "aci.json");
        await File.WriteAllTextAsync(settings, FakeArmSettings.Of(fake, "kill", maxGroupsPerRegion: 40));

        await KillAgainAndAgainAsync(["--backend", "aci", "--aci", settings], between: null, () => fake.Groups.Count - 1);

        output.WriteLine($"{fake.Created} groups were created");
        Assert.Equal(["slots/somebody-elses"], fake.Groups.Select(g => g.Id));
    }

    [Fact]
    public async Task With_its_log_torn_at_each_start_it_serves_on()
    {
        var platform = new IdempotentPlatform();
        await using var server = await GrpcTestServer.StartAsync(platform);
        var chance = new Random(1);

        // What a power cut may do: the end of the log is missing. Then slots may be unknown, but nothing is given to two.
        await KillAgainAndAgainAsync(
            ["--platform", server.Address.Authority],
            between: () =>
            {
                using var log = new FileStream(State + "-wal", FileMode.OpenOrCreate, FileAccess.ReadWrite);
                log.SetLength(Math.Max(0, log.Length - chance.Next(1, 4096)));
            },
            slotsThatExist: null);
    }

    private const string PythonServer =
        "import http.server as h,os\\nclass H(h.BaseHTTPRequestHandler):\\n def do_GET(s): s.send_response(200); s.end_headers()\\n def log_message(s,*a): pass\\nh.HTTPServer(('127.0.0.1',int(os.environ['PORT'])),H).serve_forever()";

    private async Task KillAgainAndAgainAsync(string[] backend, Action? between, Func<int>? slotsThatExist)
    {
        var chance = new Random(7);
        var slowest = TimeSpan.Zero;
        var serve = await StartAsync(backend);
        using var callers = new PersistentCallers(_http.Number, callers: 16, functions: 8);
        try
        {
            for (var kill = 0; kill < Kills; kill++)
            {
                var before = callers.Granted;
                await Task.Delay(chance.Next(50, 700));
                serve.Kill();
                await serve.DisposeAsync();
                between?.Invoke();
                var began = Stopwatch.GetTimestamp();
                serve = await StartAsync(backend);
                slowest = TimeSpan.FromTicks(Math.Max(slowest.Ticks, Stopwatch.GetElapsedTime(began).Ticks));
                await Eventually.HoldsAsync(() => callers.Granted > before);
            }

            // What is learned is saved each second.
            await Task.Delay(1500);
            serve.Kill();
            await serve.DisposeAsync();
            var granted = callers.Granted;
            serve = await StartAsync(backend);
            await Eventually.HoldsAsync(() => callers.Granted > granted + 50);
            await callers.StopAsync();

            // The platform's slots are those that the scaler knows, and no request holds any. A torn log leaves some in doubt until their limit.
            if (between is null)
            {
                await Eventually.HoldsAsync(async () =>
                {
                    var slots = (JsonArray)(await callers.Http.GetFromJsonAsync<JsonNode>("/api/slots"))!;
                    return slots.All(s => s!["state"]!.GetValue<string>() == "Idle") && (slotsThatExist is null || slotsThatExist() == slots.Count);
                });
            }

            var stats = (await callers.Http.GetFromJsonAsync<JsonNode>("/api/stats"))!;
            var arrivals = ((JsonArray)stats["functions"]!).Sum(f => f!["arrivals"]!.GetValue<long>());
            output.WriteLine($"{Kills + 1} kills: {callers.Granted} grants, {callers.Released} releases, {callers.Wrong.Count} wrong, arrivals known {arrivals}, slowest start {slowest.TotalSeconds:F2} s");
            Assert.Empty(callers.Wrong);
            Assert.True(arrivals > stats["requests"]!["assigns"]!.GetValue<long>(), "arrivals of former processes are remembered");
            serve.Terminate();
            await serve.WaitAsync();
        }
        finally
        {
            await serve.DisposeAsync();
        }
    }

    private async Task<FuncScalerProcess> StartAsync(string[] backend)
    {
        var serve = FuncScalerProcess.Start(["serve", "--grpc-port", $"{_grpc.Number}", "--http-port", $"{_http.Number}", "--state", State, "--policy", "adaptive", .. backend]);
        if (await serve.ReadLineAsync() is null)
        {
            var (code, _, errors) = await serve.WaitAsync();
            Assert.Fail($"serve has ended with {code}: {errors}");
        }

        return serve;
    }
}
