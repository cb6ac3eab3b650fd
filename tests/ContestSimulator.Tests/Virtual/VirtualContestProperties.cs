using FuncScaler.ContestSimulator.Traces.Presets;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;
using FuncScaler.Tests.Platform;
using static FuncScaler.Tests.Virtual.RandomTraces;

namespace FuncScaler.Tests.Virtual;

public sealed class VirtualContestProperties
{
    /// <summary>Every policy, with the caps and times that small traces meet.</summary>
    public static IEnumerable<string> Names =>
        [.. PolicyCatalog.All.Select(p => p.Name), "ttl:1", "capped:2", "greedy-dual:4", "prealloc:2", "provisioned:2"];

    public static TheoryData<string> Policies => [.. Names];

    [Theory]
    [MemberData(nameof(Policies))]
    public void The_same_input_gives_the_same_result_to_the_last_digit_on_however_many_processors(string policy) =>
        Properties.Check(Bytes, bytes =>
        {
            var trace = From(bytes);
            var options = new VirtualOptions { TailUs = 20_000_000 };
            var first = VirtualContest.Run(trace, PolicyCatalog.Parse(policy), options);
            AssertSame(first, VirtualContest.Run(trace, PolicyCatalog.Parse(policy), options));
            AssertSame(first, VirtualContest.Run(trace, PolicyCatalog.Parse(policy), options with { Parallelism = 4 }));
        }, tests: 30, size: 80);

    /// <summary>Several windows long, so that the parts of a run meet more than once.</summary>
    [Theory]
    [InlineData("ttl:9")]
    [InlineData("hybrid-histogram")]
    [InlineData("fft")]
    public void A_long_run_does_not_depend_on_processors_either(string policy)
    {
        var trace = PresetCatalog.Create("dense", 3, 12_000);
        var one = VirtualContest.Run(trace, PolicyCatalog.Parse(policy), new VirtualOptions());
        var four = VirtualContest.Run(trace, PolicyCatalog.Parse(policy), new VirtualOptions { Parallelism = 4 });

        Assert.True(one.Score.Requests > 2 << 15);
        AssertSame(one, four);
    }

