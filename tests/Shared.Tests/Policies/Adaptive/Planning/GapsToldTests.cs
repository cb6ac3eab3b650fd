using FuncScaler.Policies.Adaptive.Planning;
using FuncScaler.Statistics;

namespace FuncScaler.Tests.Policies.Adaptive.Planning;

public class GapsToldTests
{
    private const long Second = 1_000_000;
    private const long ColdUs = 20 * Second;
    private static readonly FunctionMeta Function = new(new MetaKey("f"), "java", 60, 256);
    private static readonly int Silent = LogHistogram.BinOf(30 * Second);

    [Theory]
    [InlineData(0, 0, 40, 25)]
    [InlineData(0, ColdUs, 40, 1)]
    [InlineData(5 * Second, ColdUs, 160, 25)]
    [InlineData(0, ColdUs, 700, 25)]
    public void Functions_that_fall_silent_together_count_as_one_at_first(long apartUs, long coldUs, int atSeconds, int expected)
    {
        var gaps = new SharedGaps();

        Tell(gaps, apartUs, coldUs, atSeconds * Second);

        var prior = gaps.PriorOf(gaps.SimilarTo(Function), 0, Function.MemoryMb)!;
        Assert.Equal(expected, prior.ReachedOf(Silent));
        Assert.Equal(25, prior.ReachedOf(0));
    }

    [Fact]
    public void A_gap_that_was_not_told_counts_once_it_has_ended()
    {
        var gaps = new SharedGaps();
        var told = Tell(gaps, 0, ColdUs, 40 * Second);

        foreach (var function in told)
        {
            function.Ended(new RankedArrival(41 * Second, 1, 40 * Second), Function.MemoryMb);
        }

        var prior = gaps.PriorOf(gaps.SimilarTo(Function), 0, Function.MemoryMb)!;
        Assert.Equal(25, prior.ReachedOf(Silent));
        Assert.Equal(1, prior.Hazard(LogHistogram.BinOf(40 * Second)), 6);
    }

    /// <summary>25 functions are called once each, one after another. Each tells twice of its gap, which has not ended.</summary>
    private static List<GapsTold> Tell(SharedGaps gaps, long apartUs, long coldUs, long atUs)
    {
        List<(GapsTold Told, FunctionStatistics Statistics)> functions = [];
        for (var i = 0; i < 25; i++)
        {
            var statistics = new FunctionStatistics();
            statistics.RequestArrived(i * apartUs);
            statistics.RequestEnded((i * apartUs) + 1);
            functions.Add((new GapsTold(gaps, gaps.SimilarTo(Function), Function), statistics));
        }

        foreach (var beforeUs in new[] { Second, 0 })
        {
            functions.ForEach(f => f.Told.TellOpen(f.Statistics, atUs - beforeUs, coldUs));
        }

        return [.. functions.Select(f => f.Told)];
    }
}
