using System.Globalization;
using Parquet;
using Parquet.Schema;

namespace FuncScaler.ContestSimulator.Traces.Tables;

/// <summary>Any Parquet file with a row for each request, read as a trace by a <see cref="ColumnMap"/>. One row group is held in memory at a time.</summary>
public static class ParquetTrace
{
    /// <summary>Opens the file, and reads it once.</summary>
    /// <inheritdoc cref="CsvTrace.Open"/>
    public static TableTrace Open(string path, ColumnMap map, TableDefaults? defaults = null)
    {
        ArgumentNullException.ThrowIfNull(map);
        TraceFile.Require(path, "the table of requests");
        defaults ??= new TableDefaults();
        return new TableTrace(Path.GetFileName(path).Split('.')[0], () => Rows.Open(path, map, defaults), defaults);
    }

    private sealed class Rows : MappedRows
    {
        private readonly string _path;
        private readonly ParquetReader _reader;
        private readonly DataField[] _fields;
        private readonly IColumn?[] _values;
        private readonly Action<double>? _share = TraceReading.Current;
        private int _group;
        private int _rows;
        private int _at;
        private long _rowsBefore;

        private Rows(string path, ParquetReader reader, ColumnMap map, TableDefaults defaults)
            : base(map, defaults)
        {
            _path = path;
            _reader = reader;
            _fields = reader.Schema.GetDataFields();
            Columns = MappedColumns.Of(map, Find);
            _values = new IColumn?[_fields.Length];
            _at = -1;
        }

        public static Rows Open(string path, ColumnMap map, TableDefaults defaults)
        {
            ParquetReader reader;
            try
            {
                reader = Wait(ParquetReader.CreateAsync(path));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException or ParquetException)
            {
                throw new TraceFormatException($"\"{path}\" cannot be read as Parquet: {e.Message}", e);
            }

            try
            {
                return new Rows(path, reader, map, defaults);
            }
            catch
            {
                Close(reader);
                throw;
            }
        }

        public override TraceFormatException Error(string problem, string remedy) => new($"\"{_path}\", row {_rowsBefore + _at + 1}: {problem}; {remedy}.");

        public override void Dispose() => Close(_reader);

        protected override bool TryMove()
        {
            while (++_at >= _rows)
            {
                _rowsBefore += _rows;
                _at = -1;
                _rows = 0;
                if (_group == _reader.RowGroupCount)
                {
                    return false;
                }

                _share?.Invoke((double)_group / _reader.RowGroupCount);
                Read(_group++);
            }

            return true;
        }

        protected override bool IsEmpty(int column) => _values[column]!.Text(_at) is null or "";

        protected override string Text(int column) => _values[column]!.Text(_at) ?? "";

        protected override double? Number(int column) => _values[column]!.Number(_at);

        protected override DateTimeOffset? StoredTime(int column) => _values[column]!.Time(_at);

        protected override int CopyText(int column, ref byte[] into, int at) => CopyUtf8(Text(column), ref into, at);

        protected override TraceFormatException FieldError(int column, string problem, string remedy) =>
            new($"\"{_path}\", row {_rowsBefore + _at + 1}, column \"{_fields[column].Path}\": {problem}; {remedy}.");

        private int Find(string name)
        {
            var index = Array.FindIndex(_fields, f => f.Path.ToString() == name);
            return index >= 0
                ? index
                : throw TraceFile.FileError(
                    _path, $"there is no column \"{name}\"", $"there are {string.Join(", ", _fields.Take(20).Select(f => f.Path.ToString()))}");
        }

        private void Read(int group)
        {
            using var reader = _reader.OpenRowGroupReader(group);
            _rows = checked((int)reader.RowCount);
            foreach (var column in (int[])[.. Columns.Key, Columns.Start, Columns.Duration, Columns.End, Columns.Memory, Columns.Init, Columns.Status])
            {
                if (column >= 0)
                {
                    try
                    {
                        _values[column] = ReadColumn(reader, _fields[column]);
                    }
                    catch (Exception e) when (e is IOException or InvalidDataException or ParquetException)
                    {
                        throw new TraceFormatException($"\"{_path}\", row group {group + 1}, column \"{_fields[column].Path}\" cannot be read: {e.Message}", e);
                    }
                }
            }
        }

        private IColumn ReadColumn(ParquetRowGroupReader reader, DataField field)
        {
            if (field.IsArray || field.MaxRepetitionLevel > 0)
            {
                throw TraceFile.FileError(_path, $"column \"{field.Path}\" has lists", "map a column with one value in each row");
            }

            if (field.ClrType == typeof(string) || field.ClrType == typeof(ReadOnlyMemory<char>))
            {
                var texts = new string[_rows];
                Wait(reader.ReadAsync(field, texts));
                return new TextColumn(texts);
            }

            return Type.GetTypeCode(field.ClrType) switch
            {
                TypeCode.Double => Numbers<double>(),
                TypeCode.Single => Numbers<float>(),
                TypeCode.Int32 => Numbers<int>(),
                TypeCode.UInt32 => Numbers<uint>(),
                TypeCode.Int64 => Numbers<long>(),
                TypeCode.UInt64 => Numbers<ulong>(),
                TypeCode.Int16 => Numbers<short>(),
                TypeCode.UInt16 => Numbers<ushort>(),
                TypeCode.SByte => Numbers<sbyte>(),
                TypeCode.Byte => Numbers<byte>(),
                TypeCode.DateTime => Numbers<DateTime>(),
                _ => throw TraceFile.FileError(_path, $"column \"{field.Path}\" has values of type {field.ClrType.Name}", "map a column of numbers, texts or times"),
            };

            IColumn Numbers<T>()
                where T : struct, IConvertible
            {
                if (field.IsNullable)
                {
                    var some = new T?[_rows];
                    Wait(reader.ReadAsync(field, some.AsMemory()));
                    return new ValueColumn<T>(some);
                }

                var all = new T[_rows];
                Wait(reader.ReadAsync(field, all.AsMemory()));
                return new ValueColumn<T>([.. all.Select(v => (T?)v)]);
            }
        }

        // Traces are read as plain sequences; a row group is the only thing waited for.
        private static T Wait<T>(Task<T> task) => task.GetAwaiter().GetResult();

        private static void Wait(ValueTask task) => task.AsTask().GetAwaiter().GetResult();

        private static void Close(ParquetReader reader) => reader.DisposeAsync().AsTask().GetAwaiter().GetResult();

        private interface IColumn
        {
            string? Text(int row);

            double? Number(int row);

            DateTimeOffset? Time(int row);
        }

        private sealed class TextColumn(string?[] values) : IColumn
        {
            public string? Text(int row) => values[row];

            public double? Number(int row) =>
                double.TryParse(values[row], NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : null;

            public DateTimeOffset? Time(int row) => null;
        }

        private sealed class ValueColumn<T>(T?[] values) : IColumn
            where T : struct, IConvertible
        {
            public string? Text(int row) => values[row] is { } value ? value.ToString(CultureInfo.InvariantCulture) : null;

            public double? Number(int row) => values[row] is { } value && value is not DateTime ? value.ToDouble(CultureInfo.InvariantCulture) : null;

            public DateTimeOffset? Time(int row) => values[row] is DateTime time ? new DateTimeOffset(DateTime.SpecifyKind(time, DateTimeKind.Utc)) : null;
        }
    }
}
