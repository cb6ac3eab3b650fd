using System.Text.Json;
using System.Text.Json.Nodes;
using FuncScaler.Contract;
using Google.Protobuf;
using Grpc.Core;

namespace FuncScaler.SlotBackends.Runtime;

/// <summary>An answer to an HTTP request.</summary>
/// <param name="StatusCode">The HTTP status.</param>
/// <param name="Json">The body, application/json.</param>
public readonly record struct JsonAnswer(int StatusCode, string Json);

/// <summary>
/// The contract as JSON, for every host that speaks HTTP: the proto3 JSON mapping of the contract's messages. Errors are
/// <c>{"status", "error"}</c> with the gRPC status's name and a sentence.
/// </summary>
public sealed class ScalerJsonApi(ScalerService service, IScaler scaler)
{
    private static readonly JsonSerializerOptions StatsFormat = new(JsonSerializerDefaults.Web);

    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    private static readonly JsonFormatter Formatter = new(JsonFormatter.Settings.Default.WithFormatDefaultValues(true));

    /// <summary>
    /// <c>POST /api/assign</c>: an AssignRequest in, an AssignReply out; beside it <c>address</c>, where the platform has addresses, and
    /// then <c>start</c>: warm, waited or cold.
    /// </summary>
    public Task<JsonAnswer> AssignAsync(Stream body, CancellationToken cancellationToken) => AnswerAsync<AssignRequest>(
        body,
        async request =>
        {
            var (reply, instance) = await service.AssignInstanceAsync(request, null, cancellationToken).ConfigureAwait(false);
            var json = Formatter.Format(reply);
            if (instance.Address is not { } address)
            {
                return json;
            }

            var node = JsonNode.Parse(json)!;
            node["address"] = address.AbsoluteUri;
            node["start"] = ScalerService.StartName(instance.Kind);
            return node.ToJsonString();
        },
        cancellationToken);

    /// <summary><c>POST /api/release</c>: an IdleRequest in, an IdleReply out.</summary>
    public Task<JsonAnswer> ReleaseAsync(Stream body, CancellationToken cancellationToken) =>
        AnswerAsync<IdleRequest>(body, request => ValueTask.FromResult(Formatter.Format(service.Idle(request))), cancellationToken);

    /// <summary><c>GET /api/stats</c>.</summary>
    public JsonAnswer Stats() => new(200, JsonSerializer.Serialize(scaler.GetStats(), StatsFormat));

    /// <summary><c>GET /api/slots</c>: every slot in the inventory; <c>function</c> is empty for those nobody owns.</summary>
    public JsonAnswer Slots() => new(200, JsonSerializer.Serialize(
        scaler.GetInventory().Select(s => new SlotBody(
            s.Function.Value,
            s.Slot.Ticket.Value,
            s.Slot.State.ToString(),
            s.Slot.BackendId.Value ?? "",
            s.Slot.Instance.Value ?? "",
            s.Slot.Request.Value ?? "",
            s.Slot.MemoryMb)),
        StatsFormat));

    /// <summary><c>GET /api/explain/{metaKey}</c>: what the policy knows of a function, is up to and decided last.</summary>
    public JsonAnswer Explain(string metaKey) => scaler.TryExplain(new MetaKey(metaKey), out var explanation, out var whyNot)
        ? new JsonAnswer(200, JsonSerializer.Serialize(explanation, StatsFormat))
        : Error(StatusCode.NotFound, whyNot);

    private static async Task<JsonAnswer> AnswerAsync<TRequest>(
        Stream body,
        Func<TRequest, ValueTask<string>> handle,
        CancellationToken cancellationToken)
        where TRequest : IMessage, new()
    {
        try
        {
            using var reader = new StreamReader(body);
            var request = Parser.Parse<TRequest>(await reader.ReadToEndAsync(cancellationToken).ConfigureAwait(false));
            return new JsonAnswer(200, await handle(request).ConfigureAwait(false));
        }
        catch (RpcException e)
        {
            return Error(e.StatusCode, e.Status.Detail);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Nobody reads this; hosts would log an exception as their own failure.
            return Error(StatusCode.Cancelled, "the caller has gone away");
        }
        catch (Exception e) when (e is InvalidJsonException or InvalidProtocolBufferException)
        {
            return Error(StatusCode.InvalidArgument, $"the body is not a {new TRequest().Descriptor.Name} in JSON: {e.Message}");
        }
    }

    private static JsonAnswer Error(StatusCode status, string detail)
    {
        var httpStatus = status switch
        {
            StatusCode.InvalidArgument => 400,
            StatusCode.NotFound => 404,
            StatusCode.FailedPrecondition => 409,
            StatusCode.ResourceExhausted => 429,
            StatusCode.Cancelled => 499,
            StatusCode.Unavailable => 503,
            StatusCode.DeadlineExceeded => 504,
            _ => 500,
        };
        return new JsonAnswer(httpStatus, JsonSerializer.Serialize(new ErrorBody(status.ToString(), detail), StatsFormat));
    }

    private sealed record SlotBody(string Function, long Ticket, string State, string BackendId, string Instance, string Request, int MemoryMb);

    private sealed record ErrorBody(string Status, string Error);
}
