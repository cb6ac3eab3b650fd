using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;
using FuncScaler.Tests.Platform;

namespace FuncScaler.Tests.Virtual;

/// <summary>How `adaptive` learns, and learns anew, seen from outside: by what it pays.</summary>
public sealed class AdaptiveLearningTests
{
    private const long Second = 1_000_000;
    private const double Price = 4;

    /// <summary>Nothing of the wire, so that what is waited is waited for instances.</summary>
    private static readonly VirtualOptions Options = new() { PlatformRpcUs = 0, AssignRpcUs = 0, IdleRpcUs = 0 };

    [Fact]
    public void A_timer_that_is_late_or_early_by_milliseconds_is_served_mostly_warm_and_not_by_holding()
    {
        var random = new Random(4);
        var timer = Trace(
            [ListTrace.Function("timer", 512, 400)],
            Enumerable.Range(0, 1000).Select(i => (0, (i * 30 * Second) + (long)(10_000 * ((2 * random.NextDouble()) - 1)))));

        var result = Play(timer, "adaptive");

        // Ready 10 ms too early and kept 10 ms too long at least, where a clairvoyant is there to the millisecond.
        var yardstick = new Yardstick(timer, Price, Options);
        yardstick.AssertWithinClairvoyant(result, 6);
        yardstick.AssertWithinBestFixed(result, 0.7);
    }

    [Fact]
    public void A_function_whose_gaps_change_is_soon_served_like_a_new_one()
    {
        TraceFunction[] functions = [ListTrace.Function("f", 512, 400)];
        var often = Gaps(5, 1000, 2);
        var seldom = Gaps(6, 500, 60);
        var lastUs = often[^1];

        var options = Options with { TailUs = 0 };
        var before = Cost(Play(Trace(functions, often.Select(atUs => (0, atUs))), $"adaptive:price={Price}", options));
        var whole = Cost(Play(Trace(functions, often.Concat(seldom.Select(atUs => lastUs + atUs)).Select(atUs => (0, atUs))), $"adaptive:price={Price}", options));
        var fresh = Cost(Play(Trace(functions, seldom.Select(atUs => (0, atUs))), $"adaptive:price={Price}", options));

        Assert.InRange(whole - before, 0.8 * fresh, 1.25 * fresh);
    }

    [Fact]
    public void A_function_without_a_history_is_served_like_those_of_its_memory()
    {
        // Each function comes only three times, 20 s apart: what holding is worth can be learned from others alone.
        const int Count = 200;
        var functions = Enumerable.Range(0, Count).Select(i => ListTrace.Function($"f{i}", 512, 400)).ToArray();
        var requests = Enumerable.Range(0, Count).SelectMany(i => Enumerable.Range(0, 3).Select(n => (i, ((i * 7) + (n * 20)) * Second)));
        var trace = Trace(functions, requests);

        var together = Play(trace, $"adaptive:price={Price}");
        var alone = Play(trace, $"adaptive:price={Price},prior=0");

        Assert.True(Cost(together) < 0.9 * Cost(alone), $"{Cost(together)} and {Cost(alone)} GBs");
        new Yardstick(trace, Price, Options).AssertWithinBestFixed(together, 1.15);
    }

    [Fact]
    public void A_burst_is_met_by_several_instances_at_once()
    {
        // Twenty requests of 2 s each, every ten minutes: one after the other would take 40 s. Unforeseen, and too seldom to hold for, the least
        // is a cold start for each: 30 x 20 x (0.5 s x 0.5 GB + 0.5 s at the price), which the best fixed keep-alive pays.
        var bursts = Trace(
            [ListTrace.Function("burst", 512, 400)],
            Enumerable.Range(0, 30).SelectMany(i => Enumerable.Range(0, 20).Select(n => (0, (i * 600 * Second) + (n * 1000)))),
            durationUs: 2 * Second);

        var result = Play(bursts, $"adaptive:price={Price}");

        var yardstick = new Yardstick(bursts, Price, Options);
        Assert.Equal(30 * 20 * (0.25 + (0.5 * Price)), yardstick.Cost(yardstick.BestFixed), 6);
        yardstick.AssertWithinBestFixed(result, 1.1);
    }

