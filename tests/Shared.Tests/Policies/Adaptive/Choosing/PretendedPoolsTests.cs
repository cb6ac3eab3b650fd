using FsCheck.Fluent;
using FuncScaler.Policies.Adaptive.Choosing;
using FuncScaler.Policies.Adaptive.Demand;
using FuncScaler.Policies.Adaptive.Planning;
using FuncScaler.Statistics;

namespace FuncScaler.Tests.Policies.Adaptive.Choosing;

public class PretendedPoolsTests
{
    private const long Second = 1_000_000;
    private const long ColdUs = 500_000;
    private const long DurationUs = 200_000;

    /// <summary>Gaps of every kind between requests of which none has to wait for another, s.</summary>
    private static readonly double[] GapsSeconds = [1, 4.9, 5.5, 30, 2, 2, 60, 0.7, 5.1, 3];

    [Fact]
    public void A_candidate_costs_what_its_plan_costs_in_a_real_run()
    {
        var bench = new PolicyBench("ttl:5");
        var function = PolicyBench.Function(memoryMb: 512);
        var pools = new PretendedPools(new PretendedPools.Costs());
        var plans = new Plans(KeepAlivePlan.HoldFor(5 * Second));
        foreach (var gap in GapsSeconds)
        {
            var atUs = (long)(bench.Now * 1e6);
            var cold = bench.Run(function, DurationUs / 1e6);
            Assert.Equal(cold, pools.Arrive(3, At(atUs), plans));
            Assert.Equal(cold ? 0.5 : 0, pools.LastWaitSeconds[3], tolerance: 1e-6);
            bench.Advance(gap);
        }

        bench.Advance(60);
        pools.Settle(3, (long)(bench.Now * 1e6), ColdUs, 0.5, plans);

        // What its slots lived, without what they executed.
        var lived = bench.Destroys(function).Sum() - bench.Creates(function).Sum();
        Assert.Equal(0.5 * (lived - (GapsSeconds.Length * DurationUs / 1e6)), pools.SlotGbSeconds[3], tolerance: 1e-6);
        Assert.Equal(0.5 * bench.Creates(function).Count(), pools.WaitSeconds[3], tolerance: 1e-6);
        Assert.Equal((0.0, 0.0), (pools.SlotGbSeconds[2], pools.WaitSeconds[2]));
    }

    [Fact]
    public void Requests_at_the_same_time_are_of_different_ranks()
    {
        // Rank 1 is held for a minute, rank 2 for 2 s.
        var plans = new Plans(KeepAlivePlan.HoldFor(60 * Second), KeepAlivePlan.HoldFor(2 * Second));
        var pools = new PretendedPools(new PretendedPools.Costs());
        Assert.True(pools.Arrive(0, At(0, Second), plans));
        Assert.True(pools.Arrive(0, At(1000, Second), plans with { WorthOfSecond = 100 }));
        Assert.False(pools.Arrive(0, At(3 * Second, Second), plans));

        // Both are free from 1.5 s on; a minute later it is only the first.
        Assert.False(pools.Arrive(0, At(30 * Second, Second), plans));
        Assert.True(pools.Arrive(0, At((30 * Second) + 1, Second), plans));
    }

