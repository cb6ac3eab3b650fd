using FuncScaler.Policies.Published;

namespace FuncScaler.Tests.Policies.Published;

public class RainbowCakePolicyTests
{
    // Six arrivals, the oldest 600 s ago: a mean gap of 100 s, and -100 ln(0.2) = 160.9 s. Start-up of 500 ms, 128 MB:
    // ceil(0.996 x 500 / (0.004 x 128)) = ceil(972.7) = 973 s at most, which 2,000 s of mean gap would exceed.
    [Theory]
    [InlineData(600, 160.943791)]
    [InlineData(12_000, 973)]
    [InlineData(60, 60)] // -10 ln(0.2) = 16 s
    public void A_layer_is_kept_by_its_last_six_arrivals_within_its_bounds(double oldestSeconds, double expectedSeconds)
    {
        var rate = new RainbowCakePolicy.LayerRate();
        rate.Arrived(0);
        for (var i = 0; i < 6; i++)
        {
            rate.Arrived(1_000_000_000 + i);
        }

        Assert.Equal(expectedSeconds, rate.KeepUs(1_000_000_000 + (long)(oldestSeconds * 1e6), 500_000, 128) / 1e6, 5);
    }

    [Fact]
    public void Where_the_upper_bound_is_below_a_minute_a_minute_holds()
    {
        var rate = new RainbowCakePolicy.LayerRate();
        rate.Arrived(0);

        // ceil(0.996 x 10 / (0.004 x 1024)) = 3 s.
        Assert.Equal(60_000_000, rate.KeepUs(10_000_000_000, 10_000, 1024));
    }

    // Requests every 100 s, from the second on with a cold start of 0.5 s in 128 MB: after the seventh the mean gap is (now - the oldest of six) / 6,
    // 501.001 / 6 s at its release; 83.5 x 1.609438 = 134.39 s.
    [Fact]
    public void An_instance_is_kept_by_its_functions_rate()
    {
        var bench = new PolicyBench("rainbowcake");
        var function = PolicyBench.Function(memoryMb: 128);
        for (var i = 0; i < 7; i++)
        {
            bench.AdvanceTo(i * 100);
            bench.Run(function, 1);
        }

        var freed = bench.Now;
        bench.AdvanceTo(2000);

        Assert.Equal(freed + ((freed - 100) / 6 * 1.6094379), bench.Destroys(function).Last(), 0.001);
    }
}
