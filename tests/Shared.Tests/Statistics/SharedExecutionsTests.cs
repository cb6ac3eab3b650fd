using FuncScaler.Statistics;

namespace FuncScaler.Tests.Statistics;

public class SharedExecutionsTests
{
    private const long Second = 1_000_000;
    private const long Hour = 3600 * Second;

    [Fact]
    public void Where_sharing_costs_no_time_the_function_s_limit_is_used()
    {
        var seen = new SharedExecutions(1.5);
        Enter(seen, 0, 1, 2, 4, 8);
        Assert.Equal(10, seen.Places(10));
        Assert.All(seen.Known, k => Assert.Equal(1, k.Slowdown!.Value, 9));
    }

    [Fact]
    public void Requests_that_share_a_processor_do_not_share_an_instance()
    {
        var seen = new SharedExecutions(1.5);
        Enter(seen, 1, 1, 2);
        Assert.Equal(1, seen.Places(10));
    }

    [Fact]
    public void A_class_that_is_too_slow_ends_at_the_class_below()
    {
        // 1, 1.1, 1.3 and 1.7 times as long.
        var seen = new SharedExecutions(1.5);
        Enter(seen, 0.1, 1, 2, 4, 8);
        Assert.Equal(4, seen.Places(10));
        Assert.Equal(3, seen.Places(3));
    }

    [Fact]
    public void What_was_too_slow_is_tried_again_an_hour_later()
    {
        var seen = new SharedExecutions(1.5);
        Enter(seen, 1, 1, 2);
        seen.Add(1, Second, Hour - 1);
        Assert.Equal(1, seen.Places(10));
        seen.Add(1, Second, Hour);
        Assert.Equal(2, seen.Places(10));
    }

    [Fact]
    public void Durations_that_differ_by_their_nature_prove_nothing()
    {
        // One after the other from 1 ms to 1 s: means of 16 differ by chance.
        var seen = new SharedExecutions(1.5);
        var dice = new Dice(5);
        for (var i = 0; i < 2000; i++)
        {
            seen.Add(dice.Pick([1, 2, 4, 8]), (long)Math.Exp(dice.Between(7_000, 14_000) / 1000.0), i);
        }

        Assert.Equal(8, seen.Places(8));
    }

    [Fact]
    public void Nothing_is_learned_where_any_slowdown_is_allowed()
    {
        var seen = new SharedExecutions(double.PositiveInfinity);
        Enter(seen, 100, 1, 8);
        Assert.Equal(10, seen.Places(10));
    }

    private static void Enter(SharedExecutions seen, double slowdown, params int[] requests)
    {
        foreach (var shared in requests)
        {
            for (var i = 0; i < 30; i++)
            {
                seen.Add(shared, (long)(Second * (1 + (slowdown * (shared - 1)))), 0);
            }
        }
    }
}
