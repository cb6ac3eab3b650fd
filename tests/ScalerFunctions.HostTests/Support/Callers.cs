using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using FuncScaler.SlotBackends.Aci;
using FuncScaler.Tests.FakeArm;

namespace FuncScaler.Tests;

/// <summary>
/// Callers who take instances over HTTP, execute in them for a while, and give them back; whatever fails is tried again until it succeeds.
/// </summary>
internal sealed class Callers(Uri url, FakeArmServer platform, int functions)
{
    private readonly HttpClient _http = new() { BaseAddress = url, Timeout = TimeSpan.FromSeconds(30) };
    private readonly ConcurrentDictionary<string, string> _held = new();
    private readonly ConcurrentBag<string> _wrong = [];
    private Task _running = Task.CompletedTask;
    private string _lastFailure = "none";
    private int _requests;
    private int _served;
    private int _repeated;

    /// <summary>Requests served.</summary>
    public int Served => _served;

    /// <summary>Calls that failed and were repeated: their worker died, or was starting.</summary>
    public int Repeated => _repeated;

    /// <summary>What must never happen, a sentence each.</summary>
    public IReadOnlyCollection<string> Wrong => _wrong;

    public override string ToString() => $"{_served} requests served, {_repeated} calls repeated, {_held.Count} instances held; the last failure: {_lastFailure}";

    /// <summary>Starts callers that go on until they are told to end, and then finish what they have begun.</summary>
    public Task RunAsync(int count, int seed, CancellationToken ending) =>
        _running = Task.WhenAll(Enumerable.Range(0, count).Select(i => RunOneAsync(new Random(seed + i), ending)));

    /// <summary>Whether so many requests were served; throws when a caller has given up.</summary>
    public async Task<bool> HaveServedAsync(int requests)
    {
        if (_running.IsFaulted)
        {
            await _running;
        }

        return _served >= requests;
    }

    private async Task RunOneAsync(Random random, CancellationToken ending)
    {
        while (!ending.IsCancellationRequested)
        {
            var request = $"r-{Interlocked.Increment(ref _requests)}";
            var assigned = await CallAsync("api/assign", new JsonObject
            {
                ["requestId"] = request,
                ["metaData"] = new JsonObject { ["key"] = $"f{random.Next(functions)}", ["runtime"] = "python", ["timeoutInSecs"] = 1, ["memoryInMb"] = 512 },
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
                await ExecuteAsync(group, instance, request, random.Next(5, 40));
            }

            // No longer ours from here on: the answer to the release may come after the next one has it.
            _held.TryRemove(instance, out _);
            await CallAsync("api/release", new JsonObject
            {
                ["assigment"] = assigned["assigment"]!.DeepClone(),
                ["result"] = new JsonObject { ["statusCode"] = 200, ["durationInMs"] = 20 },
            });
            Interlocked.Increment(ref _served);
        }
    }

    private async Task ExecuteAsync(ArmGroup group, string instance, string request, int durationMs)
    {
        using (group.Execute())
        {
            await Task.Delay(durationMs);
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

    /// <summary>Calls until there is an answer; a release that was known already has succeeded before.</summary>
    private async Task<JsonNode> CallAsync(string path, JsonObject body)
    {
        while (true)
        {
            try
            {
                using var answer = await _http.PostAsync(path, JsonContent.Create(body));
                if (answer.IsSuccessStatusCode)
                {
                    return (await answer.Content.ReadFromJsonAsync<JsonNode>())!;
                }

                _lastFailure = $"{path}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}";
                if (path == "api/release" && (int)answer.StatusCode == 404)
                {
                    return new JsonObject();
                }
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException or System.Text.Json.JsonException)
            {
                // Its worker or its host has died, or is not there yet.
                _lastFailure = $"{path}: {e.Message}";
            }

            Interlocked.Increment(ref _repeated);
            await Task.Delay(50);
        }
    }
}
