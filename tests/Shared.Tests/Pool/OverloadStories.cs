using FuncScaler.Policies;

namespace FuncScaler.Tests.Pool;

/// <summary>More requests than can be served: who waits, who is told to come again, and what is created.</summary>
public class OverloadStories
{
    private const long Ms = 1_000;
    private const long Second = 1_000_000;

    private readonly List<Effect> _effects = [];

    [Fact]
    public void A_request_beyond_those_that_may_wait_is_told_to_come_again_and_costs_nothing_else()
    {
        var core = Core(new SlotPoolOptions { MaxWaiting = 3 });
        AssignMany(core, "f", 3);
        _effects.Clear();

        core.Assign(Ms, Meta("f"), new RequestId("late"), long.MaxValue, _effects);

        var refused = Assert.Single(_effects);
        Assert.Equal((EffectKind.Reject, RejectReason.Overloaded, 100 * Ms), (refused.Kind, refused.RejectReason, refused.RetryAfterUs));
        Assert.Equal("3 requests for the function wait already, and 3 for all", refused.Message);
        Assert.Equal(3, core.Find(new MetaKey("f"))!.Statistics.Arrivals);
        core.CheckInvariants();
    }

    [Fact]
    public void Who_waits_already_joins_itself_although_the_line_is_full()
    {
        var core = Core(new SlotPoolOptions { MaxWaiting = 1 });
        AssignMany(core, "f", 1);
        _effects.Clear();

        core.Assign(Ms, Meta("f"), new RequestId("f-0"), long.MaxValue, _effects);

        Assert.Empty(_effects);
    }

    [Fact]
    public void One_function_cannot_take_the_places_of_all()
    {
        var core = Core(new SlotPoolOptions { MaxWaitingInTotal = 12 });

        Assert.Equal(6, Waiting(core, "flood", 100));
        Assert.Equal(3, Waiting(core, "second flood", 100));
        Assert.Equal(1, Waiting(core, "quiet", 1));

        // And as the flood falls, the others may have more.
        core.Tick(10 * Second, _effects);
        Assert.Equal(0, core.WaitingCount);
        Assert.Equal(6, Waiting(core, "second flood", 100, now: 11 * Second));
        core.CheckInvariants();
    }

    [Fact]
    public void A_full_line_keeps_nobody_from_an_idle_instance()
    {
        var core = Core(new SlotPoolOptions { MaxWaitingInTotal = 2 });
        Serve(core, "f", "r0", 0, Second);
        AssignMany(core, "g", 5, at: 2 * Second);
        _effects.Clear();

        core.Assign(2 * Second, Meta("f"), new RequestId("r1"), long.MaxValue, _effects);

        Assert.Equal(EffectKind.Grant, Assert.Single(_effects).Kind);
    }