    [Fact]
    public void Which_instance_serves_which_rank_does_not_matter()
    {
        // Rank 1 is held for a second, ranks 2 and 3 for a minute: of three instances two are left after 30 s.
        var plans = new Plans(KeepAlivePlan.HoldFor(Second), KeepAlivePlan.HoldFor(60 * Second)) { WorthOfSecond = 100 };
        var pools = new PretendedPools(new PretendedPools.Costs());
        for (var i = 0; i < 3; i++)
        {
            Assert.True(pools.Arrive(0, At(i, Second), plans));
        }

        var paid = pools.SlotGbSeconds[0];
        Assert.False(pools.Arrive(0, At(31 * Second, Second), plans));
        Assert.False(pools.Arrive(0, At((31 * Second) + 1, Second), plans));
        Assert.Equal(3 * 0.5, pools.WaitSeconds[0], tolerance: 1e-4);

        // Half a GB: a second for rank 1, 29.5 s each for the others, and what served in the place of rank 1's is made again.
        Assert.Equal(0.5 * (1 + 29.5 + 29.5 + 0.5), pools.SlotGbSeconds[0] - paid, tolerance: 1e-3);

        // The next has to wait until it is, as in a real pool.
        Assert.True(pools.Arrive(0, At((31 * Second) + 2, Second), plans with { WorthOfSecond = 0 }));
        Assert.Equal(0.5, pools.LastWaitSeconds[0], tolerance: 1e-4);
    }

    [Fact]
    public void Requests_that_wait_already_are_counted_when_another_instance_is_weighed()
    {
        // Executions of 10 s, one instance. Another is not worth a wait of 10 s, but the twentieth would wait for more than three minutes.
        var pools = new PretendedPools(new PretendedPools.Costs());
        var plans = new Plans(KeepAlivePlan.HoldFor(0));
        for (var i = 0; i < 20; i++)
        {
            pools.Arrive(0, At(i, 10 * Second) with { CreateGbs = 20 }, plans);
        }

        Assert.InRange(pools.Instances(0), 3, 10);
        Assert.InRange(pools.WaitSeconds[0], 100, 1_000);
    }

    [Fact]
    public void What_was_given_back_is_not_there_because_a_later_plan_would_have_kept_it()
    {
        // Held for a second, and again from one minute to two.
        var then = KeepAlivePlan.HoldFor(Second);
        then.Add(LogHistogram.BinOf(60 * Second), LogHistogram.BinOf(120 * Second));
        foreach (var looked in new[] { false, true })
        {
            var pools = new PretendedPools(new PretendedPools.Costs());
            pools.Arrive(0, At(0), new Plans(then));
            if (looked)
            {
                pools.Settle(0, 20 * Second, ColdUs, 0.5, new Plans(then));
            }

            Assert.Equal(looked, pools.Arrive(0, At(30 * Second), new Plans(KeepAlivePlan.HoldFor(100 * Second))));
        }
    }

    [Fact]
    public void What_is_settled_is_not_paid_again() => Properties.Check(
        (from gaps in Gen.ArrayOf(Gen.Choose(0, 12_000_000), 30)
         from settles in Gen.ArrayOf(Gen.Choose(0, 3), 30)
         from hold in Gen.Choose(44, 50)
         from pause in Gen.Choose(1, 8)
         select (gaps, settles, hold, pause)).ToArbitrary(),
        of =>
        {
            var plan = KeepAlivePlan.HoldFor(LogHistogram.UpperBoundUs(of.hold));
            plan.Add(of.hold + 3 + of.pause, of.hold + 5 + of.pause);
            var plans = new Plans(plan);
            var settled = new PretendedPools(new PretendedPools.Costs());
            var left = new PretendedPools(new PretendedPools.Costs());
            long atUs = 0;
            for (var i = 0; i < of.gaps.Length; i++)
            {
                for (var s = 1; s <= of.settles[i]; s++)
                {
                    var before = settled.SlotGbSeconds[1];
                    settled.Settle(1, atUs + (of.gaps[i] * s / 4), ColdUs, 0.5, plans);
                    Assert.True(settled.SlotGbSeconds[1] >= before);
                    Assert.Equal(settled.SlotGbSeconds[1] - before, settled.LastSlotGbSeconds[1], tolerance: 1e-6);
                }

                atUs += of.gaps[i];
                Assert.Equal(left.Arrive(1, At(atUs), plans), settled.Arrive(1, At(atUs), plans));
            }

            left.Settle(1, atUs + (60 * Second), ColdUs, 0.5, plans);
            settled.Settle(1, atUs + (60 * Second), ColdUs, 0.5, plans);
            Assert.Equal(left.SlotGbSeconds[1], settled.SlotGbSeconds[1], tolerance: 1e-6);
            Assert.Equal(left.WaitSeconds[1], settled.WaitSeconds[1], tolerance: 1e-6);

            // Once more, and for good.
            settled.Settle(1, atUs + (600 * Second), ColdUs, 0.5, plans);
            Assert.Equal(0, settled.LastSlotGbSeconds[1]);
        },
        tests: 200);

