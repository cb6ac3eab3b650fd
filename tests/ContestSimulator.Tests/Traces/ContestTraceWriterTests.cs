using FsCheck;
using FsCheck.Fluent;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Traces.Presets;

namespace FuncScaler.Tests.Traces;

public sealed class ContestTraceWriterTests : TraceFolderTests
{
    private static readonly Gen<ListTrace> AnyTrace =
        from functions in TraceGenerators.Functions
        from steps in Gen.NonEmptyListOf(
            from function in Gen.Choose(0, functions.Count - 1)
            from gapMs in Gen.Frequency((5, Gen.Choose(0, 50)), (1, Gen.Choose(0, 500_000)))
            from durationMs in Gen.Choose(0, 600_000)
            from status in Gen.Elements(200, 200, 408, 500)
            select (function, gapMs, durationMs, status))
        from beginMs in Gen.Elements(0L, 1L, 1_685_980_824_304L)
        select TraceGenerators.FromSteps(functions, steps, beginMs);

    [Fact]
    public void What_is_written_is_read_back()
    {
        Prop.ForAll(AnyTrace.ToArbitrary(), (ListTrace trace) =>
        {
            foreach (var gzip in (bool[])[false, true])
            {
                Assert.Equal(trace.Requests.Count, ContestTraceWriter.Write(trace, Folder, gzip, overwrite: true));
                var read = ContestTrace.Open(Folder);
                Assert.Equal(trace.Functions, read.Functions);
                Assert.Equal(trace.Requests, read.ReadRequests());
            }
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void The_lines_are_the_contests()
    {
        ContestTraceWriter.Write(ListTrace.At(0.05, 1.5), Folder);

        Assert.Equal(
            "{\"key\": \"f\", \"runtime\": \"go\", \"timeoutInSecs\": 60, \"memoryInMb\": 1024, \"initDurationInMs\": 1}\n",
            File.ReadAllText(Path.Combine(Folder, "metas")));
        Assert.Equal(
            "{\"metaKey\": \"f\", \"startTime\": 1500, \"durationsInMs\": 50, \"statusCode\": 200}\n",
            File.ReadAllText(Path.Combine(Folder, "requests")));
    }

    [Fact]
    public void A_preset_written_and_read_is_the_same_trace()
    {
        var preset = PresetCatalog.Create("faas", 7, 60);
        ContestTraceWriter.Write(preset, Folder);

        Assert.Equal(preset.ReadRequests(), ContestTrace.Open(Folder).ReadRequests());
    }

    [Fact]
    public void Files_that_are_there_are_not_overwritten_unasked()
    {
        var existing = Put("requests.gz", "precious");

        var error = Assert.Throws<IOException>(() => ContestTraceWriter.Write(ListTrace.At(1, 1), Folder));

        Assert.Contains(existing, error.Message, StringComparison.Ordinal);
        Assert.Equal("precious", File.ReadAllText(existing));
    }

    [Fact]
    public void Writing_that_fails_leaves_no_file_behind()
    {
        var failing = new FailingTrace(ListTrace.At(1, 1, 2));

        Assert.Throws<TraceFormatException>(() => ContestTraceWriter.Write(failing, Folder));

        Assert.Empty(Directory.GetFiles(Folder));
    }

    private sealed record FailingTrace(ITrace Inner) : ITrace
    {
        public string Name => "failing";

        public IReadOnlyList<TraceFunction> Functions => Inner.Functions;

        public IEnumerable<TraceRequest> ReadRequests()
        {
            yield return Inner.ReadRequests().First();
            throw new TraceFormatException("broken in the middle");
        }
    }
}

internal static class TraceGenerators
{
    public static Gen<IReadOnlyList<TraceFunction>> Functions { get; } =
        from count in Gen.Choose(1, 6)
        from odd in Gen.Elements("", "é", "\"", "\\", "\u0001", "\U0001F600", "<b>")
        from runtime in Gen.Elements("", "go", "Python 3 \"x\"")
        from memoryMb in Gen.Choose(1, 16_384)
        from initMs in Gen.Choose(0, 120_000)
        select (IReadOnlyList<TraceFunction>)[
            .. Enumerable.Range(0, count).Select(i => new TraceFunction(
                new FunctionMeta(new MetaKey($"{odd}{i}"), runtime, i, memoryMb), initMs * 1000L)),
        ];

    public static ListTrace FromSteps(
        IReadOnlyList<TraceFunction> functions, IEnumerable<(int Function, int GapMs, int DurationMs, int Status)> steps, long beginMs)
    {
        var nowMs = beginMs;
        var requests = new List<TraceRequest>();
        foreach (var (function, gapMs, durationMs, status) in steps)
        {
            nowMs += gapMs;
            requests.Add(new TraceRequest(function, nowMs * 1000, durationMs * 1000L, status));
        }

        return new ListTrace(functions, requests);
    }
}
