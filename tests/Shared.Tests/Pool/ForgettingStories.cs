using FuncScaler.Policies;

namespace FuncScaler.Tests.Pool;

/// <summary>Functions of which nothing is left are forgotten.</summary>
public class ForgettingStories
{
    private const long Second = 1_000_000;

    private readonly List<Effect> _effects = [];
    private long _ticket;

    public static TheoryData<string> Policies() => ["ttl:60", "adaptive", "greedy-dual"];

    [Theory]
    [MemberData(nameof(Policies))]
    public void A_function_that_the_backend_refuses_leaves_nothing(string policy)
    {
        var core = new ScalerCore(PolicyCatalog.Parse(policy), new SlotPoolOptions());
        for (var i = 0; i < 100; i++)
        {
            var function = Function($"unknown{i}");
            core.Assign(i, function, new RequestId("r"), long.MaxValue, _effects);
            core.SlotFailed(i, function.Key, new SlotTicket(++_ticket), new SlotFailure(FailureKind.Permanent, "no such function"), _effects);
            core.CheckInvariants();
        }

        Assert.Empty(core.Pools);
        Assert.Equal(100, _effects.Count(e => e.Kind == EffectKind.Reject));
    }

    [Fact]
    public void A_function_whose_request_went_before_anything_came_of_it_leaves_nothing()
    {
        var core = new ScalerCore(PolicyCatalog.Parse("adaptive"), new SlotPoolOptions());
        var function = Function("f");
        core.Assign(0, function, new RequestId("r"), long.MaxValue, _effects);
        core.SlotFailed(1, function.Key, new SlotTicket(1), new SlotFailure(FailureKind.Transient, "away"), _effects);
        core.Abandon(2, function.Key, new RequestId("r"), _effects);
        Assert.Single(core.Pools);

        core.Tick(core.NextWakeUs, _effects);

        Assert.Empty(core.Pools);
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void Of_functions_that_were_served_as_many_are_remembered_as_may_be(string policy)
    {
        var core = new ScalerCore(PolicyCatalog.Parse(policy), new SlotPoolOptions { MostRemembered = 2 });
        foreach (var key in (string[])["a", "b", "c", "b", "d"])
        {
            Serve(core, Function(key), _ticket * Second);
            core.CheckInvariants();
        }

        Assert.Equal(["b", "d"], core.Pools.Select(p => p.Function.Key.Value).Order());
    }

    [Fact]
    public void What_was_learned_is_forgotten_after_its_time()
    {
        var core = new ScalerCore(PolicyCatalog.Parse("ttl:60"), new SlotPoolOptions { ForgetAfter = TimeSpan.FromHours(1) });
        Serve(core, Function("a"), 0);
        Serve(core, Function("b"), 3500 * Second);
        Assert.NotNull(core.Find(new MetaKey("a")));

        Serve(core, Function("c"), 3700 * Second);

        Assert.Equal(["b", "c"], core.Pools.Select(p => p.Function.Key.Value).Order());
    }

    [Fact]
    public void A_function_that_fails_to_start_is_remembered_as_such()
    {
        var core = new ScalerCore(PolicyCatalog.Parse("ttl:60"), new SlotPoolOptions { FailFastAfter = 1 });
        var function = Function("f");
        core.Assign(0, function, new RequestId("r"), long.MaxValue, _effects);
        core.SlotCreated(0, function.Key, new SlotTicket(1), new BackendSlotId("s1"), _effects);
        core.SlotFailed(0, function.Key, new SlotTicket(1), new SlotFailure(FailureKind.Transient, "exit 1"), _effects);
        core.SlotDestroyed(0, function.Key, new SlotTicket(1), _effects);
        core.Tick(Second, _effects);

        Assert.NotNull(core.Find(function.Key)?.Failing);
    }

    [Fact]
    public void A_slot_whose_function_is_forgotten_by_the_time_it_exists_is_destroyed()
    {
        var core = new ScalerCore(PolicyCatalog.Parse("ttl:60"), new SlotPoolOptions());
        var function = Function("f");
        core.Assign(0, function, new RequestId("r"), 10 * Second, _effects);
        core.Tick(10 * Second, _effects);
        core.Tick(31 * Second, _effects);
        core.Reconcile(40 * Second, 40 * Second, [], _effects);
        core.Tick(60 * Second, _effects);
        Assert.Empty(core.Pools);
        _effects.Clear();

        core.SlotCreated(61 * Second, function.Key, new SlotTicket(1), new BackendSlotId("late"), _effects);

        Assert.Equal((EffectKind.DestroySlot, "late"), (Assert.Single(_effects).Kind, _effects[0].BackendSlot.Value));
    }

    private static FunctionMeta Function(string key) => new(new MetaKey(key), "go", 60, 512);

    /// <summary>A request is served and its instance given back as broken.</summary>
    private void Serve(ScalerCore core, FunctionMeta function, long nowUs)
    {
        var (ticket, request) = (new SlotTicket(++_ticket), new RequestId("r"));
        core.Assign(nowUs, function, request, long.MaxValue, _effects);
        core.SlotCreated(nowUs, function.Key, ticket, new BackendSlotId($"s{ticket}"), _effects);
        core.SlotReady(nowUs, function.Key, ticket, _effects);
        core.Release(nowUs, function.Key, request, new InstanceId($"i-{ticket}"), new ReleaseResult(1000, NeedDestroy: true), _effects);
        core.SlotDestroyed(nowUs, function.Key, ticket, _effects);
    }
}
