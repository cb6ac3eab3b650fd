using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Traces.Tables;
using Parquet;
using Parquet.Schema;

namespace FuncScaler.Tests.Traces;

public sealed class TableTraceTests : TraceFolderTests
{
    private static readonly ColumnMap Map = ColumnMap.Parse("key=fn,start=ts,duration=took,memory=mb,init=init,status=code", "s,duration=ms,init=ms", hasDefaultDuration: false);

    [Fact]
    public void Columns_say_what_they_are_mapped_to_in_their_units()
    {
        var path = Put("log.csv", "ts,fn,took,mb,init,code,other\n10.5,a,250,128,300,200,x\n11,b,20,512,,500,x\n12,a,30,192,500,200,x\n");

        var trace = CsvTrace.Open(path, Map);

        Assert.Equal("log", trace.Name);
        Assert.Equal([("a", 192, 400_000L), ("b", 512, 500_000L)], trace.Functions.Select(f => (f.Meta.Key.Value, f.Meta.MemoryMb, f.InitDurationUs)));
        Assert.Equal(
            [(0, 10_500_000L, 250_000L, 200), (1, 11_000_000, 20_000, 500), (0, 12_000_000, 30_000, 200)],
            trace.ReadRequests().Select(r => (r.Function, r.StartUs, r.DurationUs, r.StatusCode)));
    }

    [Theory]
    [InlineData("s", "1770000000.25")]
    [InlineData("ms", "1770000000250")]
    [InlineData("us", "1770000000250000")]
    [InlineData("ns", "1770000000250000000")]
    [InlineData("ms", "2026-02-02T02:40:00.25Z")]
    [InlineData("s", "2026-02-02 02:40:00.25")]
    [InlineData("s", "2026-02-02T03:40:00.25+01:00")]
    public void A_time_is_an_epoch_in_the_unit_or_an_ISO_time(string unit, string text)
    {
        var path = Put("t.csv", $"k,t,d\nf,{text},1\n");

        var trace = CsvTrace.Open(path, ColumnMap.Parse("key=k,start=t,duration=d", unit + ",duration=s", hasDefaultDuration: false));

        Assert.Equal(1_770_000_000_250_000, trace.ReadRequests().Single().StartUs);
    }

    [Theory]
    [InlineData("start=a,end=b", 1, 3)]
    [InlineData("end=b,duration=a", 3, 1)]
    public void Of_start_duration_and_end_two_are_enough(string two, int startSeconds, int durationSeconds)
    {
        var path = Put("t.csv", "k,a,b\nf,1,4\n");

        var request = CsvTrace.Open(path, ColumnMap.Parse("key=k," + two, null, hasDefaultDuration: false)).ReadRequests().Single();

        Assert.Equal((startSeconds * 1_000_000L, durationSeconds * 1_000_000L), (request.StartUs, request.DurationUs));
    }

    [Fact]
    public void What_the_table_does_not_tell_comes_from_the_defaults()
    {
        var path = Put("t.csv", "k,t\nf,1\n");
        var defaults = new TableDefaults { MemoryMb = 333, InitMs = 77, DurationMs = 5 };

        var trace = CsvTrace.Open(path, ColumnMap.Parse("key=k,start=t", null, hasDefaultDuration: true), defaults);

        Assert.Equal((333, 77_000), (trace.Functions[0].Meta.MemoryMb, trace.Functions[0].InitDurationUs));
        Assert.Equal(5_000, trace.ReadRequests().Single().DurationUs);
    }

    [Fact]
    public void A_key_may_have_several_columns_and_fields_may_stand_in_quotes()
    {
        var path = Put("t.csv", "\"app\",\"fn\",t,d\n\"shop, north\",\"say \"\"hi\"\"\",1,2\n");

        var trace = CsvTrace.Open(path, ColumnMap.Parse("key=app+fn,start=t,duration=d", null, hasDefaultDuration: false));

        Assert.Equal("shop, north/say \"hi\"", trace.Functions[0].Meta.Key.Value);
    }

    [Fact]
    public void Rows_in_any_order_are_put_in_order_from_a_packed_file_too()
    {
        var path = PutGzip("t.csv.gz", "k,t,d\nf,50,1\nf,10,1\ng,40,1\n");

        var trace = CsvTrace.Open(path, ColumnMap.Parse("key=k,start=t,duration=d", null, hasDefaultDuration: false));

        Assert.Equal([10, 40, 50], trace.ReadRequests().Select(r => r.StartUs / 1_000_000));
        Assert.Equal(trace.ReadRequests(), trace.ReadRequests());
    }

