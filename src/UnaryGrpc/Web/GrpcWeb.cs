using System.Buffers;
using System.Globalization;
using System.Text;
using Google.Protobuf;
using Microsoft.Extensions.Logging;

namespace FuncScaler.UnaryGrpc;

/// <summary>
/// Unary gRPC-Web, binary only: bytes in, bytes out, for hosts that offer no trailers. A body holds the message's frame and,
/// in a reply, a frame of trailers after it.
/// </summary>
public static partial class GrpcWeb
{
    public const string ContentType = "application/grpc-web+proto";

    private const int DefaultMaxMessageBytes = 4 << 20;

    private static ReadOnlySpan<byte> OkTrailers => "grpc-status:0\r\n"u8;

    /// <summary>Whether a body of this content type can be read here; the base64 form, grpc-web-text, cannot.</summary>
    public static bool IsGrpcWeb(string? contentType)
    {
        if (contentType is null)
        {
            return false;
        }

        int end = contentType.AsSpan().IndexOfAny(';', ' ');
        ReadOnlySpan<char> type = end < 0 ? contentType : contentType.AsSpan(0, end);
        return type.Equals("application/grpc-web", StringComparison.OrdinalIgnoreCase)
            || type.Equals(ContentType, StringComparison.OrdinalIgnoreCase);
    }

    public static byte[] EncodeRequest(IMessage request)
    {
        ArgumentNullException.ThrowIfNull(request);
        int size = request.CalculateSize();
        byte[] body = new byte[MessageFrame.HeaderBytes + size];
        MessageFrame.Write(body, request, size);
        return body;
    }

    /// <exception cref="GrpcException">With the status to answer.</exception>
    public static T DecodeRequest<T>(
        MessageParser<T> parser,
        ReadOnlySequence<byte> body,
        MessageEncoding encoding = MessageEncoding.Identity,
        int maxMessageBytes = DefaultMaxMessageBytes)
        where T : class, IMessage<T>
    {
        ReadOnlySequence<byte> payload = ReadOnlyFrame(body, maxMessageBytes, out byte flags);
        return MessageFrame.Parse(parser, flags, payload, encoding, maxMessageBytes);
    }

    /// <summary>The body of an answer with status OK.</summary>
    public static byte[] EncodeReply(IMessage reply)
    {
        ArgumentNullException.ThrowIfNull(reply);
        int size = reply.CalculateSize();
        byte[] body = new byte[MessageFrame.HeaderBytes + size + MessageFrame.HeaderBytes + OkTrailers.Length];
        MessageFrame.Write(body, reply, size);
        WriteTrailers(body.AsSpan(MessageFrame.HeaderBytes + size), OkTrailers);
        return body;
    }

    /// <summary>The body of an answer with another status: trailers only. Its HTTP status is 200 all the same.</summary>
    public static byte[] EncodeError(GrpcStatus status, string detail)
    {
        byte[] trailers = Encoding.ASCII.GetBytes(string.Create(
            CultureInfo.InvariantCulture, $"grpc-status:{(int)status}\r\ngrpc-message:{GrpcMessageText.Encode(detail)}\r\n"));
        byte[] body = new byte[MessageFrame.HeaderBytes + trailers.Length];
        WriteTrailers(body, trailers);
        return body;
    }

    /// <summary>Reads the body of an answer.</summary>
    /// <exception cref="GrpcException">The status of the trailers, or what is wrong with the body.</exception>
    public static T DecodeReply<T>(
        MessageParser<T> parser,
        ReadOnlySequence<byte> body,
        MessageEncoding encoding = MessageEncoding.Identity,
        int maxMessageBytes = DefaultMaxMessageBytes)
        where T : class, IMessage<T>
    {
        ReadOnlySequence<byte>? message = null;
        byte messageFlags = 0;
        while (MessageFrame.TryRead(body, maxMessageBytes, out byte flags, out ReadOnlySequence<byte> payload))
        {
            body = body.Slice(payload.End);
            if (flags == MessageFrame.Trailers)
            {
                ThrowUnlessOk(Encoding.UTF8.GetString(payload));
                if (!body.IsEmpty)
                {
                    throw new GrpcException(GrpcStatus.Internal, "The answer goes on after its trailers.");
                }

                return message is { } bytes
                    ? MessageFrame.Parse(parser, messageFlags, bytes, encoding, maxMessageBytes)
                    : throw new GrpcException(GrpcStatus.Unimplemented, "No message in the answer to a unary call.");
            }

            if (message is not null)
            {
                throw new GrpcException(GrpcStatus.Unimplemented, "More than one message in the answer to a unary call.");
            }

            message = payload;
            messageFlags = flags;
        }

        throw new GrpcException(GrpcStatus.Internal, "The answer ended without the trailers that hold its status.");
    }

