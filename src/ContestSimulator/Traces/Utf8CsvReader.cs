using System.Buffers.Text;
using System.Text;

namespace FuncScaler.ContestSimulator.Traces;

/// <summary>
/// Reads a CSV file with a header: row by row as UTF-8, numbers without allocating. A field may stand in double quotes, a quote in it doubled;
/// a line end may not stand in a field.
/// </summary>
internal sealed class Utf8CsvReader : IDisposable
{
    private readonly Utf8LineReader _lines;
    private readonly string[] _columns;
    private readonly Dictionary<string, int> _indexes = [];
    private readonly int[] _ends;
    private byte[] _row = new byte[4096];

    /// <exception cref="TraceFormatException">The file cannot be read, or has no header.</exception>
    public Utf8CsvReader(string path)
    {
        _lines = new Utf8LineReader(path);
        try
        {
            if (!_lines.TryReadNonBlank(out var header))
            {
                throw TraceFile.FileError(path, "it is empty", "a header and rows are needed");
            }

            _columns = Columns(header);
            for (var i = 0; i < _columns.Length; i++)
            {
                _indexes.TryAdd(_columns[i], i);
            }

            _ends = new int[_columns.Length];
        }
        catch
        {
            _lines.Dispose();
            throw;
        }
    }

    public string Path => _lines.Path;

    public long LineNumber => _lines.LineNumber;

    /// <summary>Finds a column by one of its names; -1 when it is not there.</summary>
    public int FindColumn(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (_indexes.TryGetValue(name, out var index))
            {
                return index;
            }
        }

        return -1;
    }

    /// <summary>Finds a column by one of its names.</summary>
    /// <exception cref="TraceFormatException">There is none.</exception>
    public int Column(params ReadOnlySpan<string> names)
    {
        var index = FindColumn(names);
        return index >= 0
            ? index
            : throw TraceFile.LineError(Path, LineNumber, $"there is no column \"{names[0]}\"", "check that this is the file meant");
    }

    /// <summary>Moves to the next row.</summary>
    /// <exception cref="TraceFormatException">The row does not have as many fields as the header.</exception>
    public bool TryReadRow()
    {
        if (!_lines.TryReadNonBlank(out var line))
        {
            return false;
        }

        if (_row.Length < line.Length)
        {
            _row = new byte[Math.Max(line.Length, 2 * _row.Length)];
        }

        var fields = line.Contains((byte)'"') ? CopyQuoted(line) : CopyPlain(line);
        return fields == _columns.Length
            ? true
            : throw TraceFile.LineError(
                Path, LineNumber, $"{fields} fields under a header of {_columns.Length}", "every row needs as many as the header");
    }

    private int CopyPlain(ReadOnlySpan<byte> line)
    {
        line.CopyTo(_row);
        var fields = 0;
        for (var begin = 0; begin <= line.Length; fields++)
        {
            var length = line[begin..].IndexOf((byte)',');
            var end = length < 0 ? line.Length : begin + length;
            if (fields < _ends.Length)
            {
                _ends[fields] = end;
            }

            begin = end + 1;
        }

        return fields;
    }

    /// <summary>The same where there are quotes: they are taken away, and a comma between them is no end of a field.</summary>
    private int CopyQuoted(ReadOnlySpan<byte> line)
    {
        int fields = 0, written = 0;
        var quoted = false;
        for (var i = 0; i < line.Length; i++)
        {
            var c = line[i];
            if (c == '"')
            {
                if (quoted && i + 1 < line.Length && line[i + 1] == '"')
                {
                    _row[written++] = c;
                    i++;
                }
                else
                {
                    quoted = !quoted;
                }
            }
            else
            {
                if (c == ',' && !quoted)
                {
                    EndField(fields++, written);
                }

                _row[written++] = c;
            }
        }

        if (quoted)
        {
            throw TraceFile.LineError(Path, LineNumber, "a quote is not closed", "close it; a field may not go on in the next line");
        }

        EndField(fields++, written);
        return fields;
    }

    private void EndField(int field, int end)
    {
        if (field < _ends.Length)
        {
            _ends[field] = end;
        }
    }

    /// <summary>A field's bytes; valid until the next row.</summary>
    public ReadOnlySpan<byte> Bytes(int column)
    {
        var begin = column == 0 ? 0 : _ends[column - 1] + 1;
        return _row.AsSpan(begin, _ends[column] - begin).Trim((byte)' ');
    }

    public string Text(int column) => Encoding.UTF8.GetString(Bytes(column));

    /// <summary>A field as a number in a range.</summary>
    /// <exception cref="TraceFormatException">It is not one.</exception>
    public double Number(int column, double least, double greatest)
    {
        var bytes = Bytes(column);
        if (!Utf8Parser.TryParse(bytes, out double value, out var used) || used != bytes.Length)
        {
            throw Error(column, $"\"{Text(column)}\" is not a number", "write one");
        }

        return value >= least && value <= greatest
            ? value
            : throw Error(column, $"{Text(column)} is out of range", FormattableString.Invariant($"it must be from {least} to {greatest}"));
    }

    public TraceFormatException Error(int column, string problem, string remedy) =>
        TraceFile.FieldError(Path, LineNumber, _columns[column], problem, remedy);

    /// <summary>The columns by name, in order.</summary>
    public IReadOnlyList<string> Names => _columns;

    public void Dispose() => _lines.Dispose();

    private static string[] Columns(ReadOnlySpan<byte> header) =>
        [.. Encoding.UTF8.GetString(header).Split(',', StringSplitOptions.TrimEntries).Select(c => c.Length > 1 && c[0] == '"' && c[^1] == '"' ? c[1..^1] : c)];
}
