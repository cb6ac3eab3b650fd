using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FuncScaler.Contract;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace FuncScaler.Runtime.Service;

/// <summary>An answer to an HTTP request.</summary>
/// <param name="StatusCode">The HTTP status.</param>
/// <param name="Json">The body, application/json.</param>
/// <param name="RetryAfter">What the header Retry-After says, rounded up to whole seconds; null for none.</param>
public readonly record struct JsonAnswer(int StatusCode, string Json, TimeSpan? RetryAfter = null);

/// <summary>
/// The contract as JSON, for every host that speaks HTTP: the proto3 JSON mapping of the contract's messages. Errors are
/// <c>{"status", "error"}</c> with the gRPC status's name and a sentence.
/// </summary>
public sealed class ScalerJsonApi(ScalerService service, IScaler scaler)
{
    /// <summary>How long an Assign waits whose caller says nothing. Callers over HTTP give up by themselves after 30 to 100 s.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(60);

    /// <summary>The header that says how long an Assign may wait, ms. The body's <c>timeoutMs</c> says the same and counts more.</summary>
    public const string TimeoutHeader = "x-timeout-ms";

    /// <summary>The largest body accepted, bytes.</summary>
    public const int LargestBody = 64 * 1024;

    private const double LongestTimeoutMs = 3_600_000;

    private static readonly JsonSerializerOptions StatsFormat = new(JsonSerializerDefaults.Web);

    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    private static readonly JsonFormatter Formatter = new(JsonFormatter.Settings.Default.WithFormatDefaultValues(true));

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>
    /// <c>POST /api/assign</c>: an AssignRequest in, an AssignReply out; beside it <c>address</c>, where the platform has addresses, and
    /// then <c>start</c>: warm, waited or cold. A caller says with <c>timeoutMs</c>, or the header <see cref="TimeoutHeader"/>, how long it
    /// is ready to wait; 60,000 where it does not. With the header <see cref="ScalerService.ConcurrencyMetadata"/> it says how many requests an
    /// instance serves at a time.
    /// </summary>
    public Task<JsonAnswer> AssignAsync(HttpRequest request) => AnswerAsync<AssignRequest>(
        request,
        async (message, body) =>
        {
            CallerScope.Check(request.HttpContext, message.MetaData?.Key);
            var timeout = TimeoutOf(request, body);
            var (reply, instance) = await service.AssignInstanceAsync(
                message, timeout, request.HttpContext.RequestAborted, ScalerService.ConcurrencyOf(request.Headers[ScalerService.ConcurrencyMetadata])).ConfigureAwait(false);
            service.TakeBackIfUndelivered(request.HttpContext, reply.Assigment);
            var json = Formatter.Format(reply);
            if (instance.Address is not { } address)
            {
                return json;
            }

            var node = JsonNode.Parse(json)!;
            node["address"] = address.AbsoluteUri;
            node["start"] = ScalerService.StartName(instance.Kind);
            return node.ToJsonString();
        });

    /// <summary>
    /// <c>POST /api/release</c>: an IdleRequest in, an IdleReply out. The contract spells its field <c>assigment</c>; <c>assignment</c> is
    /// understood as well.
    /// </summary>
    public Task<JsonAnswer> ReleaseAsync(HttpRequest request) =>
        AnswerAsync<IdleRequest>(request, (message, _) =>
        {
            CallerScope.Check(request.HttpContext, message.Assigment?.MetaKey);
            return ValueTask.FromResult(Formatter.Format(service.Idle(message)));
        });

    /// <summary><c>GET /api/stats?offset=0&amp;limit=1000</c>: totals, and the functions of one page. Only for callers that have all functions.</summary>
    public JsonAnswer Stats(HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (CallerScope.Of(request.HttpContext) is { } scope)
        {
            return Error(StatusCode.PermissionDenied, $"the totals are of all functions, and caller {scope.Caller} has some alone: ask for /api/slots or /api/explain/KEY");
        }

        try
        {
            var page = new StatsPage(NumberOf(request, "offset", 0), NumberOf(request, "limit", StatsPage.DefaultLimit));
            return new(200, JsonSerializer.Serialize(scaler.GetStats(page), StatsFormat));
        }
        catch (RpcException e)
        {
            return Error(e.StatusCode, e.Status.Detail);
        }
    }

