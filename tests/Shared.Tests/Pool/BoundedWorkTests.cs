using FuncScaler.Policies;
using FuncScaler.Scoring;
using FuncScaler.Statistics;

namespace FuncScaler.Tests.Pool;

/// <summary>However many requests wait, one event does only so much for them: other functions' events come in between.</summary>
public class BoundedWorkTests
{
    private const int Requests = 5000;
    private const int MostAtOnce = 64;

    [Fact]
    public void A_policy_is_told_of_few_arrivals_in_one_event_and_of_all_in_the_end()
    {
        var policy = new Counting();
        var pool = new SlotPool(
            new FunctionMeta(new MetaKey("f"), "go", 60, 128), policy, new SlotPoolOptions(), new SlotRegistry(), new ScoreLedger());
        var effects = new List<Effect>();

        // All wait behind the first, which keeps each arrival's rank unknown until all give up at once.
        for (var i = 0; i < Requests; i++)
        {
            Event(() => pool.Assign(i, new RequestId($"r{i}"), 1_000_000, effects));
        }

        Assert.InRange(policy.Learned, 0, 10);
        Event(() => pool.Tick(1_000_000, effects));
        Assert.Equal(Requests, effects.Count(e => e.Kind == EffectKind.Reject));

        var ticks = 0;
        for (var nowUs = pool.NextWakeUs; policy.Learned < Requests && ticks < Requests; nowUs = pool.NextWakeUs, ticks++)
        {
            Event(() => pool.Tick(nowUs, effects));
        }

        Assert.Equal(Requests, policy.Learned);
        Assert.Equal(Enumerable.Range(0, Requests).Select(i => (long)i), policy.ArrivedUs);

        void Event(Action happens)
        {
            var before = policy.Learned;
            happens();
            Assert.InRange(policy.Learned - before, 0, MostAtOnce);
        }
    }

    private sealed class Counting : IKeepAlivePolicy
    {
        public int Learned => ArrivedUs.Count;

        public List<long> ArrivedUs { get; } = [];

        public void DemandLearned(in PoolView pool, in RankedArrival demand) => ArrivedUs.Add(demand.ArrivedUs);

        public KeepDecision Keep(in PoolView pool, in IdleSlot slot) => KeepDecision.LetGoNow;
    }
}
