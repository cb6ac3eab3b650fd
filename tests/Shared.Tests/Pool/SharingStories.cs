using FuncScaler.Policies;
using FuncScaler.Policies.Basic;

namespace FuncScaler.Tests.Pool;

/// <summary>Instances that several requests share, told in the events that come in and the effects that go out.</summary>
public class SharingStories
{
    private const long Second = PoolDriver.Second;

    private static readonly FunctionMeta Three = new(new MetaKey("f"), "go", 60, 512, MaxConcurrency: 3);

    [Fact]
    public void A_request_takes_a_free_place_and_the_fullest_instance_first()
    {
        var pool = Pool();
        Start(pool, "r", 7);
        Assert.Equal((3, 7), (pool.Pool.BusyCount, pool.Pool.ExecutingCount));

        // i-1 has two requests, i-2 has one, i-3 has one.
        pool.Release("r1", "i-1");
        pool.Release("r4", "i-2");
        pool.Release("r5", "i-2");

        Assert.Equal("a gets i-1 Warm", pool.Assign("a"));
        Assert.Equal("b gets i-2 Warm", pool.Assign("b"));
        Assert.Equal("c gets i-2 Warm", pool.Assign("c"));
        Assert.Equal("d gets i-3 Warm", pool.Assign("d"));
        Assert.Equal("e gets i-3 Warm", pool.Assign("e"));
        Assert.Equal("create 4", pool.Assign("f"));
    }

    [Fact]
    public void A_new_instance_serves_as_many_who_wait_as_it_has_places()
    {
        var pool = Pool();
        Assert.Equal("create 1", pool.Assign("r1"));
        Assert.Equal("", pool.Assign("r2"));
        Assert.Equal("", pool.Assign("r3"));
        Assert.Equal("create 2", pool.Assign("r4"));

        pool.Created(1);
        Assert.Equal("r1 gets i-1 Cold, r2 gets i-1 Cold, r3 gets i-1 Cold", pool.Ready(1));
        Assert.Equal("r4 gets i-1 Waited", pool.Release("r2", "i-1"));
    }

    [Fact]
    public void An_instance_is_idle_when_nobody_holds_it_and_its_keep_alive_counts_from_then()
    {
        var pool = Pool();
        Start(pool, "r", 2);
        pool.Release("r1", "i-1");
        Assert.Equal("", pool.Wait(100 * Second));
        Assert.Equal("1 Busy", pool.States());

        pool.Release("r2", "i-1");
        Assert.Equal("1 Idle", pool.States());
        Assert.Equal("", pool.Wait((9 * Second) - 1));
        Assert.Equal("destroy 1 s1", pool.Wait(1));
    }

    [Fact]
    public void A_broken_instance_gets_no_new_request_and_goes_with_its_last()
    {
        var pool = Pool();
        Start(pool, "r", 3);
        Assert.Equal("", pool.Release("r2", "i-1", broken: true));
        Assert.Equal("create 2", pool.Assign("a"));
        Assert.Equal("", pool.Release("r1", "i-1"));
        Assert.Equal("destroy 1 s1", pool.Release("r3", "i-1"));
    }

    [Fact]
    public void A_lost_request_keeps_its_place_until_the_instance_goes()
    {
        var pool = Pool();
        Start(pool, "r", 1);
        pool.Wait(100 * Second);
        Assert.Equal("a gets i-1 Warm", pool.Assign("a"));

        // Twice the time-out of 60 s, and 60 s of grace.
        Assert.Equal("", pool.Wait(80 * Second));
        Assert.Equal((1, 1), (pool.Pool.ExecutingCount, pool.Pool.Statistics.Active));
        pool.Release("r1", "i-1", expected: ReleaseOutcome.UnknownAssignment);
        Assert.Equal("create 2", pool.Assign("b"));
        Assert.Equal("destroy 1 s1", pool.Release("a", "i-1"));
    }

    [Fact]
    public void Each_request_has_callers_and_a_time_limit_of_its_own()
    {
        var pool = Pool();
        Start(pool, "r", 2);
        Assert.Equal("r1 gets i-1 Warm", pool.Assign("r1"));
        pool.Abandon("r1");
        pool.Abandon("r2");
        Assert.Equal(1, pool.Pool.ExecutingCount);
        pool.Abandon("r1");
        Assert.Equal("1 Idle", pool.States());
    }

