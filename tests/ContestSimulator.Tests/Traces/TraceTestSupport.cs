using System.IO.Compression;
using System.Text;
using FuncScaler.ContestSimulator.Traces;

namespace FuncScaler.Tests.Traces;

/// <summary>A folder of its own for one test; gone afterwards.</summary>
public abstract class TraceFolderTests : IDisposable
{
    protected const string OneMeta =
        """{"key": "f", "runtime": "go", "timeoutInSecs": 60, "memoryInMb": 128, "initDurationInMs": 40}""";

    protected string Folder { get; } = Directory.CreateTempSubdirectory("traces-").FullName;

    public void Dispose()
    {
        Directory.Delete(Folder, recursive: true);
        GC.SuppressFinalize(this);
    }

    protected static string Request(long startMs, string key = "f", long durationMs = 5, int status = 200) =>
        $$"""{"metaKey": "{{key}}", "startTime": {{startMs}}, "durationsInMs": {{durationMs}}, "statusCode": {{status}}}""";

    protected string Put(string name, string text)
    {
        var path = Path.Combine(Folder, name);
        File.WriteAllBytes(path, Encoding.UTF8.GetBytes(text));
        return path;
    }

    protected string PutGzip(string name, string text)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            gzip.Write(Encoding.UTF8.GetBytes(text));
        }

        var path = Path.Combine(Folder, name);
        File.WriteAllBytes(path, packed.ToArray());
        return path;
    }

    protected TraceFormatException ReadingFails(string metas, string requests)
    {
        Put("metas", metas);
        Put("requests", requests);
        return Assert.Throws<TraceFormatException>(() => ContestTrace.Open(Folder).ReadRequests().Count());
    }
}

/// <summary>A trace from lists.</summary>
internal sealed record ListTrace(IReadOnlyList<TraceFunction> Functions, IReadOnlyList<TraceRequest> Requests) : ITrace
{
    public string Name => "list";

    public IEnumerable<TraceRequest> ReadRequests() => Requests;

    /// <summary>A trace of one function of 1024 MB with requests at these times, s, each of a duration, s.</summary>
    public static ListTrace At(double durationSeconds, params double[] startSeconds) => new(
        [new TraceFunction(new FunctionMeta(new MetaKey("f"), "go", 60, 1024), 1000)],
        [.. startSeconds.Select(s => new TraceRequest(0, (long)(s * 1e6), (long)(durationSeconds * 1e6), 200))]);
}
