using FuncScaler.Policies.Published;

namespace FuncScaler.Tests.Policies.Published;

public class FemuxPolicyTests
{
    // Two requests for the whole of each even minute: mean concurrency 2, 0, 2, 0, ... In the first block the largest of the last ten minutes is
    // had ready, 2 in every minute. A Markov chain knows after a few minutes what follows what, and so do the harmonics: they cost next to
    // nothing over a block, an autoregression is always a little off, and smoothing has one instance in every minute.
    [Fact]
    public void After_a_block_the_forecaster_is_followed_that_would_have_cost_least_in_it()
    {
        var policy = default(FemuxPolicy);
        var bench = new PolicyBench(new FuncScaler.Policies.PolicyChoice("femux", _ => policy = new FemuxPolicy(new FemuxPolicyOptions { BlockMinutes = 40 })));
        var function = PolicyBench.Function();

        Busy(bench, function, untilMinute: 36);
        Assert.Null(policy!.Followed);
        bench.AdvanceTo((37 * 60) + 30);
        Assert.Equal(2, bench.Pool(function).IdleCount);
        Busy(bench, function, untilMinute: 60);

        Assert.Contains(policy.Followed, (string?[])["markov-chain", "harmonics"]);

        // Nothing is had ready in the odd minute, and both instances when the even one begins.
        bench.AdvanceTo((61 * 60) + 30);
        Assert.Equal(0, bench.Pool(function).SlotCount);
        bench.AdvanceTo((62 * 60) + 5);
        Assert.Equal(2, bench.Pool(function).IdleCount);
        Assert.Equal([62 * 60.0, 62 * 60.0], bench.Creates(function).TakeLast(2));
    }

    // One request a minute, of 6 s: the mean is 0.1, and so is the largest: one instance.
    [Fact]
    public void In_the_first_block_the_largest_of_the_last_ten_minutes_is_had_ready()
    {
        var bench = new PolicyBench("femux");
        var function = PolicyBench.Function();
        for (var minute = 0; minute < 3; minute++)
        {
            bench.AdvanceTo(minute * 60);
            bench.Run(function, 5.5);
        }

        bench.AdvanceTo((12 * 60) + 59);
        Assert.Equal(1, bench.Pool(function).IdleCount);
        bench.AdvanceTo((13 * 60) + 1);

        Assert.Equal(0, bench.Pool(function).SlotCount);
        Assert.Single(bench.Creates(function));
    }

    [Fact]
    public void A_function_that_is_long_silent_wakes_nobody()
    {
        var bench = new PolicyBench("femux");
        var function = PolicyBench.Function();
        bench.Run(function, 1);

        bench.AdvanceTo(20_000);

        Assert.Equal(long.MaxValue, bench.Pool(function).NextWakeUs);
    }

    private static void Busy(PolicyBench bench, FunctionMeta function, int untilMinute)
    {
        while (bench.Now < untilMinute * 60)
        {
            var minute = 2 * (int)Math.Ceiling(bench.Now / 120);
            bench.AdvanceTo(minute * 60);
            bench.RunTogether(function, 2, 59.9999);
        }
    }
}