    /// <summary>
    /// Answers a request with the handler of its path, errors included: what an HTTP trigger does between two bodies.
    /// </summary>
    public static async ValueTask<byte[]> AnswerAsync(
        UnaryRoutes routes,
        string path,
        ReadOnlySequence<byte> body,
        UnaryCall call,
        ILogger logger,
        MessageEncoding encoding = MessageEncoding.Identity,
        int maxMessageBytes = DefaultMaxMessageBytes)
    {
        ArgumentNullException.ThrowIfNull(routes);
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(call);
        try
        {
            routes.Freeze();
            UnaryRoute route = routes.Find(path);
            ReadOnlySequence<byte> payload = ReadOnlyFrame(body, maxMessageBytes, out byte flags);
            IMessage request = route.ParseRequest(flags, payload, encoding, maxMessageBytes);
            call.DeadlineToken.ThrowIfCancellationRequested();
            return EncodeReply(await route.HandleAsync(request, call).ConfigureAwait(false));
        }
        catch (GrpcException error)
        {
            return EncodeError(error.Status, error.Detail);
        }
        catch (OperationCanceledException) when (call.DeadlinePassed)
        {
            return EncodeError(GrpcStatus.DeadlineExceeded, "The deadline passed.");
        }
        catch (OperationCanceledException) when (call.Cancellation.IsCancellationRequested)
        {
            return EncodeError(GrpcStatus.Cancelled, "The call was cancelled.");
        }
        // Whatever a handler throws is answered, and never with what it says: that is for the log.
#pragma warning disable CA1031
        catch (Exception exception)
#pragma warning restore CA1031
        {
            HandlerFailed(logger, exception, path);
            return EncodeError(GrpcStatus.Unknown, UnaryRoute.MessageOfFailure);
        }
    }

    /// <summary>The bytes of the one message that a request's body holds.</summary>
    private static ReadOnlySequence<byte> ReadOnlyFrame(ReadOnlySequence<byte> body, int maxMessageBytes, out byte flags)
    {
        if (body.IsEmpty)
        {
            flags = 0;
            throw new GrpcException(GrpcStatus.Unimplemented, "No message in a unary call.");
        }

        if (!MessageFrame.TryRead(body, maxMessageBytes, out flags, out ReadOnlySequence<byte> payload))
        {
            throw new GrpcException(GrpcStatus.Internal, "The request ended within a message.");
        }

        if (!body.Slice(payload.End).IsEmpty)
        {
            throw new GrpcException(GrpcStatus.Unimplemented, "More than one message in a unary call.");
        }

        return payload;
    }

    private static void WriteTrailers(Span<byte> destination, ReadOnlySpan<byte> trailers)
    {
        MessageFrame.WriteHeader(destination, MessageFrame.Trailers, trailers.Length);
        trailers.CopyTo(destination[MessageFrame.HeaderBytes..]);
    }

    private static void ThrowUnlessOk(string trailers)
    {
        string? status = null;
        string? message = null;
        foreach (ReadOnlySpan<char> line in trailers.AsSpan().EnumerateLines())
        {
            int colon = line.IndexOf(':');
            if (colon < 0)
            {
                continue;
            }

            ReadOnlySpan<char> name = line[..colon].Trim();
            if (name.Equals(GrpcHeaders.Status, StringComparison.OrdinalIgnoreCase))
            {
                status = line[(colon + 1)..].Trim().ToString();
            }
            else if (name.Equals(GrpcHeaders.Message, StringComparison.OrdinalIgnoreCase))
            {
                message = line[(colon + 1)..].Trim().ToString();
            }
        }

        if (status is null)
        {
            throw new GrpcException(GrpcStatus.Internal, "The trailers of the answer hold no grpc-status.");
        }

        if (GrpcHeaders.ParseStatus(status, message, out string detail) is var code && code != GrpcStatus.Ok)
        {
            throw new GrpcException(code, detail);
        }
    }

    [LoggerMessage(EventId = 4, Level = LogLevel.Error, Message = "The handler of {Path} failed")]
    private static partial void HandlerFailed(ILogger logger, Exception exception, string path);
}
