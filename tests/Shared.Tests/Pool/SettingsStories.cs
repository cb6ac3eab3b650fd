using FuncScaler.Policies;
using FuncScaler.Tests.Policies;

namespace FuncScaler.Tests.Pool;

/// <summary>Requests of one function that come with different memory or runtime.</summary>
public class SettingsStories
{
    private static readonly FunctionMeta Small = new(new MetaKey("f"), "go", 60, 128);
    private static readonly FunctionMeta Large = Small with { MemoryMb = 256 };

    [Theory]
    [InlineData("ttl:60")]
    [InlineData("adaptive")]
    public void Two_gateways_with_different_settings_both_find_warm_instances(string policy)
    {
        var bench = new PolicyBench(policy);
        var cold = 0;
        for (var i = 0; i < 40; i++)
        {
            cold += bench.Run(i % 2 == 0 ? Small : Large, 0.1) ? 1 : 0;
            bench.Advance(0.4);
        }

        Assert.Equal((2, 2), (cold, bench.Creates(Small).Count()));
    }

    [Fact]
    public void Instances_of_former_settings_run_down()
    {
        var bench = new PolicyBench("ttl:300");
        bench.Run(Small, 1);
        bench.Run(Large, 1);

        bench.Advance(61);
        Assert.Single(bench.Destroys(Small));
        bench.Advance(200);
        Assert.Single(bench.Destroys(Small));
    }

    [Fact]
    public void A_policy_that_creates_ahead_does_so_for_the_latest_settings_alone()
    {
        var bench = new PolicyBench("provisioned:2");
        bench.Run(Small, 1);
        bench.Run(Large, 1);
        bench.Advance(200);

        Assert.Equal((2, 256), (bench.Pool(Large).IdleCount, bench.Pool(Large).Function.MemoryMb));
        Assert.Equal(2, bench.Destroys(Small).Count());
    }

    [Fact]
    public void What_was_learned_goes_to_the_latest_settings()
    {
        var bench = new PolicyBench("ttl:300");
        bench.Run(Small, 1);
        bench.Run(Small, 1);

        bench.Run(Large, 1);

        Assert.Equal((256, 3), (bench.Pool(Large).Function.MemoryMb, bench.Pool(Large).Statistics.Arrivals));
    }

    [Fact]
    public void A_request_that_holds_an_instance_is_given_it_again_whatever_settings_it_is_repeated_with()
    {
        var (core, effects) = (new ScalerCore(PolicyCatalog.Parse("ttl:300"), new SlotPoolOptions()), new List<Effect>());
        core.Assign(0, Small, new RequestId("r"), long.MaxValue, effects);
        core.SlotCreated(0, Small.Key, new SlotTicket(1), new BackendSlotId("s1"), effects);
        core.SlotReady(0, Small.Key, new SlotTicket(1), effects);
        core.Assign(0, Large, new RequestId("other"), long.MaxValue, effects);
        effects.Clear();

        core.Assign(0, Large, new RequestId("r"), long.MaxValue, effects);
        Assert.Equal((EffectKind.Grant, "i-1"), (Assert.Single(effects).Kind, effects[0].Instance.Value));
        core.Abandon(0, Small.Key, new RequestId("r"), effects);
        Assert.Equal(ReleaseOutcome.Released, core.Release(0, Small.Key, new RequestId("r"), new InstanceId("i-1"), default, effects));
        core.CheckInvariants();
    }

    [Fact]
    public void When_the_latest_settings_are_refused_those_before_are_the_functions_again()
    {
        var (core, effects) = (new ScalerCore(PolicyCatalog.Parse("ttl:300"), new SlotPoolOptions()), new List<Effect>());
        core.Assign(0, Small, new RequestId("r1"), long.MaxValue, effects);
        core.Assign(0, Large, new RequestId("r2"), long.MaxValue, effects);

        core.SlotFailed(0, Small.Key, new SlotTicket(2), new SlotFailure(FailureKind.Permanent, "no such size"), effects);

        Assert.Equal(128, core.Find(Small.Key)!.Function.MemoryMb);
        core.CheckInvariants();
    }
}
