using System.Buffers.Binary;
using System.IO.Compression;

namespace FuncScaler.ContestSimulator.Traces;

/// <summary>
/// Reads a text file line by line as UTF-8 bytes, in one reused buffer. Lines end with LF or CRLF; a byte order mark is skipped.
/// </summary>
internal sealed class Utf8LineReader : IDisposable
{
    /// <summary>Longer lines are refused: they are a sign of a file that has no lines.</summary>
    public const int LongestLineBytes = 1 << 24;

    private readonly Stream _stream;
    private byte[] _buffer = new byte[1 << 17];
    private int _start;
    private int _end;
    private bool _ended;
    private bool _started;
    private long _bytesRead;

    public Utf8LineReader(string path)
    {
        Path = path;
        _stream = TraceFile.Open(path);
    }

    public string Path { get; }

    /// <summary>The number of the line read last, from 1.</summary>
    public long LineNumber { get; private set; }

    /// <summary>Reads the next line, its end not included; it stays valid until the next call.</summary>
    /// <returns>False at the end of the file.</returns>
    /// <exception cref="TraceFormatException">The file cannot be read, or a line is longer than <see cref="LongestLineBytes"/>.</exception>
    public bool TryRead(out ReadOnlySpan<byte> line)
    {
        var searched = 0;
        while (true)
        {
            var available = _buffer.AsSpan(_start, _end - _start);
            var newLine = available[searched..].IndexOf((byte)'\n');
            if (newLine >= 0)
            {
                newLine += searched;
                _start += newLine + 1;
                LineNumber++;
                line = TrimCarriageReturn(available[..newLine]);
                return true;
            }

            searched = available.Length;
            if (_ended)
            {
                _start = _end;
                line = TrimCarriageReturn(available);
                LineNumber += available.IsEmpty ? 0 : 1;
                return !available.IsEmpty;
            }

            Fill();
        }
    }

    /// <summary>Reads the next line that has more than white space in it.</summary>
    /// <inheritdoc cref="TryRead"/>
    public bool TryReadNonBlank(out ReadOnlySpan<byte> line)
    {
        while (TryRead(out line))
        {
            if (line.IndexOfAnyExcept((byte)' ', (byte)'\t') >= 0)
            {
                return true;
            }
        }

        return false;
    }

    public void Dispose() => _stream.Dispose();

    private static ReadOnlySpan<byte> TrimCarriageReturn(ReadOnlySpan<byte> line) =>
        line is [.., (byte)'\r'] ? line[..^1] : line;

    private void Fill()
    {
        var kept = _end - _start;
        if (kept == _buffer.Length)
        {
            if (kept >= LongestLineBytes)
            {
                throw TraceFile.LineError(
                    Path, LineNumber + 1, $"the line is longer than {LongestLineBytes >> 20} MB", "write one record per line");
            }

            Array.Resize(ref _buffer, _buffer.Length * 2);
        }
        else if (_start > 0)
        {
            _buffer.AsSpan(_start, kept).CopyTo(_buffer);
            _start = 0;
            _end = kept;
        }

        var read = ReadStream();
        _ended = read == 0;
        _end += read;
        if (!_started)
        {
            _started = true;
            SkipByteOrderMark();
        }
    }

    private void SkipByteOrderMark()
    {
        while (!_ended && _end < 3)
        {
            var read = ReadStream();
            _ended = read == 0;
            _end += read;
        }

        if (_buffer.AsSpan(0, _end).StartsWith("\uFEFF"u8))
        {
            _start = 3;
        }
    }

    /// <summary>
    /// GZipStream takes the end of the file for the end of the data. The last four bytes of a whole file are the length of what is in it.
    /// </summary>
    private void RequireWhole(GZipStream gzip)
    {
        Span<byte> length = stackalloc byte[sizeof(uint)];
        gzip.BaseStream.Seek(-Math.Min(length.Length, gzip.BaseStream.Length), SeekOrigin.End);
        gzip.BaseStream.ReadAtLeast(length, length.Length, throwOnEndOfStream: false);
        if (BinaryPrimitives.ReadUInt32LittleEndian(length) != (uint)_bytesRead)
        {
            throw TraceFile.LineError(
                Path,
                LineNumber + 1,
                "the gzip data are cut short, or several compressed files stand one after another",
                "fetch the file again, or compress it as one");
        }
    }

    private int ReadStream()
    {
        try
        {
            var read = _stream.Read(_buffer, _end, _buffer.Length - _end);
            _bytesRead += read;
            if (read == 0 && _stream is GZipStream gzip)
            {
                RequireWhole(gzip);
            }

            return read;
        }
        catch (InvalidDataException e)
        {
            throw TraceFile.LineError(
                Path, LineNumber + 1, $"the gzip data are corrupt ({e.Message})", "fetch or compress the file again", e);
        }
        catch (IOException e)
        {
            var kind = _stream is GZipStream ? "the gzip data" : "the file";
            throw TraceFile.LineError(Path, LineNumber + 1, $"{kind} cannot be read ({e.Message})", "check the disk or fetch the file again", e);
        }
    }
}
