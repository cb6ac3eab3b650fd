using FuncScaler.Statistics;

namespace FuncScaler.Tests.Policies.Published;

public class HybridHistogramPolicyTests
{
    private const double Minute = 60;
    private const double Hour = 3600;

    // 100 idle times: 4 of 9.5 min, 95 of 20.5 min, 1 of 60.5 min.
    //   5th percentile: the 5th smallest, in bin 20 (the 4 before it are in bin 9): head 20 min, less 10 %: 18 min.
    //   99th percentile: the 99th smallest, 4 + 95, in bin 20: tail 21 min (the bin's upper bound), plus 10 %: 23.1 min.
    [Fact]
    public void It_releases_then_loads_before_the_head_and_keeps_past_the_tail()
    {
        var (bench, function) = Fed("hybrid-histogram", [60.5, .. Enumerable.Repeat(9.5, 4), .. Enumerable.Repeat(20.5, 95)]);
        var end = bench.Now;

        bench.AdvanceTo(end + (2 * Hour));

        Assert.Equal([18 * Minute], bench.Creates(function).Where(at => at >= end).Select(at => at - end), new Within(1e-3));
        Assert.Equal([0, 23.1 * Minute], bench.Destroys(function).Where(at => at >= end).Select(at => at - end), new Within(1e-3));
    }

    [Fact]
    public void A_request_between_head_and_tail_finds_an_instance()
    {
        var (bench, function) = Fed("hybrid-histogram", Enumerable.Repeat(20.5, 10));

        bench.Advance(20.5 * Minute);

        Assert.False(bench.Run(function, 1), "the request had to wait");
    }

    // All idle times in the first bin: the head is 0, so nothing is released; the tail is 1 min, plus 10 %: 66 s.
    [Fact]
    public void With_a_head_in_the_first_minute_it_does_not_release()
    {
        var (bench, function) = Fed("hybrid-histogram", Enumerable.Repeat(0.5, 20));
        var end = bench.Now;

        bench.AdvanceTo(end + Hour);

        Assert.Single(bench.Creates(function));
        Assert.Equal([66], bench.Destroys(function).Select(at => at - end), new Within(1e-3));
    }

    // n idle times in n different bins of 240: the counts' mean is n / 240, their mean square the same, so
    // CV = sqrt(n / 240 - (n / 240)^2) / (n / 240) = sqrt(240 / n - 1). For n = 60: sqrt(3) = 1.73 < 2: the whole range, 4 h.
    [Fact]
    public void Counts_that_vary_little_say_nothing_so_it_keeps_for_the_whole_range()
    {
        var (bench, function) = Fed("hybrid-histogram", Enumerable.Range(0, 60).Select(minute => minute + 0.5));
        var end = bench.Now;

        bench.AdvanceTo(end + (10 * Hour));

        Assert.Equal([4 * Hour], bench.Destroys(function).Where(at => at >= end).Select(at => at - end), new Within(1e-3));
        Assert.DoesNotContain(bench.Creates(function), at => at >= end);
    }

    // For n = 40: sqrt(240 / 40 - 1) = 2.24 >= 2: the histogram is used. 5 % of 40 is 2: the second bin, 1 min, less 10 %: 54 s.
    // 99 % of 40 is 39.6: the 40th, bin 39, so 40 min, plus 10 %: 44 min.
    [Fact]
    public void Counts_that_vary_enough_are_used()
    {
        var (bench, function) = Fed("hybrid-histogram", Enumerable.Range(0, 40).Select(minute => minute + 0.5));
        var end = bench.Now;

        bench.AdvanceTo(end + (10 * Hour));

        Assert.Equal([54], bench.Creates(function).Where(at => at >= end).Select(at => at - end), new Within(1e-3));
        Assert.Equal([0, 44 * Minute], bench.Destroys(function).Where(at => at >= end).Select(at => at - end), new Within(1e-3));
    }

    // The paper's own example: a forecast of 5 hours with a margin of 15 % gives a pre-warming window of 4.25 h and a keep-alive window of
    // 1.5 h, which ends at 5.75 h.
    [Fact]
    public void Where_idle_times_are_out_of_range_it_forecasts_the_next_one()
    {
        var (bench, function) = Fed("hybrid-histogram", Enumerable.Repeat(5 * 60.0, 6));
        var end = bench.Now;

        bench.AdvanceTo(end + (10 * Hour));

        Assert.Equal([4.25 * Hour], bench.Creates(function).Where(at => at >= end).Select(at => at - end), new Within(1e-3));
        Assert.Equal([0, 5.75 * Hour], bench.Destroys(function).Where(at => at >= end).Select(at => at - end), new Within(1e-3));
    }