    [Fact]
    public void Where_cold_starts_are_long_and_many_come_at_once_they_are_kept_for()
    {
        // Ten a second for a minute, 5 s each, every ten minutes: fifty instances, that take 20 s to create.
        var bursts = Trace(
            [ListTrace.Function("f", 256, 20_000)],
            Enumerable.Range(0, 20).SelectMany(i => Enumerable.Range(0, 600).Select(n => (0, (i * 600 * Second) + (n * Second / 10)))),
            durationUs: 5 * Second);

        // Without them thousands of seconds are waited each time, at some price; to keep them costs 0.25 x 50 x 540 GBs.
        var adaptive = Play(bursts, "adaptive");
        var best = new Yardstick(bursts, Price, Options).BestFixed;

        Assert.Equal("ttl:600", best.Policy);
        Assert.True(adaptive.Score.Total > best.Score.Total, $"{adaptive.Score.Total} and {best.Score.Total}");
    }

    [Fact]
    public void Large_bursts_among_many_small_ones_are_prepared_for()
    {
        // Ten a second, for one second three times out of four, else for a minute; 3 s each. An instance takes 20 s to create.
        var bursts = Trace(
            [ListTrace.Function("f", 256, 20_000)],
            Enumerable.Range(0, 40).SelectMany(i => Enumerable.Range(0, i % 4 == 3 ? 600 : 10).Select(n => (0, (i * 600 * Second) + (n * Second / 10)))),
            durationUs: 3 * Second);

        var result = Play(bursts, $"adaptive:price={Price}");

        new Yardstick(bursts, Price, Options).AssertWithinBestFixed(result, 0.5);
    }

    [Fact]
    public void A_rate_that_rises_is_met_before_a_cold_start_has_passed()
    {
        // Poisson arrivals, one a second and every fifth minute 20, of 3 s each; creating takes 10 s. To hold for the next such minute is too dear.
        var random = new Random(5);
        var arrivals = new List<(int, long)>();
        for (var at = 0.0; at < 3600; at += -Math.Log(1 - random.NextDouble()) / ((int)(at / 60) % 5 == 4 ? 20 : 1))
        {
            arrivals.Add((0, (long)(at * Second)));
        }

        var levels = Trace([ListTrace.Function("f", 256, 10_000)], arrivals, durationUs: 3 * Second);

        var result = Play(levels, "adaptive:price=1");

        new Yardstick(levels, 1, Options).AssertWithinBestFixed(result, 0.6);
    }

    [Fact]
    public void What_is_known_late_is_not_paid_back()
    {
        // Twenty a second for a minute, 3 s each, twice. Creating takes 20 s, so it is known late who asked for which rank; meanwhile another
        // function's requests bring the books up to date.
        var bursts = new ListTrace(
            [ListTrace.Function("f", 256, 20_000), ListTrace.Function("other", 256, 50)],
            [
                .. (from at in new[] { 0, 300_000 } from n in Enumerable.Range(0, 1_200) select ListTrace.Request(at + (n * 50), 3_000))
                    .Concat(Enumerable.Range(0, 700).Select(n => ListTrace.Request(n * 500, 20, 1)))
                    .OrderBy(r => r.StartUs),
            ]);

        // What is not aged can only grow.
        double[]? before = null;
        foreach (var atSeconds in new[] { 310, 325, 340 })
        {
            PolicyExplanation? explanation = null;
            Play(bursts, "adaptive:price=1,memory=1000000000", Options with
            {
                Inspection = new VirtualInspection(bursts.Functions[0].Meta.Key, atSeconds * Second, (us, pool) => explanation = pool!.Explain(us)),
            });
            double[] now = [.. explanation!.Candidates.Select(c => c.SlotGbSeconds)];
            Assert.All(now.Zip(before ?? now), c => Assert.True(c.First > c.Second - 0.01, $"{c.Second} GBs, at {atSeconds} s {c.First}"));
            before = now;
        }
    }

    [Fact]
    public void Before_anything_is_known_of_executions_each_who_waits_is_worth_an_instance()
    {
        // Executions of 10 s, of which nobody can know yet, and cold starts of 10 s: one after the other would take a quarter of an hour.
        var first = Trace(
            [ListTrace.Function("f", 256, 10_000)],
            Enumerable.Range(0, 90).Select(n => (0, n * Second / 10)),
            durationUs: 10 * Second);

        var result = Play(first, "adaptive");

        var best = new Yardstick(first, Price, Options).BestFixed;
        Assert.True(result.Score.Total > best.Score.Total, $"{result.Score.Total} and {best.Score.Total}");
    }

