using FuncScaler.Policies.Adaptive.Demand;

namespace FuncScaler.Tests.Policies.Adaptive.Demand;

public class BurstSizesTests
{
    private const double DurationUs = 1_000_000;

    [Fact]
    public void Without_a_history_as_many_are_expected_as_are_given() =>
        Assert.Equal(Saved(new ExpectedArrivals().Start(30), 0), Saved(new BurstSizes().After(10, 0.5, 30, 1, new ExpectedArrivals()), 0), tolerance: 1e-9);

    [Fact]
    public void A_small_chance_of_a_large_burst_counts_although_the_mean_would_be_served()
    {
        // Four in five bring about 20, one about 400; what is there can begin 100.
        var sizes = Sizes(20, 20, 20, 20, 400);
        var expected = sizes.After(5, 0, 0, 1, new ExpectedArrivals());

        // Ten servers, executions of a second: some 300 late ones would take 30 s, and another server saves half the square of that.
        Assert.InRange(Saved(expected, -100), 0.15 * 450, 0.25 * 450);
    }

    [Fact]
    public void The_more_have_come_the_surer_is_a_large_burst()
    {
        var sizes = Sizes(20, 20, 20, 20, 400);
        var few = Saved(sizes.After(5, 0, 0, 1, new ExpectedArrivals()), -100);
        var many = Saved(sizes.After(50, 0, 0, 1, new ExpectedArrivals()), -100);
        var all = Saved(sizes.After(600, 0, 0, 1, new ExpectedArrivals()), -100);

        Assert.True(many > 3 * few, $"{few}, then {many} GBs");
        Assert.Equal(0, all);
    }

    [Fact]
    public void A_burst_goes_on_for_longer_than_it_is_counted()
    {
        // Half of the time is over and 200 of 400 have come: 200 more, and most of as many again after that.
        var expected = Sizes(400).After(200, 0.5, 200, 1, new ExpectedArrivals());

        Assert.InRange(Saved(expected, 0), Saved(new ExpectedArrivals().Start(300), 0), Saved(new ExpectedArrivals().Start(400), 0));
    }

    [Fact]
    public void What_was_long_ago_is_forgotten()
    {
        var sizes = Sizes([400, .. Enumerable.Repeat(20, 300)]);

        Assert.Equal(0, Saved(sizes.After(5, 0, 0, 1, new ExpectedArrivals()), -100));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(int.MaxValue)]
    public void Bursts_of_any_size_are_counted(int size)
    {
        var expected = Sizes(size).After(1, 0, 0, 1, new ExpectedArrivals());

        Assert.InRange(Saved(expected, 1), 0.01, 1e9);
    }

    /// <summary>What another of ten servers saves, at a price of 1, s.</summary>
    private static double Saved(ExpectedArrivals expected, double late) => expected.SavedGbs(late, 10, DurationUs, 1);

    private static BurstSizes Sizes(params int[] sizes)
    {
        var all = default(BurstSizes);
        foreach (var size in sizes)
        {
            all.Add(size);
        }

        return all;
    }
}
