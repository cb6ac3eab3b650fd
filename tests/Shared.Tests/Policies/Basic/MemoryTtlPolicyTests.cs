namespace FuncScaler.Tests.Policies.Basic;

public class MemoryTtlPolicyTests
{
    // The base limit is 128 MB * 15 s = 1920 MB·s. Ticks are at 0, 5, 10, ... s, counted from the first request.
    [Theory]
    [InlineData(128, 20)] // 1920 / 128 = 15 s: more than 15 whole seconds idle, 16; the first tick from 0.6 + 16 on is 20
    [InlineData(512, 5)] // 1920 / 512 = 3.75 s: 4 whole seconds; 0.6 + 4 = 4.6, tick 5
    [InlineData(1024, 5)] // 1.875 s: 2 whole seconds; tick 5
    [InlineData(64, 35)] // the most is 2 * 64 * 15 = 1920 as well; 30 s: 31 whole seconds; 0.6 + 31 = 31.6, tick 35
    [InlineData(32, 35)] // the most, 2 * 32 * 15 = 960, is less than the base and wins: 30 s again
    public void The_more_memory_the_shorter_an_instance_is_kept(int memoryMb, double destroyedAt)
    {
        var bench = new PolicyBench("memory-ttl");
        var function = PolicyBench.Function(memoryMb: memoryMb);

        bench.Run(function, 0.1); // cold start 0.5 s: idle from 0.6 s
        bench.AdvanceTo(100);

        Assert.Equal([destroyedAt], bench.Destroys(function));
    }

    // 100 requests in the first 5 s after none: h = 100, ln(100 / 5) = 2.996, ceil 3: the limit rises by 3 * 1920 to 7680 MB·s.
    // In the 5 s after none: h = -100, it falls by as much, to 1920. A limit of 7680 keeps 512 MB for 15 s, one of 1920 for 3.75 s.
    [Fact]
    public void The_limit_rises_with_demand_and_falls_with_it()
    {
        var bench = new PolicyBench("memory-ttl");
        var function = PolicyBench.Function();
        for (var i = 0; i < 100; i++)
        {
            bench.Run(function, 0.001);
        }

        Assert.Equal(0.6, bench.Now, precision: 6);
        bench.AdvanceTo(100);

        // Tick 5: idle for 4 whole seconds, 4 * 512 = 2048 MB·s, over the base but under 7680. Tick 10: over 1920.
        Assert.Equal([10.0], bench.Destroys(function));
    }

    // Steady demand leaves the limit where it rose to: 12 requests in 5 s after none, h = 12, ln(12 / 5) = 0.875, ceil 1: 1920 + 1920.
    // A change of -10 or less does not lower it: 12, then 2: h = -10. So 3840 MB·s hold: 512 MB stay 7.5 s.
    [Fact]
    public void A_change_of_ten_requests_leaves_the_limit_as_it_is()
    {
        var bench = new PolicyBench("memory-ttl");
        var function = PolicyBench.Function();
        for (var i = 0; i < 12; i++)
        {
            bench.Run(function, 0.01);
        }

        bench.AdvanceTo(6);
        bench.Run(function, 0.1);
        bench.Run(function, 0.1);
        bench.AdvanceTo(100);

        // Idle from 6.2 s; tick 10 (h = 2 - 12 = -10): 3 s * 512 is under 3840; tick 15: 8 s * 512 = 4096 is over.
        Assert.Equal([15.0], bench.Destroys(function));
    }

    // The limit never exceeds 2 * 512 MB * 15 s = 15360 MB·s, so no instance outlives 30 s of idleness by more than a tick.
    [Fact]
    public void The_limit_stays_under_twice_the_base_time()
    {
        var bench = new PolicyBench("memory-ttl");
        var function = PolicyBench.Function();
        var spare = bench.Assign(function);
        bench.Advance(1);
        var other = bench.Assign(function);
        bench.Advance(1);
        bench.Release(spare); // idle from 2 s: LIFO leaves it unused while the other one serves
        bench.Release(other);
        for (var second = 2; second < 60; second++)
        {
            for (var i = 0; i < (second * second / 4) - 1; i++)
            {
                bench.Release(bench.Assign(function));
            }

            bench.AdvanceTo(second + 1);
        }

        // 31 whole seconds after 2 s is 33 s: tick 35.
        Assert.Equal([35.0], bench.Destroys(function));
    }
}
