using FsCheck.Fluent;
using FuncScaler.Statistics;

namespace FuncScaler.Tests.Statistics;

public class HazardHistogramTests
{
    private const long Ms = 1000;
    private const long Second = 1_000_000;

    [Fact]
    public void Of_few_gaps_that_have_all_ended_shares_are_how_often_each_came() => Properties.Check(
        Gen.ArrayOf(Gen.Choose(0, 2_000_000_000), HazardHistogram.Memory).ToArbitrary(),
        gaps =>
        {
            var histogram = Of(gaps.Select(g => (long)g));

            Assert.Equal(gaps.Length, histogram.Count);
            for (var bin = 0; bin < LogHistogram.BinCount; bin++)
            {
                var ended = gaps.Count(g => LogHistogram.BinOf(g) == bin);
                var reached = gaps.Count(g => LogHistogram.BinOf(g) >= bin);
                Assert.Equal(reached, histogram.ReachedOf(bin));
                Assert.Equal(reached == 0 ? 0 : (double)ended / reached, histogram.Hazard(bin), 1e-4);
                Assert.Equal((double)ended / gaps.Length, histogram.Share(bin), 1e-3);
            }
        },
        tests: 100);

    [Fact]
    public void A_gap_counted_while_it_goes_on_counts_once() => Properties.Check(
        (from gaps in Gen.ArrayOf(Gen.Choose(0, 2_000_000_000), 40)
         from looks in Gen.ArrayOf(Gen.ArrayOf(Gen.Choose(0, LogHistogram.BinCount - 1), 3), 40)
         select (gaps, looks)).ToArbitrary(),
        of =>
        {
            var (gaps, looks) = of;
            var whole = Of(gaps.Select(g => (long)g));
            var inPieces = new HazardHistogram();
            for (var i = 0; i < gaps.Length; i++)
            {
                var counted = 0;
                foreach (var bin in looks[i].Where(bin => bin <= LogHistogram.BinOf(gaps[i])).Order())
                {
                    inPieces.Reach(counted, bin);
                    counted = Math.Max(counted, bin);
                }

                inPieces.Add(gaps[i], counted);
            }

            for (var bin = 0; bin < LogHistogram.BinCount; bin++)
            {
                Assert.Equal(whole.ReachedOf(bin), inPieces.ReachedOf(bin));
                Assert.Equal(whole.Hazard(bin), inPieces.Hazard(bin), 1e-5);
            }
        },
        tests: 100);

    [Fact]
    public void Gaps_that_never_end_make_long_ones_less_likely()
    {
        var histogram = Of(Enumerable.Repeat(10 * Second, 5));
        Assert.Equal(1, histogram.Hazard(LogHistogram.BinOf(10 * Second)), 6);

        for (var i = 0; i < 5; i++)
        {
            histogram.Reach(0, LogHistogram.BinOf(100 * Second));
        }

        Assert.Equal(0.5, histogram.Hazard(LogHistogram.BinOf(10 * Second)), 6);
        Assert.Equal(5, histogram.Count);
    }

    [Fact]
    public void What_is_known_of_hours_is_not_washed_out_by_milliseconds()
    {
        // Half of the long gaps are of an hour, half of two; then comes a burst.
        var histogram = Of(Enumerable.Range(0, 20).Select(i => (1 + (i % 2)) * 3600 * Second));
        for (var i = 0; i < 100_000; i++)
        {
            histogram.Add(40 * Ms);
        }

        Assert.Equal(0.5, histogram.Hazard(LogHistogram.BinOf(3600 * Second)), 3);
        Assert.Equal(20, histogram.ReachedOf(LogHistogram.BinOf(3600 * Second)));
    }

    [Fact]
    public void What_was_before_the_last_few_hundred_is_forgotten()
    {
        var histogram = Of(Enumerable.Repeat(2 * Second, 10_000));
        for (var i = 0; i < 4 * HazardHistogram.Memory; i++)
        {
            histogram.Add(60 * Second);
        }

        Assert.InRange(histogram.Hazard(LogHistogram.BinOf(2 * Second)), 0, 0.02);
        Assert.Equal(1, histogram.Hazard(LogHistogram.BinOf(60 * Second)), 3);
    }

    [Fact]
    public void Quantiles_are_upper_bounds_of_bins()
    {
        var histogram = Of([2 * Ms, 64 * Ms, 64 * Ms, 64 * Ms]);

        Assert.Equal(2000, histogram.QuantileUs(0.25), 6);
        Assert.Equal(64_000, histogram.QuantileUs(0.5), 6);
        Assert.Equal(64_000, histogram.QuantileUs(1), 6);
        Assert.Equal(0, new HazardHistogram().QuantileUs(0.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => histogram.QuantileUs(1.01));
        Assert.Throws<ArgumentOutOfRangeException>(() => histogram.QuantileUs(-0.01));
    }

    private static HazardHistogram Of(IEnumerable<long> gapsUs)
    {
        var histogram = new HazardHistogram();
        foreach (var gapUs in gapsUs)
        {
            histogram.Add(gapUs);
        }

        return histogram;
    }
}
