using FuncScaler.Policies;
using FuncScaler.Policies.Basic;

namespace FuncScaler.Tests.Pool;

/// <summary>An operator's limits of one function, told in the events that come in and the effects that go out.</summary>
public class LimitStories
{
    private const long Second = PoolDriver.Second;

    [Fact]
    public void A_floor_is_made_at_once_and_kept_whatever_the_policy_wants()
    {
        var pool = Pool();
        Assert.Equal("create 1, create 2", pool.Limit(new FunctionLimits { MinInstances = 2 }));
        Ready(pool, 1, 2);
        Assert.Equal("", pool.Wait(3600 * Second));
        Assert.Equal("1 Idle, 2 Idle", pool.States());

        Assert.Equal("r1 gets i-2 Warm", pool.Assign("r1"));
        Assert.Equal("create 3", pool.Release("r1", "i-2", broken: true).Split(", ")[1]);
    }

    [Fact]
    public void The_cost_of_a_floor_is_what_the_policy_would_have_let_go()
    {
        // The policy keeps for nine seconds.
        var pool = Pool();
        var gb = pool.Pool.Function.MemoryGb;
        Assert.Null(pool.Pool.LimitsCost(pool.NowUs));
        pool.Limit(new FunctionLimits { MinInstances = 1 });
        Ready(pool, 1);
        pool.Wait(9 * Second);
        Assert.Equal(0, pool.Pool.LimitsCost(pool.NowUs)!.FloorGbSeconds);
        pool.Wait(20 * Second);
        Assert.Equal(20 * gb, pool.Pool.LimitsCost(pool.NowUs)!.FloorGbSeconds, 3);

        // Used again, it is the policy's again for a while.
        pool.Assign("r1");
        pool.Wait(5 * Second);
        pool.Release("r1", "i-1");
        pool.Wait(9 * Second);
        Assert.Equal(20 * gb, pool.Pool.LimitsCost(pool.NowUs)!.FloorGbSeconds, 3);
        pool.Wait(2 * Second);
        Assert.Equal(22 * gb, pool.Pool.LimitsCost(pool.NowUs)!.FloorGbSeconds, 3);
        pool.Limit(FunctionLimits.None);
        pool.Wait(100 * Second);
        Assert.Equal(22 * gb, pool.Pool.LimitsCost(pool.NowUs)!.FloorGbSeconds, 3);
    }

    [Fact]
    public void The_cost_of_a_ceiling_is_the_waiting_while_it_is_reached()
    {
        var pool = Pool();
        pool.Limit(new FunctionLimits { MaxInstances = 1 });
        pool.ColdStart("r1", 1);
        pool.Assign("r2");
        pool.Assign("r3");
        pool.Wait(3 * Second);
        Assert.Equal(6, pool.Pool.LimitsCost(pool.NowUs)!.CeilingWaitSeconds, 3);
        pool.Release("r1", "i-1");
        pool.Wait(Second);
        Assert.Equal(7, pool.Pool.LimitsCost(pool.NowUs)!.CeilingWaitSeconds, 3);
        Assert.Equal(0, pool.Pool.LimitsCost(pool.NowUs)!.FloorGbSeconds);
    }

    [Fact]
    public void What_is_above_the_floor_is_the_policy_s()
    {
        var pool = Pool();
        pool.Limit(new FunctionLimits { MinInstances = 1 });
        Ready(pool, 1);
        pool.Assign("r1");
        pool.Assign("r2");
        Ready(pool, 2);
        pool.Release("r1", "i-1");
        pool.Release("r2", "i-2");
        Assert.Equal("destroy 1 s1", pool.Wait(9 * Second));
        pool.Destroyed(1);
        Assert.Equal("", pool.Wait(3600 * Second));
        Assert.Equal("2 Idle", pool.States());
    }

    [Fact]
    public void A_lowered_floor_lets_the_policy_decide()
    {
        var pool = Pool();
        pool.Limit(new FunctionLimits { MinInstances = 2 });
        Ready(pool, 1, 2);
        pool.Wait(100 * Second);
        Assert.Equal("destroy 1 s1, destroy 2 s2", pool.Limit(FunctionLimits.None));
    }

    [Fact]
    public void Requests_beyond_the_ceiling_wait_and_further_ones_are_told_to_come_again()
    {
        var pool = Pool();
        pool.Limit(new FunctionLimits { MaxInstances = 1, MaxWaiting = 2 });
        pool.ColdStart("r1", 1);
        Assert.Equal("", pool.Assign("r2"));
        Assert.Equal("", pool.Assign("r3"));
        Assert.Equal("r4 rejected Overloaded", pool.Assign("r4"));
        Assert.Equal("r2 gets i-1 Waited", pool.Release("r1", "i-1"));
    }

