using FuncScaler.Policies.Published;

namespace FuncScaler.Tests.Policies.Published;

public class SpesPolicyTests
{
    [Theory]
    [InlineData(SpesKind.AlwaysWarm, "2", "400,600", 1002)] // 1 of 1,002 minutes is idle
    [InlineData(SpesKind.Unknown, "20,30", "1,1", 60)]
    [InlineData(SpesKind.Regular, "29,29,30,29,29", "1,1,1,1,1", 200)] // p95 - p5 = 1
    [InlineData(SpesKind.AboutRegular, "9,9,9,59,59,9,9,59,9,59", "1,1,1", 500)]
    [InlineData(SpesKind.Dense, "1,2,3,4,5,1,3,2,4,5,5,2", "1,1,1", 100)] // p90 = 5, five values of about equal share
    [InlineData(SpesKind.Successive, "10,20,30,40,50,60", "3,4,7,9,3,5", 300)]
    [InlineData(SpesKind.Pulsed, "1,2,30,4,50,60,70,3", "1,1,1", 300)] // p25 = 2
    [InlineData(SpesKind.Possible, "10,20,20,40,50,60", "1,1,1", 300)]
    [InlineData(SpesKind.Unknown, "10,20,30,40,50,60", "1,1,1", 300)]
    public void Idle_times_make_a_function_what_it_is(SpesKind expected, string idle, string waves, long minutes)
    {
        var total = expected == SpesKind.AlwaysWarm ? 1 : Numbers(idle).Sum();

        Assert.Equal(expected, SpesPolicy.Classify(Numbers(idle), Numbers(waves), total, minutes).Kind);
    }

    // Every 30 minutes: idle times of 29 minutes. After the fourth request the next is expected in minute 120: created at 118:00, let go when minute
    // 120 is over and a minute more, 122:00, where nobody comes.
    [Fact]
    public void A_regular_function_is_loaded_two_minutes_before_its_minute_and_let_go_one_after_it()
    {
        var bench = new PolicyBench("spes");
        var function = PolicyBench.Function();
        for (var minute = 0; minute < 120; minute += 30)
        {
            bench.AdvanceTo((minute * 60) + 10);
            bench.Run(function, 1);
        }

        bench.AdvanceTo(117.9 * 60);
        Assert.Equal(0, bench.Pool(function).SlotCount);
        bench.AdvanceTo(130 * 60);

        Assert.Equal(118 * 60, bench.Creates(function).Last());
        Assert.Equal(122 * 60, bench.Destroys(function).Last());
    }

    [Fact]
    public void What_is_not_known_is_kept_for_a_minute()
    {
        var bench = new PolicyBench("spes");
        var function = PolicyBench.Function();
        bench.Run(function, 1);
        var freed = bench.Now;

        bench.AdvanceTo(1000);

        Assert.Equal([freed + 60], bench.Destroys(function));
    }

    // Idle times of one to five minutes: dense. Then five minutes of keeping outlast any of them.
    [Fact]
    public void A_dense_function_is_kept_for_five_minutes()
    {
        var bench = new PolicyBench("spes");
        var function = PolicyBench.Function();
        var minute = 0;
        foreach (var idle in (int[])[1, 2, 3, 4, 5, 1, 3, 2, 4, 5, 5, 2])
        {
            bench.AdvanceTo(minute * 60);
            bench.Run(function, 1);
            minute += idle + 1;
        }

        bench.AdvanceTo(minute * 60);
        var creates = bench.Creates(function).Count();
        bench.Run(function, 1);
        var freed = bench.Now;
        bench.AdvanceTo(freed + 1000);

        Assert.Equal(freed + 300, bench.Destroys(function).Last());
        Assert.Equal(creates, bench.Creates(function).Count());
    }

    // Two requests a minute for ten minutes and more: no minute is idle.
    [Fact]
    public void What_is_never_idle_is_always_warm()
    {
        var policy = default(SpesPolicy);
        var bench = new PolicyBench(new FuncScaler.Policies.PolicyChoice("spes", _ => policy = new SpesPolicy(new SpesPolicyOptions())));
        for (var half = 0; half < 24; half++)
        {
            bench.AdvanceTo(half * 30);
            bench.Run(PolicyBench.Function(), 1);
        }

        Assert.Equal(SpesKind.AlwaysWarm, policy!.Kind);
        Assert.Single(bench.Creates(PolicyBench.Function()));
    }

    private static int[] Numbers(string text) => [.. text.Split(',').Select(int.Parse)];
}
