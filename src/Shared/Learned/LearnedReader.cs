using System.Buffers.Binary;
using System.Text;

namespace FuncScaler.Learned;

/// <summary>
/// Reads what a <see cref="LearnedWriter"/> wrote. Every read past the end, and every value that no writer writes, is a
/// <see cref="LearnedFormatException"/>.
/// </summary>
public sealed class LearnedReader
{
    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly long _writtenUs;
    private int _at;

    /// <param name="bytes">What was written.</param>
    /// <param name="version">The version of its form.</param>
    /// <param name="writtenUs">When it was written, µs on the reader's clock.</param>
    internal LearnedReader(ReadOnlyMemory<byte> bytes, int version, long writtenUs)
    {
        _bytes = bytes;
        Version = version;
        _writtenUs = writtenUs;
    }

    /// <summary>The version of the form it was written in, from 1 to <see cref="LearnedRecord.Version"/>.</summary>
    public int Version { get; }

    /// <summary>Whether all was read.</summary>
    public bool AtEnd => _at == _bytes.Length;

    public byte Byte() => Take(1)[0];

    /// <inheritdoc cref="LearnedWriter.Whole"/>
    public long Whole()
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var next = Byte();
            if (shift > 63)
            {
                throw new LearnedFormatException("a number is too long");
            }

            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return (long)(value >> 1) ^ -(long)(value & 1);
            }
        }
    }

    /// <summary>A whole number of 0 to <paramref name="most"/>.</summary>
    public int Count(int most)
    {
        var count = Whole();
        return count >= 0 && count <= most ? (int)count : throw new LearnedFormatException($"a count is {count}, and {most} is the most");
    }

    /// <summary>A finite number.</summary>
    public double Number()
    {
        var number = BinaryPrimitives.ReadSingleLittleEndian(Take(4));
        return float.IsFinite(number) ? number : throw new LearnedFormatException("a number is none");
    }

    /// <summary>A finite number that is at least <paramref name="least"/>.</summary>
    public double Number(double least)
    {
        var number = Number();
        return number >= least ? number : throw new LearnedFormatException($"a number is {number}, and {least} is the least");
    }

    /// <inheritdoc cref="LearnedWriter.Rough"/>
    public double Rough()
    {
        var number = (double)BinaryPrimitives.ReadHalfLittleEndian(Take(2));
        return number >= 0 && double.IsFinite(number) ? number : throw new LearnedFormatException("a number is below 0, or none");
    }

    /// <inheritdoc cref="LearnedWriter.Share"/>
    public double Share() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2)) / (double)ushort.MaxValue;

    /// <summary>A time, µs on the reader's clock.</summary>
    public long Time()
    {
        var age = Whole();
        return Math.Abs(age) <= LearnedRecord.LongestAgeUs ? _writtenUs - age : throw new LearnedFormatException("a time is too long ago");
    }

    /// <summary>When it was written, µs on the reader's clock.</summary>
    internal long WrittenUs => _writtenUs;

    /// <inheritdoc cref="LearnedWriter.NearTime"/>
    /// <param name="beforeUs">The one before, µs; <see cref="WrittenUs"/> at first. It becomes the one that is read.</param>
    internal long NearTime(ref long beforeUs)
    {
        var earlierMs = Whole();
        return Math.Abs(earlierMs) <= LearnedRecord.LongestAgeUs / 1000
            ? beforeUs -= earlierMs * 1000
            : throw new LearnedFormatException("a time is too long ago");
    }

    public string Text() => Encoding.UTF8.GetString(Take(Count(LearnedRecord.MostTextBytes)));

    /// <summary>The next part; false at the end.</summary>
    /// <param name="tag">What it is.</param>
    /// <param name="part">What reads it; null at the end.</param>
    public bool TryPart(out string tag, out LearnedReader? part)
    {
        (tag, part) = ("", null);
        if (AtEnd)
        {
            return false;
        }

        tag = Text();
        var length = Count(_bytes.Length);
        _ = Take(length);
        part = new LearnedReader(_bytes.Slice(_at - length, length), Version, _writtenUs);
        return true;
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _bytes.Length - _at)
        {
            throw new LearnedFormatException("it ends too early");
        }

        _at += count;
        return _bytes.Span.Slice(_at - count, count);
    }
}