    /// <summary><c>GET /api/slots</c>: every slot in the inventory; <c>function</c> is empty for those nobody owns.</summary>
    /// <param name="scope">Whose functions alone; null for all.</param>
    public JsonAnswer Slots(CallerScope? scope = null) => new(200, JsonSerializer.Serialize(
        scaler.GetInventory().Where(s => scope?.Covers(s.Function.Value) ?? true).Select(s => new SlotBody(
            s.Function.Value,
            s.Slot.Ticket.Value,
            s.Slot.State.ToString(),
            s.Slot.BackendId.Value ?? "",
            s.Slot.Instance.Value ?? "",
            s.Slot.Request.Value ?? "",
            s.Slot.MemoryMb,
            s.Slot.Requests)),
        StatsFormat));

    /// <summary><c>GET /api/explain/{metaKey}</c>: what the policy knows of a function, is up to and decided last.</summary>
    /// <param name="metaKey">The function.</param>
    /// <param name="scope">What the caller may see; null for all functions.</param>
    public JsonAnswer Explain(string metaKey, CallerScope? scope = null) => scope is not null && !scope.Covers(metaKey)
        ? Error(StatusCode.PermissionDenied, $"caller {scope.Caller} may not see this function")
        : scaler.TryExplain(new MetaKey(metaKey), out var explanation, out var whyNot)
        ? new JsonAnswer(200, JsonSerializer.Serialize(explanation, StatsFormat))
        : Error(StatusCode.NotFound, whyNot);