    [Fact]
    public void Executions_that_go_on_are_known_to_be_long()
    {
        // All others take a tenth of a second; this one takes 200 s, and comes every two seconds. Creating takes 10 s.
        const int Others = 10;
        var trace = new ListTrace(
            [.. Enumerable.Range(0, Others).Select(i => ListTrace.Function($"short{i}", 256, 10_000)), ListTrace.Function("long", 256, 10_000)],
            [
                .. from n in Enumerable.Range(0, 20) from i in Enumerable.Range(0, Others) select ListTrace.Request(n * 4_000, 100, i),
                .. Enumerable.Range(0, 50).Select(n => ListTrace.Request(100_000 + (n * 2_000), 200_000, Others)),
            ]);

        var result = Play(trace, $"adaptive:price={Price}");

        // The best fixed one creates for each request: right for the long ones, whatever the others have shown.
        new Yardstick(trace, Price, Options).AssertWithinBestFixed(result, 1.7);
    }

    [Fact]
    public void A_cold_start_that_goes_on_is_known_to_be_long()
    {
        // Nobody has had a cold start yet; this one takes 20 s. Four a second come, of 3 s each.
        var first = Trace(
            [ListTrace.Function("f", 256, 20_000)],
            Enumerable.Range(0, 240).Select(n => (0, n * Second / 4)),
            durationUs: 3 * Second);

        var result = Play(first, $"adaptive:price={Price}");

        new Yardstick(first, Price, Options).AssertWithinBestFixed(result, 1.25);
    }

    [Fact]
    public void What_was_held_for_in_vain_is_given_back_although_nothing_comes()
    {
        // One burst of a second, and nothing for ten minutes. While it lasts holding looks free, and waiting dear.
        var random = new Random(3);
        var burst = Trace(
            [ListTrace.Function("f", 512, 150)],
            Enumerable.Range(0, 150).Select(_ => (0, (long)(random.NextDouble() * Second))),
            durationUs: Second / 20);

        var options = Options with { TailUs = 600 * Second };

        var result = Play(burst, "adaptive:price=0.5", options);

        new Yardstick(burst, 0.5, options).AssertWithinBestFixed(result, 1);
    }

    [Theory]
    [InlineData("adaptive")]
    [InlineData("adaptive:price=4")]
    public void When_load_stops_capacity_goes_back(string policy)
    {
        // Twenty at a time for half an hour, then nothing: what the tail of an hour costs besides.
        var load = Trace(
            [ListTrace.Function("f", 512, 400)],
            Enumerable.Range(0, 1800).SelectMany(i => Enumerable.Range(0, 20).Select(n => (0, (i * Second) + (n * 1000)))),
            durationUs: Second / 2);

        var options = Options with { TailUs = 3600 * Second };

        // Who knows the end pays nothing in the tail.
        new Yardstick(load, Price, options).AssertWithinClairvoyant(Play(load, policy, options), 1.05);
    }

    private static double Cost(VirtualResult result) => result.WastedGbSeconds + (Price * result.Score.AssignSeconds);

    /// <summary>Arrivals at gaps of so many seconds, a tenth more or less.</summary>
    private static long[] Gaps(int seed, int count, double seconds)
    {
        var random = new Random(seed);
        double at = 0;
        return [.. Enumerable.Range(0, count).Select(_ => (long)((at += seconds * (0.9 + (0.2 * random.NextDouble()))) * Second))];
    }

    private static VirtualResult Play(ListTrace trace, string policy, VirtualOptions? options = null) =>
        VirtualContest.Run(trace, PolicyCatalog.Parse(policy), options ?? Options);

    private static ListTrace Trace(TraceFunction[] functions, IEnumerable<(int Function, long AtUs)> arrivals, long durationUs = 30_000) =>
        new(functions, [.. arrivals.Select(a => new TraceRequest(a.Function, Math.Max(0, a.AtUs), durationUs, 200)).OrderBy(r => r.StartUs)]);
}