    [Fact]
    public void A_raised_ceiling_serves_those_who_wait()
    {
        var pool = Pool();
        pool.Limit(new FunctionLimits { MaxInstances = 1 });
        pool.ColdStart("r1", 1);
        pool.Assign("r2");
        pool.Assign("r3");
        Assert.Equal("create 2, create 3", pool.Limit(new FunctionLimits { MaxInstances = 3 }));
    }

    [Fact]
    public void A_lowered_ceiling_takes_idle_instances_at_once_and_busy_ones_when_they_are_released()
    {
        var pool = Pool();
        pool.ColdStart("r1", 1);
        pool.ColdStart("r2", 2);
        pool.ColdStart("r3", 3);
        pool.Release("r3", "i-3");
        Assert.Equal("destroy 3 s3", pool.Limit(new FunctionLimits { MaxInstances = 1 }));
        Assert.Equal("destroy 1 s1", pool.Release("r1", "i-1"));
        Assert.Equal("", pool.Release("r2", "i-2"));
    }

    [Fact]
    public void Concurrency_and_price_are_the_operator_s()
    {
        var pool = Pool();
        pool.ColdStart("r1", 1);
        pool.Assign("r2");
        Assert.Equal("r2 gets i-1 Waited", pool.Limit(new FunctionLimits { Concurrency = 2, LatencyPriceGbs = 7 }));
        Assert.Equal(2, pool.Pool.Concurrency);
    }

    [Fact]
    public void A_function_that_nobody_has_asked_for_gets_its_floor_where_its_settings_are_known()
    {
        var core = new ScalerCore(PolicyCatalog.Parse("adaptive"), new SlotPoolOptions());
        var effects = new List<Effect>();
        var meta = new FunctionMeta(new MetaKey("f"), "go", 60, 512);
        core.SetLimits(0, meta.Key, new FunctionLimits { MinInstances = 2 }, meta, effects);
        Assert.Equal([EffectKind.CreateSlot, EffectKind.CreateSlot], effects.Select(e => e.Kind));

        effects.Clear();
        core.SetLimits(0, new MetaKey("g"), new FunctionLimits { MinInstances = 1 }, null, effects);
        Assert.Empty(effects);
        core.Assign(0, meta with { Key = new MetaKey("g") }, new RequestId("r"), long.MaxValue, effects);
        Assert.Single(effects);
        Assert.Equal(1, core.Find(new MetaKey("g"))!.Limits.MinInstances);
        Assert.Equal(1, core.Find(new MetaKey("g"))!.Explain(0)!.Limits!.MinInstances);
        core.CheckInvariants();
    }

    [Fact]
    public void Functions_of_which_nothing_is_said_have_the_limits_of_all_others()
    {
        var core = new ScalerCore(PolicyCatalog.Parse("ttl"), new SlotPoolOptions());
        var effects = new List<Effect>();
        var (f, g) = (new FunctionMeta(new MetaKey("f"), "go", 60, 512), new FunctionMeta(new MetaKey("g"), "go", 60, 512));
        core.Assign(0, f, new RequestId("r"), long.MaxValue, effects);
        core.SetLimits(0, g.Key, new FunctionLimits { Concurrency = 2 }, null, effects);
        core.SetOtherLimits(0, new FunctionLimits { Concurrency = 3 }, effects);
        core.Assign(0, g, new RequestId("r"), long.MaxValue, effects);
        Assert.Equal((3, 2), (core.Find(f.Key)!.Concurrency, core.Find(g.Key)!.Concurrency));

        // One that is named has none of theirs, even where nothing else is said of it.
        core.SetLimits(0, g.Key, FunctionLimits.None, null, effects);
        Assert.Equal(1, core.Find(g.Key)!.Concurrency);
        core.SetLimits(0, g.Key, null, null, effects);
        Assert.Equal(3, core.Find(g.Key)!.Concurrency);
        core.SetOtherLimits(0, FunctionLimits.None, effects);
        Assert.Equal((1, 1), (core.Find(f.Key)!.Concurrency, core.Find(g.Key)!.Concurrency));
        core.CheckInvariants();
    }

    [Theory]
    [InlineData(-1, 0, "MinInstances is -1 and must be 0 to 100000.")]
    [InlineData(3, 2, "MaxInstances is 2 and must be at least MinInstances, 3.")]
    public void Limits_out_of_range_are_refused_with_a_reason(int min, int max, string message)
    {
        var e = Assert.Throws<ArgumentException>(() => Pool().Limit(new FunctionLimits { MinInstances = min, MaxInstances = max }));
        Assert.Equal(message, e.Message);
    }

    private static PoolDriver Pool() => new(new TtlPolicy(new TtlPolicyOptions { KeepAlive = TimeSpan.FromSeconds(9) }));

    private static void Ready(PoolDriver pool, params int[] tickets)
    {
        foreach (var ticket in tickets)
        {
            pool.Created(ticket);
            pool.Ready(ticket);
        }
    }
}
