using System.Text;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Traces.Azure;
using FuncScaler.ContestSimulator.Traces.Huawei;
using FuncScaler.ContestSimulator.Traces.Tables;

namespace FuncScaler.Tests.Traces;

/// <summary>Files that are nearly traces: read, or refused with the reader's own exception, and nothing else.</summary>
public sealed class TraceFuzzTests : TraceFolderTests
{
    /// <summary>A changed count may mean very many requests: these are enough.</summary>
    private const int MostRequests = 1000;

    private const string Percentiles =
        "percentile_Average_0,percentile_Average_1,percentile_Average_25,percentile_Average_50,percentile_Average_75,percentile_Average_99,percentile_Average_100";

    private const string Durations = $"HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,{Percentiles}\no,a,f,5,1,5,5,5,5,5,5,5,5,5\n";
    private const string Invocations = "HashOwner,HashApp,HashFunction,Trigger,480,481,482\no,a,f,timer,1,0,2\no,a,g,http,0,3,0\n";
    private const string Memory = "HashFunction,HashOwner,HashApp,SampleCount,AverageAllocatedMb,AverageAllocatedMb_pct99\nf,o,a,1,10,120\ng,o,a,1,10,500\n";
    private const string Requests2025 = "time_worker(s),requestID,clusterName,funcName,podID,userID,totalCost_worker(s)\n1.5,r,1,296,pool22-300-128-1,224,0.1\n2.5,q,1,7,pool24-600-512-2,134,0.5\n";

    [Fact]
    public void Functions_of_the_contest() => Fuzz("metas", [OneMeta + "\n" + OneMeta], () =>
    {
        Put("requests", Request(1) + "\n" + Request(2));
        return ContestTrace.Open(Folder);
    });

    [Fact]
    public void Requests_of_the_contest() => Fuzz("requests", [Request(1) + "\n" + Request(2) + "\n", Request(7, "f", 50, 408)], () =>
    {
        Put("metas", OneMeta);
        return ContestTrace.Open(Folder);
    });

    [Theory]
    [InlineData("key=fn,start=ts,duration=took,memory=mb,init=init,status=code", "ms")]
    [InlineData("key=fn,start=ts,end=took", "ns")]
    [InlineData("key=fn,duration=mb,end=took", "s")]
    public void Tables(string map, string unit) => Fuzz(
        "log.csv",
        ["ts,fn,took,mb,init,code,other\n10.5,a,250,128,300,200,x\n11,b,20,512,,500,x\n", "fn,ts,took,mb,init,code\n\"a,b\",2026-02-02T02:40:00.25Z,2026-02-02T03:40:00.25+01:00,1,1,200\n"],
        () => CsvTrace.Open(Path.Combine(Folder, "log.csv"), ColumnMap.Parse(map, unit, hasDefaultDuration: false)));

    [Theory]
    [InlineData("invocations.csv", Invocations)]
    [InlineData("durations.csv", Durations)]
    [InlineData("memory.csv", Memory)]
    public void Azure_of_2019(string name, string good) => Fuzz(name, [good], () => AzureFunctions2019Trace.Open(Folder), ("invocations.csv", Invocations), ("durations.csv", Durations), ("memory.csv", Memory));

    [Fact]
    public void Azure_of_2021() => Fuzz(
        "t.csv", ["app,func,end_timestamp,duration\na,f,10.5,0.25\nb,g,11.5,1.5\n"], () => AzureFunctions2021Trace.Open(Path.Combine(Folder, "t.csv")));

    [Fact]
    public void Azure_of_language_models() => Fuzz(
        "t.csv",
        ["TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.0319569,3180,8\n"],
        () => AzureLlm2023Trace.Open(Path.Combine(Folder, "t.csv")));

    [Fact]
    public void Huawei_of_2025() => Fuzz("t.csv", [Requests2025], () => HuaweiRequests2025Trace.Open(Path.Combine(Folder, "t.csv")));

    [Theory]
    [InlineData("0")]
    [InlineData("1")]
    public void Packed_files(string which)
    {
        var packed = File.ReadAllBytes(PutGzip("x", Request(1) + "\n" + Request(2)));
        Put("metas", OneMeta);
        Mutator.Try([packed], mutant =>
        {
            File.WriteAllBytes(Path.Combine(Folder, "requests.gz"), which == "0" ? mutant : [.. packed, .. mutant]);
            IsReadable(() => ContestTrace.Open(Folder), out _);
        });
    }

    private void Fuzz(string name, string[] good, Func<ITrace> open, params (string Name, string Text)[] others)
    {
        foreach (var other in others)
        {
            Put(other.Name, other.Text);
        }

        var readable = 0;
        var last = "";
        Mutator.Try([.. good.Select(Encoding.UTF8.GetBytes)], mutant =>
        {
            File.WriteAllBytes(Path.Combine(Folder, name), mutant);
            readable += IsReadable(open, out var whyNot) ? 1 : 0;
            last = whyNot ?? last;
        });

        // Mutants that were all refused would have tested the first line alone.
        Assert.True(Mutator.Count < 50 || readable > 0, $"no mutant was read: {last}");
    }

    /// <summary>Whether a trace has a request that can be read; else it is refused in words that are fit for a terminal.</summary>
    private static bool IsReadable(Func<ITrace> open, out string? whyNot)
    {
        try
        {
            whyNot = null;
            return open().ReadRequests().Take(MostRequests).ToList().Count > 0;
        }
        catch (TraceFormatException e)
        {
            Assert.DoesNotContain(e.Message, char.IsControl);
            whyNot = e.Message;
            return false;
        }
    }
}
