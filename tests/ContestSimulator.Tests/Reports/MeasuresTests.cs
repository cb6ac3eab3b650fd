using FuncScaler.ContestSimulator.Reports;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;
using FuncScaler.Tests.Platform;

namespace FuncScaler.Tests.Reports;

public sealed class MeasuresTests
{
    // Two requests of 1 s in 1 GB at once, create 0.1 s, init 0.1 s, no wire: both wait 0.2 s. direct creates two slots, each for 1.2 s:
    // 2.4 GB·s, of which 0.4 are wasted. A third comes 10 s later and waits 0.2 s: 3.6 GB·s in all, 0.6 wasted, 0.6 s of waits.
    private static readonly VirtualOptions Cost = new() { CreateUs = 100_000, PlatformRpcUs = 0, AssignRpcUs = 0, IdleRpcUs = 0, TailUs = 0 };

    private static readonly ListTrace Trace = new(
        [ListTrace.Function("f", 1024, 100)],
        [ListTrace.Request(0, 1000), ListTrace.Request(0, 1000), ListTrace.Request(10_000, 1000)]);

    private static readonly VirtualResult Direct = VirtualContest.Run(Trace, PolicyCatalog.Parse("direct"), Cost);

    [Theory]
    [InlineData("waitSeconds", 0.6)]
    [InlineData("wastedGbSeconds", 0.6)]
    [InlineData("rum", 0.6 + (0.6 / 99.69))]
    [InlineData("rumWait4", 0.6 + (0.6 / 398.76))]
    [InlineData("rumMemory4", 0.6 + (0.6 / 24.9225))]
    [InlineData("waitedShare", 1)]
    [InlineData("scheduleMeanMs", 200)]
    [InlineData("creates", 3)]
    [InlineData("cost", 3.6 + (3 * 0.5) + (10 * 0.6))]
    [InlineData("money", (0.002 * (3.6 + (3 * 0.5))) + (0.03 * 0.6))]
    public void A_measure_is_what_its_definition_says(string name, double expected)
    {
        var prices = new MeasurePrices { LatencyPriceGbs = 10, CreateCostGbs = 0.5, GbSecondPrice = 0.002, WaitingSecondPrice = 0.03 };

        Assert.Equal(expected, Measures.All(prices).Single(m => m.Name == name).Of(Direct), 9);
    }

