using System.Globalization;
using System.Text.Json.Nodes;

namespace FuncScaler.Samples.Gateway;

/// <summary>An instance that the scaler gave to a request.</summary>
/// <param name="Assignment">What Release sends back.</param>
/// <param name="Address">Where the instance is.</param>
/// <param name="Start">How the request came by it: warm, waited or cold.</param>
internal sealed record Instance(JsonNode Assignment, Uri Address, string Start);

/// <summary>The scaler's JSON API, as a gateway uses it.</summary>
/// <param name="scaler">Its address.</param>
/// <param name="token">The token that it knows the gateway by; empty for none.</param>
internal sealed class ScalerClient(Uri scaler, string token) : IDisposable
{
    /// <summary>How many requests an instance of the function serves at a time.</summary>
    private const string ConcurrencyHeader = "x-max-concurrency";

    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false })
    {
        BaseAddress = scaler,
        MaxResponseContentBufferSize = 64 * 1024,
        Timeout = Timeout.InfiniteTimeSpan,
        DefaultRequestHeaders = { Authorization = token.Length > 0 ? new("Bearer", token) : null },
    };

    /// <exception cref="HttpRequestException">No instance; the message has the scaler's words.</exception>
    public async Task<Instance> AssignAsync(string function, FunctionCall call, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "api/assign")
        {
            Content = JsonContent.Create(new
            {
                requestId = Guid.NewGuid().ToString("N"),
                metaData = new { key = function, runtime = "", timeoutInSecs = call.TimeoutSeconds, memoryInMb = call.MemoryMb },
            }),
        };
        if (call.Concurrency > 1)
        {
            request.Headers.Add(ConcurrencyHeader, call.Concurrency.ToString(CultureInfo.InvariantCulture));
        }

        using var response = await _http.SendAsync(request, cancellationToken);
        var reply = await response.Content.ReadFromJsonAsync<JsonNode>(cancellationToken);
        if (!response.IsSuccessStatusCode)
        {
            throw new HttpRequestException(reply?["error"]?.GetValue<string>() ?? "the scaler gave no reason", null, response.StatusCode);
        }

        return reply?["address"] is { } address
            ? new Instance(reply["assigment"]!, new Uri(address.GetValue<string>()), reply["start"]!.GetValue<string>())
            : throw new HttpRequestException("the scaler's backend has no addresses: serve with --backend process or aci");
    }

    /// <summary>Whether the scaler listens; it has two seconds to say so.</summary>
    public async Task<bool> IsHealthyAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(2));
        try
        {
            using var response = await _http.GetAsync("healthz", limit.Token);
            return response.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Gives an instance back; one that failed the request is to be destroyed.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="duration">How long the request took.</param>
    /// <param name="fault">What the instance did wrong, in words; empty for nothing.</param>
    public async Task ReleaseAsync(Instance instance, TimeSpan duration, string fault)
    {
        using var response = await _http.PostAsJsonAsync(
            "api/release",
            new { assigment = instance.Assignment, result = new { durationInMs = (long)duration.TotalMilliseconds, needDestroy = fault.Length > 0, reason = fault } },
            CancellationToken.None);
    }

    public void Dispose() => _http.Dispose();
}
