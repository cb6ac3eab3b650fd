using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Xunit.Abstractions;

namespace FuncScaler.Tests.State;

/// <summary>
/// <c>serve --state</c> is killed under load, again and again: nothing is leaked, nothing is given to two, releases of what was granted before
/// are accepted, and what was learned stays. FUNCSCALER_KILLS says how often; docs/explanation/reliability.md has the figures of long runs.
/// </summary>
public abstract class KilledScaler(ITestOutputHelper output) : IDisposable
{
    private static readonly int Kills = (int)TestLength.Count("FUNCSCALER_KILLS", 0, 10);

    private readonly ReservedPort _grpc = new();
    private readonly ReservedPort _http = new();

    protected ITestOutputHelper Output => output;

    internal TemporaryFolder Folder { get; } = new();

    protected string State => Path.Combine(Folder.Path, "state.db");

    public void Dispose()
    {
        Folder.Dispose();
        _grpc.Dispose();
        _http.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Kills it at any moment as often as is asked for, where something is done in between at least once, and then once when all is saved.</summary>
    protected async Task KillAgainAndAgainAsync(string[] backend, Action? between, Func<int>? slotsThatExist)
    {
        var kills = between is null ? Kills : Math.Max(1, Kills);
        var chance = new Random(7);
        var slowest = TimeSpan.Zero;
        var serve = await StartAsync(backend);
        using var callers = new PersistentCallers(_http.Number, callers: 16, functions: 8);
        try
        {
            for (var kill = 0; kill < kills; kill++)
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
            var learned = callers.Granted + 20;
            await Eventually.HoldsAsync(() => callers.Granted > learned);
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
            output.WriteLine($"{kills + 1} kills: {callers.Granted} grants, {callers.Released} releases, {callers.Wrong.Count} wrong, arrivals known {arrivals}, slowest start {slowest.TotalSeconds:F2} s");
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
