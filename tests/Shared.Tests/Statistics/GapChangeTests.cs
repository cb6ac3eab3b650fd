using FuncScaler.Statistics;

namespace FuncScaler.Tests.Statistics;

public sealed class GapChangeTests
{
    private const long Second = 1_000_000;

    [Fact]
    public void Gaps_that_are_no_longer_what_they_were_are_forgotten()
    {
        var statistics = new FunctionStatistics();
        var nowUs = Arrivals(statistics, 0, gapUs: 2 * Second, count: 500);
        Assert.Equal(0, statistics.Changes);

        Arrivals(statistics, nowUs, gapUs: 60 * Second, count: 15);

        Assert.Equal(1, statistics.Changes);
        Assert.True(statistics.GapsOfRank(1)!.Share(LogHistogram.BinOf(60 * Second)) > 0.1, "the new gaps count");
    }

    [Fact]
    public void Gaps_that_were_always_mixed_are_not()
    {
        var statistics = new FunctionStatistics();
        var random = new Random(3);
        long nowUs = 0;
        for (var i = 0; i < 2000; i++)
        {
            nowUs = Arrivals(statistics, nowUs, random.Next(4) == 0 ? 60 * Second : 2 * Second, 1);
        }

        Assert.Equal(0, statistics.Changes);
    }

    private static long Arrivals(FunctionStatistics statistics, long nowUs, long gapUs, int count)
    {
        for (var i = 0; i < count; i++)
        {
            nowUs += gapUs;
            statistics.RequestArrived(nowUs);
            Assert.True(statistics.NextDemand(nowUs, out _));
            statistics.RequestEnded(nowUs);
        }

        return nowUs;
    }
}
