using System.Buffers;
using System.Buffers.Binary;

namespace FuncScaler.Runtime.Service.Frames;

/// <summary>The types of HTTP/2 frames that are told apart here (RFC 9113, section 6).</summary>
internal enum FrameType : byte
{
    Data = 0,
    Headers = 1,
    Priority = 2,
    Reset = 3,
    Settings = 4,
    Ping = 6,
    WindowUpdate = 8,
}

/// <summary>What a frame says of itself.</summary>
/// <param name="Length">The payload's length, bytes.</param>
/// <param name="Type">Its type.</param>
/// <param name="Flags">Its flags; which ones there are depends on the type.</param>
/// <param name="Stream">Its stream; 0 for the connection.</param>
internal readonly record struct FrameHeader(int Length, FrameType Type, byte Flags, int Stream)
{
    public const int Bytes = 9;

    public const byte EndStream = 0x1;
    public const byte Acknowledges = 0x1;
    public const byte EndHeaders = 0x4;
    public const byte Padded = 0x8;
    public const byte HasPriority = 0x20;

    public bool Has(byte flag) => (Flags & flag) != 0;

    public static FrameHeader Read(ReadOnlySpan<byte> bytes) => new(
        (bytes[0] << 16) | (bytes[1] << 8) | bytes[2],
        (FrameType)bytes[3],
        bytes[4],
        BinaryPrimitives.ReadInt32BigEndian(bytes[5..]) & int.MaxValue);

    public void WriteTo(IBufferWriter<byte> output)
    {
        var bytes = output.GetSpan(Bytes);
        BinaryPrimitives.WriteInt32BigEndian(bytes, Length << 8);
        bytes[3] = (byte)Type;
        bytes[4] = Flags;
        BinaryPrimitives.WriteInt32BigEndian(bytes[5..], Stream);
        output.Advance(Bytes);
    }
}
