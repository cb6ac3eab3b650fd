using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Traces.Azure;
using FuncScaler.ContestSimulator.Traces.Huawei;
using FuncScaler.ContestSimulator.Traces.Tables;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;

namespace FuncScaler.Tests.Traces;

/// <summary>Readers of published traces, each on a small file of our own in the published format.</summary>
public sealed class PublicTraceTests : TraceFolderTests
{
    private const string Percentiles =
        "percentile_Average_0,percentile_Average_1,percentile_Average_25,percentile_Average_50,percentile_Average_75,percentile_Average_99,percentile_Average_100";

    [Fact]
    public void A_vHive_sample_is_a_slice_with_file_names_of_its_own_and_memory_per_function()
    {
        Put("invocations.csv", "HashOwner,HashApp,HashFunction,Trigger,480,481,482\no,a,f,timer,1,0,2\no,a,g,http,0,3,0\n");
        Put("durations.csv", $"HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,{Percentiles}\no,a,f,5,1,5,5,5,5,5,5,5,5,5\n");
        Put("memory.csv", "HashFunction,HashOwner,HashApp,SampleCount,AverageAllocatedMb,AverageAllocatedMb_pct99\nf,o,a,1,10,120\ng,o,a,1,10,500\n");

        var trace = AzureFunctions2019Trace.Open(Folder);

        Assert.Equal([("f", 128), ("g", 512)], trace.Functions.Select(f => (f.Meta.Key.Value, f.Meta.MemoryMb)));
        var day = new DateTimeOffset(2019, 7, 15, 0, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds();
        Assert.Equal(
            [(0, 479L), (1, 480), (1, 480), (1, 480), (0, 481), (0, 481)],
            trace.ReadRequests().Select(r => (r.Function, ((r.StartUs / 1000) - day) / 60_000)));
        Assert.Equal("azure2019-" + Path.GetFileName(Folder), trace.Name);
    }

    [Fact]
    public void A_day_without_a_file_of_memory_takes_it_from_the_options()
    {
        Put("invocations_per_function_md.anon.d13.csv", "HashOwner,HashApp,HashFunction,Trigger,1,2\no,a,f,http,1,1\n");
        Put("function_durations_percentiles.anon.d13.csv", $"HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,{Percentiles}\no,a,f,5,1,5,5,5,5,5,5,5,5,5\n");

        var trace = AzureFunctions2019Trace.Open(Folder, new AzureTraceOptions { Day = 13, MemoryMb = 333 });

        Assert.Equal(333, trace.Functions.Single().Meta.MemoryMb);
        Assert.Equal(2, trace.ReadRequests().Count());
    }

    // 100 ms + 30 ms x generated + 0.1 ms x context, unless told otherwise.
    [Theory]
    [InlineData(100, 30, 0.1, 100 + (30 * 10) + 480.8)]
    [InlineData(0, 1, 0, 10)]
    public void Tokens_become_durations(double baseMs, double generated, double context, double expectedMs)
    {
        var path = Put("code.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.0319569,3180,8\n");

        var trace = AzureLlm2023Trace.Open(
            path, new LlmDurations { BaseMs = baseMs, PerGeneratedTokenMs = generated, PerContextTokenMs = context }, new TableDefaults { MemoryMb = 16_384, InitMs = 20_000 });

        Assert.Equal(("llm", 16_384, 20_000_000), (trace.Functions[0].Meta.Key.Value, trace.Functions[0].Meta.MemoryMb, trace.Functions[0].InitDurationUs));
        var requests = trace.ReadRequests().ToArray();
        Assert.Equal((long)Math.Round(expectedMs * 1000), requests[0].DurationUs);
        Assert.Equal(51_997, requests[1].StartUs - requests[0].StartUs);
    }

    [Fact]
    public void A_token_count_that_is_none_is_named()
    {
        var path = Put("code.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,many\n");

        Assert.Contains("line 2, field \"GeneratedTokens\": \"many\" is not a number", Assert.Throws<TraceFormatException>(() => AzureLlm2023Trace.Open(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Huaweis_requests_of_2025_are_of_function_user_and_pool_and_the_pool_names_the_memory()
    {
        var (requests, coldStarts) = PutHuawei2025();

        var trace = HuaweiRequests2025Trace.Open(requests, coldStarts);

        Assert.Equal(
            [("296---224---pool22-300-128", 128), ("10---134---pool24-600-512", 512), ("7---134---pool24-600-512", 512)],
            trace.Functions.Select(f => (f.Meta.Key.Value, f.Meta.MemoryMb)));
        Assert.Equal(
            [(0, 2_600_186_994_000L, 23_749L), (1, 2_600_187_000_000, 1_000_000), (2, 2_600_188_000_000, 500_000)],
            trace.ReadRequests().Select(r => (r.Function, r.StartUs, r.DurationUs)));
    }

    // Function 10 has cold starts of 0.1 + 0.3 s and 0.3 + 0.3 s of create, 0.5 and 1.5 s of init; 296 one of 1.0 s and 0.2 s; 7 none: it gets the
    // mean of all three, 2.0 / 3 s and 2.2 / 3 s.
    [Fact]
    public void Creates_and_inits_are_the_means_of_the_table_of_cold_starts()
    {
        var (requests, coldStarts) = PutHuawei2025();

        var trace = HuaweiRequests2025Trace.Open(requests, coldStarts);

        Assert.Equal(
            [(1_000_000L, 200_000L), (500_000, 1_000_000), (666_667, 733_333)],
            trace.Functions.Select(f => (f.CreateUs!.Value, f.InitDurationUs)));
        Assert.Null(HuaweiRequests2025Trace.Open(requests).Functions[0].CreateUs);
    }

    [Fact]
    public void A_create_takes_in_virtual_time_what_the_trace_says()
    {
        var (requests, coldStarts) = PutHuawei2025();
        var options = new VirtualOptions { AssignRpcUs = 0, IdleRpcUs = 0, PlatformRpcUs = 0 };

        var result = VirtualContest.Run(HuaweiRequests2025Trace.Open(requests, coldStarts), PolicyCatalog.Parse("direct"), options);
        var bound = ClairvoyantBound.Of(HuaweiRequests2025Trace.Open(requests, coldStarts), options);

        Assert.Equal(1.2 + 1.5 + 1.4, result.WaitSeconds, 6);
        Assert.Equal(result.Score.SlotGbSeconds, bound.LeastCost(1000), 6);
    }

    [Theory]
    [InlineData("1,r,1,296,node7,224,0.1", "line 2, field \"podID\": \"node7\" names no pool with its memory; it must look like pool22-300-128-0000618412")]
    [InlineData("x,r,1,296,pool22-300-128-1,224,0.1", "line 2, field \"time_worker(s)\": \"x\" is not a number")]
    public void A_malformed_row_of_2025_is_named(string row, string expected)
    {
        var path = Put("r.csv", "time_worker(s),requestID,clusterName,funcName,podID,userID,totalCost_worker(s)\n" + row);

        Assert.Contains(expected, Assert.Throws<TraceFormatException>(() => HuaweiRequests2025Trace.Open(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Huaweis_minutes_of_2023_have_a_column_for_each_function()
    {
        PutHuawei2023("requests_minute", "day,time,0,1\n3,259200,2,0\n3,259260,,5\n3,259320,1,nan\n");
        PutHuawei2023("function_delay_minute", "day,time,0,1\n3,259200,40,\n3,259260,,70\n3,259320,60,\n");
        PutHuawei2023("memory_limit_minute", "day,time,0,1\n3,259200,1024,\n3,259260,512,600\n");
        PutHuawei2023("instances_minute", "day,time,0,1\n3,259200,2,\n3,259260,1,3\n");

        var trace = HuaweiMinutes2023Trace.Open(Folder, 3);

        Assert.Equal([("0", 512), ("1", 200)], trace.Functions.Select(f => (f.Meta.Key.Value, f.Meta.MemoryMb)));
        const long begin = 3 * 86_400_000_000;
        Assert.Equal(
            [(0, 0L, 40L), (0, 0, 40), (1, 1, 70), (1, 1, 70), (1, 1, 70), (1, 1, 70), (1, 1, 70), (0, 2, 60)],
            trace.ReadRequests().Select(r => (r.Function, (r.StartUs - begin) / 60_000_000, r.DurationUs / 1000)));
        Assert.Equal(trace.ReadRequests(), trace.ReadRequests());
        Assert.NotEqual(trace.ReadRequests(), HuaweiMinutes2023Trace.Open(Folder, 3, seed: 2).ReadRequests());
    }

    [Fact]
    public void The_public_trace_of_2023_has_requests_alone_and_days_of_two_digits()
    {
        Directory.CreateDirectory(Path.Combine(Folder, "requests_minute"));
        Put(Path.Combine("requests_minute", "day_03.csv"), "day,time,0\n3,259200,2\n");

        var trace = HuaweiMinutes2023Trace.Open(Folder, 3, defaults: new TableDefaults { MemoryMb = 300, DurationMs = 9, InitMs = 8 });

        Assert.Equal((300, 8_000), (trace.Functions[0].Meta.MemoryMb, trace.Functions[0].InitDurationUs));
        Assert.All(trace.ReadRequests(), r => Assert.Equal(9_000, r.DurationUs));
    }

    [Fact]
    public void A_malformed_minute_of_2023_is_named()
    {
        PutHuawei2023("requests_minute", "day,time,0\n3,259200,2\n3,400000,2\n");

        var error = Assert.Throws<TraceFormatException>(() => HuaweiMinutes2023Trace.Open(Folder, 3));

        Assert.Contains("line 3, field \"time\": it is not of the day of the first row", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_written_for_the_vHive_loader_is_read_back_with_its_counts_memory_and_durations()
    {
        var written = new ListTrace(
            [
                new TraceFunction(new FunctionMeta(new MetaKey("f"), "go", 60, 128), 1000),
                new TraceFunction(new FunctionMeta(new MetaKey("a,b"), "go", 60, 512), 1000),
            ],
            [.. Enumerable.Range(0, 100).Select(i => new TraceRequest(i % 5 == 0 ? 1 : 0, 7_000_000 + (i * 3_000_000L), i % 5 == 0 ? 40_000 : 10_000, 200))]);

        Assert.Equal(100, VHiveTraceWriter.Write(written, Folder));
        Assert.Throws<IOException>(() => VHiveTraceWriter.Write(written, Folder));
        var read = AzureFunctions2019Trace.Open(Folder);

        Assert.Equal([128, 512], read.Functions.Select(f => f.Meta.MemoryMb));
        Assert.Equal("f", read.Functions[0].Meta.Key.Value);
        Assert.Equal(64, read.Functions[1].Meta.Key.Value.Length);
        Assert.Equal(Minutes(written), Minutes(read));
        Assert.All(read.ReadRequests(), r => Assert.Equal(r.Function == 1 ? 40_000 : 10_000, r.DurationUs));
        Assert.Equal(["durations.csv", "invocations.csv", "memory.csv"], Directory.GetFiles(Folder).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal));

        // Both count from the first request's minute.
        static IEnumerable<((int Function, long Minute), int Count)> Minutes(ITrace trace)
        {
            var first = trace.Name == "list" ? 7_000_000 : new DateTimeOffset(2019, 7, 15, 0, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds() * 1000;
            return trace.ReadRequests().CountBy(r => (r.Function, (r.StartUs - first) / 60_000_000)).Select(c => (c.Key, c.Value)).Order();
        }
    }

    [Fact]
    public void More_than_a_day_cannot_be_written_for_the_vHive_loader() =>
        Assert.Contains("take a part of it with --length", Assert.Throws<TraceFormatException>(() => VHiveTraceWriter.Write(ListTrace.At(1, 0, 86_401), Folder)).Message, StringComparison.Ordinal);

    [DataFact]
    public void The_real_samples_of_vHive_and_of_the_language_model_are_read_whole()
    {
        Assert.Equal(339_657, AzureFunctions2019Trace.Open(SharedData.PathOf("vhive100")).ReadRequests().Count());
        Assert.Equal(8_819, AzureLlm2023Trace.Open(Path.Combine(SharedData.PathOf("azure-llm2023"), "AzureLLMInferenceTrace_code.csv")).ReadRequests().Count());
    }

    private (string Requests, string ColdStarts) PutHuawei2025()
    {
        Directory.CreateDirectory(Path.Combine(Folder, "R2"));
        Put(
            Path.Combine("R2", "a.csv"),
            "time_worker(s),requestID,clusterName,funcName,podID,userID,totalCost_worker(s)\n2600186.994,763ff09a,1,296,pool22-300-128-0000618412,224,0.023749\n");
        Put(
            Path.Combine("R2", "b.csv"),
            "time_worker,requestID,clusterName,funcName,podID,userID,totalCost_worker\n2600187,1,1,10,pool24-600-512-0000577863,134,1\n2600188,2,1,7,pool24-600-512-0000577864,134,0.5\n");
        var coldStarts = Put(
            "cold.csv",
            """
            day,time,clusterName,funcName,userID,requestID,totalCost_cold_start,podAllocationCost,deployCodeCost,deployDependencyCost,schedulingCost,podID
            30,1,1,10,134,x,0.9,0.1,0.5,,0.3,pool24-600-512-0000577863
            30,2,1,10,134,x,2.1,0.3,1.0,0.5,0.3,pool24-600-512-0000577869
            30,3,1,296,224,x,1.2,0.4,0.1,0.1,0.6,pool22-300-128-0000000001
            """);
        return (Path.Combine(Folder, "R2"), coldStarts);
    }

    private void PutHuawei2023(string kind, string text)
    {
        Directory.CreateDirectory(Path.Combine(Folder, kind));
        Put(Path.Combine(kind, "day_003.csv"), text);
    }
}
