using System.Buffers;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using Google.Protobuf;

namespace FuncScaler.UnaryGrpc;

/// <summary>A channel on SocketsHttpHandler: HTTP/2 with TLS (https) or without (http, "prior knowledge").</summary>
public sealed class HttpUnaryChannel : IUnaryChannel
{
    private const int FirstBufferBytes = 512;

    private static readonly string UserAgent =
        $"grpc-csharp-funcscaler/{typeof(HttpUnaryChannel).Assembly.GetName().Version?.ToString(3)}";

    private readonly Uri _address;
    private readonly HttpUnaryChannelOptions _options;
    private readonly HttpMessageInvoker _invoker;
    private readonly ConcurrentDictionary<string, Uri> _uris = new(StringComparer.Ordinal);

    /// <summary>A channel to "host:port", or to an http or https URI.</summary>
    public HttpUnaryChannel(string address, HttpUnaryChannelOptions? options = null)
        : this(ParseAddress(address), options)
    {
    }

    public HttpUnaryChannel(Uri address, HttpUnaryChannelOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(address);
        if (!address.IsAbsoluteUri || (address.Scheme != Uri.UriSchemeHttp && address.Scheme != Uri.UriSchemeHttps))
        {
            throw new ArgumentException($"'{address}' is no http or https address.", nameof(address));
        }

        ArgumentOutOfRangeException.ThrowIfGreaterThan(options?.MaxMessageBytes ?? 0, MessageFrame.LargestLimit, nameof(options));
        _address = address;
        _options = options ?? new HttpUnaryChannelOptions();
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = _options.ConnectTimeout,
            EnableMultipleHttp2Connections = _options.MultipleConnections,
            InitialHttp2StreamWindowSize = 1 << 20,
            KeepAlivePingDelay = _options.KeepAlivePingDelay,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            // The default of a minute would make each call of a rarely called function a new connection.
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(15),
        };
        if (_options.Tls is { } tls)
        {
            handler.SslOptions = tls;
        }