    [Fact]
    public void What_the_period_foretold_is_served_by_those_who_look_at_it()
    {
        var periodic = Candidates.Prices.Length;
        var plans = new Plans(KeepAlivePlan.HoldFor(0));
        foreach (var (candidate, served) in new[] { (0, false), (periodic, true) })
        {
            var pools = new PretendedPools(new PretendedPools.Costs());
            pools.Arrive(candidate, At(0), plans);
            var cold = pools.Arrive(candidate, At(30 * Second) with { Foretold = true, WindowUs = 600_000 }, plans);

            Assert.Equal(served, !cold);
            Assert.Equal(served ? 0 : 0.5, pools.LastWaitSeconds[candidate], tolerance: 1e-6);
            Assert.Equal(0.5 * (served ? 0.6 : 0.5), pools.LastSlotGbSeconds[candidate], tolerance: 1e-6);

            // And what it foretold in vain is paid by them alone.
            pools.Arrive(candidate, At(60 * Second) with { InVain = 2, WindowUs = 600_000 }, plans);
            Assert.Equal(0.5 * (0.5 + (served ? 1.2 : 0)), pools.LastSlotGbSeconds[candidate], tolerance: 1e-6);
        }
    }

    [Fact]
    public void A_pool_shrinks_again_when_its_plans_have_ended()
    {
        var plans = new Plans(KeepAlivePlan.HoldFor(5 * Second), KeepAlivePlan.HoldFor(5 * Second)) with { WorthOfSecond = 100 };
        var pools = new PretendedPools(new PretendedPools.Costs());
        for (var i = 0; i < 2; i++)
        {
            pools.Arrive(0, At(i), plans);
        }

        Assert.Equal(2, pools.Instances(0));
        pools.Settle(0, 30 * Second, ColdUs, 0.5, plans);
        Assert.Equal(0, pools.Instances(0));
        Assert.True(pools.Arrive(0, At(40 * Second), plans));
        Assert.Equal(1, pools.Instances(0));
    }

    [Fact]
    public void However_many_arrive_a_pool_stays_small_and_its_costs_stay_true()
    {
        // Executions of 10 s that nobody else waits for are worth an instance each.
        const int Requests = 20_000;
        var pools = new PretendedPools(new PretendedPools.Costs());
        var plans = new Plans(KeepAlivePlan.HoldFor(Second), KeepAlivePlan.HoldFor(Second)) with { WorthOfSecond = 100 };
        for (var i = 0; i < Requests; i++)
        {
            if (pools.TakesNext())
            {
                for (var candidate = 0; candidate < Candidates.Count; candidate++)
                {
                    pools.Arrive(candidate, At(i, 10 * Second), plans);
                }

                pools.Rescale();
            }

            Assert.InRange(pools.Instances(0) / pools.Scale, 0, PretendedPools.MostPlaces);
        }

        Assert.Equal(32, pools.Scale);
        Assert.Equal(Requests, pools.Instances(0), 0.05 * Requests);
        Assert.Equal(0.5 * Requests, pools.WaitSeconds[0], 0.05 * 0.5 * Requests);

        // When all is over a request stands for itself again.
        for (var i = 1; i < 10; i++)
        {
            for (var candidate = 0; candidate < Candidates.Count; candidate++)
            {
                pools.Settle(candidate, (60 + i) * Second, ColdUs, 0.5, plans);
            }

            pools.Rescale();
        }

        Assert.Equal((1, 0), (pools.Scale, pools.Instances(0)));
    }

