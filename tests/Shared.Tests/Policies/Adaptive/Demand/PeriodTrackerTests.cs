using FuncScaler.Policies.Adaptive.Demand;

namespace FuncScaler.Tests.Policies.Adaptive.Demand;

public class PeriodTrackerTests
{
    private const long Second = 1_000_000;

    /// <summary>Two requests, one second apart, each half minute: after the last pair at 270 and 271 s the next is foretold for 300 and 301 s.</summary>
    [Theory]
    [InlineData(290, 299, 0)]
    [InlineData(290, 300, 1)]
    [InlineData(290, 301, 2)]
    [InlineData(301, 310, 1)]
    [InlineData(302, 310, 0)]
    public void Arrivals_are_foretold_one_period_after_each_of_the_last(int fromSeconds, int toSeconds, int foretold)
    {
        var period = new PeriodTracker();
        for (var pair = 0; pair < 10; pair++)
        {
            period.Arrived(pair * 30 * Second, Second / 5);
            period.Arrived(((pair * 30) + 1) * Second, Second / 5);
        }

        Assert.Equal(30 * Second, period.PeriodUs, 1.0);
        Assert.Equal(foretold, period.CountBetween(fromSeconds * Second, toSeconds * Second));
    }
}