    [Fact]
    public void A_column_is_called_as_its_field_is()
    {
        foreach (var measure in Measures.All(new MeasurePrices { LatencyPriceGbs = 1, GbSecondPrice = 1 }))
        {
            var words = string.Concat(measure.Title.Split(", ")[0].Split(' ').Where(word => word is not ("s" or "ms" or "GB·s")));
            Assert.StartsWith(words.TrimEnd('s'), measure.Name, StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public void Cost_and_money_are_measures_only_where_they_have_a_price() =>
        Assert.DoesNotContain(Measures.All(new MeasurePrices()), m => m.Name is "cost" or "money");

    [Fact]
    public void Waiting_for_a_release_counts_among_what_waited_at_all()
    {
        var trace = new ListTrace([ListTrace.Function("f", 1024, 5000)], [ListTrace.Request(0, 100), ListTrace.Request(10, 100), ListTrace.Request(20_000, 100)]);

        var result = VirtualContest.Run(trace, PolicyCatalog.Parse("ttl:300"), Cost);

        Assert.Equal(2.0 / 3, result.WaitedShare, 9);
    }

    [Theory]
    [InlineData("direct")]
    [InlineData("ttl:1")]
    [InlineData("ttl:300")]
    [InlineData("adaptive")]
    public void No_policy_betters_the_bound_by_any_measure_that_has_one(string policy)
    {
        var prices = new MeasurePrices { LatencyPriceGbs = 10, CreateCostGbs = 0.5, GbSecondPrice = 0.002, WaitingSecondPrice = 0.03 };
        var bound = ClairvoyantBound.Of(Trace, Cost with { CreateCostGbs = prices.CreateCostGbs });
        var result = VirtualContest.Run(Trace, PolicyCatalog.Parse(policy), Cost);

        foreach (var name in (string[])["score", "cost", "money", "rum", "rumWait4", "rumMemory4"])
        {
            var measure = Measures.All(prices).Single(m => m.Name == name);
            Assert.True(measure.OfBound(bound) is { } value && (measure.MoreIsBetter ? measure.Of(result) <= value + 1e-9 : measure.Of(result) >= value - 1e-9), name);
        }
    }

    // Far apart, each request needs a create of its own: 3 x 0.2 GB·s of memory, and 3 creates at 0.5.
    [Fact]
    public void A_cost_per_create_is_part_of_the_bounds_cost_and_not_of_its_score()
    {
        var free = ClairvoyantBound.Of(Trace, Cost);
        var priced = ClairvoyantBound.Of(Trace, Cost with { CreateCostGbs = 0.5 });

        Assert.Equal(3.6, free.LeastCost(100), 6);
        Assert.Equal(5.1, priced.LeastCost(100), 6);
        Assert.Equal(free.Score, priced.Score);
    }

    [Theory]
    [InlineData(MeasureForm.Points, 12.345, "12.35")]
    [InlineData(MeasureForm.Share, 0.0525, "5.25 %")]
    [InlineData(MeasureForm.Milliseconds, 1234.56, "1,234.6")]
    [InlineData(MeasureForm.Whole, 1234.56, "1,235")]
    [InlineData(MeasureForm.Amount, 1234.56, "1,235")]
    [InlineData(MeasureForm.Amount, 12.345, "12.3")]
    [InlineData(MeasureForm.Amount, 1.2345, "1.23")]
    [InlineData(MeasureForm.Amount, 9.999, "10.0")]
    [InlineData(MeasureForm.Money, 0.00123456, "0.001235")]
    [InlineData(MeasureForm.Money, 1234.6, "1,235")]
    [InlineData(MeasureForm.Money, 0, "0")]
    public void A_value_is_written_for_people(MeasureForm form, double value, string expected) =>
        Assert.Equal(expected, new Measure("m", "m", form, true, _ => 0, _ => null).Write(value));

    [Fact]
    public void The_verdict_names_the_best_by_each_measure_and_the_bound()
    {
        var long300 = VirtualContest.Run(Trace, PolicyCatalog.Parse("ttl:300"), Cost with { TailUs = 300_000_000 });
        var direct = VirtualContest.Run(Trace, PolicyCatalog.Parse("direct"), Cost with { TailUs = 300_000_000 });
        var bound = ClairvoyantBound.Of(Trace, Cost);

        var verdict = Verdict.Of([long300, direct], bound, new MeasurePrices());

        Assert.Equal("direct", verdict.BestBy.Single(b => b.Measure.Name == "score").Result.Policy);
        Assert.Equal("ttl:300", verdict.BestBy.Single(b => b.Measure.Name == "scheduleMeanMs").Result.Policy);
        Assert.Contains(FormattableString.Invariant($"score ({direct.Score.Total:0.00}, bound {bound.Score:0.00})"), string.Join(' ', verdict.Sentences()), StringComparison.Ordinal);
    }

    // direct: 3.6 GB·s and 0.6 s. ttl:300: two slots until 0.2 + 1 + 300 s past the last use, and 0.4 s of waits. They cost the same where
    // (paid - 3.6) / 0.2 GB·s are paid for a second.
    [Fact]
    public void The_verdict_says_at_which_price_another_policy_costs_least()
    {
        var options = Cost with { TailUs = 400_000_000 };
        var kept = VirtualContest.Run(Trace, PolicyCatalog.Parse("ttl:300"), options);
        var direct = VirtualContest.Run(Trace, PolicyCatalog.Parse("direct"), options);
        var never = VirtualContest.Run(Trace, PolicyCatalog.Parse("ttl:390"), options);

        var cheapest = Verdict.Of([kept, never, direct], ClairvoyantBound.Of(Trace, Cost), new MeasurePrices()).Cheapest;

        var turn = (kept.Score.SlotGbSeconds - 3.6) / 0.2;
        Assert.Equal(["direct", "ttl:300"], cheapest.Select(c => c.Policy));
        Assert.Equal(turn, cheapest[0].ToPriceGbs!.Value, 6);
        Assert.Equal(turn, cheapest[1].FromPriceGbs, 6);
        Assert.Null(cheapest[1].ToPriceGbs);
    }
}
