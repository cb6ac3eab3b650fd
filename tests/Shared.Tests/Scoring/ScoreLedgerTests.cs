using FsCheck.Fluent;
using FuncScaler.Scoring;

namespace FuncScaler.Tests.Scoring;

public class ScoreLedgerTests
{
    [Fact]
    public void The_score_is_the_contests_formula()
    {
        // One slot of 2 GB from 1 s to 11 s: 20 GBs. One request of 4 s on it: 8 GBs. Its caller waited 0.9 s and 0.1 s.
        var ledger = new ScoreLedger();
        ledger.SlotCreated(1_000_000, 2048);
        ledger.RequestServed(4_000_000, 2048, 900_000, 100_000);
        ledger.SlotDestroyed(1_000_000, 11_000_000, 2048);

        var score = ledger.ScoreAt(99_000_000);

        Assert.Equal(8, score.ExecutionGbSeconds, 9);
        Assert.Equal(20, score.SlotGbSeconds, 9);
        Assert.Equal(20, score.ResourceScore, 9);
        Assert.Equal(40, score.LatencyScore, 9);
        Assert.Equal(60, score.Total, 9);
    }

    [Fact]
    public void A_live_slot_counts_up_to_the_time_that_is_asked_for()
    {
        var ledger = new ScoreLedger();
        ledger.SlotCreated(2_000_000, 512);

        Assert.Equal(0, ledger.ScoreAt(2_000_000).SlotGbSeconds, 9);
        Assert.Equal(0.5, ledger.ScoreAt(3_000_000).SlotGbSeconds, 9);
        Assert.Equal(5, ledger.ScoreAt(12_000_000).SlotGbSeconds, 9);
    }

    [Fact]
    public void Slots_are_counted_while_they_live()
    {
        var ledger = new ScoreLedger();
        ledger.SlotCreated(0, 128);
        ledger.SlotCreated(1, 128);
        ledger.SlotDestroyed(0, 2, 128);
        ledger.SlotCreated(3, 128);

        Assert.Equal((3, 2, 2), (ledger.SlotsCreated, ledger.LiveSlots, ledger.PeakLiveSlots));
    }

    [Theory]
    [InlineData(2_000, 1, true)]
    [InlineData(1_999, 1, false)]
    [InlineData(10_000, 5, true)]
    [InlineData(10_000, 6, false)]
    [InlineData(1_275_642, 637, true)]
    [InlineData(1_275_642, 638, false)]
    [InlineData(980, 0, true)]
    public void Below_99_95_percent_of_success_the_score_is_zero(int requests, int failed, bool counts)
    {
        var ledger = new ScoreLedger();
        ledger.SlotCreated(0, 1024);
        for (var i = 0; i < requests; i++)
        {
            if (i < failed)
            {
                ledger.RequestFailed();
            }
            else
            {
                ledger.RequestServed(1_000, 1024, 0, 0);
            }
        }

        var score = ledger.ScoreAt(1_000_000_000_000);

        Assert.Equal((requests, failed), (score.Requests, score.FailedRequests));
        Assert.Equal(counts, score.Total > 0);
        Assert.True(score.LatencyScore > 0);
    }

    [Fact]
    public void Failed_requests_add_nothing_to_the_sums()
    {
        var ledger = new ScoreLedger();
        ledger.RequestFailed();

        Assert.Equal(new Score(1, 1, 0, 0, 0, 0, 0), ledger.ScoreAt(5));
        Assert.Equal(0, ledger.ScoreAt(5).SuccessRate);
    }

    [Fact]
    public void Before_anything_happened_the_score_is_zero_and_not_nothing()
    {
        var score = new ScoreLedger().ScoreAt(0);

        Assert.Equal((1.0, 0.0, 0.0, 0.0), (score.SuccessRate, score.ResourceScore, score.LatencyScore, score.Total));
    }

    [Fact]
    public void The_sums_are_those_of_the_slots_one_by_one() => Properties.Check(
        Gen.ArrayOf(
            from memory in Gen.Elements(128, 512, 8192)
            from start in Gen.Choose(0, 1_000_000_000)
            from life in Gen.Choose(0, 1_000_000_000)
            from closed in Gen.Elements(true, false)
            select (memory, start: (long)start * 500, life: (long)life, closed)).ToArbitrary(),
        slots =>
        {
            const long End = 2_000_000_000_000;
            var ledger = new ScoreLedger();
            double expectedMbUs = 0;
            foreach (var (memory, start, life, closed) in slots)
            {
                ledger.SlotCreated(start, memory);
                if (closed)
                {
                    ledger.SlotDestroyed(start, start + life, memory);
                }

                expectedMbUs += (double)memory * (closed ? life : End - start);
            }

            Assert.Equal(expectedMbUs / 1024e6, ledger.ScoreAt(End).SlotGbSeconds, 1e-6 + (expectedMbUs / 1024e6 * 1e-9));
        });
}
