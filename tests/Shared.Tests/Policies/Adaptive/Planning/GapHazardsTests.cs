using FuncScaler.Policies.Adaptive.Planning;
using FuncScaler.Statistics;

namespace FuncScaler.Tests.Policies.Adaptive.Planning;

public class GapHazardsTests
{
    private const long Second = 1_000_000;
    private static readonly int Minute = LogHistogram.BinOf(60 * Second);

    /// <summary>Ski rental: as long as a miss is worth; a bin is 19 % of its time.</summary>
    [Theory]
    [InlineData(1, 100)]
    [InlineData(0.5, 50)]
    [InlineData(2, 200)]
    public void Where_nothing_is_known_holding_ends_when_it_has_cost_as_much_as_a_miss(double tail, double seconds)
    {
        var plan = KeepAlivePlanner.Plan(Estimate(null, null, tail: tail), 0.5, coldSeconds: 1, createCostGbs: 1e9, missCostGbs: 50);

        Assert.Equal(0, plan.Prewarms);
        Assert.InRange(plan.HoldUs / 1e6, seconds / 1.25, seconds * 1.25);
    }

    [Fact]
    public void The_more_own_gaps_there_are_the_less_others_matter()
    {
        var others = Of(Enumerable.Repeat(60 * Second, 200));
        double before = 1;
        foreach (var count in new[] { 0, 1, 10, 100 })
        {
            var hazard = Estimate(Of(Enumerable.Repeat(600 * Second, count)), others)[Minute];
            Assert.True(hazard < before, $"{hazard} after {count}");
            before = hazard;
        }

        Assert.InRange(before, 0.001, 0.05);
    }

    [Fact]
    public void Others_gaps_matter_where_own_ones_have_not_got_to()
    {
        // Own gaps are of a second; what is beyond, only others know.
        var hazards = Estimate(Of(Enumerable.Repeat(Second, 200)), Of(Enumerable.Repeat(60 * Second, 200)));

        Assert.InRange(hazards[LogHistogram.BinOf(Second)], 0.95, 1);
        Assert.InRange(hazards[Minute], 0.85, 1);
        Assert.InRange(hazards[Minute - 1], 0, 0.01);
    }

    [Fact]
    public void Beyond_everything_known_it_goes_on_as_it_was_before()
    {
        // Hundreds have waited for a minute, and none has come.
        var others = new HazardHistogram();
        for (var i = 0; i < 200; i++)
        {
            others.Reach(0, Minute);
        }

        var hazards = Estimate(null, others);
        Assert.Equal(hazards[Minute + 1], hazards[^1], 9);
        Assert.InRange(hazards[^1], 1e-9, Estimate(null, null)[^1] / 3);

        // And after a time at which all come, not higher than where nothing is known.
        hazards = Estimate(null, Of(Enumerable.Repeat(60 * Second, 200)));
        Assert.InRange(hazards[^1], 0, Estimate(null, null)[^1]);
    }

    [Fact]
    public void Gaps_that_end_together_count_for_less()
    {
        var own = Of(Enumerable.Repeat(60 * Second, 8));
        var others = Of(Enumerable.Repeat(600 * Second, 200));

        var apart = Estimate(own, others)[Minute];
        var together = Estimate(own, others, ranks: 4)[Minute];

        // Against two of others', and one of the bins beside, in which none ended.
        Assert.Equal(8 / 11.0, apart, 0.02);
        Assert.Equal(2 / 5.0, together, 0.02);
        Assert.Equal(together, Estimate(own, others, ranks: 64)[Minute], 9);
    }

    /// <summary>Eleven pauses of 2.6 to 5 s, none of them of 3.2 s or of 1.3 s, as a function of the preset dense began.</summary>
    [Fact]
    public void A_bin_between_bins_in_which_gaps_ended_is_not_safe_because_none_has_ended_in_it_yet()
    {
        var own = Of([4_907_000, 3_995_000, 3_499_000, 4_902_000, 4_310_000, 4_983_000, 2_607_000, 4_687_000, 4_821_000, 3_707_000, 3_750_000]);
        var between = LogHistogram.BinOf(3_200_000);
        var far = LogHistogram.BinOf(1_300_000);
        Assert.Equal((0, 0), (own.Hazard(between), own.Hazard(far)));

        var hazards = Estimate(own, null);
        Assert.InRange(hazards[between] / hazards[far], 1.5, 10);
        Assert.InRange(hazards[between], 0, 0.1);
    }

    [Fact]
    public void A_timer_seen_often_stays_as_sharp_as_it_is()
    {
        var hazards = Estimate(Of(Enumerable.Repeat(60 * Second, 250)), null);

        Assert.InRange(hazards[Minute], 0.97, 1);
        Assert.InRange(hazards[Minute - 1], 0, 0.01);
        Assert.InRange(hazards[Minute - 3], 0, 0.001);
    }

    private static double[] Estimate(HazardHistogram? own, HazardHistogram? others, int ranks = 1, double tail = 0.5)
    {
        var hazards = new double[LogHistogram.BinCount];
        GapHazards.Estimate(own, others, ranks, 2, tail, hazards);
        Assert.All(hazards, h => Assert.InRange(h, 0, 1));
        return hazards;
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
