using System.Text.Json;
using FuncScaler.Contract;
using FuncScaler.UnaryGrpc;
using Google.Protobuf;

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

    /// <summary><c>POST /api/assign</c>: an AssignRequest in, an AssignReply out.</summary>
    public Task<JsonAnswer> AssignAsync(Stream body, CancellationToken cancellationToken) =>
        AnswerAsync<AssignRequest>(body, async request => await service.AssignAsync(request, null, cancellationToken).ConfigureAwait(false), cancellationToken);

    /// <summary><c>POST /api/release</c>: an IdleRequest in, an IdleReply out.</summary>
    public Task<JsonAnswer> ReleaseAsync(Stream body, CancellationToken cancellationToken) =>
        AnswerAsync<IdleRequest>(body, request => ValueTask.FromResult<IMessage>(service.Idle(request)), cancellationToken);

    /// <summary><c>GET /api/stats</c>.</summary>
    public JsonAnswer Stats() => new(200, JsonSerializer.Serialize(scaler.GetStats(), StatsFormat));

    private static async Task<JsonAnswer> AnswerAsync<TRequest>(
        Stream body,
        Func<TRequest, ValueTask<IMessage>> handle,
        CancellationToken cancellationToken)
        where TRequest : IMessage, new()
    {
        try
        {
            using var reader = new StreamReader(body);
            var request = Parser.Parse<TRequest>(await reader.ReadToEndAsync(cancellationToken).ConfigureAwait(false));
            return new JsonAnswer(200, Formatter.Format(await handle(request).ConfigureAwait(false)));
        }
        catch (GrpcException e)
        {
            return Error(e.Status, e.Detail);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Nobody reads this; hosts would log an exception as their own failure.
            return Error(GrpcStatus.Cancelled, "the caller has gone away");
        }
        catch (Exception e) when (e is InvalidJsonException or InvalidProtocolBufferException)
        {
            return Error(GrpcStatus.InvalidArgument, $"the body is not a {new TRequest().Descriptor.Name} in JSON: {e.Message}");
        }
    }

    private static JsonAnswer Error(GrpcStatus status, string detail)
    {
        var httpStatus = status switch
        {
            GrpcStatus.InvalidArgument => 400,
            GrpcStatus.NotFound => 404,
            GrpcStatus.FailedPrecondition => 409,
            GrpcStatus.ResourceExhausted => 429,
            GrpcStatus.Cancelled => 499,
            GrpcStatus.Unavailable => 503,
            GrpcStatus.DeadlineExceeded => 504,
            _ => 500,
        };
        return new JsonAnswer(httpStatus, JsonSerializer.Serialize(new ErrorBody(status.ToString(), detail), StatsFormat));
    }

    private sealed record ErrorBody(string Status, string Error);
}
