namespace FuncScaler.Tests.Policies.Published;

public class LsthPolicyTests
{
    private const double Minute = 60;
    private const double Hour = 3600;

    // 10 idle times of 5.5 min, 20 of 50.5 min, then 6 of 10.5 min. Of the last hour are the six: the first of them ended 52.5 min ago, the
    // one before 63 min ago.
    //   Short: all in bin 10: head 10, tail 11. Long, 36 in all: 5 % is 1.8, the second, bin 5: head 5; 99 % is 35.6, the 36th: tail 51.
    //   Head 0.5 * 10 + 0.5 * 5 = 7.5 min, less 10 %: 6.75 min. Tail 0.5 * 11 + 0.5 * 51 = 31 min, plus 10 %: 34.1 min.
    [Fact]
    public void Heads_and_tails_of_a_short_and_a_long_window_are_blended()
    {
        var (bench, function) = HybridHistogramPolicyTests.Fed("lsth", History);
        var end = bench.Now;

        bench.AdvanceTo(end + Hour);

        Assert.Equal([6.75 * Minute], bench.Creates(function).Where(at => at >= end).Select(at => at - end), new Within(1e-3));
        Assert.Equal([0, 34.1 * Minute], bench.Destroys(function).Where(at => at >= end).Select(at => at - end), new Within(1e-3));
    }

    // Weight 1: the short window alone: 10 min less 10 %, 11 min plus 10 %. Weight 0: the long one alone: 5 min and 51 min.
    [Theory]
    [InlineData("lsth:weight=1", 9, 12.1)]
    [InlineData("lsth:weight=0", 4.5, 56.1)]
    public void The_weight_is_that_of_the_short_window(string policy, double loadMinutes, double keepMinutes)
    {
        var (bench, function) = HybridHistogramPolicyTests.Fed(policy, History);
        var end = bench.Now;

        bench.AdvanceTo(end + Hour);

        Assert.Equal([loadMinutes * Minute], bench.Creates(function).Where(at => at >= end).Select(at => at - end), new Within(1e-3));
        Assert.Equal(keepMinutes * Minute, bench.Destroys(function).Last() - end, tolerance: 1e-3);
    }

    // After 36 idle times of 50.5 min, 30 h, the short ones at the beginning are forgotten: 50 min less 10 %, 51 min plus 10 %.
    [Fact]
    public void What_is_older_than_a_day_is_forgotten()
    {
        var (bench, function) = HybridHistogramPolicyTests.Fed("lsth", [.. Enumerable.Repeat(5.5, 10), .. Enumerable.Repeat(50.5, 36)]);
        var end = bench.Now;

        bench.AdvanceTo(end + (2 * Hour));

        Assert.Equal([45 * Minute], bench.Creates(function).Where(at => at >= end).Select(at => at - end), new Within(1e-3));
        Assert.Equal([0, 56.1 * Minute], bench.Destroys(function).Where(at => at >= end).Select(at => at - end), new Within(1e-3));
    }

    // Thousands of short idle times in one hour, forgotten together: 30 s each for two hours, then 30.5 min each for a day.
    [Fact]
    public void Idle_times_under_a_minute_are_forgotten_too()
    {
        var (bench, function) = HybridHistogramPolicyTests.Fed("lsth", [.. Enumerable.Repeat(0.5, 240), .. Enumerable.Repeat(30.5, 50)]);
        var end = bench.Now;

        bench.AdvanceTo(end + Hour);

        Assert.Equal([27 * Minute], bench.Creates(function).Where(at => at >= end).Select(at => at - end), new Within(1e-3));
    }

    [Fact]
    public void Without_any_idle_time_it_keeps_for_the_whole_range()
    {
        var (bench, function) = HybridHistogramPolicyTests.Fed("lsth:hours=2", []);
        var end = bench.Now;

        bench.AdvanceTo(end + (5 * Hour));

        Assert.Equal([2 * Hour], bench.Destroys(function).Select(at => at - end), new Within(1e-3));
    }

    private static IEnumerable<double> History =>
        [.. Enumerable.Repeat(5.5, 10), .. Enumerable.Repeat(50.5, 20), .. Enumerable.Repeat(10.5, 6)];
}
