using FuncScaler.Policies.Adaptive;
using FuncScaler.Policies.Adaptive.Choosing;

namespace FuncScaler.Tests.Policies.Adaptive.Choosing;

public class ContestPriceTests
{
    private static readonly AdaptivePolicyOptions Options = new() { Warmup = 30, Reluctance = 0.01 };

    /// <summary>In steps from price to price it would stay at the first of two hills; the second is higher.</summary>
    [Fact]
    public void Of_two_optima_the_better_one_is_followed()
    {
        var prices = Warm();
        double[] scores = [0.8, 0.9, 1.0, 0.9, 0.7, 0.6, 0.8, 1.2, 1.3, 1.1];
        Assert.Equal(scores[ContestPrice.First], scores[..4].Max());
        for (var price = 0; price < scores.Length; price++)
        {
            // Half of what there is of the waiting part; the rest is of memory.
            prices.Enter(price, SlotFor(scores[price]), 100);
        }

        prices.Executed(100, 1);
        Review(prices, 64);

        Assert.Equal(8, prices.Followed);
    }

    /// <summary>Paid was for much memory, so the half of the score that is about it is gone; from now on to hold is better.</summary>
    [Fact]
    public void What_is_paid_is_paid_and_what_is_to_come_decides()
    {
        var prices = Warm();
        prices.Executed(100, 1);
        prices.Enter(ContestPrice.First, 500, 50);
        foreach (var price in Enumerable.Range(0, ContestPrice.Prices.Length).Where(r => r != ContestPrice.First))
        {
            var (slot, wait) = price == 9 ? (1000, 10) : (0, 1000);
            prices.Enter(price, slot, wait);
        }

        Assert.Equal((200 / 1700.0) + (200 / 260.0), prices.ScoreOf(9), 9);
        Assert.Equal((200 / 700.0) + (200 / 1250.0), prices.ScoreOf(0), 9);
        Review(prices, 64);

        Assert.Equal(9, prices.Followed);
    }

    [Fact]
    public void A_price_that_is_hardly_better_is_not_worth_the_change()
    {
        var prices = Warm();
        prices.Executed(100, 1);
        for (var price = 0; price < ContestPrice.Prices.Length; price++)
        {
            prices.Enter(price, price == 5 ? 99 : 100, 100);
        }

        Review(prices, 64);
        Assert.Equal(ContestPrice.First, prices.Followed);

        prices.Enter(5, -10, 0);
        Review(prices, 64);
        Assert.Equal(5, prices.Followed);
    }

    [Fact]
    public void What_the_warm_up_costs_is_part_of_the_score_under_each_alike()
    {
        var prices = new ContestPrice();
        prices.Review(0, 1_000_000, Options);
        prices.Executed(1, 1);
        for (var price = 0; price < ContestPrice.Prices.Length; price++)
        {
            prices.Enter(price, 1000 * (10 - price), 5);
        }

        prices.Review(29_999_999, 1_000_000, Options);
        prices.Executed(1, 1);
        prices.Enter(1, 100, 0);
        prices.Review(30_000_000, 1_000_000, Options);

        // What the price followed until then has paid: 8,000 GBs and 5 s, and the same again is to come.
        Assert.Equal((4 / 16_104.0) + (4 / 14.0), prices.ScoreOf(1), 9);
        Assert.Equal((4 / 16_004.0) + (4 / 14.0), prices.ScoreOf(9), 9);
    }

    [Fact]
    public void When_cold_starts_turn_out_longer_the_warm_up_begins_again()
    {
        var prices = Warm();
        prices.Executed(100, 1);
        for (var price = 0; price < ContestPrice.Prices.Length; price++)
        {
            prices.Enter(price, price == 9 ? 1 : 100, 100);
        }

        Review(prices, 64);
        Assert.Equal(9, prices.Followed);

        prices.Review(2000, 1000, Options);
        Assert.Equal(ContestPrice.First, prices.Followed);
        Assert.Equal(prices.ScoreOf(9), prices.ScoreOf(0), 9);
    }

    [Fact]
    public void Before_the_first_cold_start_is_known_it_is_warming_up()
    {
        var prices = new ContestPrice();
        prices.Executed(100, 1);
        prices.Enter(9, -50, 0);
        for (var i = 0; i < 100; i++)
        {
            prices.Review(i * 1_000_000, 0, Options);
        }

        Assert.Equal(ContestPrice.First, prices.Followed);
    }

    [Fact]
    public void Before_anything_was_executed_nothing_is_followed_but_the_first()
    {
        var prices = Warm();
        prices.Enter(ContestPrice.First, 1000, 1000);
        Review(prices, 1000);

        Assert.Equal(ContestPrice.First, prices.Followed);
    }

    /// <summary>What of slot time besides 100 GBs of execution makes a score that is 0.5 from waiting and the rest from memory.</summary>
    private static double SlotFor(double score) => (100 / (score - 0.5)) - 100;

    private static ContestPrice Warm()
    {
        var prices = new ContestPrice();
        prices.Review(0, 1, Options);
        prices.Review(1_000, 1, Options);
        return prices;
    }

    private static void Review(ContestPrice prices, int times)
    {
        for (var i = 0; i < times; i++)
        {
            prices.Review(1_000 + i, 1, Options);
        }
    }
}
