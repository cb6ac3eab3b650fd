using System.Globalization;
using System.Net;
using System.Net.Http.Headers;

namespace FuncScaler.UnaryGrpc.Tests;

/// <summary>Speaks HTTP/2 to a server without knowing gRPC, so that it can also speak it wrongly.</summary>
internal sealed class RawClient : IDisposable
{
    private readonly HttpClient _client;

    public RawClient(Uri address)
    {
        _client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false })
        {
            BaseAddress = address,
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    public Task<RawAnswer> PostAsync(string path, byte[] body, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Post, path, new ByteArrayContent(body), HttpVersion.Version20, "application/grpc", default, headers);

    public async Task<RawAnswer> SendAsync(
        HttpMethod method,
        string path,
        HttpContent? content,
        Version version,
        string? contentType,
        CancellationToken cancellationToken,
        params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path)
        {
            Version = version,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        };
        if (contentType is not null && content is not null)
        {
            content.Headers.ContentType = MediaTypeHeaderValue.Parse(contentType);
        }

        foreach ((string name, string value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        using HttpResponseMessage response = await _client.SendAsync(request, cancellationToken);
        byte[] body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        return new RawAnswer(response.StatusCode, response.Headers, response.Content.Headers, body, response.TrailingHeaders);
    }

    public void Dispose() => _client.Dispose();
}

internal sealed record RawAnswer(
    HttpStatusCode HttpStatus,
    HttpResponseHeaders Headers,
    HttpContentHeaders ContentHeaders,
    byte[] Body,
    HttpResponseHeaders Trailers)
{
    /// <summary>The grpc-status, which is where a trailers-only answer has it.</summary>
    public GrpcStatus StatusOfTrailersOnly
    {
        get
        {
            Assert.Equal(HttpStatusCode.OK, HttpStatus);
            Assert.Equal("application/grpc", ContentHeaders.ContentType!.ToString());
            Assert.Empty(Body);
            Assert.Empty(Trailers);
            return (GrpcStatus)int.Parse(Assert.Single(Headers.GetValues("grpc-status")), CultureInfo.InvariantCulture);
        }
    }

    public string Message => Assert.Single(Headers.GetValues("grpc-message"));
}

/// <summary>A body that is sent in pieces, each in a frame of its own, and that ends when its last piece allows.</summary>
internal sealed class PiecewiseContent(byte[] body, int pieceBytes, Task? end = null) : HttpContent
{
    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        for (int start = 0; start < body.Length; start += pieceBytes)
        {
            await stream.WriteAsync(body.AsMemory(start, Math.Min(pieceBytes, body.Length - start)));
            await stream.FlushAsync();
        }

        await stream.FlushAsync();
        await (end ?? Task.CompletedTask);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
