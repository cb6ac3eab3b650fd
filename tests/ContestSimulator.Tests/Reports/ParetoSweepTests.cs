using FuncScaler.ContestSimulator.Reports;

namespace FuncScaler.Tests.Reports;

public sealed class ParetoSweepTests
{
    [Fact]
    public void The_third_quartile_counts_every_function_with_a_request_once()
    {
        // Shares 0.1, 0.5, 1 and 0.25, whatever the requests; the function without a request does not count.
        var result = Samples.Result("p", (10, 1), (1000, 500), (0, 0), (1, 1), (4, 1));
        Assert.Equal(0.5, ParetoSweep.P75ColdShare(result));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 3)]
    [InlineData(4, 3)]
    [InlineData(5, 4)]
    [InlineData(8, 6)]
    [InlineData(9, 7)]
    public void At_least_three_quarters_do_not_exceed_it(int functions, int expectedRank)
    {
        var result = Samples.Result("p", [.. Enumerable.Range(1, functions).Select(i => (100L, (long)i)).Reverse()]);
        Assert.Equal(expectedRank / 100.0, ParetoSweep.P75ColdShare(result));
    }

    [Fact]
    public void Nothing_was_cold_where_nothing_was_requested() =>
        Assert.Equal(0, ParetoSweep.P75ColdShare(Samples.Result("p", (0, 0))));

    [Fact]
    public void Waste_is_relative_to_ten_minutes()
    {
        // Paid 100 and 60 GBs, of which 20 executed: 80 wasted against 40.
        var reference = Samples.Result("ttl:600", (10, 1)) with { Score = Samples.Score(executed: 20, paid: 100) };
        var shorter = Samples.Result("ttl:300", (10, 4)) with { Score = Samples.Score(executed: 20, paid: 60) };
        Assert.Equal(
            [new SweepPoint(SweepFamily.Fixed, "10 min", 0.1, 1), new SweepPoint(SweepFamily.Hybrid, "1 h", 0.4, 0.5)],
            ParetoSweep.Points(reference, [(SweepFamily.Fixed, "10 min", reference), (SweepFamily.Hybrid, "1 h", shorter)]));
    }

    [Fact]
    public void Where_the_reference_wastes_nothing_any_waste_is_off_the_scale()
    {
        var nothing = Samples.Result("ttl:600") with { Score = Samples.Score(executed: 5, paid: 5) };
        var some = nothing with { Score = Samples.Score(executed: 5, paid: 6) };
        Assert.Equal(
            [1, double.PositiveInfinity],
            ParetoSweep.Points(nothing, [(SweepFamily.Fixed, "a", nothing), (SweepFamily.Fixed, "b", some)]).Select(p => p.WastedMemoryRelative));
    }
}