    // Idle times of 5, 7, 5, 7, 5, 7 h: each is 12 h less the one before, which is what least squares finds; so 5 h comes next. A mean
    // would say 6 h.
    [Fact]
    public void The_forecast_follows_how_each_idle_time_depends_on_the_one_before()
    {
        var (bench, function) = Fed("hybrid-histogram", [300, 420, 300, 420, 300, 420]);
        var end = bench.Now;

        bench.AdvanceTo(end + (10 * Hour));

        Assert.Equal([4.25 * Hour], bench.Creates(function).Where(at => at >= end).Select(at => at - end), new Within(1e-3));
    }

    // Half of the idle times out of range is enough; 2 of 5 are not. Three of 30.5 min: head 30 min less 10 %.
    [Fact]
    public void Fewer_than_half_out_of_range_leave_the_histogram_in_charge()
    {
        var (bench, function) = Fed("hybrid-histogram", [300, 300, 30.5, 30.5, 30.5]);
        var end = bench.Now;

        bench.AdvanceTo(end + (10 * Hour));

        Assert.Equal([27 * Minute], bench.Creates(function).Where(at => at >= end).Select(at => at - end), new Within(1e-3));
    }

    [Fact]
    public void Range_and_forecast_are_options()
    {
        var (bench, function) = Fed("hybrid-histogram:hours=1,arima=off", Enumerable.Repeat(120.0, 6));
        var end = bench.Now;

        bench.AdvanceTo(end + (10 * Hour));

        Assert.Equal([1 * Hour], bench.Destroys(function).Where(at => at >= end).Select(at => at - end), new Within(1e-3));
        Assert.DoesNotContain(bench.Creates(function), at => at >= end);
    }

    // Three at a time, again and again: while one is active the others stay; when the last one ends all go, and one is loaded again.
    [Fact]
    public void Only_one_instance_is_loaded_ahead()
    {
        var bench = new PolicyBench("hybrid-histogram");
        var function = PolicyBench.Function();
        for (var i = 0; i < 5; i++)
        {
            bench.RunTogether(function, 3, 10);
            bench.Advance(20.5 * Minute);
        }

        var requests = Enumerable.Range(0, 3).Select(_ => bench.Assign(function)).ToList();
        bench.Advance(10);
        bench.Release(requests[0]);
        bench.Release(requests[1]);
        Assert.Equal(2, bench.Pool(function).IdleCount);
        bench.Release(requests[2]);
        Assert.Equal(0, bench.Pool(function).IdleCount);
        bench.Advance(19 * Minute);
        Assert.Equal(1, bench.Pool(function).IdleCount);
    }

    [Theory]
    [InlineData(new[] { 0, 0, 0, 0 }, 15.4596)] // one bin of 240 holds all: sqrt(240 - 1)
    [InlineData(new[] { 1, 2, 3, 4 }, 7.6811)] // sqrt(240 / 4 - 1)
    [InlineData(new[] { 7, 7, 8, 8 }, 10.9087)] // counts 2, 2: mean 4 / 240, mean square 8 / 240: sqrt(8 * 240 / 16 - 1)
    public void The_variation_of_counts_is_over_all_bins(int[] minutes, double variation)
    {
        var histogram = new IdleTimeHistogram(4 * 3_600_000_000L);
        foreach (var minute in minutes)
        {
            histogram.Add((minute * IdleTimeHistogram.BinUs) + 1);
        }

        Assert.Equal(variation, histogram.BinCountVariation, tolerance: 1e-4);
    }

    /// <summary>A function that has just executed, after these idle times.</summary>
    internal static (PolicyBench Bench, FunctionMeta Function) Fed(string policy, IEnumerable<double> idleMinutes)
    {
        var bench = new PolicyBench(policy);
        var function = PolicyBench.Function();
        bench.Run(function, 1);
        foreach (var minutes in idleMinutes)
        {
            bench.Advance(minutes * Minute);
            bench.Run(function, 1);
        }

        return (bench, function);
    }
}
