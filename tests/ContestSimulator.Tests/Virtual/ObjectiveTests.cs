using FuncScaler.ContestSimulator.Traces.Presets;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;

namespace FuncScaler.Tests.Virtual;

/// <summary>What adaptive comes to when it is told what to aim at, or what creations cost.</summary>
public class ObjectiveTests
{
    private static readonly PresetTrace Trace = PresetCatalog.Create("dense", 11, lengthSeconds: 1800);

    [Fact]
    public void Of_hundred_requests_95_have_their_instance_in_time_and_less_memory_is_held_than_at_a_high_price()
    {
        var aimed = Run("adaptive:p95=100");
        var dear = Run("adaptive:price=256");

        Assert.InRange(aimed.ScheduleTimes.PercentileMs(0.95), 0, 100);
        Assert.InRange(aimed.WastedGbSeconds, 0, 0.75 * dear.WastedGbSeconds);
    }

    /// <summary>One function has a time of its own; for the others a second of waiting is worth half a GB·s.</summary>
    [Fact]
    public void A_time_of_one_function_s_own_is_kept_to_and_others_go_on_with_their_price()
    {
        var own = Trace.ReadRequests().CountBy(r => r.Function).MaxBy(c => c.Value).Key;
        var key = Trace.Functions[own].Meta.Key;
        var limits = new FunctionLimits { Slo = TimeSpan.FromMilliseconds(100) };
        PolicyExplanation? explained = null;
        var options = new VirtualOptions
        {
            Pool = new SlotPoolOptions { LatencyPriceGbs = 0.5 },
            Inspection = new VirtualInspection(key, null, (atUs, pool) => explained = pool!.Explain(atUs)),
        };

        var cheap = VirtualContest.Run(Trace, PolicyCatalog.Parse("adaptive"), options);
        Assert.Null(explained!.Price.Objective);
        var aimed = VirtualContest.Run(Trace, PolicyCatalog.Parse("adaptive"), options with { Limits = k => k == key ? limits : FunctionLimits.None });

        Assert.Equal(100, explained.Price.Objective!.WithinMs);
        Assert.InRange(explained.Price.Objective.LateShare!.Value, 0, 0.06);
        Assert.Null(explained.Price.Given);
        Assert.InRange(aimed.Functions[own].WaitSeconds, 0, 0.75 * cheap.Functions[own].WaitSeconds);

        // What a function does teaches the others a little, so they do not do exactly the same.
        Assert.InRange(Others(aimed), 0.9 * Others(cheap), 1.1 * Others(cheap));

        double Others(VirtualResult result) => result.Functions.Where((_, i) => i != own).Sum(f => f.WaitSeconds);
    }

    /// <summary>Twice the memory that the lowest price takes is enough for far less waiting.</summary>
    [Fact]
    public void What_memory_there_is_spares_waiting()
    {
        var cheap = Run("adaptive:price=0.5");
        var gb = 2 * HeldGb(cheap);

        var aimed = Run(FormattableString.Invariant($"adaptive:within={gb:0.###}"));

        Assert.InRange(HeldGb(aimed), 0, 1.1 * gb);
        Assert.InRange(aimed.WaitSeconds, 0, 0.5 * cheap.WaitSeconds);
    }

    /// <summary>10 GB·s for each creation is twenty times what an instance of 1 GB costs until it is ready.</summary>
    [Fact]
    public void Where_each_creation_costs_there_are_fewer_and_all_together_is_cheaper()
    {
        var usual = Run("adaptive:price=16");
        var sparing = Run("adaptive:price=16,create=10");

        Assert.InRange(sparing.SlotsCreated, 1, usual.SlotsCreated / 4);
        Assert.InRange(Cost(sparing), 0, Cost(usual) / 2);

        static double Cost(VirtualResult result) => result.WastedGbSeconds + (16 * result.WaitSeconds) + (10 * result.SlotsCreated);
    }

    private static double HeldGb(VirtualResult result) => result.Score.SlotGbSeconds / (result.EndUs / 1e6);

    private static VirtualResult Run(string policy) => VirtualContest.Run(Trace, PolicyCatalog.Parse(policy), new VirtualOptions());
}
