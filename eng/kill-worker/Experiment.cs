using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using FuncScaler.Tests.FakeArm;

namespace FuncScaler.KillWorker;

/// <summary>
/// A Functions host whose backend is Container Instances on a Resource Manager of our own, callers, and a killer. At the end every instance
/// must be accounted for: given back by its ledger, once nobody can hold it any more.
/// </summary>
internal sealed class Experiment(
    string command, Uri url, string match, TimeSpan load, int callers, int functions, int kills, TimeSpan settle, int seed)
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(2);

    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        await using var platform = await FakeArmServer.StartAsync();
        platform.Provisioning = TimeSpan.FromMilliseconds(400);
        platform.Deleting = TimeSpan.FromMilliseconds(200);
        platform.MaxGroupsPerRegion = 10_000;
        var log = Path.Combine(Path.GetTempPath(), $"kill-worker-{Environment.ProcessId}.log");
        Console.WriteLine($"host's output: {log}");
        using var host = new HostProcess(command, match, Settings(platform), log);
        using var http = new HttpClient { BaseAddress = url, Timeout = TimeSpan.FromSeconds(30) };
        if (!await ReadyAsync(http, host, cancellationToken))
        {
            await Console.Error.WriteLineAsync($"The host did not answer at {url} within {StartLimit.TotalSeconds} s: see {log}.");
            return 1;
        }

        Console.WriteLine($"ready: workers {string.Join(", ", host.Workers())}");
        var all = new Callers(http, platform, functions);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var running = Enumerable.Range(0, callers).Select(i => all.RunAsync(i, seed, ending.Token)).ToList();
        var random = new Random(seed);
        for (var i = 0; i <= kills; i++)
        {
            await Task.Delay(load / (kills + 1), cancellationToken);
            if (i < kills && host.Workers() is { Count: > 0 } workers)
            {
                var victim = workers[random.Next(workers.Count)];
                HostProcess.Kill(victim);
                Console.WriteLine($"{i + 1}. kill: worker {victim}, {all.Served} requests served, {platform.Groups.Count} instances");
            }
        }

        await ending.CancelAsync();
        await Task.WhenAll(running).WaitAsync(TimeSpan.FromSeconds(60), cancellationToken);
        Console.WriteLine(
            $"load ended: {all.Served} requests served, {all.Retries} calls repeated, {platform.Created} instances created, {platform.Groups.Count} exist; "
            + $"Assign and Release {Percentile(all.CallMs, 0.5):F1} ms p50, {Percentile(all.CallMs, 0.99):F1} ms p99");

        var settled = await SettleAsync(http, platform, cancellationToken);
        var left = platform.Groups.Count;
        foreach (var wrong in all.Wrong.Distinct().Take(20))
        {
            Console.WriteLine("WRONG: " + wrong);
        }

        Console.WriteLine(
            $"doubled or destroyed in use: {all.Wrong.Count}; left over: {left} instances {(left == 0 ? $"(the last gone after {settled.TotalSeconds:F0} s)" : "")}; "
            + $"created {platform.Created}, all accounted for: {(left == 0 ? "yes" : "NO")}");
        return all.Wrong.Count == 0 && left == 0 ? 0 : 2;
    }

    private static Dictionary<string, string> Settings(FakeArmServer platform) => new()
    {
        ["Scaler__Backend"] = "aci",
        ["Scaler__Policy"] = "ttl:5",
        ["Scaler__ParkSeconds"] = "2",
        ["Scaler__LeaseSeconds"] = "10",
        ["FUNCTIONS_WORKER_PROCESS_COUNT"] = "3",
        ["Scaler__BackendSettings"] = new JsonObject
        {
            ["armEndpoint"] = platform.Address.AbsoluteUri,
            ["subscription"] = FakeArmServer.Subscription,
            ["owner"] = "kill-worker",
            ["genericResources"] = true,
            ["places"] = new JsonArray(new JsonObject { ["resourceGroup"] = "slots", ["region"] = "westeurope" }),
            ["images"] = new JsonObject { ["*"] = "example/runtime:1" },
            ["port"] = platform.ContainerPort,
            ["start"] = new JsonObject { ["init"] = "httpInit", ["pollDelay"] = "00:00:00.020" },
            ["pollDelay"] = "00:00:00.050",
            ["maxGroupsPerRegion"] = 10_000,
            ["maxCoresPerRegion"] = 100_000,
            ["createLimits"] = new JsonArray(),
            ["deleteLimits"] = new JsonArray(),
        }.ToJsonString(),
    };

    private static double Percentile(IReadOnlyCollection<double> values, double share) =>
        values.Count == 0 ? 0 : values.Order().ElementAt(Math.Min(values.Count - 1, (int)(values.Count * share)));

    private static async Task<bool> ReadyAsync(HttpClient http, HostProcess host, CancellationToken cancellationToken)
    {
        for (var began = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(began) < StartLimit && !host.HasExited;)
        {
            try
            {
                using var answer = await http.GetAsync("api/ready", cancellationToken);
                if (answer.IsSuccessStatusCode && host.Workers().Count > 0)
                {
                    return true;
                }
            }
            catch (HttpRequestException)
            {
                // Not yet.
            }

            await Task.Delay(200, cancellationToken);
        }

        return false;
    }

    /// <summary>Waits until the ledgers have given back every instance, and says how it goes.</summary>
    private async Task<TimeSpan> SettleAsync(HttpClient http, FakeArmServer platform, CancellationToken cancellationToken)
    {
        var began = Stopwatch.GetTimestamp();
        for (var round = 0; platform.Groups.Count > 0 && Stopwatch.GetElapsedTime(began) < settle; round++)
        {
            if (round % 20 == 0)
            {
                Console.WriteLine($"  {Stopwatch.GetElapsedTime(began).TotalSeconds:F0} s: {platform.Groups.Count} instances exist; ledgers: {await LedgersAsync(http, cancellationToken)}");
            }

            await Task.Delay(1000, cancellationToken);
        }

        return Stopwatch.GetElapsedTime(began);
    }

    private async Task<string> LedgersAsync(HttpClient http, CancellationToken cancellationToken)
    {
        var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i < functions; i++)
        {
            try
            {
                var pool = JsonNode.Parse(await http.GetStringAsync($"api/pools/f{i}", cancellationToken));
                foreach (var (state, count) in pool?["counts"]?.AsObject() ?? [])
                {
                    counts[state] = counts.GetValueOrDefault(state) + (int)count!;
                }
            }
            catch (Exception e) when (e is HttpRequestException or JsonException)
            {
                // Asked again later.
            }
        }

        return counts.Count == 0 ? "empty" : string.Join(", ", counts.Select(c => $"{c.Value} {c.Key}"));
    }
}
