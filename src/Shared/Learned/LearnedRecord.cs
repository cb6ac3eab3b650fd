using System.Buffers.Binary;
using System.IO.Hashing;

namespace FuncScaler.Learned;

/// <summary>
/// The form in which what was learned is written down: two letters, the version, a checksum, and named parts. What is damaged, foreign or
/// newer is found out and ignored.
/// </summary>
/// <remarks>
/// Version 1 has no pretended instances. Version 2 has them, so that candidates begin with the instances that they had. Version 3 has the
/// books of an objective. A reader reads every version up to its own; what a version lacks keeps the value of a new function.
/// </remarks>
public static class LearnedRecord
{
    /// <summary>The version that is written.</summary>
    public const int Version = 3;

    /// <summary>The most bytes that are written of one function.</summary>
    public const int MostFunctionBytes = 32 * 1024;

    /// <summary>The most bytes that are written of what all functions share.</summary>
    public const int MostSharedBytes = 256 * 1024;

    /// <summary>The most bytes of a text.</summary>
    internal const int MostTextBytes = 4096;

    /// <summary>Ages beyond this, 50 years, are not told apart.</summary>
    internal const long LongestAgeUs = 1_577_880_000_000_000;

    private const int HeaderBytes = 7;

    /// <summary>The record that has these parts.</summary>
    public static byte[] Seal(LearnedWriter parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        var record = new byte[HeaderBytes + parts.Length];
        "FL"u8.CopyTo(record);
        record[2] = Version;
        parts.Written.CopyTo(record.AsSpan(HeaderBytes));
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(3), Checksum(record));
        return record;
    }

    /// <summary>Opens a record.</summary>
    /// <param name="record">The bytes.</param>
    /// <param name="writtenUs">When it was written, µs on the reader's clock.</param>
    /// <param name="whyNot">Why it cannot be read; null where it can.</param>
    /// <returns>What reads its parts; null where it cannot be read.</returns>
    public static LearnedReader? Open(ReadOnlyMemory<byte> record, long writtenUs, out string? whyNot)
    {
        var bytes = record.Span;
        whyNot = bytes.Length < HeaderBytes || !bytes.StartsWith("FL"u8) ? "it is no record of what was learned"
            : BinaryPrimitives.ReadUInt32LittleEndian(bytes[3..]) != Checksum(bytes) ? "its checksum is wrong"
            : bytes[2] is 0 or > Version ? $"it is of version {bytes[2]}, and this program knows those up to {Version}"
            : null;
        return whyNot is null ? new LearnedReader(record[HeaderBytes..], bytes[2], writtenUs) : null;
    }

    /// <summary>Of the version and the parts.</summary>
    private static uint Checksum(ReadOnlySpan<byte> record)
    {
        var crc = new Crc32();
        crc.Append(record[2..3]);
        crc.Append(record[HeaderBytes..]);
        return crc.GetCurrentHashAsUInt32();
    }
}