    [Fact]
    public void Where_no_more_instances_may_be_made_a_wait_that_is_bound_to_end_in_vain_is_refused_at_once()
    {
        var core = Core(new SlotPoolOptions { MaxSlots = 1 });
        var nowUs = 0L;
        for (var i = 0; i < 16; i++)
        {
            Serve(core, "f", $"r{i}", nowUs, Second);
            nowUs += Second;
        }

        core.Assign(nowUs, Meta("f"), new RequestId("busy"), long.MaxValue, _effects);
        _effects.Clear();
        core.Assign(nowUs, Meta("f"), new RequestId("hopeless"), nowUs + (900 * Ms), _effects);
        Assert.Equal(RejectReason.Overloaded, Assert.Single(_effects).RejectReason);
        Assert.Contains("none of the function's instances will be free", _effects[0].Message, StringComparison.Ordinal);
        _effects.Clear();

        core.Assign(nowUs, Meta("f"), new RequestId("first"), nowUs + (1100 * Ms), _effects);
        core.Assign(nowUs, Meta("f"), new RequestId("second"), nowUs + (2100 * Ms), _effects);
        Assert.Empty(_effects);
        core.Assign(nowUs, Meta("f"), new RequestId("third"), nowUs + (2900 * Ms), _effects);
        Assert.Equal((RejectReason.Overloaded, 2 * Second), (Assert.Single(_effects).RejectReason, _effects[0].RetryAfterUs));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_moment_in_which_the_process_stood_still_makes_no_storm_of_creations(bool held)
    {
        // 64 callers in a steady state, each 20 ms; then all that came within 100 ms is read at once, and the releases with it.
        var core = Core(new SlotPoolOptions());
        AssignMany(core, "f", 64);
        var instances = ReadyAll(core, Ms);
        _effects.Clear();
        var nowUs = Second;
        if (held)
        {
            core.HoldCreates(nowUs + (100 * Ms));
        }

        for (var i = 0; i < 300; i++)
        {
            core.Assign(nowUs, Meta("f"), new RequestId($"stalled-{i}"), long.MaxValue, _effects);
        }

        // What is released serves who waits, 64 at a time, every 20 ms.
        for (var served = 0; served < 300 + 64; nowUs += 20 * Ms)
        {
            core.Tick(nowUs, _effects);
            foreach (var (request, instance) in instances.ToList())
            {
                core.Release(nowUs, new MetaKey("f"), request, instance, new ReleaseResult(20 * Ms, false), _effects);
                instances.Remove(request);
                served++;
            }

            foreach (var grant in _effects.Where(e => e.Kind == EffectKind.Grant))
            {
                instances[grant.Request] = grant.Instance;
            }

            if (_effects.Any(e => e.Kind == EffectKind.CreateSlot) != !held)
            {
                Assert.Fail(held ? "created although held" : "no storm without the hold: this test shows nothing");
            }

            _effects.RemoveAll(e => e.Kind == EffectKind.Grant);
        }

        Assert.Equal(held ? 0 : 300, _effects.Count(e => e.Kind == EffectKind.CreateSlot));
        core.CheckInvariants();
    }

    [Fact]
    public void Who_still_waits_after_the_hold_gets_an_instance()
    {
        var core = Core(new SlotPoolOptions());
        core.HoldCreates(100 * Ms);
        AssignMany(core, "f", 3);
        Assert.Empty(_effects);
        core.CheckInvariants();

        Assert.Equal(100 * Ms, core.NextWakeUs);
        core.Tick(core.NextWakeUs, _effects);

        Assert.Equal(3, _effects.Count(e => e.Kind == EffectKind.CreateSlot));
    }

    [Fact]
    public void Limits_that_let_nobody_wait_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new SlotPoolOptions { MaxWaiting = 0 }.Validate());
        Assert.Throws<ArgumentException>(() => new SlotPoolOptions { MaxWaitingInTotal = 0 }.Validate());
    }

    private static ScalerCore Core(SlotPoolOptions options) => new(PolicyCatalog.Parse("ttl:60"), options);

    private static FunctionMeta Meta(string function) => new(new MetaKey(function), "go", 60, 128);

    private void AssignMany(ScalerCore core, string function, int count, long at = 0, long withinUs = 10 * Second)
    {
        for (var i = 0; i < count; i++)
        {
            core.Assign(at, Meta(function), new RequestId($"{function}-{i}"), at + withinUs, _effects);
        }
    }

    /// <summary>So many of the requests that come are let wait.</summary>
    private int Waiting(ScalerCore core, string function, int count, long now = 0)
    {
        AssignMany(core, function, count, now, withinUs: 5 * Second);
        return core.Find(new MetaKey(function))!.WaiterCount;
    }

    /// <summary>All slots that were asked for are created and ready; who holds which instance.</summary>
    private Dictionary<RequestId, InstanceId> ReadyAll(ScalerCore core, long nowUs)
    {
        foreach (var create in _effects.Where(e => e.Kind == EffectKind.CreateSlot).ToList())
        {
            core.SlotCreated(nowUs, create.Function.Key, create.Ticket, new BackendSlotId($"s{create.Ticket}"), _effects);
        }

        foreach (var init in _effects.Where(e => e.Kind == EffectKind.InitSlot).ToList())
        {
            core.SlotReady(nowUs, init.Function.Key, init.Ticket, _effects);
        }

        return _effects.Where(e => e.Kind == EffectKind.Grant).ToDictionary(e => e.Request, e => e.Instance);
    }

    private void Serve(ScalerCore core, string function, string request, long nowUs, long durationUs)
    {
        _effects.Clear();
        core.Assign(nowUs, Meta(function), new RequestId(request), long.MaxValue, _effects);
        var instance = ReadyAll(core, nowUs)[new RequestId(request)];
        core.Release(nowUs + durationUs, new MetaKey(function), new RequestId(request), instance, new ReleaseResult(durationUs, false), _effects);
        _effects.Clear();
    }
}
