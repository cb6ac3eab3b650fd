using FsCheck;
using FsCheck.Fluent;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Traces.Presets;

namespace FuncScaler.Tests.Traces;

public sealed class TraceStatisticsTests
{
    [Fact]
    public void Sums_peaks_and_gaps_are_counted()
    {
        var statistics = TraceStatistics.Measure(ListTrace.At(0.5, 100, 100.25, 100.999, 101, 160, 220));

        Assert.Equal(6, statistics.Requests);
        Assert.Equal(1, statistics.ActiveFunctions);
        Assert.Equal(120, statistics.SpanSeconds, 6);
        Assert.Equal(3, statistics.ExecutionSeconds, 6);
        Assert.Equal(3, statistics.ExecutionGbSeconds, 6);
        Assert.Equal(3, statistics.PeakPerSecond);
        Assert.Equal(4, statistics.PeakPerMinute);
        var function = Assert.Single(statistics.PerFunction);
        Assert.Equal(500, function.MeanDurationMs, 6);
        Assert.Equal(5, function.InterArrival.Count);

        // 100.75 to 100.999 s, 101.5 to 160 s and 160.5 to 220 s: the others overlap.
        Assert.Equal(3, function.IdleGap.Count);
        Assert.InRange(function.IdleGap.P50Ms, 58_500 * 0.99, 58_500 * 1.01);
        Assert.InRange(function.InterArrival.P50Ms, 749 * 0.99, 749 * 1.01);
    }

    [Fact]
    public void A_long_execution_under_short_ones_is_not_an_idle_gap()
    {
        ListTrace trace = new(
            ListTrace.At(1).Functions,
            [new(0, 0, 10_000_000, 200), new(0, 1_000_000, 1_000, 200), new(0, 5_000_000, 1_000, 200), new(0, 11_000_000, 1_000, 200)]);

        var gap = TraceStatistics.Measure(trace).PerFunction[0].IdleGap;

        Assert.Equal(1, gap.Count);
        Assert.InRange(gap.P99Ms, 990, 1010);
    }

    [Fact]
    public void Quantiles_are_within_a_hundredth_of_the_exact_ones()
    {
        var gaps = Gen.NonEmptyListOf(Gen.OneOf(Gen.Choose(0, 100), Gen.Choose(1, 1_000_000), Gen.Choose(1, int.MaxValue)));
        Prop.ForAll(gaps.ToArbitrary(), gapsMs =>
        {
            var steps = gapsMs.Prepend(0).Select(g => (0, g, 0, 200));
            var measured = TraceStatistics.Measure(TraceGenerators.FromSteps(ListTrace.At(1).Functions, steps, 0)).PerFunction[0].InterArrival;
            return IsNear(0.5, measured.P50Ms) && IsNear(0.95, measured.P95Ms) && IsNear(0.99, measured.P99Ms);

            bool IsNear(double share, double quantile)
            {
                double exact = gapsMs.Order().ElementAt((int)Math.Ceiling(share * gapsMs.Count) - 1);
                return Math.Abs(quantile - exact) <= exact * 0.01;
            }
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void The_busiest_window_begins_with_a_request_and_no_other_has_more()
    {
        var gaps = Gen.NonEmptyListOf(Gen.Choose(0, 20));
        Prop.ForAll(gaps.ToArbitrary(), Gen.Choose(1, 60).ToArbitrary(), (gapsS, length) =>
        {
            var starts = gapsS.Select((_, i) => 1000.0 + gapsS.Take(i + 1).Sum()).ToArray();
            var counts = starts.Select(s => starts.Count(t => t >= s && t < s + length)).ToArray();
            var window = TraceWindow.Busiest(ListTrace.At(1, starts), length);
            return window.Requests == counts.Max()
                && window.OffsetSeconds == starts[Array.IndexOf(counts, counts.Max())] - starts[0];
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void A_slice_at_the_busiest_window_has_its_requests()
    {
        var trace = PresetCatalog.Create("sparse", 3, 50_000);
        var window = TraceWindow.Busiest(trace, 60);

        Assert.Equal(window.Requests, new TraceSlice(trace, window.OffsetSeconds, window.LengthSeconds).ReadRequests().Count());
    }

    [Fact]
    public void An_empty_trace_has_zeros()
    {
        var trace = ListTrace.At(1);

        Assert.Equal(0, TraceStatistics.Measure(trace).Requests);
        Assert.Equal(default(TraceWindow) with { LengthSeconds = 5 }, TraceWindow.Busiest(trace, 5));
    }

    [DataFact]
    public void The_real_smoke_test_has_the_published_statistics()
    {
        var statistics = TraceStatistics.Measure(ContestTrace.Open(SharedData.PathOf("contest/function_smoke_test")));

        Assert.Equal(
            (980, 127, 806, 4, 82.0),
            (statistics.Requests, statistics.ActiveFunctions, statistics.PeakPerSecond, statistics.BrokenRequests, statistics.InitMinMs));
    }
}
