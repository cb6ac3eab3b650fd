using FsCheck.Fluent;
using FuncScaler.Statistics;

namespace FuncScaler.Tests.Statistics;

public class LogHistogramTests
{
    private const long Hour = 3_600_000_000;

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1_000, 0)]
    [InlineData(1_001, 1)]
    [InlineData(1_189, 1)]
    [InlineData(1_190, 2)]
    [InlineData(2_000, 4)]
    [InlineData(2_001, 5)]
    [InlineData(1_024_000, 40)]
    [InlineData(long.MaxValue, LogHistogram.BinCount - 1)]
    public void A_value_has_its_bin(long valueUs, int bin) => Assert.Equal(bin, LogHistogram.BinOf(valueUs));

    [Fact]
    public void Every_value_lies_within_the_bounds_of_its_bin() => Properties.Check(
        Values.ToArbitrary(),
        valueUs =>
        {
            var bin = LogHistogram.BinOf(valueUs);
            Assert.True(valueUs <= LogHistogram.UpperBoundUs(bin), $"{valueUs} is above bin {bin}");
            Assert.True(valueUs > LogHistogram.LowerBoundUs(bin) || valueUs == 0, $"{valueUs} is below bin {bin}");
        },
        tests: 2_000);

    [Fact]
    public void Bins_are_a_quarter_of_an_octave_wide_and_without_gaps()
    {
        for (var bin = 1; bin < LogHistogram.BinCount - 1; bin++)
        {
            Assert.Equal(LogHistogram.UpperBoundUs(bin - 1), LogHistogram.LowerBoundUs(bin));
            Assert.Equal(Math.Pow(2, 0.25), LogHistogram.UpperBoundUs(bin) / LogHistogram.LowerBoundUs(bin), 9);
        }

        Assert.Equal(double.PositiveInfinity, LogHistogram.UpperBoundUs(LogHistogram.BinCount - 1));
    }

    [Fact]
    public void A_quantile_is_at_most_19_percent_above_the_exact_one() => Properties.Check(
        (from values in Gen.NonEmptyListOf(Gen.Choose(1_000, 1_000_000_000))
         from percent in Gen.Choose(1, 100)
         select (values: values.ToArray(), share: percent / 100.0)).ToArbitrary(),
        c =>
        {
            var histogram = new LogHistogram();
            foreach (var value in c.values)
            {
                histogram.Add(value, 0);
            }

            // A share that falls exactly between two observations may be rounded to either.
            var rank = c.share * c.values.Length;
            var least = c.values.Order().ElementAt((int)Math.Ceiling(rank - 1e-9) - 1);
            var most = c.values.Order().ElementAt(Math.Min((int)Math.Ceiling(rank + 1e-9), c.values.Length) - 1);
            Assert.InRange(histogram.QuantileUs(c.share), least, most * 1.1893);
        },
        tests: 500);

    [Fact]
    public void Quantiles_of_nothing_are_zero_and_shares_outside_of_0_to_1_refused()
    {
        var histogram = new LogHistogram();

        Assert.Equal(0, histogram.QuantileUs(0.5));
        Assert.Equal(0, histogram.Share(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => histogram.QuantileUs(1.01));
        Assert.Throws<ArgumentOutOfRangeException>(() => histogram.QuantileUs(-0.01));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LogHistogram(-1));
    }

    [Fact]
    public void The_smallest_and_the_largest_share_are_the_first_and_the_last_bin_in_use()
    {
        var histogram = new LogHistogram();
        histogram.Add(2_000, 0);
        histogram.Add(64_000, 0);

        Assert.Equal(2_000, histogram.QuantileUs(0), 6);
        Assert.Equal(64_000, histogram.QuantileUs(1), 6);
    }

    [Fact]
    public void An_observation_counts_half_after_its_half_life()
    {
        var histogram = new LogHistogram(Hour);
        histogram.Add(2_000, 0);
        histogram.Add(64_000, Hour);

        Assert.Equal(1.5, histogram.WeightAt(Hour), 6);
        Assert.Equal(0.75, histogram.WeightAt(2 * Hour), 6);
        Assert.Equal(1 / 3.0, histogram.Share(LogHistogram.BinOf(2_000)), 6);
        Assert.Equal(2 / 3.0, histogram.Share(LogHistogram.BinOf(64_000)), 6);
        Assert.Equal(64_000, histogram.QuantileUs(0.5), 6);
        Assert.Equal(2, histogram.Count);
    }

    [Fact]
    public void Shares_and_weight_are_those_of_exact_ageing_over_any_time() => Properties.Check(
        Gen.NonEmptyListOf(
            from value in Gen.Choose(1, 100_000)
            from pauseMinutes in Gen.Elements(0, 0, 1, 10, 60, 600, 6_000)
            select (valueUs: value * 1_000L, pauseUs: pauseMinutes * 60_000_000L)).ToArbitrary(),
        observations =>
        {
            var histogram = new LogHistogram(Hour);
            var seen = new List<(int Bin, long AtUs)>();
            long nowUs = 0;
            foreach (var (valueUs, pauseUs) in observations)
            {
                nowUs += pauseUs;
                histogram.Add(valueUs, nowUs);
                seen.Add((LogHistogram.BinOf(valueUs), nowUs));
            }

            double Weight(long atUs) => Math.Pow(2, -(double)(nowUs - atUs) / Hour);
            var total = seen.Sum(s => Weight(s.AtUs));
            Assert.Equal(total, histogram.WeightAt(nowUs), total * 1e-5);
            foreach (var bin in seen.Select(s => s.Bin).Distinct())
            {
                Assert.Equal(seen.Where(s => s.Bin == bin).Sum(s => Weight(s.AtUs)) / total, histogram.Share(bin), 1e-5);
            }
        },
        tests: 300);

    private static FsCheck.Gen<long> Values => Gen.OneOf(
        Gen.Choose(0, 5_000).Select(v => (long)v),
        from octave in Gen.Choose(0, 40)
        from offset in Gen.Choose(-2, 2)
        select Math.Max(0, (1_000L << octave) + offset),
        Gen.Choose(0, int.MaxValue).Select(v => (long)v * 1_000));
}
