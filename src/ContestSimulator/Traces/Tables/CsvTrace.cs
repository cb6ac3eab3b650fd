using System.Buffers.Text;

namespace FuncScaler.ContestSimulator.Traces.Tables;

/// <summary>Any CSV file with a header and a row for each request, plain or gzip, read as a trace by a <see cref="ColumnMap"/>.</summary>
public static class CsvTrace
{
    /// <summary>Opens the file, and reads it once.</summary>
    /// <param name="path">The file.</param>
    /// <param name="map">What its columns say.</param>
    /// <param name="defaults">What is taken where the table tells nothing.</param>
    /// <exception cref="TraceFormatException">The file is missing or malformed, or has not the columns.</exception>
    public static TableTrace Open(string path, ColumnMap map, TableDefaults? defaults = null)
    {
        ArgumentNullException.ThrowIfNull(map);
        TraceFile.Require(path, "the table of requests");
        defaults ??= new TableDefaults();
        return new TableTrace(Path.GetFileName(path).Split('.')[0], () => Rows.Open(path, map, defaults), defaults);
    }

    internal sealed class Rows : MappedRows
    {
        private readonly Utf8CsvReader _csv;

        private Rows(Utf8CsvReader csv, ColumnMap map, TableDefaults defaults)
            : base(map, defaults)
        {
            _csv = csv;
            Columns = MappedColumns.Of(map, name => csv.Column(name));
        }

        public Utf8CsvReader Csv => _csv;

        public static Rows Open(string path, ColumnMap map, TableDefaults defaults)
        {
            var csv = new Utf8CsvReader(path);
            try
            {
                return new Rows(csv, map, defaults);
            }
            catch
            {
                csv.Dispose();
                throw;
            }
        }

        public override TraceFormatException Error(string problem, string remedy) => TraceFile.LineError(_csv.Path, _csv.LineNumber, problem, remedy);

        public override void Dispose() => _csv.Dispose();

        protected override bool TryMove() => _csv.TryReadRow();

        protected override bool IsEmpty(int column) => _csv.Bytes(column).IsEmpty;

        protected override string Text(int column) => _csv.Text(column);

        protected override double? Number(int column)
        {
            var bytes = _csv.Bytes(column);
            return Utf8Parser.TryParse(bytes, out double value, out var used) && used == bytes.Length ? value : null;
        }

        protected override int CopyText(int column, ref byte[] into, int at)
        {
            var bytes = _csv.Bytes(column);
            Grow(ref into, at + bytes.Length);
            bytes.CopyTo(into.AsSpan(at));
            return bytes.Length;
        }

        protected override TraceFormatException FieldError(int column, string problem, string remedy) => _csv.Error(column, problem, remedy);
    }
}