    [Fact]
    public void An_instance_that_four_requests_share_is_held_and_paid_for_as_a_whole()
    {
        var pools = new PretendedPools(new PretendedPools.Costs()) { Concurrency = 4 };
        var plans = new Plans(KeepAlivePlan.HoldFor(10 * Second), KeepAlivePlan.HoldFor(2 * Second)) { WorthOfSecond = 100 };
        Assert.True(pools.Arrive(0, At(0, 20 * Second), plans));
        for (var i = 1; i <= 3; i++)
        {
            Assert.False(pools.Arrive(0, At(i * Second, 20 * Second), plans));
            Assert.Equal((0, 0), (pools.LastSlotGbSeconds[0], pools.LastWaitSeconds[0]));
        }

        Assert.Equal(1, pools.Instances(0));
        Assert.True(pools.Arrive(0, At(4 * Second, 20 * Second), plans));
        Assert.Equal(2, pools.Instances(0));

        // Half a GB: two creations of half a second. Rank 2 is free from 20.5 s on and held for 2 s, rank 1 from 24.5 s on and held for 10 s.
        pools.Settle(0, 100 * Second, ColdUs, 0.5, plans);
        Assert.Equal(0.5 * (0.5 + 0.5 + 2 + 10), pools.SlotGbSeconds[0], tolerance: 1e-6);
        Assert.Equal(1, pools.WaitSeconds[0], tolerance: 1e-6);
        Assert.True(pools.Arrive(0, At(200 * Second), plans));
    }

    [Fact]
    public void Pools_of_shared_instances_are_bounded_too()
    {
        foreach (var concurrency in new[] { 3, 100, 1000 })
        {
            var pools = new PretendedPools(new PretendedPools.Costs()) { Concurrency = concurrency };
            var plans = new Plans(KeepAlivePlan.HoldFor(Second), KeepAlivePlan.HoldFor(Second)) { WorthOfSecond = 100 };
            for (var i = 0; i < 20_000; i++)
            {
                if (pools.TakesNext())
                {
                    pools.Arrive(0, At(i, 1000 * Second) with { Rank = 1 + (i / concurrency) }, plans);
                    pools.Rescale();
                }

                Assert.InRange((double)pools.Instances(0) * concurrency / pools.Scale, 0, Math.Max(PretendedPools.MostPlaces, 4 * concurrency) * 2);
            }

            Assert.InRange(pools.Instances(0) * concurrency, 10_000, 40_000);
        }
    }

    [Fact]
    public void Costs_age()
    {
        var pools = new PretendedPools(new PretendedPools.Costs());
        pools.Arrive(0, At(0), new Plans(KeepAlivePlan.HoldFor(Second)));
        pools.Age(0.5);

        Assert.Equal((0.125, 0.25), (pools.SlotGbSeconds[0], pools.WaitSeconds[0]));
    }

    private static PretendedArrival At(long atUs, long durationUs = DurationUs) =>
        new(atUs, durationUs, ColdUs, 0.5, CreateGbs: 0.25, CreatePriceSeconds: 0, Foretold: false, InVain: 0, WindowUs: 0);

    /// <summary>The same plan for each candidate, by rank.</summary>
    private readonly record struct Plans : PretendedPools.IForecast
    {
        private readonly KeepAlivePlan[] _ofRank;

        public Plans(params KeepAlivePlan[] ofRank) => _ofRank = ofRank;

        public float WorthOfSecond { init => _ofRank = [_ofRank[0], _ofRank[1] with { WorthGbs = value }]; }

        public ExpectedArrivals Expected() => new ExpectedArrivals().Start(0);

        public ref readonly KeepAlivePlan Of(int candidate, int rank) => ref _ofRank[Math.Min(rank, _ofRank.Length) - 1];
    }
}