    [Fact]
    public void Without_waiting_a_miss_joins_the_slot_that_is_under_way_for_others()
    {
        var pool = new PoolDriver(new DirectPolicy(), function: Three);
        Assert.Equal("create 1", pool.Assign("r1"));
        Assert.Equal("", pool.Assign("r2"));
        Assert.Equal("", pool.Assign("r3"));
        Assert.Equal("create 2", pool.Assign("r4"));

        pool.Created(2);
        Assert.Equal("r4 gets i-2 Cold", pool.Ready(2));
        pool.Created(1);
        Assert.Equal("r1 gets i-1 Cold, r2 gets i-1 Cold, r3 gets i-1 Cold", pool.Ready(1));
    }

    [Fact]
    public void More_requests_an_instance_from_now_on_serve_those_who_wait()
    {
        var pool = new PoolDriver(function: Three with { MaxConcurrency = 1 });
        pool.ColdStart("r1", 1);
        pool.Assign("r2");
        pool.Assign("r3");
        Assert.Equal("r2 gets i-1 Waited, r3 gets i-1 Waited", pool.Update(Three));

        // Fewer: nothing is taken away from those who hold it.
        Assert.Equal("", pool.Update(Three with { MaxConcurrency = 2 }));
        Assert.Equal("", pool.Release("r1", "i-1"));
        Assert.Equal(2, pool.Pool.ExecutingCount);
    }

    [Fact]
    public void Memory_in_use_counts_once()
    {
        var pool = Pool();
        Start(pool, "r", 2);
        pool.Wait(3 * Second);
        pool.Release("r1", "i-1");
        pool.Wait(Second);
        pool.Release("r2", "i-1");

        // Half a GB for 4 s, and not for 7 s.
        Assert.Equal(2, pool.Ledger.ScoreAt(pool.NowUs).ExecutionGbSeconds, 9);
    }

    [Fact]
    public void A_function_that_slows_down_when_shared_is_given_fewer_and_explain_says_so()
    {
        var bench = PolicyCatalog.Parse("adaptive");
        var core = new ScalerCore(bench, new SlotPoolOptions());
        var effects = new List<Effect>();
        var nowUs = 0L;
        var number = 0;
        for (var round = 0; round < 40; round++)
        {
            // One alone takes a second, three at a time take three seconds each.
            Run(1, Second);
            Run(3, 3 * Second);
        }

        var explained = core.Find(Three.Key)!.Explain(nowUs)!.Concurrency!;
        Assert.Equal((3, 1), (explained.Limit, explained.Used));
        Assert.Equal(1, core.Find(Three.Key)!.Places);

        void Run(int requests, long durationUs)
        {
            var grants = new List<Effect>();
            for (var i = 0; i < requests; i++)
            {
                core.Assign(nowUs, Three, new RequestId($"r{++number}"), long.MaxValue, effects);
            }

            while (effects.Count > 0)
            {
                var todo = effects.ToList();
                effects.Clear();
                grants.AddRange(todo.Where(e => e.Kind == EffectKind.Grant));
                foreach (var effect in todo)
                {
                    switch (effect.Kind)
                    {
                        case EffectKind.CreateSlot:
                            core.SlotCreated(nowUs, Three.Key, effect.Ticket, new BackendSlotId($"s{effect.Ticket}"), effects);
                            break;
                        case EffectKind.InitSlot:
                            core.SlotReady(nowUs, Three.Key, effect.Ticket, effects);
                            break;
                        case EffectKind.DestroySlot:
                            core.SlotDestroyed(nowUs, Three.Key, effect.Ticket, effects);
                            break;
                        default:
                            break;
                    }
                }
            }

            nowUs += durationUs;
            foreach (var grant in grants)
            {
                core.Release(nowUs, Three.Key, grant.Request, grant.Instance, new ReleaseResult(durationUs, false), effects);
            }

            effects.Clear();
            core.CheckInvariants();
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1001)]
    public void A_number_of_requests_out_of_range_is_refused_with_a_reason(int concurrency)
    {
        var e = Assert.Throws<ArgumentOutOfRangeException>(() => new PoolDriver(function: Three with { MaxConcurrency = concurrency }));
        Assert.Contains($"Function f: {concurrency} requests an instance are not possible: give a whole number from 1 to 1000", e.Message, StringComparison.Ordinal);
    }

    private static PoolDriver Pool() => new(new TtlPolicy(new TtlPolicyOptions { KeepAlive = TimeSpan.FromSeconds(9) }), function: Three);

    /// <summary>So many requests at one time, in instances of three.</summary>
    private static void Start(PoolDriver pool, string prefix, int requests)
    {
        for (var i = 1; i <= requests; i++)
        {
            pool.Assign($"{prefix}{i}");
        }

        for (var ticket = 1; ticket <= (requests + 2) / 3; ticket++)
        {
            pool.Created(ticket);
            pool.Ready(ticket);
        }
    }
}
