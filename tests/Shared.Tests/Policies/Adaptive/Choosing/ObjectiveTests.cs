using FuncScaler.Learned;
using FuncScaler.Policies;
using FuncScaler.Policies.Adaptive;
using FuncScaler.Policies.Adaptive.Choosing;
using FuncScaler.Scoring;

namespace FuncScaler.Tests.Policies.Adaptive.Choosing;

public class ObjectiveTests
{
    private const long Second = 1_000_000;

    /// <summary>The example of the class: pretended, 6 % are late at the price in force, and really 7.5 % are.</summary>
    [Fact]
    public void The_lowest_price_is_followed_at_which_few_enough_are_late()
    {
        var objective = Objective.Of(new AdaptivePolicyOptions { Within = TimeSpan.FromMilliseconds(200) })!;
        objective.Review(0, new ScoreLedger());
        double[] percentLate = [40, 20, 12, 9, 6, 3, 2, 1, 6, 0];
        Arrive(objective, percentLate);
        for (var i = 0; i < 100_000; i++)
        {
            objective.Answered(i % 1000 < 75 ? 300_000 : 0);
        }

        objective.Review(10 * Second, new ScoreLedger());

        Assert.Equal(16, ContestPrice.Prices[objective.Followed]);
        Assert.Equal(0.075, objective.ExpectedLate(4), 0.0001);
        Assert.Equal(0.0375, objective.ExpectedLate(5), 0.0001);
    }

    [Theory]
    [InlineData(11, 256.0)]
    [InlineData(6, 8.0)]
    [InlineData(1, 0.5)]
    public void The_highest_price_is_followed_at_which_memory_suffices(double gb, double price)
    {
        var objective = Objective.Of(new AdaptivePolicyOptions { WithinGb = gb })!;
        var ledger = new ScoreLedger();
        ledger.SlotCreated(0, memoryMb: 10_240);
        objective.Review(0, ledger);
        for (var i = 0; i < ContestPrice.Count; i++)
        {
            // 2 GB execute, and at the n-th price n GB are held besides: 8 at the price in force, as really.
            objective.Enter(i, 1000 * i, 0, arrivals: 1);
        }

        ledger.RequestServed(1000 * Second, 2048, 0, 0);
        objective.Review(1000 * Second, ledger);

        Assert.Equal(price, ContestPrice.Prices[objective.Followed]);
    }

    [Fact]
    public void Before_anything_is_known_the_published_price_is_in_force()
    {
        var objective = Objective.Of(new AdaptivePolicyOptions { Within = TimeSpan.FromSeconds(1) })!;

        objective.Review(0, new ScoreLedger());

        Assert.Equal(Candidates.Nearest(ContestPrice.Prices, WaitingPrice.Published), objective.Followed);
        Assert.Null(objective.LateShare);
    }

    /// <summary>What was seen a day ago counts no more.</summary>
    [Fact]
    public void It_follows_what_changes()
    {
        var objective = Objective.Of(new AdaptivePolicyOptions { Within = TimeSpan.FromMilliseconds(200) })!;
        objective.Review(0, new ScoreLedger());
        Arrive(objective, [50, 40, 30, 20, 10, 8, 7, 6, 5, 4]);
        objective.Review(10 * Second, new ScoreLedger());
        objective.Review(86_400 * Second, new ScoreLedger());
        Arrive(objective, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);

        objective.Review(86_410 * Second, new ScoreLedger());

        Assert.Equal(0, objective.Followed);
    }

    /// <summary>After a restart the price is found already; the books of another objective say nothing.</summary>
    [Theory]
    [InlineData(200, true)]
    [InlineData(500, false)]
    public void The_books_are_kept_over_a_restart(int withinMs, bool kept)
    {
        var former = new AdaptiveShared(new AdaptivePolicyOptions { Within = TimeSpan.FromMilliseconds(200) });
        former.Objective!.Review(0, new ScoreLedger());
        Arrive(former.Objective, [50, 40, 30, 4, 3, 3, 3, 3, 3, 3]);
        former.Objective.Answered(300_000);
        former.Objective.Review(10 * Second, new ScoreLedger());
        var writer = new LearnedWriter(10 * Second);
        former.WriteLearned(writer);

        var next = new AdaptiveShared(new AdaptivePolicyOptions { Within = TimeSpan.FromMilliseconds(withinMs) });
        var first = next.Objective!.Followed;
        var reader = new LearnedReader(writer.Written.ToArray(), LearnedRecord.Version, 0);
        next.ReadLearned(reader);

        Assert.True(reader.AtEnd);
        Assert.Equal(kept ? former.Objective.Followed : first, next.Objective.Followed);
        Assert.Equal(kept ? 1 : null, next.Objective.LateShare);
        for (var price = 0; price < ContestPrice.Count; price++)
        {
            Assert.Equal(kept ? former.Objective.ExpectedLate(price) : 1, next.Objective.ExpectedLate(price), 6);
        }
    }

    [Theory]
    [InlineData("adaptive", null)]
    [InlineData("adaptive:price=2", null)]
    [InlineData("adaptive:p95=200", "95 of 100 requests have their instance within 200 ms, at the least memory")]
    [InlineData("adaptive:within=1.5", "instances take at most 1.5 GB on average, with the least waiting")]
    public void A_choice_says_what_it_aims_at(string policy, string? words) => Assert.Equal(words, PolicyCatalog.Parse(policy).Objective);

    /// <summary>A thousand times hundred arrivals, of which so many of hundred are late at each price.</summary>
    private static void Arrive(Objective objective, double[] percentLate)
    {
        objective.Arrived(100_000);
        for (var price = 0; price < percentLate.Length; price++)
        {
            objective.Enter(price, 0, 0.3, (int)(1000 * percentLate[price]));
        }
    }
}
