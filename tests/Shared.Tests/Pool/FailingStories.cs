using FuncScaler.Policies;
using FuncScaler.Policies.Basic;

namespace FuncScaler.Tests.Pool;

/// <summary>Functions that fail to start, and backends that were away.</summary>
public class FailingStories
{
    private const long Second = PoolDriver.Second;

    [Fact]
    public void After_five_failed_starts_requests_are_told_at_once_and_one_instance_at_a_time_is_tried()
    {
        var pool = Failing();
        Assert.Equal("r2 rejected FunctionFails", pool.Assign("r2"));
        Assert.Equal("r3 rejected FunctionFails", pool.Assign("r3"));
        Assert.Contains("5 instances failed to start", pool.Pool.Failing, StringComparison.Ordinal);
        Assert.Contains("exit 1", pool.Pool.Failing, StringComparison.Ordinal);

        Assert.Equal("create 6", pool.Wait(10 * Second));
        Assert.Equal("r4 rejected FunctionFails", pool.Assign("r4"));
        pool.Created(6);
        Assert.Equal("destroy 6 s6", pool.Failed(6, message: "exit 1"));

        Assert.Equal("create 7", pool.Wait(10 * Second));
    }

    [Fact]
    public void A_destruction_that_fails_for_ever_is_asked_for_ever_more_seldom()
    {
        var pool = new PoolDriver(new DirectPolicy(), new SlotPoolOptions { RetryDelay = TimeSpan.FromSeconds(1), MaxDestroyPause = TimeSpan.FromSeconds(5) });
        pool.ColdStart("r1", 1);
        Assert.Equal("destroy 1 s1", pool.Release("r1", "i-1"));
        foreach (var pause in (int[])[1, 2, 4, 5, 5])
        {
            pool.Failed(1);
            Assert.Equal("", pool.Wait((pause * Second) - 1));
            Assert.Equal("destroy 1 s1", pool.Wait(1));
        }
    }

    [Fact]
    public void While_nobody_asks_for_a_failing_function_nothing_is_tried()
    {
        var pool = Failing();
        Assert.Equal("create 6", pool.Wait(10 * Second));
        pool.Created(6);
        pool.Failed(6, message: "exit 1");

        Assert.Equal("", pool.Wait(30 * Second));
    }

    [Fact]
    public void The_first_instance_that_starts_ends_it()
    {
        var pool = Failing();
        pool.Assign("r2");
        pool.Wait(10 * Second);
        pool.Created(6);
        Assert.Equal("", pool.Ready(6));

        Assert.Null(pool.Pool.Failing);
        Assert.Equal("r3 gets i-6 Warm", pool.Assign("r3"));
        Assert.Equal("create 7", pool.Assign("r4"));
    }

    [Fact]
    public void Requests_still_wait_for_an_instance_that_works()
    {
        var pool = new PoolDriver();
        pool.ColdStart("r1", 1);
        FailFiveTimes(pool, "r2", 2);

        Assert.Equal("", pool.Assign("r3"));
        Assert.Equal("r2 gets i-1 Waited", pool.Release("r1", "i-1"));
        Assert.StartsWith("destroy 1 s1, r3 rejected FunctionFails", pool.Release("r2", "i-1", broken: true), StringComparison.Ordinal);
    }

    [Fact]
    public void Where_it_is_switched_off_requests_wait_until_their_deadline()
    {
        var pool = new PoolDriver(options: new SlotPoolOptions { FailFastAfter = 0 });
        FailFiveTimes(pool, "r1", 1);

        Assert.DoesNotContain("FunctionFails", pool.Assign("r2"), StringComparison.Ordinal);
    }

    [Fact]
    public void Failures_of_the_backend_to_create_are_not_the_functions()
    {
        var pool = new PoolDriver();
        pool.Assign("r1");
        for (var ticket = 1; ticket <= 8; ticket++)
        {
            pool.Failed(ticket);
            pool.Wait(10 * Second);
        }

        Assert.Null(pool.Pool.Failing);
        Assert.Equal(1, pool.Pool.WaiterCount);
    }

    [Fact]
    public void When_the_backend_works_again_for_one_function_the_others_go_on_at_once()
    {
        var (core, effects) = (new ScalerCore(PolicyCatalog.Parse("ttl:300"), new SlotPoolOptions()), new List<Effect>());
        var (f, g) = (new FunctionMeta(new MetaKey("f"), "go", 60, 512), new FunctionMeta(new MetaKey("g"), "go", 60, 512));
        core.Assign(0, f, new RequestId("r1"), long.MaxValue, effects);
        var nowUs = 0L;
        for (var ticket = 1; ticket <= 7; ticket++)
        {
            core.SlotFailed(nowUs, f.Key, new SlotTicket(ticket), new SlotFailure(FailureKind.Transient, "away"), effects);
            nowUs = ticket < 7 ? core.NextWakeUs : nowUs;
            core.Tick(nowUs, effects);
        }

        Assert.InRange(core.NextWakeUs, nowUs + (5 * Second), long.MaxValue);
        core.Assign(nowUs + Second, g, new RequestId("r2"), long.MaxValue, effects);
        effects.Clear();

        core.SlotCreated(nowUs + (2 * Second), g.Key, new SlotTicket(8), new BackendSlotId("s8"), effects);
        core.Tick(nowUs + (2 * Second), effects);

        Assert.Contains(effects, e => e.Kind == EffectKind.CreateSlot && e.Function == f);
    }

    [Fact]
    public void A_backend_that_named_a_time_is_not_asked_before()
    {
        var (core, effects) = (new ScalerCore(PolicyCatalog.Parse("ttl:300"), new SlotPoolOptions()), new List<Effect>());
        var (f, g) = (new FunctionMeta(new MetaKey("f"), "go", 60, 512), new FunctionMeta(new MetaKey("g"), "go", 60, 512));
        core.Assign(0, f, new RequestId("r1"), long.MaxValue, effects);
        core.SlotFailed(1, f.Key, new SlotTicket(1), new SlotFailure(FailureKind.Throttled, "later", RetryAfterUs: 30 * Second), effects);
        core.Assign(Second, g, new RequestId("r2"), long.MaxValue, effects);
        core.SlotCreated(2 * Second, g.Key, new SlotTicket(2), new BackendSlotId("s2"), effects);
        effects.Clear();

        core.Tick(3 * Second, effects);

        Assert.Empty(effects);
    }

    private static PoolDriver Failing()
    {
        var pool = new PoolDriver();
        Assert.EndsWith("r1 rejected FunctionFails", FailFiveTimes(pool, "r1", 1), StringComparison.Ordinal);
        return pool;
    }

    /// <summary>A request arrives, and five instances in a row fail to start; returns what the last failure led to.</summary>
    private static string FailFiveTimes(PoolDriver pool, string request, long ticket)
    {
        Assert.Equal($"create {ticket}", pool.Assign(request));
        for (var i = 1; ; i++, ticket++)
        {
            pool.Created(ticket);
            var done = pool.Failed(ticket, message: "exit 1");
            pool.Destroyed(ticket);
            if (i == 5)
            {
                return done;
            }

            Assert.Equal($"create {ticket + 1}", pool.Wait(2 * Second));
        }
    }
}
