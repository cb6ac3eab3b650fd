using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace FuncScaler.Tests.State;

/// <summary>
/// Callers that outlive the scaler: one whose call fails asks again under the same id, and one that holds an instance releases it to whichever
/// process answers.
/// </summary>
internal sealed class PersistentCallers : IDisposable
{
    private readonly ConcurrentDictionary<string, string> _holders = new();
    private readonly ConcurrentQueue<string> _wrong = new();
    private readonly HttpClient _http;
    private readonly Task[] _callers;
    private readonly int _functions;
    private int _granted;
    private int _released;
    private volatile bool _stopping;

    public PersistentCallers(int httpPort, int callers, int functions)
    {
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false, PooledConnectionLifetime = TimeSpan.FromSeconds(5) }) { BaseAddress = new Uri($"http://127.0.0.1:{httpPort}") };
        _functions = functions;
        _callers = [.. Enumerable.Range(0, callers).Select(i => Task.Run(() => CallAsync(i)))];
    }

    public int Granted => _granted;

    public int Released => _released;

    /// <summary>What must not be: an instance that two hold, a release that is refused.</summary>
    public IReadOnlyCollection<string> Wrong => _wrong;

    public HttpClient Http => _http;

    /// <summary>Each ends when it has released what it holds.</summary>
    public Task StopAsync()
    {
        _stopping = true;
        return Task.WhenAll(_callers);
    }

    public void Dispose() => _http.Dispose();

    private async Task CallAsync(int number)
    {
        var chance = new Random(number);
        for (var turn = 0; !_stopping; turn++)
        {
            var (request, function) = ($"c{number}-{turn}", $"f{chance.Next(_functions)}");
            var reply = await AskAsync("/api/assign", new JsonObject
            {
                ["requestId"] = request,
                ["metaData"] = new JsonObject { ["key"] = function, ["runtime"] = "go", ["timeoutInSecs"] = 60, ["memoryInMb"] = 128 },
            });
            if (reply["assigment"]?["instanceId"]?.GetValue<string>() is not { } instance)
            {
                // A stopping process may say so; the next one serves.
                await Task.Delay(20);
                continue;
            }

            Interlocked.Increment(ref _granted);
            if (_holders.GetOrAdd(instance, request) is var holder && holder != request)
            {
                _wrong.Enqueue($"{instance} was granted to {request} while {holder} held it");
            }

            await Task.Delay(chance.Next(60));
            _holders.TryRemove(instance, out _);
            var released = await AskAsync("/api/release", new JsonObject
            {
                ["assigment"] = new JsonObject { ["requestId"] = request, ["metaKey"] = function, ["instanceId"] = instance },
                ["result"] = new JsonObject { ["statusCode"] = 200, ["durationInMs"] = 20 },
            });
            if (released["status"]?.GetValue<string>() == "Ok")
            {
                Interlocked.Increment(ref _released);
            }
            else if (released["repeated"] is null)
            {
                _wrong.Enqueue($"the release of {instance} by {request} was answered {released.ToJsonString()}");
            }
        }
    }

    private async Task<JsonObject> AskAsync(string path, JsonObject body)
    {
        for (var repeated = false; ; repeated = true)
        {
            try
            {
                using var reply = await _http.PostAsJsonAsync(path, body);
                var answer = (await reply.Content.ReadFromJsonAsync<JsonObject>())!;
                if (repeated)
                {
                    // Its first answer may have been lost.
                    answer["repeated"] = true;
                }

                return answer;
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException or System.Text.Json.JsonException or IOException)
            {
                // Nobody listens while it starts: sixteen who ask without end would take a processor from it.
                await Task.Delay(100);
            }
        }
    }
}
