using FsCheck.Fluent;
using FuncScaler.SlotBackends.Budget;

namespace FuncScaler.Tests.Budget;

public class TokenBucketsTests
{
    private static readonly RateLimit[] Azure = [new(300, TimeSpan.FromHours(1)), new(100, TimeSpan.FromMinutes(5))];

    [Fact]
    public void The_first_burst_is_granted_at_once_and_then_one_call_every_three_seconds()
    {
        var time = new ManualTimeProvider();
        var buckets = new TokenBuckets(Azure, time);
        for (var i = 0; i < 100; i++)
        {
            Assert.True(buckets.TryTake(out _));
        }

        Assert.False(buckets.TryTake(out var wait));
        Assert.Equal(3, wait.TotalSeconds, 3);
        time.Advance(wait);
        Assert.True(buckets.TryTake(out _));
    }

    [Fact]
    public void In_the_long_run_the_hour_is_what_limits()
    {
        var time = new ManualTimeProvider();
        var buckets = new TokenBuckets(Azure, time);
        var granted = 0;
        while (time.GetUtcNow() < new DateTimeOffset(2026, 1, 1, 10, 0, 0, TimeSpan.Zero))
        {
            if (buckets.TryTake(out var wait))
            {
                granted++;
            }
            else
            {
                time.Advance(wait);
            }
        }

        Assert.InRange(granted, 300 + (10 * 300) - 1, 300 + (10 * 300) + 1);
    }

    [Fact]
    public void Whoever_waits_as_long_as_told_is_granted_and_no_limit_is_ever_exceeded() => Properties.Check(
        Gen.Choose(0, 20_000).ListOf(60).ToArbitrary(),
        pauses =>
        {
            RateLimit[] limits = [new(7, TimeSpan.FromSeconds(30)), new(3, TimeSpan.FromSeconds(5))];
            var time = new ManualTimeProvider();
            var buckets = new TokenBuckets(limits, time);
            var granted = new List<TimeSpan>();
            foreach (var pause in pauses)
            {
                time.Advance(TimeSpan.FromMilliseconds(pause));
                if (!buckets.TryTake(out var wait))
                {
                    time.Advance(wait);
                    Assert.True(buckets.TryTake(out _), "waited as told, in vain");
                }

                granted.Add(TimeSpan.FromTicks(time.GetTimestamp()));
            }

            foreach (var limit in limits)
            {
                for (var i = 0; i < granted.Count; i++)
                {
                    for (var j = i; j < granted.Count; j++)
                    {
                        var allowed = limit.Calls + ((granted[j] - granted[i]) / limit.Per * limit.Calls);
                        Assert.True(j - i + 1 <= allowed + 1e-3, $"{j - i + 1} calls in {granted[j] - granted[i]}, {allowed} allowed");
                    }
                }
            }
        });

    [Fact]
    public void A_platform_that_says_stop_is_obeyed_although_tokens_are_left()
    {
        var time = new ManualTimeProvider();
        var buckets = new TokenBuckets(Azure, time);

        buckets.StopFor(TimeSpan.FromSeconds(40));

        Assert.Equal(0, buckets.Remaining);
        Assert.False(buckets.TryTake(out var wait));
        Assert.Equal(40, wait.TotalSeconds, 3);
        time.Advance(wait);
        Assert.True(buckets.TryTake(out _));
    }

    [Fact]
    public void The_price_of_a_creation_rises_as_the_budget_is_used_and_as_others_wait()
    {
        var time = new ManualTimeProvider();
        var buckets = new TokenBuckets(Azure, time);
        var prices = new List<double>();
        for (var i = 0; i <= 100; i += 25)
        {
            prices.Add(Price(waiting: 0));
            for (var j = 0; j < 25; j++)
            {
                buckets.TryTake(out _);
            }
        }

        Assert.Equal(0, prices[0]);
        Assert.Equal(prices.Order(), prices);
        Assert.Equal(3, prices[^1], 3);
        Assert.Equal(3 * 11, Price(waiting: 10), 3);

        double Price(int waiting) => new CreateBudget(buckets.Remaining, buckets.Capacity, buckets.PerSecond).PriceSeconds(waiting);
    }

    [Fact]
    public void Without_limits_everything_is_granted_and_costs_nothing()
    {
        var buckets = new TokenBuckets([], new ManualTimeProvider());

        Assert.True(buckets.TryTake(out _));
        Assert.Equal(0, new CreateBudget(buckets.Remaining, buckets.Capacity, buckets.PerSecond).PriceSeconds(5));
    }
}
