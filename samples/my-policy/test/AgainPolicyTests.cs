using FuncScaler.Model;
using FuncScaler.Policies;
using FuncScaler.Pool;
using Xunit;

namespace MyPolicy.Tests;

public class AgainPolicyTests
{
    private const long Second = 1_000_000;

    // Requests at 0 s and 60 s: the next is expected at 120 s, so an instance is created at 115 s. No backend is needed: the test answers itself.
    [Fact]
    public void An_instance_is_created_before_the_pause_is_over()
    {
        var core = new ScalerCore(PolicyCatalog.Parse("again:5", [.. new Source().Policies]), new SlotPoolOptions());
        var created = new List<long>();

        Run(0, 59, request: true);
        Run(60, 130, request: true);

        Assert.Equal([0, 60, 115], created);

        void Run(long fromSeconds, long toSeconds, bool request)
        {
            var effects = new List<Effect>();
            var function = new FunctionMeta(new MetaKey("f"), "", 0, 128);
            if (request)
            {
                core.Assign(fromSeconds * Second, function, new RequestId($"r{fromSeconds}"), long.MaxValue, effects);
            }

            for (var now = fromSeconds * Second; now <= toSeconds * Second; now += Second)
            {
                core.Tick(now, effects);
                for (var i = 0; i < effects.Count; i++)
                {
                    switch (effects[i].Kind)
                    {
                        case EffectKind.CreateSlot:
                            created.Add(now / Second);
                            core.SlotCreated(now, function.Key, effects[i].Ticket, new BackendSlotId($"s{now}"), effects);
                            break;
                        case EffectKind.InitSlot:
                            core.SlotReady(now, function.Key, effects[i].Ticket, effects);
                            break;
                        case EffectKind.Grant:
                            core.Release(now, function.Key, effects[i].Request, effects[i].Instance, new ReleaseResult(1000, false), effects);
                            break;
                        case EffectKind.DestroySlot:
                            core.SlotDestroyed(now, function.Key, effects[i].Ticket, effects);
                            break;
                    }
                }

                effects.Clear();
            }
        }
    }
}