    [Theory]
    [InlineData("k,t,d\nf,1", "line 2: 2 fields under a header of 3")]
    [InlineData("k,t,d\nf,soon,1", "line 2, field \"t\": \"soon\" is neither a number nor an ISO 8601 time")]
    [InlineData("k,t,d\nf,1,1\nf,1,long", "line 3, field \"d\": \"long\" is not a number")]
    [InlineData("k,t,d\nf,1,-1", "line 2, field \"d\": -1 is out of range")]
    [InlineData("k,t,d\nf,1,1e9", "line 2, field \"d\": 1e9 is out of range")]
    [InlineData("k,t,d\n,1,1", "line 2, field \"k\": it is empty")]
    [InlineData("k,t,d\n\"f,1,1", "line 2: a quote is not closed")]
    [InlineData("k,t,d\n", "there is no request in it")]
    [InlineData("k,t\nf,1", "line 1: there is no column \"d\"")]
    [InlineData("k,t,d\nf,200000,1\nf,1,1", "line 3: the request starts more than 86400 s before an earlier one")]
    public void A_malformed_table_is_named_with_line_and_column(string text, string expected)
    {
        var path = Put("t.csv", text);

        var error = Assert.Throws<TraceFormatException>(
            () => CsvTrace.Open(path, ColumnMap.Parse("key=k,start=t,duration=d", null, hasDefaultDuration: false)));

        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("start=t,duration=d", null, "no column is the key")]
    [InlineData("key=k,start=t", null, "two of start, duration and end are needed")]
    [InlineData("key=k,key=l,start=t,duration=d", null, "key is mapped twice")]
    [InlineData("key=k,colour=t", null, "'colour=t' maps nothing: write FIELD=COLUMN, where FIELD is one of key, start,")]
    [InlineData("key=k,start=t,duration=d", "h", "'h' is no unit")]
    [InlineData("key=k,start=t,duration=d", "end=s", "'end=s' is no unit")]
    public void A_map_that_cannot_be_read_is_told(string map, string? unit, string expected) =>
        Assert.Contains(expected, Assert.Throws<FormatException>(() => ColumnMap.Parse(map, unit, hasDefaultDuration: false)).Message, StringComparison.Ordinal);

    [Fact]
    public async Task Parquet_is_read_by_the_same_map_as_CSV()
    {
        var path = await PutParquetAsync("t.parquet");

        var trace = ParquetTrace.Open(path, ColumnMap.Parse("key=fn,start=ts,duration=took,memory=mb", "s,duration=ms", hasDefaultDuration: false));

        Assert.Equal([("a", 128), ("b", 256)], trace.Functions.Select(f => (f.Meta.Key.Value, f.Meta.MemoryMb)));
        Assert.Equal(
            [(0, 1_770_000_000_500_000L, 250_000L), (1, 1_770_000_001_000_000, 1_500), (0, 1_770_000_002_000_000, 7_000)],
            trace.ReadRequests().Select(r => (r.Function, r.StartUs, r.DurationUs)));
        Assert.Equal(trace.ReadRequests(), trace.ReadRequests());
    }

    [Fact]
    public async Task A_malformed_Parquet_file_is_named_with_row_and_column()
    {
        var path = await PutParquetAsync("t.parquet");

        var missing = Assert.Throws<TraceFormatException>(() => ParquetTrace.Open(path, ColumnMap.Parse("key=fn,start=when,duration=took", null, hasDefaultDuration: false)));
        var text = Assert.Throws<TraceFormatException>(() => ParquetTrace.Open(path, ColumnMap.Parse("key=fn,start=ts,duration=fn", null, hasDefaultDuration: false)));
        var none = Assert.Throws<TraceFormatException>(() => ParquetTrace.Open(Put("no.parquet", "no parquet"), Map));

        Assert.Contains("there is no column \"when\"; there are fn, ts, took, mb", missing.Message, StringComparison.Ordinal);
        Assert.Contains("row 1, column \"fn\": \"a\" is not a number", text.Message, StringComparison.Ordinal);
        Assert.Contains("cannot be read as Parquet", none.Message, StringComparison.Ordinal);
    }

    /// <summary>Two row groups; memory is told in the first row alone.</summary>
    private async Task<string> PutParquetAsync(string name)
    {
        var (fn, ts, took, mb) = (new DataField<string>("fn"), new DataField<DateTime>("ts"), new DataField<double>("took"), new DataField<int?>("mb"));
        var path = Path.Combine(Folder, name);
        var begin = DateTime.UnixEpoch.AddSeconds(1_770_000_000);
        await using var file = File.Create(path);
        await using var writer = await ParquetWriter.CreateAsync(new ParquetSchema(fn, ts, took, mb), file);
        using (var group = writer.CreateRowGroup())
        {
            await group.WriteAsync(fn, (string[])["a", "b"]);
            await group.WriteAsync<DateTime>(ts, (DateTime[])[begin.AddMilliseconds(500), begin.AddSeconds(1)]);
            await group.WriteAsync<double>(took, (double[])[250, 1.5]);
            await group.WriteAsync<int>(mb, (int?[])[128, null]);
        }

        using (var group = writer.CreateRowGroup())
        {
            await group.WriteAsync(fn, (string[])["a"]);
            await group.WriteAsync<DateTime>(ts, (DateTime[])[begin.AddSeconds(2)]);
            await group.WriteAsync<double>(took, (double[])[7]);
            await group.WriteAsync<int>(mb, (int?[])[null]);
        }

        return path;
    }
}
