using System.Globalization;
using System.Text;

namespace FuncScaler.ContestSimulator.Traces.Tables;

/// <summary>Rows of a table whose columns are mapped: what CSV and Parquet have in common.</summary>
internal abstract class MappedRows(ColumnMap map, TableDefaults defaults) : IRequestRows
{
    private const double LatestUs = 32_503_680_000e6; // the year 3000
    private const double LongestUs = 30.0 * 86_400e6;
    private const double LargestMemoryMb = 1 << 20;

    private byte[] _key = new byte[256];
    private int _keyLength;

    public ReadOnlySpan<byte> Key => _key.AsSpan(0, _keyLength);

    /// <summary>The column of each mapped field; -1 where it is not mapped. To be set before the first row.</summary>
    protected MappedColumns Columns { get; init; } = new([], -1, -1, -1, -1, -1, -1);

    public bool TryRead(out RequestRow row)
    {
        if (!TryMove())
        {
            row = default;
            return false;
        }

        ReadKey();
        var durationUs = Columns.Duration >= 0 ? Amount(Columns.Duration, ColumnMap.Microseconds(map.DurationUnit), LongestUs) : (double?)null;
        var startUs = Columns.Start >= 0 ? Time(Columns.Start) : (double?)null;
        var endUs = Columns.End >= 0 ? Time(Columns.End) : (double?)null;
        durationUs ??= startUs is not null && endUs is not null ? endUs - startUs : defaults.DurationMs * 1000;
        if (durationUs < 0)
        {
            throw FieldError(Columns.End, "it is before the start", "check which columns are mapped");
        }

        startUs ??= endUs - durationUs;
        if (startUs < 0)
        {
            throw FieldError(Columns.End, "it is shorter after the table's epoch than the execution lasts", "check the units");
        }

        row = new RequestRow(
            (long)Math.Round(startUs!.Value),
            (long)Math.Round(durationUs!.Value),
            Columns.Status >= 0 ? (int)Amount(Columns.Status, 1, 999) : 200,
            Columns.Memory >= 0 && !IsEmpty(Columns.Memory) ? Math.Max(1, (int)Math.Ceiling(Amount(Columns.Memory, 1, LargestMemoryMb))) : null,
            Columns.Init >= 0 && !IsEmpty(Columns.Init) ? (long)Math.Round(Amount(Columns.Init, ColumnMap.Microseconds(map.InitUnit), LongestUs)) : null);
        return true;
    }

    public abstract TraceFormatException Error(string problem, string remedy);

    public abstract void Dispose();

    protected abstract bool TryMove();

    protected abstract bool IsEmpty(int column);

    /// <summary>The field as text.</summary>
    protected abstract string Text(int column);

    /// <summary>The field as a number; null where it is none.</summary>
    protected abstract double? Number(int column);

    /// <summary>The field as a time, where it is stored as one; null where it is not.</summary>
    protected virtual DateTimeOffset? StoredTime(int column) => null;

    /// <summary>Copies the field's text as UTF-8.</summary>
    protected abstract int CopyText(int column, ref byte[] into, int at);

    protected abstract TraceFormatException FieldError(int column, string problem, string remedy);

    protected static void Grow(ref byte[] bytes, int needed)
    {
        if (bytes.Length < needed)
        {
            Array.Resize(ref bytes, Math.Max(needed, 2 * bytes.Length));
        }
    }

    protected static int CopyUtf8(string text, ref byte[] into, int at)
    {
        Grow(ref into, at + Encoding.UTF8.GetMaxByteCount(text.Length));
        return Encoding.UTF8.GetBytes(text, into.AsSpan(at));
    }

    private void ReadKey()
    {
        _keyLength = 0;
        foreach (var column in Columns.Key)
        {
            if (IsEmpty(column))
            {
                throw FieldError(column, "it is empty", "every row needs it");
            }

            if (_keyLength > 0)
            {
                Grow(ref _key, _keyLength + 1);
                _key[_keyLength++] = (byte)'/';
            }

            _keyLength += CopyText(column, ref _key, _keyLength);
        }
    }

    private double Amount(int column, double scale, double most)
    {
        if (Number(column) is not { } value)
        {
            throw FieldError(column, $"\"{Text(column)}\" is not a number", "write one");
        }

        return value >= 0 && value * scale <= most
            ? value * scale
            : throw FieldError(column, $"{Text(column)} is out of range", FormattableString.Invariant($"it must be from 0 to {most / scale:0.######}"));
    }

    /// <summary>A time: a number of the map's unit since the table's epoch, or an ISO 8601 time, UTC where it names no zone.</summary>
    private double Time(int column)
    {
        if (Number(column) is not null)
        {
            return Amount(column, ColumnMap.Microseconds(map.TimeUnit), LatestUs);
        }

        var time = StoredTime(column);
        if (time is null && DateTimeOffset.TryParse(
            Text(column), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var read))
        {
            time = read;
        }

        return time is { } at && at >= DateTimeOffset.UnixEpoch
            ? (at - DateTimeOffset.UnixEpoch).Ticks / (double)TimeSpan.TicksPerMicrosecond
            : throw FieldError(column, $"\"{Text(column)}\" is neither a number nor an ISO 8601 time from 1970 on", "write for example 2026-01-31T08:00:00.5Z");
    }
}

/// <summary>The index of each mapped column; -1 where it is not mapped.</summary>
internal sealed record MappedColumns(int[] Key, int Start, int Duration, int End, int Memory, int Init, int Status)
{
    public static MappedColumns Of(ColumnMap map, Func<string, int> find)
    {
        return new MappedColumns(
            [.. map.Key.Select(find)], Find(map.Start), Find(map.Duration), Find(map.End), Find(map.Memory), Find(map.Init), Find(map.Status));

        int Find(string? name) => name is null ? -1 : find(name);
    }
}
