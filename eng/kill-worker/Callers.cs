using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using FuncScaler.Tests.FakeArm;

namespace FuncScaler.KillWorker;

/// <summary>
/// Callers who take instances over HTTP, execute in them for a while, and give them back; whatever fails is tried again until it succeeds.
/// </summary>
internal sealed class Callers(HttpClient http, FakeArmServer platform, int functions)
{
    private readonly ConcurrentDictionary<string, string> _held = new();
    private readonly ConcurrentBag<double> _warmMs = [];
    private readonly ConcurrentBag<string> _wrong = [];
    private long _served;
    private long _retries;
    private int _requests;

    /// <summary>Requests served.</summary>
    public long Served => Interlocked.Read(ref _served);

    /// <summary>Calls that failed and were repeated: their worker died, or was starting.</summary>
    public long Retries => Interlocked.Read(ref _retries);

    /// <summary>What must never happen, a sentence each.</summary>
    public IReadOnlyCollection<string> Wrong => _wrong;

    /// <summary>Times of Assign and Release calls that did not fail, ms.</summary>
    public IReadOnlyCollection<double> CallMs => _warmMs;

    public async Task RunAsync(int caller, int seed, CancellationToken ending)
    {
        var random = new Random(seed + (1000 * caller));
        while (!ending.IsCancellationRequested)
        {
            var request = $"r-{Interlocked.Increment(ref _requests)}";
            var function = $"f{random.Next(functions)}";
            var assigned = await CallAsync("api/assign", new JsonObject
            {
                ["requestId"] = request,
                ["metaData"] = new JsonObject { ["key"] = function, ["runtime"] = "python", ["timeoutInSecs"] = 1, ["memoryInMb"] = 512 },
            });
            var instance = (string)assigned["assigment"]!["instanceId"]!;
            if (!_held.TryAdd(instance, request))
            {
                _wrong.Add($"{instance} was given to {request} while {_held.GetValueOrDefault(instance)} held it");
            }

            var ticket = instance[(instance.LastIndexOf('-') + 1)..];
            if (platform.Groups.FirstOrDefault(g => g.Name.EndsWith("-" + ticket, StringComparison.Ordinal) && g.GoneAt is null) is not { } group)
            {
                _wrong.Add($"{instance} was given to {request} and does not exist");
            }
            else
            {
                using (group.Execute())
                {
                    await Task.Delay(random.Next(5, 60), CancellationToken.None);
                }

                if (group.MostAtOnce > 1)
                {
                    _wrong.Add($"{instance} executed {group.MostAtOnce} requests at a time");
                }

                if (group.GoneAt is not null)
                {
                    _wrong.Add($"{instance} was destroyed while {request} executed in it");
                }
            }

            // No longer ours from here on: the answer to the release may come after the next one has it.
            _held.TryRemove(instance, out _);
            await CallAsync("api/release", new JsonObject
            {
                ["assigment"] = assigned["assigment"]!.DeepClone(),
                ["result"] = new JsonObject { ["statusCode"] = 200, ["durationInMs"] = 30 },
            });
            Interlocked.Increment(ref _served);
            await Task.Delay(random.Next(0, 60), CancellationToken.None);
        }
    }

    /// <summary>Calls until there is an answer; a release that was known already has succeeded before.</summary>
    private async Task<JsonNode> CallAsync(string path, JsonObject body)
    {
        while (true)
        {
            try
            {
                var began = Stopwatch.GetTimestamp();
                using var answer = await http.PostAsJsonAsync(path, body);
                if (answer.IsSuccessStatusCode)
                {
                    var json = (await answer.Content.ReadFromJsonAsync<JsonNode>())!;
                    _warmMs.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
                    return json;
                }

                if (path == "api/release" && (int)answer.StatusCode == 404)
                {
                    return new JsonObject();
                }
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException or System.Text.Json.JsonException)
            {
                // Its worker has died, or is not there yet.
            }

            Interlocked.Increment(ref _retries);
            await Task.Delay(50);
        }
    }
}
