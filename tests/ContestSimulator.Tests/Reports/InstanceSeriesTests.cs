using FsCheck.Fluent;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;
using FuncScaler.Tests.Platform;

namespace FuncScaler.Tests.Reports;

public sealed class InstanceSeriesTests
{
    // Nothing but creation and init takes time, so that an example can be computed by hand.
    private static readonly VirtualOptions Bare = new()
    {
        RecordSeries = true,
        CreateUs = 100_000,
        DestroyUs = 0,
        PlatformRpcUs = 0,
        AssignRpcUs = 0,
        IdleRpcUs = 0,
        TailUs = 2_000_000,
    };

    [Fact]
    public void A_worked_example()
    {
        // Asked for at 0, created at 100 ms, ready at 300 ms, busy until 1300 ms, kept until 2300 ms. The run ends 2 s after 1300 ms.
        var trace = new ListTrace([ListTrace.Function("f", 512, 200)], [ListTrace.Request(0, 1000)]);
        var result = VirtualContest.Run(trace, PolicyCatalog.Parse("ttl:1"), Bare);
        var series = Assert.Single(result.Series);
        Assert.Equal("f", series.Function.Key.Value);
        Assert.Equal(1, series.PeakInstances);
        Assert.Equal(15_625, series.BucketUs);
        Assert.Equal(3_300_000, series.EndUs);
        Assert.Equal(212, series.ExistingUs.Count);
        // 2300 ms are 147 buckets and 3125 µs.
        Assert.All(series.ExistingUs.Take(147), us => Assert.Equal(15_625, us));
        Assert.Equal(3_125, series.ExistingUs[147]);
        Assert.All(series.ExistingUs.Skip(148), us => Assert.Equal(0, us));
        // 300 ms are 19 buckets and 3125 µs; 1300 ms are 83 buckets and 3125 µs.
        Assert.All(series.BusyUs.Take(19), us => Assert.Equal(0, us));
        Assert.Equal(12_500, series.BusyUs[19]);
        Assert.Equal(0.8, series.MeanBusy(19));
        Assert.Equal(1, series.MeanBusy(20));
        Assert.Equal(3_125, series.BusyUs[83]);
        Assert.Equal(0.2, series.MeanBusy(83));
        Assert.Equal(1_000_000, series.BusyUs.Sum());
        Assert.Equal(2_300_000, series.ExistingUs.Sum());
    }

    [Fact]
    public void Buckets_widen_with_the_run_and_lose_nothing()
    {
        // 1 s of execution every 1000 s with an instance that stays: 10,001 s need buckets of 64 s.
        var trace = new ListTrace([ListTrace.Function("f", 512, 0)], [.. Enumerable.Range(0, 11).Select(i => ListTrace.Request(i * 1_000_000, 1000))]);
        var result = VirtualContest.Run(trace, PolicyCatalog.Parse("ttl:5000"), Bare with { CreateUs = 0 });
        var series = Assert.Single(result.Series);
        Assert.Equal(64_000_000, series.BucketUs);
        Assert.Equal(10_003_000_000, series.EndUs);
        Assert.Equal(157, series.ExistingUs.Count);
        // The last bucket is cut short: its mean is over what there is of it.
        Assert.All(Enumerable.Range(0, 157), i => Assert.Equal(1, series.MeanExisting(i)));
        Assert.Equal(11_000_000, series.BusyUs.Sum());
        Assert.Equal(1 / 64.0, series.MeanBusy(15));
        Assert.Equal(0, series.MeanBusy(16));
    }

    [Fact]
    public void Only_the_busiest_functions_are_shown_the_busiest_first()
    {
        var trace = new ListTrace(
            [.. Enumerable.Range(0, 10).Select(i => ListTrace.Function($"f{i}", 512, 10))],
            [.. Enumerable.Range(0, 9).Select(i => ListTrace.Request(0, 100 * (i + 1), i))]);
        var result = VirtualContest.Run(trace, PolicyCatalog.Parse("direct"), Bare);
        Assert.Equal(["f8", "f7", "f6", "f5", "f4", "f3"], result.Series.Select(s => s.Function.Key.Value));
    }

    [Fact]
    public void Nothing_is_recorded_unasked()
    {
        var trace = new ListTrace([ListTrace.Function("f", 512, 10)], [ListTrace.Request(0, 100)]);
        Assert.Empty(VirtualContest.Run(trace, PolicyCatalog.Parse("direct"), new VirtualOptions()).Series);
    }

    /// <summary>
    /// The first byte is the policy, and each pair after it a request: how much later, of which function, how long. The sum over the series is the slot time of the bill,
    /// busy time is execution and half the wire, and a held slot exists.
    /// </summary>
    [Fact]
    public void Series_add_up_to_slot_time_and_change_no_result() =>
        Properties.Check(ArbMap.Default.ArbFor<byte[]>(), bytes =>
        {
            var requests = new List<TraceRequest>();
            var nowMs = 0;
            for (var i = 1; i + 1 < bytes.Length; i += 2)
            {
                // Mostly close together, now and then minutes apart.
                nowMs += bytes[i] % 16 == 0 ? bytes[i] * 4000 : bytes[i] * 5;
                requests.Add(ListTrace.Request(nowMs, bytes[i + 1] * 13, bytes[i + 1] % 3));
            }

            var trace = new ListTrace(
                [ListTrace.Function("a", 512, 700), ListTrace.Function("b", 1024, 20), ListTrace.Function("c", 3000, 5000)], requests);
            var policy = PolicyCatalog.Parse(((string[])["direct", "ttl:0.2", "ttl:3", "ttl:600", "capped:5"])[bytes is [var choice, ..] ? choice % 5 : 0]);
            var options = Samples.Recording;
            var result = VirtualContest.Run(trace, policy, options);
            Assert.Equal(VirtualContest.Run(trace, policy, options with { RecordSeries = false }).Score, result.Score);
            Assert.Equal(result.Functions.Count(f => f.Requests > 0), result.Series.Count);
            foreach (var series in result.Series)
            {
                var outcome = result.Functions.Single(f => f.Function.Key == series.Function.Key);
                Assert.Equal(outcome.SlotGbSeconds, series.ExistingUs.Sum() / 1e6 * series.Function.MemoryGb, 6);
                var wireUs = options.AssignRpcUs - (options.AssignRpcUs / 2) + (options.IdleRpcUs / 2);
                var executionUs = requests.Where(r => trace.Functions[r.Function].Meta.Key == series.Function.Key).Sum(r => r.DurationUs);
                Assert.Equal(executionUs + (outcome.Requests * wireUs), series.BusyUs.Sum());
                Assert.All(series.BusyUs.Zip(series.ExistingUs), pair => Assert.InRange(pair.First, 0, pair.Second));
                Assert.InRange(series.ExistingUs.Count, 1, 240);
                Assert.True(Enumerable.Range(0, series.ExistingUs.Count).All(i => series.MeanExisting(i) <= series.PeakInstances));
            }
        }, tests: 200, size: 120);
}
