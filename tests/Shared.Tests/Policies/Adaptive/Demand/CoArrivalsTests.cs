using FuncScaler.Policies;
using FuncScaler.Policies.Adaptive;
using FuncScaler.Policies.Adaptive.Demand;

namespace FuncScaler.Tests.Policies.Adaptive.Demand;

public class CoArrivalsTests
{
    private const long Second = 1_000_000;

    private readonly CoArrivals _coArrivals = new();
    private readonly AdaptiveState _shared = new();

    [Fact]
    public void Who_always_comes_just_after_another_is_foretold_by_it()
    {
        var leader = Policy("leader");
        var follower = Policy("follower");
        for (var i = 1; i <= 30; i++)
        {
            _coArrivals.Onset(leader, i * 60 * Second);
            _coArrivals.Onset(follower, (i * 60 * Second) + 100_000);
        }

        _coArrivals.Onset(leader, 31 * 60 * Second);

        Assert.Equal(31 * 60 * Second, follower.Leaders.ToldUs);
        Assert.InRange(follower.Leaders.Likelihood, 0.9, 1);
        Assert.Equal(100_000, follower.Leaders.LeadUs, 1);
        Assert.Equal(long.MinValue, leader.Leaders.ToldUs);
    }

    [Fact]
    public void A_leader_that_comes_alone_is_believed_less_and_then_not_at_all()
    {
        var leader = Policy("leader");
        var follower = Policy("follower");
        for (var i = 1; i <= 30; i++)
        {
            _coArrivals.Onset(leader, i * 60 * Second);
            _coArrivals.Onset(follower, (i * 60 * Second) + 100_000);
        }

        for (var i = 31; i <= 60; i++)
        {
            _coArrivals.Onset(leader, i * 60 * Second);
        }

        Assert.InRange(follower.Leaders.ToldUs, 31 * 60 * Second, 50 * 60 * Second);
        Assert.InRange(follower.Leaders.Likelihood, 0.2, 0.5);
    }

    [Fact]
    public void Who_comes_a_second_or_more_later_is_not_foretold()
    {
        var leader = Policy("leader");
        var other = Policy("other");
        for (var i = 1; i <= 100; i++)
        {
            _coArrivals.Onset(leader, i * 60 * Second);
            _coArrivals.Onset(other, (i * 60 * Second) + Second + 1);
        }

        Assert.Equal(long.MinValue, other.Leaders.ToldUs);
    }

    [Fact]
    public void Memory_is_bounded_whoever_comes_with_whom()
    {
        var policies = Enumerable.Range(0, 200).Select(i => Policy($"f{i}")).ToArray();
        var random = new Random(1);
        long nowUs = Second;
        Play();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Play();

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        void Play()
        {
            for (var i = 0; i < 20_000; i++)
            {
                _coArrivals.Onset(policies[random.Next(policies.Length)], nowUs += random.Next(100_000));
            }
        }
    }

    [Fact]
    public void A_follower_is_created_as_its_leader_comes_and_a_stranger_as_it_comes_itself()
    {
        var bench = new PolicyBench("adaptive:price=4");
        var leader = PolicyBench.Function("leader", 2048);
        var follower = PolicyBench.Function("follower", 2048);
        var stranger = PolicyBench.Function("stranger", 2048);
        var random = new Random(3);
        var led = new List<double>();
        for (var i = 0; i < 150; i++)
        {
            bench.Advance(60 + (200 * random.NextDouble()));
            bench.Run(stranger, 0.05);
            bench.Advance(60 + (200 * random.NextDouble()));
            led.Add(bench.Now);
            var first = bench.Assign(leader);
            bench.Advance(0.1);
            var second = bench.Assign(follower);
            bench.Advance(1);
            bench.Release(first, 0.4);
            bench.Release(second, 0.8);
        }

        // Of the last fifty.
        var ahead = led[^50..].Count(atUs => bench.Creates(follower).Any(c => Math.Abs(c - atUs) < 0.001));
        Assert.InRange(ahead, 45, 50);
        var onTheirOwn = bench.Creates(stranger).Count(c => led.Any(atUs => Math.Abs(c - atUs) < 0.5));
        Assert.Equal(0, onTheirOwn);
    }

    private AdaptivePolicy Policy(string key) => new(new AdaptivePolicyOptions(), _shared, PolicyBench.Function(key), new Deaf());

    private sealed class Deaf : IPolicyHost
    {
        public void RequestReview(MetaKey function)
        {
        }
    }
}
