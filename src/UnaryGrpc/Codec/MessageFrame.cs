using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using Google.Protobuf;

namespace FuncScaler.UnaryGrpc;

/// <summary>
/// The frame around a message, the same for gRPC and gRPC-Web: a byte of flags, four bytes of length (big-endian), the bytes.
/// </summary>
public static class MessageFrame
{
    public const int HeaderBytes = 5;

    /// <summary>The flag of a compressed message.</summary>
    public const byte Compressed = 0x01;

    /// <summary>The highest limit on messages that can be set: 1 GiB, so that frames stay within what an array holds.</summary>
    public const int LargestLimit = 1 << 30;

    /// <summary>The flag of gRPC-Web's frame of trailers.</summary>
    public const byte Trailers = 0x80;

    /// <summary>Writes a header; <paramref name="destination"/> has at least <see cref="HeaderBytes"/> bytes.</summary>
    public static void WriteHeader(Span<byte> destination, byte flags, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        destination[0] = flags;
        BinaryPrimitives.WriteInt32BigEndian(destination[1..], length);
    }

    /// <summary>Writes header and message; <paramref name="messageBytes"/> is the message's own CalculateSize.</summary>
    public static void Write(Span<byte> destination, IMessage message, int messageBytes)
    {
        WriteHeader(destination, 0, messageBytes);
        message.WriteTo(destination.Slice(HeaderBytes, messageBytes));
    }

    /// <summary>Reads a header, if all of it is there.</summary>
    public static bool TryReadHeader(ReadOnlySequence<byte> source, out byte flags, out uint length)
    {
        if (source.Length < HeaderBytes)
        {
            flags = 0;
            length = 0;
            return false;
        }

        Span<byte> copy = stackalloc byte[HeaderBytes];
        scoped ReadOnlySpan<byte> header = source.FirstSpan;
        if (header.Length < HeaderBytes)
        {
            source.Slice(0, HeaderBytes).CopyTo(copy);
            header = copy;
        }

        flags = header[0];
        length = BinaryPrimitives.ReadUInt32BigEndian(header[1..]);
        return true;
    }

    /// <summary>
    /// Reads the one frame at the start of <paramref name="source"/>: false while bytes of it are missing. Whatever follows
    /// the frame is the caller's to judge.
    /// </summary>
    /// <exception cref="GrpcException">The frame says it is larger than allowed, before it has arrived.</exception>
    public static bool TryRead(
        ReadOnlySequence<byte> source,
        int maxMessageBytes,
        out byte flags,
        out ReadOnlySequence<byte> payload)
    {
        payload = default;
        if (!TryReadHeader(source, out flags, out uint length))
        {
            return false;
        }

        ThrowIfTooLarge(length, maxMessageBytes);
        if (source.Length - HeaderBytes < length)
        {
            return false;
        }

        payload = source.Slice(HeaderBytes, length);
        return true;
    }

    /// <summary>Turns the bytes of a frame into a message, decompressing them if the flags say so.</summary>
    /// <exception cref="GrpcException">With the status that the protocol assigns to what is wrong.</exception>
    public static T Parse<T>(
        MessageParser<T> parser,
        byte flags,
        ReadOnlySequence<byte> payload,
        MessageEncoding encoding,
        int maxMessageBytes)
        where T : class, IMessage<T>
    {
        ArgumentNullException.ThrowIfNull(parser);
        if (flags > Compressed)
        {
            throw new GrpcException(GrpcStatus.Internal, $"Unknown flags 0x{flags:X2} in the frame of a message.");
        }

        if (flags == 0)
        {
            return ParsePlain(parser, payload);
        }

        if (encoding == MessageEncoding.Identity)
        {
            throw new GrpcException(GrpcStatus.Internal, "A message is marked as compressed but no grpc-encoding was named.");
        }

        // A guess; with room for one byte too many, so that what is exactly at the limit can be told from what is over it.
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(Math.Max(256, payload.Length * 4), maxMessageBytes + 1L));
        try
        {
            int length = Decompress(payload, ref buffer, maxMessageBytes);
            return ParsePlain(parser, new ReadOnlySequence<byte>(buffer, 0, length));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    internal static void ThrowIfTooLarge(long length, int maxMessageBytes)
    {
        if (length > maxMessageBytes)
        {
            throw new GrpcException(
                GrpcStatus.ResourceExhausted, $"A message of {length} bytes is larger than the limit of {maxMessageBytes}.");
        }
    }

    private static T ParsePlain<T>(MessageParser<T> parser, ReadOnlySequence<byte> payload)
        where T : class, IMessage<T>
    {
        try
        {
            return parser.ParseFrom(payload);
        }
        catch (InvalidProtocolBufferException malformed)
        {
            throw new GrpcException(GrpcStatus.Internal, $"The bytes are no {typeof(T).Name}.", malformed);
        }
    }

    private static int Decompress(ReadOnlySequence<byte> payload, ref byte[] buffer, int maxMessageBytes)
    {
        using var gzip = new GZipStream(new SequenceStream(payload), CompressionMode.Decompress);
        int length = 0;
        try
        {
            while (true)
            {
                int read = gzip.Read(buffer, length, buffer.Length - length);
                if (read == 0)
                {
                    return length;
                }

                length += read;
                // Checked as it grows: a small bomb must not get to fill the memory first.
                if (length > maxMessageBytes)
                {
                    throw new GrpcException(
                        GrpcStatus.ResourceExhausted, $"A message is larger than the limit of {maxMessageBytes} bytes once decompressed.");
                }

                if (length == buffer.Length)
                {
                    buffer = Grow(buffer, length, length + 1);
                }
            }
        }
        catch (InvalidDataException malformed)
        {
            throw new GrpcException(GrpcStatus.Internal, "A compressed message is no gzip data.", malformed);
        }
    }

    /// <summary>A rented array at least twice as long, holding the first bytes of the old one, which is given back.</summary>
    internal static byte[] Grow(byte[] buffer, int used, int atLeast)
    {
        byte[] larger = ArrayPool<byte>.Shared.Rent((int)Math.Max(atLeast, Math.Min(buffer.Length * 2L, Array.MaxLength)));
        buffer.AsSpan(0, used).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(buffer);
        return larger;
    }
}
