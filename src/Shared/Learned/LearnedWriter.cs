using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace FuncScaler.Learned;

/// <summary>Writes down what was learned, compactly and within a bound. Times are written as ages, so that a reader may have another clock.</summary>
/// <param name="nowUs">The time at which it is written, µs on the writer's clock.</param>
public sealed class LearnedWriter(long nowUs)
{
    private const int FirstDetail = 256;

    private readonly ArrayBufferWriter<byte> _buffer = new(256);

    /// <summary>The time at which it is written, µs on the writer's clock.</summary>
    public long NowUs { get; } = nowUs;

    /// <summary>The most entries of any list: the first ones matter most.</summary>
    public int Detail { get; private init; } = int.MaxValue;

    /// <summary>The bytes written so far.</summary>
    public int Length => _buffer.WrittenCount;

    /// <summary>What was written.</summary>
    public ReadOnlySpan<byte> Written => _buffer.WrittenSpan;

    public void Byte(byte value)
    {
        _buffer.GetSpan(1)[0] = value;
        _buffer.Advance(1);
    }

    /// <summary>A whole number; small ones, of either sign, take fewer bytes.</summary>
    public void Whole(long value)
    {
        var left = (ulong)((value << 1) ^ (value >> 63));
        var bytes = 1 + ((63 - BitOperations.LeadingZeroCount(left | 1)) / 7);
        var span = _buffer.GetSpan(bytes);
        for (var i = 0; i < bytes; i++)
        {
            span[i] = (byte)((left & 0x7F) | (i < bytes - 1 ? 0x80u : 0));
            left >>= 7;
        }

        _buffer.Advance(bytes);
    }

    /// <summary>A number of about seven digits.</summary>
    public void Number(double value)
    {
        BinaryPrimitives.WriteSingleLittleEndian(_buffer.GetSpan(4), (float)value);
        _buffer.Advance(4);
    }

    /// <summary>A number of 0 to 65,504, to within a thousandth of it.</summary>
    public void Rough(double value)
    {
        BinaryPrimitives.WriteHalfLittleEndian(_buffer.GetSpan(2), (Half)Math.Clamp(value, 0, (double)Half.MaxValue));
        _buffer.Advance(2);
    }

    /// <summary>A share, 0 to 1, to within 1/65,000.</summary>
    public void Share(double value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_buffer.GetSpan(2), (ushort)Math.Round(Math.Clamp(value, 0, 1) * ushort.MaxValue));
        _buffer.Advance(2);
    }

    /// <summary>A time, as its age.</summary>
    public void Time(long us) => Whole(Math.Clamp(NowUs - us, -LearnedRecord.LongestAgeUs, LearnedRecord.LongestAgeUs));

    /// <summary>One of many times that are near to each other, to the millisecond, as how much earlier than the one before it is.</summary>
    /// <param name="us">The time, µs.</param>
    /// <param name="beforeUs">The one before as a reader has it; <see cref="NowUs"/> at first.</param>
    internal void NearTime(long us, ref long beforeUs)
    {
        var earlierMs = Math.Clamp(beforeUs - us, -LearnedRecord.LongestAgeUs, LearnedRecord.LongestAgeUs) / 1000;
        Whole(earlierMs);
        beforeUs -= earlierMs * 1000;
    }

    public void Text(string text)
    {
        var length = Encoding.UTF8.GetByteCount(text);
        Whole(length);
        Encoding.UTF8.GetBytes(text, _buffer.GetSpan(Math.Max(1, length)));
        _buffer.Advance(length);
    }

    /// <summary>A part that readers who do not know its tag skip.</summary>
    /// <param name="tag">What it is; see <see cref="LearnedReader.TryPart"/>.</param>
    /// <param name="mostBytes">The most bytes that it may take; where it takes more it is written with less <see cref="Detail"/>.</param>
    /// <param name="write">Writes it.</param>
    /// <returns>Whether it was written.</returns>
    public bool Part(string tag, int mostBytes, Action<LearnedWriter> write)
    {
        var part = new LearnedWriter(NowUs);
        write(part);
        for (var detail = FirstDetail; part.Length > mostBytes; detail /= 4)
        {
            if (detail == 0)
            {
                return false;
            }

            part = new LearnedWriter(NowUs) { Detail = detail };
            write(part);
        }

        Text(tag);
        Whole(part.Length);
        Append(part);
        return true;
    }

    /// <summary>What another has written.</summary>
    internal void Append(LearnedWriter other) => _buffer.Write(other.Written);
}
