using System.Buffers;
using System.IO.Pipelines;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Execution;
using FuncScaler.Runtime.Service;
using FuncScaler.Runtime.Telemetry;
using FuncScaler.UnaryGrpc;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.Logging;

namespace FuncScaler.ScalerFunctions;

/// <summary>
/// The contract as gRPC-Web on the contract's own paths: on every plan, because the status travels in the body. Wants a function key, in
/// the header <c>x-functions-key</c>.
/// </summary>
public sealed class GrpcWebFunctions
{
    /// <summary>The largest request; the default of every gRPC implementation.</summary>
    private const int MaxMessageBytes = 4 << 20;

    private readonly UnaryRoutes _routes = new();
    private readonly DurableLedgers _ledgers;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    public GrpcWebFunctions(ScalerService service, DurableLedgers ledgers, TimeProvider time, ILogger<GrpcWebFunctions> logger)
    {
        service.AddTo(_routes);
        _ledgers = ledgers;
        _time = time;
        _logger = logger;
    }

    [Function("GrpcWeb")]
    public async Task<IActionResult> CallAsync(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "serverless.simulator.Scaler/{method}")] HttpRequest request,
        [DurableClient] DurableTaskClient client)
    {
        _ledgers.Connect(client);
        if (!GrpcWeb.IsGrpcWeb(request.ContentType))
        {
            return Refuse(StatusCodes.Status415UnsupportedMediaType, $"Send {GrpcWeb.ContentType}; {request.ContentType ?? "no content type"} cannot be read here.");
        }

        var encoding = MessageEncoding.Identity;
        var named = request.Headers["grpc-encoding"].ToString();
        if (named is not ("" or "identity") && !Enum.TryParse(named, ignoreCase: true, out encoding))
        {
            return Answer(GrpcWeb.EncodeError(GrpcStatus.Unimplemented, $"The message's compression '{named}' is not known here: send identity or gzip."));
        }

        TimeSpan? timeout = null;
        if (request.Headers.TryGetValue("grpc-timeout", out var text))
        {
            if (!GrpcTimeout.TryParse(text.ToString(), out var parsed))
            {
                return Answer(GrpcWeb.EncodeError(GrpcStatus.Internal, $"The grpc-timeout '{text}' cannot be read."));
            }

            timeout = parsed;
        }

        var aborted = request.HttpContext.RequestAborted;
        if (await ReadAsync(request.BodyReader, aborted) is not { } body)
        {
            return Answer(GrpcWeb.EncodeError(GrpcStatus.ResourceExhausted, $"The request is larger than {MaxMessageBytes} bytes."));
        }

        using var call = new UnaryCall(_time, timeout, metadata: name => request.Headers.TryGetValue(name, out var value) ? value.ToString() : null, aborted: aborted);
        return Answer(await GrpcWeb.AnswerAsync(_routes, request.Path.Value ?? "", body, call, _logger, encoding, MaxMessageBytes));
    }

    /// <summary>The whole body; null when it is too large.</summary>
    private static async ValueTask<ReadOnlySequence<byte>?> ReadAsync(PipeReader reader, CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await reader.ReadAsync(cancellationToken);
            if (read.IsCompleted)
            {
                // Unread on purpose: the message is parsed where it lies, and the request's end frees it.
                return read.Buffer;
            }

            if (read.Buffer.Length > MaxMessageBytes + 5)
            {
                return null;
            }

            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private static FileContentResult Answer(byte[] body) => new(body, GrpcWeb.ContentType);

    private static ContentResult Refuse(int status, string text) => new() { StatusCode = status, Content = text, ContentType = "text/plain" };
}