    /// <summary>
    /// The function that a path names: all that follows <paramref name="prefix"/>, or the query's <c>function</c> where nothing follows. Servers
    /// tidy paths up: they read "a%2Fb" in their own way, and take "." and ".." for folders. So the path is read as it was sent.
    /// </summary>
    /// <returns>Null where the path does not begin with the prefix, or names nothing.</returns>
    public static string? FunctionOf(HttpRequest request, string prefix)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(prefix);
        var target = request.HttpContext.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "";
        var end = target.IndexOf('?', StringComparison.Ordinal);
        var path = end < 0 ? target : target[..end];
        var named = path.StartsWith(prefix, StringComparison.Ordinal) ? Uri.UnescapeDataString(path[prefix.Length..])
            : path == prefix.TrimEnd('/') ? request.Query["function"].ToString()
            : "";
        return named.Length > 0 ? named : null;
    }

    /// <summary>An error in the API's form.</summary>
    public static JsonAnswer Error(StatusCode status, string detail, int? httpStatus = null) => new(
        httpStatus ?? status switch
        {
            StatusCode.InvalidArgument => 400,
            StatusCode.Unauthenticated => 401,
            StatusCode.PermissionDenied => 403,
            StatusCode.NotFound => 404,
            StatusCode.FailedPrecondition => 409,
            StatusCode.ResourceExhausted => 429,
            StatusCode.Cancelled => 499,
            StatusCode.Unavailable => 503,
            StatusCode.DeadlineExceeded => 504,
            _ => 500,
        },
        JsonSerializer.Serialize(new ErrorBody(status.ToString(), detail), StatsFormat));

    private static async Task<JsonAnswer> AnswerAsync<TRequest>(HttpRequest http, Func<TRequest, JsonObject, ValueTask<string>> handle)
        where TRequest : IMessage, new()
    {
        var aborted = http.HttpContext.RequestAborted;
        try
        {
            if (!http.HasJsonContentType())
            {
                // A web page may send text to any address, but JSON only with that address's consent.
                return Error(StatusCode.InvalidArgument, $"the body is {http.ContentType ?? "of no type"}: send application/json", StatusCodes.Status415UnsupportedMediaType);
            }

            if (Read<TRequest>(await ReadAsync(http.Body, aborted).ConfigureAwait(false), out var body, out var wrong) is not { } request)
            {
                return Error(StatusCode.InvalidArgument, $"the body is not a {new TRequest().Descriptor.Name} in JSON: {RemoteWords.Clean(wrong)}");
            }

            return new JsonAnswer(200, await handle(request, body).ConfigureAwait(false));
        }
        catch (RpcException e)
        {
            return Error(e.StatusCode, e.Status.Detail) with { RetryAfter = ScalerRefusal.RetryAfterOf(e) };
        }
        catch (OperationCanceledException) when (aborted.IsCancellationRequested)
        {
            // Nobody reads this; hosts would log an exception as their own failure.
            return Error(StatusCode.Cancelled, "the caller has gone away");
        }
        catch (Exception e) when (e is ConnectionResetException || (e is IOException && aborted.IsCancellationRequested))
        {
            // The reset may be read before it is told as an abortion; then the server would try to read the rest, and log that it cannot.
            http.HttpContext.Abort();
            return Error(StatusCode.Cancelled, "the caller has gone away");
        }
        catch (BadHttpRequestException e)
        {
            return Error(StatusCode.InvalidArgument, e.Message, e.StatusCode);
        }
        catch (DecoderFallbackException)
        {
            return Error(StatusCode.InvalidArgument, "the body is no valid UTF-8");
        }
    }

    /// <returns>Null where the text is none.</returns>
    private static TRequest? Read<TRequest>(string text, out JsonObject body, out string wrong)
        where TRequest : IMessage, new()
    {
        (body, wrong) = ([], "");
        try
        {
            body = JsonNode.Parse(text) as JsonObject ?? throw new JsonException("it is no object");
            if (body.Remove("assignment", out var spelledOut))
            {
                body.TryAdd("assigment", spelledOut);
            }

            return Parser.Parse<TRequest>(body.ToJsonString());
        }
        catch (Exception e) when (e is JsonException or InvalidJsonException or InvalidProtocolBufferException or ArgumentException or InvalidOperationException)
        {
            // The last where an escape is half a character.
            wrong = e.Message;
            return default;
        }
    }

    /// <summary>Reads a body whole.</summary>
    /// <exception cref="BadHttpRequestException">It has more than <see cref="LargestBody"/> bytes.</exception>
    /// <exception cref="DecoderFallbackException">It is no valid UTF-8.</exception>
    public static async Task<string> ReadAsync(Stream body, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(body);
        var buffer = new byte[4096];
        using var read = new MemoryStream();
        for (int count; (count = await body.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0;)
        {
            if (read.Length + count > LargestBody)
            {
                throw new BadHttpRequestException($"the body has more than {LargestBody} bytes", StatusCodes.Status413PayloadTooLarge);
            }

            read.Write(buffer, 0, count);
        }

        return StrictUtf8.GetString(read.GetBuffer(), 0, (int)read.Length);
    }

    private static TimeSpan TimeoutOf(HttpRequest request, JsonObject body)
    {
        var said = body["timeoutMs"]?.ToJsonString() ?? request.Headers[TimeoutHeader].ToString();
        if (said.Length == 0)
        {
            return DefaultTimeout;
        }

        return double.TryParse(said, NumberStyles.Float, CultureInfo.InvariantCulture, out var ms) && ms is > 0 and <= LongestTimeoutMs
            ? TimeSpan.FromMilliseconds(ms)
            : throw new RpcException(new Grpc.Core.Status(StatusCode.InvalidArgument, $"timeoutMs is {said}: give milliseconds, more than 0 and at most {LongestTimeoutMs}"));
    }

    private static int NumberOf(HttpRequest request, string name, int otherwise)
    {
        var said = request.Query[name].ToString();
        return said.Length == 0 ? otherwise
            : int.TryParse(said, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
            : throw new RpcException(new Grpc.Core.Status(StatusCode.InvalidArgument, $"{name} is '{said}': give a whole number, 0 or more"));
    }

    private sealed record SlotBody(string Function, long Ticket, string State, string BackendId, string Instance, string Request, int MemoryMb, int Requests);

    private sealed record ErrorBody(string Status, string Error);
}
