using FuncScaler.Policies;

namespace FuncScaler.Tests.Policies.Basic;

public class ProvisionedPolicyTests
{
    [Fact]
    public void N_instances_are_ready_for_good_from_the_first_request_on()
    {
        var bench = new PolicyBench("provisioned:3");
        var function = PolicyBench.Function();
        bench.Run(function, 0.1);

        bench.AdvanceTo(1_000_000);

        Assert.Equal([0.0, 0.0, 0.0], bench.Creates(function));
        Assert.Empty(bench.Destroys(function));
        Assert.Equal(3, bench.Pool(function).IdleCount);
    }

    // Busy instances are among the N: two of three busy leave one, not three. The fourth and fifth request are on demand: 300 s.
    [Fact]
    public void Requests_beyond_N_get_instances_on_demand()
    {
        var bench = new PolicyBench("provisioned:3");
        var function = PolicyBench.Function();
        bench.Run(function, 0.1);
        bench.AdvanceTo(100);
        bench.RunTogether(function, 2, 10);
        Assert.Equal(3, bench.Creates(function).Count());

        bench.RunTogether(function, 5, 10); // from 110 to 120 s
        bench.AdvanceTo(1000);

        Assert.Equal([110.0, 110.0], bench.Creates(function).Skip(3));
        Assert.Equal(2, bench.Destroys(function).Count());
        Assert.All(bench.Destroys(function), at => Assert.Equal(420, at));
        Assert.Equal(3, bench.Pool(function).IdleCount);
    }

    [Fact]
    public void A_slot_that_comes_late_does_not_stay_beyond_N()
    {
        var bench = new PolicyBench("provisioned:1,keep=100");
        var function = PolicyBench.Function();
        bench.Run(function, 0.1);
        var first = bench.Assign(function);
        var second = bench.Assign(function); // creates; but the first one's release serves it
        bench.Release(first);
        bench.Release(second);
        bench.AdvanceTo(10);
        Assert.Equal(2, bench.Pool(function).IdleCount);

        bench.AdvanceTo(1000);

        Assert.Equal(1, bench.Pool(function).IdleCount);
    }

    // No request drives these creates: a refusal for good must not be answered by the next create at once.
    [Fact]
    public void A_backend_that_refuses_for_good_is_asked_again_after_a_pause()
    {
        var effects = new List<Effect>();
        var core = new ScalerCore(PolicyCatalog.Parse("provisioned:2"), new SlotPoolOptions { MaxRetryDelay = TimeSpan.FromSeconds(10) });
        var function = PolicyBench.Function();
        core.Assign(0, function, new RequestId("r"), long.MaxValue, effects);
        var tickets = effects.Where(e => e.Kind == EffectKind.CreateSlot).Select(e => e.Ticket).ToList();
        effects.Clear();
        Assert.Equal(2, tickets.Count);

        core.SlotFailed(1, function.Key, tickets[0], new SlotFailure(FailureKind.Permanent, "no such memory size"), effects);
        core.SlotFailed(1, function.Key, tickets[1], new SlotFailure(FailureKind.Permanent, "no such memory size"), effects);
        Assert.DoesNotContain(effects, e => e.Kind == EffectKind.CreateSlot);
        Assert.Contains(effects, e => e.Kind == EffectKind.Reject);
        Assert.Equal(10_000_001, core.NextWakeUs);
        core.Tick(core.NextWakeUs, effects);

        Assert.Equal(2, effects.Count(e => e.Kind == EffectKind.CreateSlot));
    }
}
