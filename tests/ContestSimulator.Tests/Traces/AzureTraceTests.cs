using System.Globalization;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Traces.Azure;

namespace FuncScaler.Tests.Traces;

public sealed class AzureTraceTests : TraceFolderTests
{
    private const string RunHeader =
        "HashFunction,HashApp,HashOwner,Count,Average,Minimum,Maximum,percentile_Average_0,percentile_Average_1,percentile_Average_25,"
        + "percentile_Average_50,percentile_Average_75,percentile_Average_99,percentile_Average_100";

    private const string MemHeader = "HashApp,HashOwner,SampleCount,AverageAllocatedMb,AverageAllocatedMb_pct99,AverageAllocatedMb_pct100";

    [Fact]
    public void Every_invocation_of_2019_is_in_its_minute_in_order()
    {
        PutDay(Invocations(("f", "a", 0, 3), ("f", "a", 7, 500), ("g", "b", 7, 1), ("h", "b", 1439, 20)));
        var trace = AzureFunctions2019Trace.Open(Folder);

        var requests = trace.ReadRequests().ToArray();

        Assert.Equal(["f", "g", "h"], trace.Functions.Select(f => f.Meta.Key.Value));
        Assert.Equal(requests.OrderBy(r => r.StartUs).Select(r => r.StartUs), requests.Select(r => r.StartUs));
        var begin = DateTimeOffset.Parse("2019-07-15T00:00:00Z", CultureInfo.InvariantCulture).ToUnixTimeMilliseconds();
        var counts = requests.CountBy(r => (r.Function, ((r.StartUs / 1000) - begin) / 60_000)).Select(c => (c.Key, c.Value));
        Assert.Equal([((0, 0L), 3), ((0, 7L), 500), ((1, 7L), 1), ((2, 1439L), 20)], counts.Order());
    }

    [Fact]
    public void Rows_of_the_same_function_are_added_up()
    {
        var rows = Invocations(("f", "a", 0, 3), ("f", "a", 7, 5));
        PutDay(rows + rows.Split('\n')[1]);

        var trace = AzureFunctions2019Trace.Open(Folder);

        Assert.Single(trace.Functions);
        Assert.Equal(16, trace.ReadRequests().Count());
    }

    [Fact]
    public void Invocations_of_a_minute_are_spread_over_it_evenly()
    {
        PutDay(Invocations(("f", "a", 3, 30_000)));

        var tenths = AzureFunctions2019Trace.Open(Folder).ReadRequests().CountBy(r => r.StartUs / 1000 % 60_000 / 6000).ToArray();

        Assert.Equal(10, tenths.Length);
        Assert.All(tenths, t => Assert.InRange(t.Value, 2700, 3300));
    }

    [Fact]
    public void Executions_follow_the_percentiles()
    {
        PutDay(Invocations(("f", "a", 0, 20_000)), run: "f,a,o,1,1,10,5000,10,100,200,400,800,1000,5000");

        var ms = AzureFunctions2019Trace.Open(Folder).ReadRequests().Select(r => r.DurationUs / 1000).Order().ToArray();

        Assert.InRange(ms[0], 10, 100);
        Assert.InRange(ms[5_000], 190, 210);
        Assert.InRange(ms[10_000], 380, 420);
        Assert.InRange(ms[15_000], 780, 820);
        Assert.InRange(ms[^1], 1000, 5000);
    }

    [Theory]
    [InlineData(90, 128)]
    [InlineData(128.5, 192)]
    [InlineData(700, 768)]
    [InlineData(16_385, 17_408)]
    public void Memory_is_the_applications_99th_percentile_rounded_up_to_a_step(double percentile, int memoryMb)
    {
        PutDay(Invocations(("f", "a", 0, 1)), mem: FormattableString.Invariant($"a,o,1,1,{percentile},20000"));

        Assert.Equal(memoryMb, AzureFunctions2019Trace.Open(Folder).Functions[0].Meta.MemoryMb);
    }

    [Fact]
    public void What_is_missing_for_a_function_comes_from_the_options()
    {
        PutDay(Invocations(("f", "a", 0, 1)), run: "g,a,o,1,1,1,1,1,1,1,1,1,1,1", mem: "b,o,1,1,1,1");

        var trace = AzureFunctions2019Trace.Open(Folder, new AzureTraceOptions { MemoryMb = 333, DurationMs = 77, InitFactor = 0 });

        Assert.Equal((333, 0), (trace.Functions[0].Meta.MemoryMb, trace.Functions[0].InitDurationUs));
        Assert.Equal(77_000, trace.ReadRequests().Single().DurationUs);
    }

    [Fact]
    public void The_published_names_are_found_by_day_and_passes_are_alike()
    {
        PutDay(Invocations(("f", "a", 5, 50)).Replace("minute_", "", StringComparison.Ordinal));
        File.Move(Path.Combine(Folder, "x_inv.csv"), Path.Combine(Folder, "invocations_per_function_md.anon.d02.csv"));
        File.Move(Path.Combine(Folder, "x_run.csv"), Path.Combine(Folder, "function_durations_percentiles.anon.d02.csv"));
        File.Move(Path.Combine(Folder, "x_mem.csv"), Path.Combine(Folder, "app_memory_percentiles.anon.d02.csv"));

        var trace = AzureFunctions2019Trace.Open(Folder, new AzureTraceOptions { Day = 2 });

        Assert.Equal(trace.ReadRequests().ToArray(), trace.ReadRequests().ToArray());
        Assert.Equal(50, trace.ReadRequests().Count());
        Assert.Equal("azure2019-d02", trace.Name);
        Assert.Throws<TraceFormatException>(() => AzureFunctions2019Trace.Open(Folder));
    }

