using System.Buffers;
using System.IO.Compression;
using Google.Protobuf;

namespace FuncScaler.UnaryGrpc.Tests;

/// <summary>Frames made by hand, not with the code under test.</summary>
internal static class Frames
{
    public static byte[] Plain(IMessage message) => Raw(0, message.ToByteArray());

    public static byte[] Gzip(IMessage message) => Raw(1, Compress(message.ToByteArray()));

    public static byte[] Raw(byte flags, byte[] payload) =>
    [
        flags,
        (byte)(payload.Length >> 24), (byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length,
        .. payload,
    ];

    public static byte[] Compress(byte[] bytes)
    {
        using var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Optimal))
        {
            gzip.Write(bytes);
        }

        return compressed.ToArray();
    }

    public static ReadOnlySequence<byte> InPieces(byte[] bytes, int pieceBytes)
    {
        var first = new Piece(bytes.AsMemory(0, Math.Min(pieceBytes, bytes.Length)), null);
        Piece last = first;
        for (int start = pieceBytes; start < bytes.Length; start += pieceBytes)
        {
            last = new Piece(bytes.AsMemory(start, Math.Min(pieceBytes, bytes.Length - start)), last);
        }

        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(ReadOnlyMemory<byte> memory, Piece? previous)
        {
            Memory = memory;
            if (previous is not null)
            {
                RunningIndex = previous.RunningIndex + previous.Memory.Length;
                previous.Next = this;
            }
        }
    }
}