        // HttpClient would add a timer and a token source to each call.
        _invoker = new HttpMessageInvoker(handler, disposeHandler: true);
    }

    public ValueTask<TReply> CallAsync<TRequest, TReply>(
        UnaryMethod<TRequest, TReply> method,
        TRequest request,
        TimeSpan? timeout,
        CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>, new()
        where TReply : class, IMessage<TReply>, new()
    {
        ArgumentNullException.ThrowIfNull(method);
        ArgumentNullException.ThrowIfNull(request);
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<TReply>(cancellationToken);
        }

        return timeout is { } limit && limit != Timeout.InfiniteTimeSpan
            ? CallWithinAsync(method, request, limit, cancellationToken)
            : SendAsync(method, request, null, cancellationToken, cancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        _invoker.Dispose();
        return ValueTask.CompletedTask;
    }

    private static Uri ParseAddress(string address)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(address);
        return new Uri(address.Contains("://", StringComparison.Ordinal) ? address : "http://" + address);
    }

    private async ValueTask<TReply> CallWithinAsync<TRequest, TReply>(
        UnaryMethod<TRequest, TReply> method, TRequest request, TimeSpan timeout, CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>, new()
        where TReply : class, IMessage<TReply>, new()
    {
        if (timeout <= TimeSpan.Zero)
        {
            throw DeadlineExceeded(null);
        }

        using var ending = timeout <= UnaryCall.LongestTimer
            ? new CancellationTokenSource(timeout, _options.TimeProvider)
            : new CancellationTokenSource();
        using CancellationTokenRegistration registration =
            cancellationToken.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), ending);
        return await SendAsync(method, request, timeout, ending.Token, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>One call; <paramref name="ending"/> fires with the caller's token and with the deadline.</summary>
    private async ValueTask<TReply> SendAsync<TRequest, TReply>(
        UnaryMethod<TRequest, TReply> method,
        TRequest message,
        TimeSpan? timeout,
        CancellationToken ending,
        CancellationToken caller)
        where TRequest : class, IMessage<TRequest>, new()
        where TReply : class, IMessage<TReply>, new()
    {
        using HttpRequestMessage request = NewRequest(method.Path, message, timeout);
        try
        {
            using HttpResponseMessage response = await _invoker.SendAsync(request, ending).ConfigureAwait(false);
            return await ReadReplyAsync(response, method.ReplyParser, ending).ConfigureAwait(false);
        }
        catch (Exception exception) when (IsOfTransport(exception) && caller.IsCancellationRequested)
        {
            // A reset stream surfaces in several ways; whose wish it was is what counts.
            throw new OperationCanceledException("The call was cancelled.", exception, caller);
        }
        catch (Exception exception) when (IsOfTransport(exception) && ending.IsCancellationRequested)
        {
            throw DeadlineExceeded(exception);
        }
        catch (OperationCanceledException exception)
        {
            // Neither token fired, so it was the limit on connecting, or the channel was disposed.
            string what = exception.InnerException is TimeoutException ? "No connection in time" : "The channel was closed";
            throw new GrpcException(GrpcStatus.Unavailable, $"{what}: {_address.Authority}.", exception);
        }
        catch (Exception exception) when (IsOfTransport(exception))
        {
            throw new GrpcException(StatusOf(exception), $"The call to {_address.Authority} failed: {exception.Message}", exception);
        }
    }

    private HttpRequestMessage NewRequest(string path, IMessage message, TimeSpan? timeout)
    {
        if (!_uris.TryGetValue(path, out Uri? uri))
        {
            uri = _uris.GetOrAdd(path, new Uri(_address, path));
        }

        var request = new HttpRequestMessage(HttpMethod.Post, uri)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new UnaryRequestContent(message),
        };
        HttpRequestHeaders headers = request.Headers;
        headers.TryAddWithoutValidation("te", "trailers");
        headers.TryAddWithoutValidation("user-agent", UserAgent);
        headers.TryAddWithoutValidation(GrpcHeaders.AcceptEncoding, MessageEncodings.Accepted);
        if (timeout is { } limit)
        {
            headers.TryAddWithoutValidation(GrpcHeaders.Timeout, GrpcTimeout.Format(limit));
        }

        return request;
    }

    private async ValueTask<TReply> ReadReplyAsync<TReply>(
        HttpResponseMessage response, MessageParser<TReply> parser, CancellationToken ending)
        where TReply : class, IMessage<TReply>, new()
    {
        // "Trailers only": no body, and the status where the headers are.
        bool trailersOnly = TryReadStatus(response.Headers, out GrpcStatus status, out string detail);
        if (trailersOnly && status != GrpcStatus.Ok)
        {
            throw new GrpcException(status, detail);
        }

        if (!trailersOnly)
        {
            ThrowUnlessGrpc(response);
        }

        string? encodingText = Find(response.Headers, GrpcHeaders.Encoding);
        bool encodingKnown = MessageEncodings.TryParse(encodingText, out MessageEncoding encoding);

        Stream body = response.Content.ReadAsStream(CancellationToken.None);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(FirstBufferBytes);
        try
        {
            int received = 0;
            // One byte more than the frame is asked for, to see the end of the body and with it the trailers.
            int wanted = MessageFrame.HeaderBytes;
            uint length = 0;
            while (true)
            {
                if (received == buffer.Length)
                {
                    buffer = MessageFrame.Grow(buffer, received, Math.Max(wanted + 1, received + 1));
                }

                int read = await body.ReadAsync(buffer.AsMemory(received), ending).ConfigureAwait(false);
                if (read == 0)
                {
                    break;
                }

                bool headerWasThere = received >= MessageFrame.HeaderBytes;
                received += read;
                if (!headerWasThere
                    && MessageFrame.TryReadHeader(new ReadOnlySequence<byte>(buffer, 0, received), out _, out length))
                {
                    MessageFrame.ThrowIfTooLarge(length, _options.MaxMessageBytes);
                    wanted = MessageFrame.HeaderBytes + (int)length;
                }

                if (received > wanted && received > MessageFrame.HeaderBytes)
                {
                    throw new GrpcException(GrpcStatus.Unimplemented, "More than one message in the answer to a unary call.");
                }
            }

            if (!trailersOnly && !TryReadStatus(response.TrailingHeaders, out status, out detail))
            {
                throw new GrpcException(GrpcStatus.Internal, "The answer ended without the trailers that hold its status.");
            }

            if (status != GrpcStatus.Ok)
            {
                throw new GrpcException(status, detail);
            }

            if (received == 0)
            {
                throw new GrpcException(GrpcStatus.Unimplemented, "No message in the answer to a unary call.");
            }

            if (received < wanted)
            {
                throw new GrpcException(GrpcStatus.Internal, "The answer ended within a message.");
            }

            if (buffer[0] != 0 && !encodingKnown)
            {
                throw new GrpcException(GrpcStatus.Internal, $"Unsupported grpc-encoding '{encodingText}' of the answer.");
            }

            var payload = new ReadOnlySequence<byte>(buffer, MessageFrame.HeaderBytes, (int)length);
            return MessageFrame.Parse(parser, buffer[0], payload, encoding, _options.MaxMessageBytes);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static bool TryReadStatus(HttpResponseHeaders headers, out GrpcStatus status, out string detail)
    {
        if (Find(headers, GrpcHeaders.Status) is { } text)
        {
            status = GrpcHeaders.ParseStatus(text, Find(headers, GrpcHeaders.Message), out detail);
            return true;
        }

        status = GrpcStatus.Unknown;
        detail = "";
        return false;
    }

    private static string? Find(HttpResponseHeaders headers, string name) =>
        headers.NonValidated.TryGetValues(name, out HeaderStringValues values) ? values.ToString() : null;

    private static void ThrowUnlessGrpc(HttpResponseMessage response)
    {
        if (response.StatusCode != HttpStatusCode.OK)
        {
            GrpcStatus status = response.StatusCode switch
            {
                HttpStatusCode.BadRequest => GrpcStatus.Internal,
                HttpStatusCode.Unauthorized => GrpcStatus.Unauthenticated,
                HttpStatusCode.Forbidden => GrpcStatus.PermissionDenied,
                HttpStatusCode.NotFound => GrpcStatus.Unimplemented,
                HttpStatusCode.TooManyRequests
                    or HttpStatusCode.BadGateway
                    or HttpStatusCode.ServiceUnavailable
                    or HttpStatusCode.GatewayTimeout => GrpcStatus.Unavailable,
                _ => GrpcStatus.Unknown,
            };
            throw new GrpcException(status, $"The peer answered with HTTP status {(int)response.StatusCode} and no grpc-status.");
        }

        string? contentType = response.Content.Headers.NonValidated.TryGetValues("content-type", out HeaderStringValues values)
            ? values.ToString()
            : null;
        if (!GrpcHeaders.IsGrpc(contentType))
        {
            throw new GrpcException(GrpcStatus.Unknown, $"The peer does not speak gRPC: the answer's content type is '{contentType}'.");
        }
    }

    private static bool IsOfTransport(Exception exception) =>
        exception is OperationCanceledException or HttpRequestException or IOException;

    /// <summary>What the protocol says of each way in which HTTP/2 ends a stream; a lost connection is "unavailable".</summary>
    private static GrpcStatus StatusOf(Exception exception)
    {
        for (Exception? cause = exception; cause is not null; cause = cause.InnerException)
        {
            if (cause is HttpProtocolException protocol)
            {
                return protocol.ErrorCode switch
                {
                    0x8 => GrpcStatus.Cancelled, // CANCEL
                    0xB => GrpcStatus.ResourceExhausted, // ENHANCE_YOUR_CALM
                    0xC => GrpcStatus.PermissionDenied, // INADEQUATE_SECURITY
                    0x0 or 0x7 => GrpcStatus.Unavailable, // NO_ERROR, of a server that stops; REFUSED_STREAM
                    _ => GrpcStatus.Internal,
                };
            }
        }

        return GrpcStatus.Unavailable;
    }

    private static GrpcException DeadlineExceeded(Exception? inner) =>
        new(GrpcStatus.DeadlineExceeded, "The deadline passed.", inner);
}
