using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using Google.Protobuf;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace FuncScaler.UnaryGrpc;

internal sealed partial class UnaryGrpcMiddleware(
    RequestDelegate next, UnaryRoutes routes, UnaryGrpcServerOptions options, ILogger logger)
{
    private static readonly GrpcException DeadlinePassed = new(GrpcStatus.DeadlineExceeded, "The deadline passed.");

    public Task InvokeAsync(HttpContext context) => GrpcHeaders.IsGrpc(context.Request.ContentType) ? ServeAsync(context) : next(context);

    private async Task ServeAsync(HttpContext context)
    {
        if (Refusal(context.Request) is { } refusal)
        {
            RefuseHttp(context, refusal.HttpStatus, refusal.Detail);
            return;
        }

        string path = context.Request.Path.Value ?? "";
        UnaryCall? call = null;
        Task<IMessage>? unfinished = null;
        try
        {
            UnaryRoute route = routes.Find(path);
            call = new UnaryCall(options.TimeProvider, ReadTimeout(context.Request), context);
            MessageEncoding encoding = ReadEncoding(context);
            IMessage request = await ReadRequestAsync(context, route, encoding, call.DeadlineToken);

            ValueTask<IMessage> pending = route.HandleAsync(request, call);
            IMessage reply;
            if (pending.IsCompleted || call.Deadline is null)
            {
                reply = await pending;
            }
            else
            {
                unfinished = pending.AsTask();
                reply = await unfinished.WaitAsync(call.DeadlineToken);
            }

            await WriteReplyAsync(context, call, reply);
        }
        catch (GrpcException error)
        {
            WriteError(context, path, error);
        }
        catch (OperationCanceledException) when (call is { DeadlinePassed: true })
        {
            WriteError(context, path, DeadlinePassed);
        }
        catch (Exception exception) when (IsLostCaller(exception, context))
        {
            // Nobody is left to be answered.
            Log.CallerGone(logger, path);
        }
        catch (Exception exception) when (exception is not BadHttpRequestException)
        {
            Log.HandlerFailed(logger, exception, path);
            WriteError(context, path, new GrpcException(GrpcStatus.Unknown, UnaryRoute.MessageOfFailure));
        }
        finally
        {
            if (unfinished is { IsCompleted: false })
            {
                await FinishAfterAnswerAsync(context, unfinished);
            }

            call?.Dispose();
        }
    }

    /// <summary>The caller learns of its deadline now; the request lasts until the handler has noticed too.</summary>
    private static async Task FinishAfterAnswerAsync(HttpContext context, Task handler)
    {
        try
        {
            if (!context.RequestAborted.IsCancellationRequested)
            {
                await context.Response.CompleteAsync();
            }
        }
        finally
        {
            await handler.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static (int HttpStatus, string Detail)? Refusal(HttpRequest request)
    {
        // Trailers, and so a status, need HTTP/2; HTTP/3 would do as well.
        if (!HttpProtocol.IsHttp2(request.Protocol) && !HttpProtocol.IsHttp3(request.Protocol))
        {
            return (StatusCodes.Status426UpgradeRequired, $"gRPC needs HTTP/2; the request came over {request.Protocol}.");
        }

        if (!HttpMethods.IsPost(request.Method))
        {
            return (StatusCodes.Status405MethodNotAllowed, $"gRPC needs POST; the request is a {request.Method}.");
        }

        return GrpcHeaders.IsProto(request.ContentType)
            ? null
            : (StatusCodes.Status415UnsupportedMediaType, $"Only protobuf messages are supported, not {request.ContentType}.");
    }

    private static TimeSpan? ReadTimeout(HttpRequest request)
    {
        if (!request.Headers.TryGetValue(GrpcHeaders.Timeout, out var text))
        {
            return null;
        }

        return GrpcTimeout.TryParse(text.ToString(), out TimeSpan timeout)
            ? timeout
            : throw new GrpcException(GrpcStatus.Internal, $"Malformed grpc-timeout '{text}'.");
    }

    private static MessageEncoding ReadEncoding(HttpContext context)
    {
        string? text = context.Request.Headers[GrpcHeaders.Encoding];
        if (MessageEncodings.TryParse(text, out MessageEncoding encoding))
        {
            return encoding;
        }

        context.Response.Headers[GrpcHeaders.AcceptEncoding] = MessageEncodings.Accepted;
        throw new GrpcException(GrpcStatus.Unimplemented, $"Unsupported grpc-encoding '{text}'; supported: {MessageEncodings.Accepted}.");
    }

    private async ValueTask<IMessage> ReadRequestAsync(
        HttpContext context, UnaryRoute route, MessageEncoding encoding, CancellationToken deadline)
    {
        // The limit here is on messages; Kestrel's, on bodies, would end the stream where a status is due.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } bodySize)
        {
            bodySize.MaxRequestBodySize = null;
        }

        deadline.ThrowIfCancellationRequested();
        PipeReader body = context.Request.BodyReader;
        IMessage? request = null;
        while (true)
        {
            ReadResult read = await body.ReadAsync(deadline);
            ReadOnlySequence<byte> buffer = read.Buffer;
            if (request is null
                && MessageFrame.TryRead(buffer, options.MaxMessageBytes, out byte flags, out ReadOnlySequence<byte> payload))
            {
                request = route.ParseRequest(flags, payload, encoding, options.MaxMessageBytes);
                buffer = buffer.Slice(payload.End);
            }

            if (request is not null && !buffer.IsEmpty)
            {
                throw new GrpcException(GrpcStatus.Unimplemented, "More than one message in a unary call.");
            }

            if (read.IsCompleted)
            {
                return request ?? throw (buffer.IsEmpty
                    ? new GrpcException(GrpcStatus.Unimplemented, "No message in a unary call.")
                    : new GrpcException(GrpcStatus.Internal, "The request ended within a message."));
            }

            body.AdvanceTo(buffer.Start, buffer.End);
        }
    }

    private static async ValueTask WriteReplyAsync(HttpContext context, UnaryCall call, IMessage reply)
    {
        HttpResponse response = context.Response;
        response.ContentType = GrpcHeaders.ContentType;
        if (call.ReplyMetadata is { } metadata)
        {
            foreach (var (name, value) in metadata)
            {
                response.Headers[name] = value;
            }
        }

        // Headers first, or Kestrel would take the buffered body for an empty one; none of this is flushed before the end.
        await response.StartAsync();
        int size = reply.CalculateSize();
        int frameBytes = MessageFrame.HeaderBytes + size;
        PipeWriter body = response.BodyWriter;
        MessageFrame.Write(body.GetSpan(frameBytes), reply, size);
        body.Advance(frameBytes);
        response.AppendTrailer(GrpcHeaders.Status, "0");
    }

    private void WriteError(HttpContext context, string path, GrpcException error)
    {
        Log.AnsweredWithError(logger, path, error.Status, error.Detail);
        HttpResponse response = context.Response;
        // "Trailers only": without a message the status goes into the one block of headers. Once those are out, into trailers.
        IHeaderDictionary target = response.HasStarted
            ? context.Features.GetRequiredFeature<IHttpResponseTrailersFeature>().Trailers
            : response.Headers;
        if (!response.HasStarted)
        {
            response.ContentType = GrpcHeaders.ContentType;
        }

        SetStatus(target, error.Status, error.Detail);
    }

    private void RefuseHttp(HttpContext context, int httpStatus, string detail)
    {
        Log.AnsweredWithError(logger, context.Request.Path.Value ?? "", GrpcStatus.Internal, detail);
        context.Response.StatusCode = httpStatus;
        if (httpStatus == StatusCodes.Status405MethodNotAllowed)
        {
            context.Response.Headers.Allow = HttpMethods.Post;
        }
        else if (httpStatus == StatusCodes.Status426UpgradeRequired)
        {
            context.Response.Headers.Upgrade = HttpProtocol.Http2;
            context.Response.Headers.Connection = "Upgrade";
        }

        SetStatus(context.Response.Headers, GrpcStatus.Internal, detail);
    }

    private static void SetStatus(IHeaderDictionary headers, GrpcStatus status, string detail)
    {
        headers[GrpcHeaders.Status] = ((int)status).ToString(CultureInfo.InvariantCulture);
        if (detail.Length > 0)
        {
            headers[GrpcHeaders.Message] = GrpcMessageText.Encode(detail);
        }
    }

    private static bool IsLostCaller(Exception exception, HttpContext context) =>
        exception is ConnectionResetException or ConnectionAbortedException
        || (exception is OperationCanceledException or IOException && context.RequestAborted.IsCancellationRequested);
}
