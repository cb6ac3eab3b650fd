using FsCheck.Fluent;
using FuncScaler.Statistics;

namespace FuncScaler.Tests.Statistics;

public class FunctionStatisticsTests
{
    [Fact]
    public void The_gap_of_rank_one_is_the_time_without_any_request()
    {
        var statistics = new FunctionStatistics();
        statistics.RequestArrived(0);
        statistics.RequestEnded(1_000_000);
        Assert.Null(statistics.GapsOfRank(1));
        statistics.RequestArrived(5_000_000);
        Assert.Null(statistics.GapsOfRank(1));
        Learn(statistics, 5_000_000);

        var gaps = statistics.GapsOfRank(1)!;
        Assert.Equal(1, gaps.Count);
        Assert.Equal(1, gaps.Share(LogHistogram.BinOf(4_000_000)), 6);
    }

    [Fact]
    public void Higher_ranks_have_gaps_of_their_own()
    {
        var statistics = new FunctionStatistics();
        statistics.RequestArrived(0);
        statistics.RequestArrived(0);
        statistics.RequestEnded(1_000_000);
        statistics.RequestArrived(3_000_000);
        Learn(statistics, 3_000_000);

        Assert.Null(statistics.GapsOfRank(1));
        Assert.Equal(1, statistics.GapsOfRank(2)!.Share(LogHistogram.BinOf(2_000_000)), 6);
        Assert.Equal((2, 2, 3), (statistics.Active, statistics.PeakActive, statistics.Arrivals));
        Assert.Equal(3_000_000, statistics.LastArrivalUs);
    }

    [Theory]
    [InlineData(4, 5, false)]
    [InlineData(5, 8, true)]
    [InlineData(8, 9, false)]
    [InlineData(9, 14, true)]
    [InlineData(14, 15, false)]
    [InlineData(15, 21, true)]
    [InlineData(21, 22, false)]
    [InlineData(1_000_000, 2_000_000, true)]
    public void Ranks_above_the_single_ones_share_with_about_as_many_as_chance_moves_concurrency_by(int rank, int other, bool shared)
    {
        var statistics = new FunctionStatistics();
        for (var i = 0; i < 20; i++)
        {
            statistics.RequestArrived(0);
        }

        for (var i = 0; i < 20; i++)
        {
            statistics.RequestEnded(1_000);
        }

        for (var i = 0; i < 20; i++)
        {
            statistics.RequestArrived(2_000);
        }

        Learn(statistics, 2_000);

        Assert.Equal(shared, ReferenceEquals(statistics.GapsOfRank(rank), statistics.GapsOfRank(other)));
        Assert.Throws<ArgumentOutOfRangeException>(() => statistics.GapsOfRank(0));
    }

    [Fact]
    public void Every_rank_is_in_one_group_not_wider_than_twice_its_square_root()
    {
        var rank = 1;
        for (var group = 0; group < FunctionStatistics.GroupCount; group++)
        {
            var (first, count) = FunctionStatistics.RanksOf(group);
            Assert.Equal(rank, first);
            Assert.InRange(count, 1, 2 * Math.Sqrt(first));
            Assert.Equal((group, group), (FunctionStatistics.GroupOf(first), FunctionStatistics.GroupOf(first + count - 1)));
            rank += count;
        }
    }

    [Fact]
    public void Gaps_per_rank_are_those_of_the_intervals_when_so_many_requests_are_active() => Properties.Check(
        (from count in Gen.Choose(1, 80)
         from requests in Gen.ArrayOf(
             from start in Gen.Choose(0, 20_000)
             from length in Gen.Choose(1, 4_000)
             select (StartUs: start * 1_000L, EndUs: (start + length) * 1_000L), count)
         select requests).ToArbitrary(),
        requests =>
        {
            var statistics = new FunctionStatistics();
            var events = requests.Select(r => (AtUs: r.StartUs, Change: 1))
                .Concat(requests.Select(r => (AtUs: r.EndUs, Change: -1)))
                .OrderBy(e => e.AtUs).ThenBy(e => e.Change)
                .ToList();
            foreach (var (atUs, change) in events)
            {
                if (change > 0)
                {
                    statistics.RequestArrived(atUs);
                    Learn(statistics, atUs);
                }
                else
                {
                    statistics.RequestEnded(atUs);
                }
            }

            var expected = ExpectedGaps(events);
            Assert.Equal(0, statistics.Active);
            Assert.Equal(expected.Count, statistics.PeakActive);
            for (var rank = 1; rank <= FunctionStatistics.SingleRanks; rank++)
            {
                var gaps = expected.Count >= rank ? expected[rank - 1] : [];
                Assert.Equal(gaps.Count, statistics.GapsOfRank(rank)?.Count ?? 0);
                foreach (var bin in gaps.GroupBy(LogHistogram.BinOf))
                {
                    // Of fewer gaps than are remembered: nothing is forgotten yet.
                    Assert.Equal((double)bin.Count() / gaps.Count, statistics.GapsOfRank(rank)!.Share(bin.Key), 0.01);
                }
            }

            var shared = expected.Skip(FunctionStatistics.SingleRanks).Take(4).Sum(g => g.Count);
            Assert.Equal(shared, statistics.GapsOfRank(FunctionStatistics.SingleRanks + 1)?.Count ?? 0);
        },
        tests: 200);

    [Fact]
    public void Times_and_durations_are_kept()
    {
        var statistics = new FunctionStatistics();
        Assert.Equal(0, statistics.ColdStartUs);
        Assert.Null(statistics.Durations);

        statistics.Create.Add(100_000);
        statistics.Init.Add(300_000);
        statistics.Executed(50_000, 0);
        statistics.Executed(150_000, 0);

        Assert.Equal(400_000, statistics.ColdStartUs);
        Assert.Equal(100_000, statistics.Duration.MeanUs);
        Assert.Equal(2, statistics.Durations!.Count);
    }

    [Fact]
    public void A_gap_is_measured_on_what_would_have_been_had_nobody_waited()
    {
        // The first waits 2 s for an instance and ends at 3 s, which without the wait had been 1 s: 4 s before the second, not 2 s.
        var statistics = new FunctionStatistics();
        statistics.RequestArrived(0);
        Learn(statistics, 0);
        statistics.RequestEnded(3_000_000, waitedUs: 2_000_000);
        statistics.RequestArrived(5_000_000);
        Learn(statistics, 5_000_000);

        Assert.Equal(1, statistics.GapsOfRank(1)!.Share(LogHistogram.BinOf(4_000_000)), 6);
        Assert.Equal(1, statistics.GapsOfRank(1)!.Count);
    }

    private static void Learn(FunctionStatistics statistics, long untilUs)
    {
        while (statistics.NextDemand(untilUs, out _))
        {
        }
    }

    /// <summary>By definition: rank k is idle from when fewer than k requests are active until k are again.</summary>
    private static List<List<long>> ExpectedGaps(List<(long AtUs, int Change)> events)
    {
        var gaps = new List<List<long>>();
        for (var rank = 1; ; rank++)
        {
            var active = 0;
            var used = false;
            long freedUs = 0;
            var ofRank = new List<long>();
            foreach (var (atUs, change) in events)
            {
                var wasUsed = active >= rank;
                active += change;
                if (!wasUsed && active >= rank)
                {
                    if (used)
                    {
                        ofRank.Add(atUs - freedUs);
                    }

                    used = true;
                }
                else if (wasUsed && active < rank)
                {
                    freedUs = atUs;
                }
            }

            if (!used)
            {
                return gaps;
            }

            gaps.Add(ofRank);
        }
    }
}