    [Theory]
    [InlineData("_inv.csv", "field \"minute_2\": \"x\" is not a number")]
    [InlineData("_run.csv", "field \"percentile_Average_50\": it is less than the percentile before it")]
    [InlineData("_mem.csv", "3 fields under a header of 6")]
    public void A_malformed_file_of_2019_is_named_with_line_and_field(string file, string expected)
    {
        PutDay(
            Invocations(("f", "a", 0, 1)).Replace("\nf,a,o,1,0", file == "_inv.csv" ? "\nf,a,o,1,x" : "\nf,a,o,1,0", StringComparison.Ordinal),
            run: file == "_run.csv" ? "f,a,o,1,1,1,1,1,1,5,4,6,7,8" : "f,a,o,1,1,1,1,1,1,1,1,1,1,1",
            mem: file == "_mem.csv" ? "a,o,1" : "a,o,1,1,1,1");

        var error = Assert.Throws<TraceFormatException>(() => AzureFunctions2019Trace.Open(Path.Combine(Folder, "x")));

        Assert.Contains(file + "\", line 2", error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_or_column_of_2019_is_named()
    {
        Assert.Contains("_inv.csv", Assert.Throws<TraceFormatException>(() => AzureFunctions2019Trace.Open(Folder)).Message, StringComparison.Ordinal);

        PutDay("HashFunction,HashApp\nf,a\n");
        var error = Assert.Throws<TraceFormatException>(() => AzureFunctions2019Trace.Open(Folder));
        Assert.Contains("there is no column of a minute", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Rows_of_2021_are_put_in_the_order_of_their_starts()
    {
        var path = Put(
            "t.txt",
            """
            app,func,end_timestamp,duration
            a,f,10.5,0.25
            a,g,11,0
            b,f,5000.000001,4990
            a,f,5001,0.5
            """);

        var trace = AzureFunctions2021Trace.Open(path, new AzureTraceOptions { MemoryMb = 512 });

        Assert.Equal(["a/f", "a/g", "b/f"], trace.Functions.Select(f => f.Meta.Key.Value));
        Assert.All(trace.Functions, f => Assert.Equal(512, f.Meta.MemoryMb));
        var begin = DateTimeOffset.Parse("2021-01-31T00:00:00Z", CultureInfo.InvariantCulture).ToUnixTimeMilliseconds() * 1000;
        Assert.Equal(
            [(2, 10_000_001, 4_990_000_000), (0, 10_250_000, 250_000), (1, 11_000_000, 0), (0, 5_000_500_000, 500_000)],
            trace.ReadRequests().Select(r => (r.Function, r.StartUs - begin, r.DurationUs)));
        Assert.Equal(4, trace.ReadRequests().Count());
    }

    [Theory]
    [InlineData("a,f,1", "line 3: 3 fields under a header of 4")]
    [InlineData("a,,1,1", "line 3, field \"func\": it is empty")]
    [InlineData("a,f,1,-1", "line 3, field \"duration\": -1 is out of range")]
    [InlineData("a,f,soon,1", "line 3, field \"end_timestamp\": \"soon\" is not a number")]
    [InlineData("a,f,200000,1\na,f,1,1", "line 4: the invocation starts more than 86400 s before")]
    public void A_malformed_row_of_2021_is_named_with_line_and_field(string row, string expected)
    {
        var path = Put("t.csv", "app,func,end_timestamp,duration\na,f,2,1\n" + row);

        var error = Assert.Throws<TraceFormatException>(() => AzureFunctions2021Trace.Open(path));

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(15, 1)]
    [InlineData(1, -1)]
    [InlineData(1, double.NaN)]
    public void Options_out_of_range_are_refused(int day, double initFactor)
    {
        var path = Put("t.csv", "app,func,end_timestamp,duration\na,f,2,1");

        Assert.Throws<ArgumentOutOfRangeException>(
            () => AzureFunctions2021Trace.Open(path, new AzureTraceOptions { Day = day, InitFactor = initFactor }));
    }

    [DataFact]
    public void The_real_sample_of_2019_has_all_its_invocations()
    {
        var trace = AzureFunctions2019Trace.Open(SharedData.PathOf("azure2019"));
        var statistics = TraceStatistics.Measure(trace);

        Assert.Equal("azure2019-200", trace.Name);
        Assert.Equal((1_770_353, 200), (statistics.Requests, statistics.Functions));
        Assert.InRange(statistics.SpanSeconds, 86_000, 86_400);
        Assert.InRange(statistics.MemoryMinMb, 128, 256);
    }

    private static string Invocations(params (string Function, string App, int Minute, int Count)[] counts)
    {
        var header = "HashFunction,HashApp,HashOwner," + string.Join(',', Enumerable.Range(1, 1440).Select(m => $"minute_{m}"));
        var rows = counts.GroupBy(c => (c.Function, c.App)).Select(g =>
        {
            var minutes = new int[1440];
            foreach (var c in g)
            {
                minutes[c.Minute] = c.Count;
            }

            return $"{g.Key.Function},{g.Key.App},o,{string.Join(',', minutes)}";
        });
        return header + "\n" + string.Join('\n', rows) + "\n";
    }

    private void PutDay(string invocations, string run = "f,a,o,1,1,1,1,1,1,1,1,1,1,1", string mem = "a,o,1,1,1,1")
    {
        Put("x_inv.csv", invocations);
        Put("x_run.csv", $"{RunHeader}\n{run}\n");
        Put("x_mem.csv", $"{MemHeader}\n{mem}\n");
    }
}
