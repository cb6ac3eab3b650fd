using System.Net;
using System.Text;
using System.Text.Json;

namespace FuncScaler.SlotBackends.Http;

/// <summary>Waits until an instance answers over HTTP and has it specialised. Safe for concurrent use.</summary>
/// <param name="http">Calls instances; without a time-out of its own.</param>
/// <param name="time">The clock.</param>
internal sealed class InstanceStarter(HttpMessageInvoker http, TimeProvider time)
{
    /// <summary>How long one look may take: a container that hangs in its accept queue is looked at again.</summary>
    private static readonly TimeSpan LookTimeout = TimeSpan.FromSeconds(5);

    /// <summary>How long the last look may take, however little time is left.</summary>
    private static readonly TimeSpan ShortestLook = TimeSpan.FromMilliseconds(500);

    /// <summary>Makes the instance at an address ready.</summary>
    /// <param name="address">Where it listens.</param>
    /// <param name="start">How it is made ready.</param>
    /// <param name="instance">The instance's id.</param>
    /// <param name="function">What it is to be.</param>
    /// <param name="code">What it is told in POST /init.</param>
    /// <param name="stillThere">Asked between looks; throws when there is no point in waiting on.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="SlotBackendException">It did not become ready, or refused.</exception>
    public async Task StartAsync(
        Uri address,
        InstanceStart start,
        InstanceId instance,
        FunctionMeta function,
        FunctionCode code,
        Func<CancellationToken, Task> stillThere,
        CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        var health = new Uri(address, start.HealthPath.Length > 0 ? start.HealthPath : "/");
        var last = "it does not listen";
        while (true)
        {
            var (ready, answer) = await LookAsync(() => new HttpRequestMessage(HttpMethod.Get, health), TimeFor(LookTimeout), cancellationToken)
                .ConfigureAwait(false);
            if (ready is { } status && (start.HealthPath.Length == 0 || (int)status is >= 200 and < 300))
            {
                if (start.Init == InitMode.None)
                {
                    return;
                }

                (var init, answer) = await LookAsync(() => InitRequest(address, instance, function, code), TimeFor(start.Timeout), cancellationToken)
                    .ConfigureAwait(false);
                if (IsInitialised(init, answer))
                {
                    return;
                }
            }

            last = answer ?? last;
            if (time.GetElapsedTime(began) >= start.Timeout)
            {
                throw new SlotBackendException(new SlotFailure(
                    FailureKind.Transient, $"the instance at {address.Authority} was not ready after {start.Timeout.TotalSeconds:0.#} s: {last}"));
            }

            await stillThere(cancellationToken).ConfigureAwait(false);
            await Task.Delay(start.PollDelay, time, cancellationToken).ConfigureAwait(false);
        }

        // What one call may take: never much more than what is left of the whole start.
        TimeSpan TimeFor(TimeSpan longest)
        {
            var left = start.Timeout - time.GetElapsedTime(began);
            var limit = left < longest ? left : longest;
            return limit > ShortestLook ? limit : ShortestLook;
        }
    }

    /// <summary>Whether an answer to POST /init means that the instance is specialised; null and busy answers ask for another try.</summary>
    private static bool IsInitialised(HttpStatusCode? status, string? answer) => status switch
    {
        null or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout or HttpStatusCode.TooManyRequests => false,

        // "Cannot initialize the action more than once": an earlier try whose answer was lost, or one of the scaler's former runs. A group
        // is only ever initialised as the function it was created for.
        HttpStatusCode.Forbidden => true,
        _ when (int)status is >= 200 and < 300 => true,
        _ => throw new SlotBackendException(new SlotFailure(FailureKind.Permanent, $"POST /init was answered {answer}")),
    };

    private static HttpRequestMessage InitRequest(Uri address, InstanceId instance, FunctionMeta function, FunctionCode code)
    {
        var environment = new Dictionary<string, string>(code.Environment)
        {
            ["__OW_ACTION_NAME"] = function.Key.Value,
            ["FUNCSCALER_INSTANCE"] = instance.Value,
        };
        var body = JsonSerializer.Serialize(new
        {
            value = new { name = function.Key.Value, main = code.Main, binary = code.Binary, code = code.Code, env = environment },
        });
        return new HttpRequestMessage(HttpMethod.Post, new Uri(address, "/init")) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
    }

    /// <summary>One call; no status when nothing answered. Of a good answer nothing is read, of another one its first words.</summary>
    private async Task<(HttpStatusCode? Status, string? Answer)> LookAsync(
        Func<HttpRequestMessage> makeRequest, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(timeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            using var request = makeRequest();
            using var response = await http.SendAsync(request, linked.Token).ConfigureAwait(false);
            var text = response.IsSuccessStatusCode ? "" : await WordsAsync(response.Content, linked.Token).ConfigureAwait(false);
            return (response.StatusCode, $"{(int)response.StatusCode} {text}".TrimEnd());
        }
        catch (HttpRequestException e)
        {
            // .NET's own words hold some of the answer's where that was no HTTP.
            return (null, RemoteWords.Clean(e.Message));
        }
        catch (IOException e)
        {
            return (null, RemoteWords.Clean(e.Message));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (null, "it accepts connections and does not answer");
        }
    }

    /// <summary>An answer's first words, and the rest is left where it is; none where they do not come in time, as its status says enough.</summary>
    private static async Task<string> WordsAsync(HttpContent content, CancellationToken cancellationToken)
    {
        try
        {
            using var stream = await content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
            var buffer = new byte[4 * RemoteWords.Longest];
            var count = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
            return RemoteWords.Clean(Encoding.UTF8.GetString(buffer, 0, count));
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            return "";
        }
    }
}
