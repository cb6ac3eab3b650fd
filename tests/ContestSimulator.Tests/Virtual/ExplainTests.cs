using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;
using FuncScaler.Tests.Platform;

namespace FuncScaler.Tests.Virtual;

/// <summary>What `adaptive` says of itself on traces whose best plan is known.</summary>
public sealed class ExplainTests
{
    private const long Second = 1_000_000;

    [Fact]
    public void A_timers_explanation_names_its_period_and_its_creations_just_in_time()
    {
        var explanation = Explain(Every(30, 200), "adaptive:price=0.5");

        Assert.Equal(30, explanation.Period!.Seconds, 0.05);
        Assert.True(explanation.Period.Followed, explanation.Followed);
        Assert.EndsWith("+ period", explanation.Followed, StringComparison.Ordinal);
        Assert.Equal(6000, explanation.Period.NextSeconds!.Value, 0.1);
        Assert.Equal(200, explanation.Arrivals);
        Assert.Equal(0.5, explanation.Price.Given);
        Assert.Equal(8, explanation.Decisions.Count);
        Assert.Contains(explanation.Decisions, d => d.What == "prewarm by period" && d.Count == 1);
        Assert.Contains(explanation.Decisions, d => d.What == "release");
        Assert.All(
            explanation.Decisions.Where(d => d.What is "prewarm by period" or "keep for period"),
            d => Assert.True(d.CostGbs < d.AlternativeGbs, $"{d.What}: {d.CostGbs} and {d.AlternativeGbs} GBs"));
        Assert.Equal(explanation.Decisions.Select(d => d.AtSeconds).Order(), explanation.Decisions.Select(d => d.AtSeconds));
    }

    [Fact]
    public void Gaps_of_ten_seconds_are_planned_for()
    {
        var rank = Assert.Single(Explain(Every(10, 100), "adaptive:price=256").Ranks);

        Assert.Equal((1, 1, 99L), (rank.FromRank, rank.ToRank, rank.GapsSeen));
        Assert.Equal(1, Assert.Single(rank.Gaps).Share, 6);
        Assert.InRange(rank.Gaps[0].UpToMs!.Value, 9_900, 12_000);

        // Released soon, and made again for the narrow bin that the gaps of 9.97 s are in.
        Assert.InRange(rank.Plan!.HoldSeconds, 0, 0.1);
        var window = Assert.Single(rank.Plan.Prewarms);
        Assert.InRange(9.97, window.FromSeconds, window.UntilSeconds);
    }

    [Fact]
    public void Gaps_of_any_length_up_to_ten_seconds_are_held_for_where_waiting_is_dear()
    {
        var random = new Random(5);
        long atUs = 0;
        var trace = new ListTrace(
            [ListTrace.Function("f", 512, 50)],
            [.. Enumerable.Range(0, 200).Select(_ => new TraceRequest(0, atUs += (long)((0.04 + (10 * Math.Pow(random.NextDouble(), 3))) * Second), 30_000, 200))]);

        var explanation = Explain(trace, "adaptive:price=256");

        // Longer than any that came: a miss is worth a minute of holding.
        Assert.InRange(explanation.Ranks[0].Plan!.HoldSeconds, 9, 60);

        // A fifth of the gaps is over before one could be made again: that of a miss of 39 GBs.
        Assert.InRange(explanation.Ranks[0].Plan!.WorthGbs, 5, 15);
        var kept = explanation.Decisions.Last(d => d.What == "keep");
        Assert.Equal("release", kept.Alternative);

        // Held, a gap costs 2.5 s of 0.5 GB on average; released, a wait of 0.15 s at 256 GBs/s.
        Assert.InRange(kept.CostGbs!.Value, 0.5, 5);
        Assert.InRange(kept.AlternativeGbs!.Value, 30, 80);
    }

    [Fact]
    public void The_cheapest_candidate_at_the_price_is_near_the_followed_one()
    {
        var explanation = Explain(Every(10, 100), "adaptive:price=4");

        var followed = Assert.Single(explanation.Candidates, c => c.Name == explanation.Followed);
        Assert.All(explanation.Candidates, c => Assert.Equal(c.SlotGbSeconds + (explanation.Price.GbsPerSecond * c.WaitSeconds), c.CostGbs, 9));
        Assert.True(followed.CostGbs <= explanation.Candidates.Max(c => c.CostGbs));
    }

    [Fact]
    public void What_would_be_followed_at_each_price_is_billed_by_its_candidate()
    {
        var explanation = Explain(Every(10, 100), "adaptive:price=4");

        Assert.Equal([0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256], explanation.Prices.Select(p => p.GbsPerSecond));
        var inForce = Assert.Single(explanation.Prices, p => p.GbsPerSecond == explanation.Price.GbsPerSecond);
        Assert.Equal(explanation.Followed, inForce.Followed);
        Assert.Equal(explanation.Ranks[0].Plan!.HoldSeconds, inForce.Plan!.HoldSeconds);
        Assert.Equal(explanation.Ranks[0].Plan!.Prewarms, inForce.Plan.Prewarms);
        Assert.All(explanation.Prices, p =>
        {
            var bill = Assert.Single(explanation.Candidates, c => c.Name == p.Followed);
            Assert.Equal(bill.SlotGbSeconds, p.MemoryGbs, 9);
            Assert.Equal(p.GbsPerSecond * bill.WaitSeconds, p.WaitingGbs, 9);
            Assert.Equal(p.MemoryGbs + p.WaitingGbs, p.CostGbs, 9);
        });
    }

