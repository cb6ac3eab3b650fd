using System.Buffers;
using System.Net;
using System.Net.Http.Headers;
using Google.Protobuf;

namespace FuncScaler.UnaryGrpc;

/// <summary>A message and its frame header, written at once.</summary>
internal sealed class UnaryRequestContent : HttpContent
{
    private static readonly MediaTypeHeaderValue GrpcContentType = new(GrpcHeaders.ContentType);

    private readonly IMessage _message;

    public UnaryRequestContent(IMessage message)
    {
        _message = message;
        Headers.ContentType = GrpcContentType;
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    // Serialized here, not before: a call that the handler repeats on another connection comes here again.
    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        int size = _message.CalculateSize();
        int frameBytes = MessageFrame.HeaderBytes + size;
        byte[] frame = ArrayPool<byte>.Shared.Rent(frameBytes);
        try
        {
            MessageFrame.Write(frame, _message, size);
            await stream.WriteAsync(frame.AsMemory(0, frameBytes), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(frame);
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        // gRPC requests carry no content-length: the frame says it.
        length = 0;
        return false;
    }
}
