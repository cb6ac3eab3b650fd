using FuncScaler.ContestSimulator.Platform;
using FuncScaler.ContestSimulator.Reports;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;
using FuncScaler.Scoring;
using FuncScaler.Tests.Platform;

namespace FuncScaler.Tests.Reports;

internal static class Samples
{
    public const string HostileKey = "</script><script>alert(1)</script><img src='http://evil.example/x' onerror=\"x\">&amp;\u0000\ud800]]>";

    public static readonly VirtualOptions Recording = new() { RecordSeries = true };

    public static Score Score(double executed, double paid) => new(10, 0, executed, paid, 10, 1, 1);

    public static VirtualResult Result(string policy, params (long Requests, long ColdStarts)[] functions) => new()
    {
        Policy = policy,
        Trace = "list",
        Score = Score(1, 2),
        ColdStarts = 0,
        Waited = 0,
        SlotsCreated = 0,
        PeakInstances = 0,
        ScheduleTimes = new LatencyHistogram(),
        Functions =
        [
            .. functions.Select((f, i) => new FunctionOutcome(
                new FunctionMeta(new MetaKey($"f{i}"), "go", 1, 512), f.Requests, f.ColdStarts, 1 + i, 2 + i, 0, 1)),
        ],
        EndUs = 1,
        Elapsed = TimeSpan.Zero,
    };

    /// <summary>A report of real runs, with a hostile function key, a bound, and a plot of two sweeps and of every policy.</summary>
    public static SimulationReport Report(string key = HostileKey)
    {
        var trace = new ListTrace(
            [ListTrace.Function(key, 512, 200), ListTrace.Function("calm", 1024, 50)],
            [.. Enumerable.Range(0, 60).Select(i => ListTrace.Request(i * 1700, 40 + (i * 7 % 90), i % 3 / 2))]);
        string[] policies =
            ["direct", "ttl:1", "ttl:2", "ttl:5", "ttl:9", "ttl:20", "ttl:60", "ttl:300", "ttl:600", "capped", "capped:5", "capped:9", "capped:300"];
        VirtualResult[] results = [.. policies.Select(p => VirtualContest.Run(trace, PolicyCatalog.Parse(p), Recording))];
        var reference = results.Single(r => r.Policy == ParetoSweep.ReferencePolicy);
        return new SimulationReport
        {
            TraceName = "a <trace> & \"more\"",
            Requests = 60,
            Options = "simulate --trace 'a<b>' --policies all",
            Version = "1.2.3, abcdef01",
            Settings = [("Seed", "7"), ("Tail", "300 s")],
            Document = """{"trace": "a<b>"}""",
            Results = results,
            Bound = ClairvoyantBound.Of(trace, Recording),
            Sweep =
            [
                .. ParetoSweep.Points(reference, results.Select(r => (SweepFamily.Policy, r.Policy, r))),
                .. new[] { (0.6, 0.6, "5 min"), (0.5, 1, "10 min"), (0.42, 1.7, "20 min"), (0.29, 4.6, "120 min") }
                    .Select(p => new SweepPoint(SweepFamily.Fixed, p.Item3, p.Item1, p.Item2)),
                .. new[] { (0.35, 1.1, "1 h"), (0.31, 1.25, "2 h"), (0.28, 1.45, "4 h") }
                    .Select(p => new SweepPoint(SweepFamily.Hybrid, p.Item3, p.Item1, p.Item2)),
            ],
        };
    }

    public static string Html(SimulationReport report)
    {
        using var text = new StringWriter();
        HtmlReportWriter.Write(report, text);
        return text.ToString();
    }
}
