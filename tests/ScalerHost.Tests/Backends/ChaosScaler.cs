using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace FuncScaler.Tests.Backends;

/// <summary><c>funcscaler serve --backend aci</c> as a process, and callers that use it.</summary>
internal sealed partial class ChaosScaler : IAsyncDisposable
{
    private readonly FuncScalerProcess _process;
    private readonly HttpClient _http;

    private ChaosScaler(FuncScalerProcess process, HttpClient http)
    {
        _process = process;
        _http = http;
    }

    public static async Task StartAndKillAsync(string settings, TimeSpan after)
    {
        await using var process = Begin(settings);
        await Task.Delay(after);
        process.Kill();
        await process.WaitAsync();
    }

    public static async Task<ChaosScaler> StartAsync(string settings)
    {
        var process = Begin(settings);
        var line = await process.ReadLineAsync();
        if (line is null)
        {
            Assert.Fail((await process.WaitAsync()).Errors);
        }

        var port = HttpPort().Match(line).Groups[1].Value;
        return new ChaosScaler(process, new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") });
    }

    /// <summary>The groups in the scaler's inventory.</summary>
    public async Task<List<string>> LedgerAsync() =>
        [.. (await _http.GetFromJsonAsync<JsonArray>("/api/slots"))!.Select(s => s!["backendId"]!.GetValue<string>()).Where(id => id.Length > 0)];

    /// <summary>Asks for instances, uses them and gives them back, until told to stop or the scaler dies.</summary>
    public async Task LoadAsync(Ownership owners, Random random, string name, CancellationToken stop)
    {
        for (var i = 0; !stop.IsCancellationRequested; i++)
        {
            var request = $"{name}-{i}";
            var function = $"f{random.Next(4)}";
            try
            {
                using var assigned = await _http.PostAsJsonAsync(
                    "/api/assign",
                    new { requestId = request, metaData = new { key = function, runtime = "go", timeoutInSecs = (int)Ownership.Timeout.TotalSeconds, memoryInMb = 128 } },
                    CancellationToken.None);
                if (assigned.StatusCode == HttpStatusCode.TooManyRequests)
                {
                    await Task.Delay(200, CancellationToken.None);
                    continue;
                }

                var reply = (await assigned.Content.ReadFromJsonAsync<JsonNode>(CancellationToken.None))!;
                var address = reply["address"]!.GetValue<string>();
                owners.Granted(address, request);
                using var answer = await _http.PostAsync(new Uri(new Uri(address), "run"), null, CancellationToken.None);
                await Task.Delay(random.Next(60), CancellationToken.None);
                owners.Released(address);
                using var released = await _http.PostAsJsonAsync(
                    "/api/release",
                    new { assigment = reply["assigment"], result = new { durationInMs = 1, needDestroy = random.Next(3) == 0 } },
                    CancellationToken.None);
                await Task.Delay(random.Next(40), CancellationToken.None);
            }
            catch (HttpRequestException)
            {
                // The scaler is dead, or about to be.
                return;
            }
        }
    }

    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitAsync();
    }

    public async Task TerminateAsync()
    {
        _process.Terminate();
        Assert.Equal(0, (await _process.WaitAsync()).ExitCode);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _process.DisposeAsync();
    }

    private static FuncScalerProcess Begin(string settings) => FuncScalerProcess.Start(
        "serve", "--backend", "aci", "--aci", settings, "--grpc-port", "0", "--http-port", "0", "--policy", "ttl:0.05", "--max-delay", "0");

    [GeneratedRegex(@"HTTP on 127\.0\.0\.1:(\d+)")]
    private static partial Regex HttpPort();
}
