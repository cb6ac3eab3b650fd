using FuncScaler.Policies;

namespace FuncScaler.Tests.Policies.Published;

public class GreedyDualPolicyTests
{
    // Priority = clock + uses * cold start (s) / size (GB), in a cache of 1 GB.
    //   a: 512 MB, 2 s,    1 use:  0 + 1 * 2    / 0.5  = 4
    //   b: 256 MB, 0.5 s,  3 uses: 0 + 3 * 0.5  / 0.25 = 6
    //   c: 256 MB, 0.25 s, 2 uses: 0 + 2 * 0.25 / 0.25 = 2     now it is full: 512 + 256 + 256
    //   d comes (256 MB, 1 s): c, the lowest, goes; clock 2; d: 2 + 1 * 1 / 0.25 = 6
    //   e comes (256 MB, 3 s): a goes; clock 4; e: 4 + 1 * 3 / 0.25 = 16; 256 MB are free: b, d and e are there
    //   c comes again: nothing goes, but its uses begin again: 4 + 1 * 0.25 / 0.25 = 5
    //   f comes (512 MB): 512 too many; c (5) goes, clock 5; then b and d are equal at 6, and b, the older one, goes; clock 6
    [Fact]
    public void What_has_the_lowest_priority_goes_first()
    {
        var coldSeconds = new Dictionary<string, double> { ["a"] = 2, ["b"] = 0.5, ["c"] = 0.25, ["d"] = 1, ["e"] = 3, ["f"] = 1 };
        var bench = new PolicyBench("greedy-dual:1") { CreateSeconds = 0.1, InitSeconds = f => coldSeconds[f.Key.Value] - 0.1 };

        Use("a", 512, 1);
        Use("b", 256, 3);
        Use("c", 256, 2);
        Assert.Empty(bench.DestroyOrder);
        Use("d", 256, 1);
        Assert.Equal(["c"], bench.DestroyOrder);
        Use("e", 256, 1);
        Assert.Equal(["c", "a"], bench.DestroyOrder);
        Use("c", 256, 1);
        Assert.Equal(["c", "a"], bench.DestroyOrder);
        Use("f", 512, 1);
        Assert.Equal(["c", "a", "c", "b"], bench.DestroyOrder);

        void Use(string key, int memoryMb, int times)
        {
            for (var i = 0; i < times; i++)
            {
                bench.Run(PolicyBench.Function(key, memoryMb), 0.1);
                bench.Advance(10);
            }
        }
    }

    // The clock is what lets go of functions that were used often, long ago: b's 20 uses gave 0 + 20 * 0.5 / 0.5 = 20, but each eviction
    // moves the clock on. New functions of 1 / 0.5 = 2: they get 2, 4, 6, ... and take each other's place until one has 22; b goes then.
    [Fact]
    public void The_clock_outdates_what_was_used_often_long_ago()
    {
        var bench = new PolicyBench("greedy-dual:1") { CreateSeconds = 0.1, InitSeconds = f => f.Key.Value == "b" ? 0.4 : 0.9 };
        for (var i = 0; i < 20; i++)
        {
            bench.Run(PolicyBench.Function("b"), 0.1);
        }

        for (var i = 1; i <= 13; i++)
        {
            bench.Run(PolicyBench.Function($"n{i}"), 0.1);
        }

        // n(i) has priority 2 i, and n(i + 1) evicts it as long as that is below 20; n10 has 20 as well and came later than b in the list.
        Assert.Equal(["n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9", "b", "n10", "n11"], bench.DestroyOrder);
    }

    [Fact]
    public void While_memory_lasts_nothing_goes()
    {
        var bench = new PolicyBench("greedy-dual");
        var function = PolicyBench.Function(memoryMb: 1000);
        bench.RunTogether(function, 32, 1); // 32,000 MB

        bench.AdvanceTo(10_000_000);

        Assert.Equal(32, bench.Pool(function).IdleCount);
    }

    [Fact]
    public void Busy_instances_may_exceed_the_memory_and_idle_ones_then_go_at_once()
    {
        var bench = new PolicyBench("greedy-dual:0.5");
        var function = PolicyBench.Function();

        bench.RunTogether(function, 3, 1);

        Assert.Equal(1, bench.Pool(function).IdleCount);
        Assert.Equal([1.0, 1.0], bench.Destroys(function));
    }

    [Fact]
    public void Its_functions_depend_on_each_other_and_the_choice_says_so()
    {
        Assert.True(PolicyCatalog.Parse("greedy-dual").SharesState);
        Assert.False(PolicyCatalog.Parse("ttl").SharesState);
    }
}