    [Theory]
    [InlineData("direct", 0)]
    [InlineData("ttl:0.3", 300_000)]
    [InlineData("ttl:2", 2_000_000)]
    [InlineData("ttl:600", 600_000_000)]
    public void A_naive_recomputation_comes_to_the_same_score(string policy, long keepUs)
    {
        var options = new VirtualOptions
        {
            PlatformRpcUs = 2_001,
            AssignRpcUs = 201,
            IdleRpcUs = 101,
            TailUs = 20_000_000,
            Pool = new SlotPoolOptions { Waiting = false },
        };
        Properties.Check(Bytes, bytes =>
        {
            var trace = From(bytes);
            var result = VirtualContest.Run(trace, PolicyCatalog.Parse(policy), options);
            var expected = Naive.Run(trace, keepUs, options);

            Assert.Equal(expected.ColdStarts, result.ColdStarts);
            Assert.Equal(expected.AssignUs / 1e6, result.Score.AssignSeconds);
            Assert.Equal(expected.SlotMbUs / 1024e6, result.Score.SlotGbSeconds);
            Assert.Equal(expected.Score, result.Score.Total, 9);
            Assert.Equal(expected.Peak, result.PeakInstances);
        }, tests: 300, size: 120);
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void Every_request_is_served_and_functions_add_up(string policy) =>
        Properties.Check(Bytes, bytes =>
        {
            var trace = From(bytes);
            var result = VirtualContest.Run(trace, PolicyCatalog.Parse(policy), new VirtualOptions { TailUs = 20_000_000 });
            Assert.Equal(trace.ReadRequests().LongCount(), result.Score.Requests);
            Assert.Equal(0, result.Score.FailedRequests);
            Assert.Equal(result.Score.SlotGbSeconds, result.Functions.Sum(f => f.SlotGbSeconds), tolerance: 1e-6);
            Assert.Equal(result.Score.ExecutionGbSeconds, result.Functions.Sum(f => f.ExecutionGbSeconds), tolerance: 1e-6);
            Assert.Equal(result.ColdStarts, result.Functions.Sum(f => f.ColdStarts));
            Assert.InRange(result.PeakInstances, result.Functions.Max(f => f.PeakInstances), result.Functions.Sum(f => f.PeakInstances));
        }, tests: 30, size: 80);

    private static void AssertSame(VirtualResult expected, VirtualResult actual)
    {
        Assert.Equal(expected.Score, actual.Score);
        Assert.Equal(
            (expected.ColdStarts, expected.Waited, expected.SlotsCreated, expected.PeakInstances, expected.EndUs),
            (actual.ColdStarts, actual.Waited, actual.SlotsCreated, actual.PeakInstances, actual.EndUs));
        Assert.Equal(expected.Functions, actual.Functions);
        foreach (var share in (double[])[0.1, 0.5, 0.95, 0.99, 1])
        {
            Assert.Equal(expected.ScheduleTimes.PercentileMs(share), actual.ScheduleTimes.PercentileMs(share));
        }
    }

    /// <summary>
    /// A keep-alive without waiting, thought out afresh: arrival by arrival, all slots in one list, nothing shared with the engine.
    /// </summary>
    private static class Naive
    {
        public static (long ColdStarts, long AssignUs, double SlotMbUs, double Score, int Peak) Run(ListTrace trace, long keepUs, VirtualOptions o)
        {
            var all = new List<Slot>();
            long cold = 0, assignUs = 0, idleUs = 0, executionUs = 0, endUs = 0;
            double executionMbUs = 0;
            var firstUs = trace.ReadRequests().Select(r => r.StartUs).FirstOrDefault();
            foreach (var request in trace.ReadRequests())
            {
                var function = trace.Functions[request.Function];
                var arrivalUs = request.StartUs - firstUs + (o.AssignRpcUs / 2);
                var slot = all
                    .Where(s => s.Function == request.Function && !s.Broken && s.FreeUs <= arrivalUs && keepUs > 0 && s.FreeUs + keepUs >= arrivalUs)
                    .MaxBy(s => s.FreeUs);
                var waitUs = 0L;
                if (slot is null)
                {
                    cold++;
                    waitUs = o.CreateUs + (2 * o.PlatformRpcUs) + function.InitDurationUs;
                    all.Add(slot = new Slot { Function = request.Function, MemoryMb = function.Meta.MemoryMb, CreatedUs = arrivalUs });
                }

                slot.FreeUs = arrivalUs + waitUs + (o.AssignRpcUs - (o.AssignRpcUs / 2)) + request.DurationUs + (o.IdleRpcUs / 2);
                slot.Broken = request.StatusCode != 200;
                endUs = Math.Max(endUs, slot.FreeUs + o.IdleRpcUs - (o.IdleRpcUs / 2));
                assignUs += waitUs + o.AssignRpcUs;
                idleUs += o.IdleRpcUs;
                executionUs += request.DurationUs;
                executionMbUs += (double)request.DurationUs * function.Meta.MemoryMb;
            }

            foreach (var slot in all)
            {
                slot.GoneUs = slot.Broken ? slot.FreeUs : Math.Min(slot.FreeUs + keepUs, endUs + o.TailUs);
            }

            var slotMbUs = all.Sum(s => (double)s.MemoryMb * (s.GoneUs - s.CreatedUs));
            var peak = all.Select(s => all.Count(other => other.CreatedUs <= s.CreatedUs && other.GoneUs > s.CreatedUs)).DefaultIfEmpty(0).Max();
            var score = slotMbUs == 0 ? 0
                : (50 * executionMbUs / slotMbUs) + (50.0 * executionUs / (executionUs + assignUs + idleUs));
            return (cold, assignUs, slotMbUs, score, peak);
        }

        private sealed class Slot
        {
            public int Function { get; init; }

            public int MemoryMb { get; init; }

            public long CreatedUs { get; init; }

            public long FreeUs { get; set; }

            public long GoneUs { get; set; }

            public bool Broken { get; set; }
        }
    }
}