    [Fact]
    public void A_dearer_price_would_hold_more_memory_and_let_fewer_requests_wait()
    {
        var random = new Random(5);
        long atUs = 0;
        var trace = new ListTrace(
            [ListTrace.Function("f", 512, 50)],
            [.. Enumerable.Range(0, 400).Select(_ => new TraceRequest(0, atUs += (long)((0.04 + (40 * Math.Pow(random.NextDouble(), 3))) * Second), 30_000, 200))]);

        var prices = Explain(trace, "adaptive:price=4").Prices;

        var (cheapest, dearest) = (prices[0], prices[^1]);
        Assert.True(cheapest.MemoryGbs < dearest.MemoryGbs, $"{cheapest.MemoryGbs} and {dearest.MemoryGbs} GBs");
        Assert.True(cheapest.WaitingGbs / cheapest.GbsPerSecond > dearest.WaitingGbs / dearest.GbsPerSecond);
        Assert.True(cheapest.Plan!.HoldSeconds < dearest.Plan!.HoldSeconds, $"{cheapest.Plan.HoldSeconds} and {dearest.Plan.HoldSeconds} s");
    }

    [Theory]
    [InlineData(0, 0.5)]
    [InlineData(60, 64)]
    [InlineData(100, 128)]
    [InlineData(1000, 256)]
    public void A_given_price_is_rounded_to_the_nearest_of_ten(double given, double inForce)
    {
        PolicyExplanation? explanation = null;
        var trace = Every(10, 5);
        VirtualContest.Run(trace, PolicyCatalog.Parse("adaptive"), new VirtualOptions
        {
            Pool = new SlotPoolOptions { LatencyPriceGbs = given },
            Inspection = new VirtualInspection(trace.Functions[0].Meta.Key, null, (us, pool) => explanation = pool!.Explain(us)),
        });

        Assert.Equal(new PriceExplanation(inForce, given), explanation!.Price);
    }

    [Fact]
    public void Looking_changes_nothing_and_sees_the_time_it_asked_for()
    {
        var trace = Every(10, 100);
        var policy = PolicyCatalog.Parse("adaptive");
        var seen = new List<PolicyExplanation>();
        var options = new VirtualOptions
        {
            Inspection = new VirtualInspection(trace.Functions[0].Meta.Key, 455 * Second, (us, pool) => seen.AddRange([pool!.Explain(us)!, pool.Explain(us)!])),
        };

        var looked = VirtualContest.Run(trace, policy, options);
        var unseen = VirtualContest.Run(trace, policy, new VirtualOptions());

        Assert.Equal(unseen.Score, looked.Score);
        Assert.All(seen, e => Assert.Equal((455.0, 46L), (e.AtSeconds, e.Arrivals)));
        Assert.Equal(seen[0].Decisions, seen[1].Decisions);
        Assert.Equal(seen[0].Prices.Select(p => (p.Followed, p.CostGbs)), seen[1].Prices.Select(p => (p.Followed, p.CostGbs)));
        Assert.All(seen[0].Decisions, d => Assert.InRange(d.AtSeconds, 0, 455));
    }

    [Theory]
    [InlineData(0, 1L)]
    [InlineData(1_100, 100L)]
    public void A_look_before_the_first_gap_or_in_the_tail_works_too(int atSeconds, long arrivals)
    {
        var trace = Every(10, 100);
        PolicyExplanation? explanation = null;

        // A wire that takes time would have the request arrive later.
        VirtualContest.Run(trace, PolicyCatalog.Parse("adaptive"), RandomTraces.Bare with
        {
            TailUs = 300 * Second,
            Inspection = new VirtualInspection(trace.Functions[0].Meta.Key, atSeconds * Second, (us, pool) => explanation = pool?.Explain(us)),
        });

        Assert.Equal((arrivals, (double)atSeconds), (explanation!.Arrivals, explanation.AtSeconds));
        Assert.Equal(10, explanation.Prices.Count);
        Assert.All(explanation.Prices, p => Assert.Equal(explanation.Ranks is [{ Plan: not null }, ..], p.Plan is not null));
    }

    [Fact]
    public void Policies_explain_themselves_if_and_only_if_they_say_so()
    {
        var trace = Every(10, 5);
        foreach (var entry in PolicyCatalog.All)
        {
            var choice = PolicyCatalog.Parse(entry.Name);
            PolicyExplanation? explanation = null;
            VirtualContest.Run(trace, choice, new VirtualOptions
            {
                Inspection = new VirtualInspection(trace.Functions[0].Meta.Key, null, (us, pool) => explanation = pool!.Explain(us)),
            });
            Assert.Equal(choice.Explains, explanation is not null);
        }
    }

    private static PolicyExplanation Explain(ListTrace trace, string policy, string? function = null)
    {
        PolicyExplanation? explanation = null;
        VirtualContest.Run(trace, PolicyCatalog.Parse(policy), new VirtualOptions
        {
            Inspection = new VirtualInspection(
                function is null ? trace.Functions[0].Meta.Key : new MetaKey(function), null, (us, pool) => explanation = pool!.Explain(us)),
        });
        return explanation!;
    }

    private static ListTrace Every(int seconds, int count) => new(
        [ListTrace.Function("timer", 512, 50)],
        [.. Enumerable.Range(0, count).Select(i => new TraceRequest(0, i * seconds * Second, 30_000, 200))]);
}
