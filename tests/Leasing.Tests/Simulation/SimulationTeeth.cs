using Xunit.Abstractions;

namespace FuncScaler.Tests.Leasing.Simulation;

/// <summary>A simulation that finds nothing proves nothing unless it would have: each rule left out is noticed.</summary>
public class SimulationTeeth(ITestOutputHelper output)
{
    private const int Schedules = 30_000;

    /// <summary>
    /// Schedules that notice rules which few schedules notice. They are tried first, because a search takes up to minutes. Where such a schedule no longer
    /// notices its rule, the search goes on from the first schedule, and the test's output says which seed to write here.
    /// </summary>
    private static readonly Dictionary<string, long> TriedFirst = new()
    {
        ["DeadBeforeTold"] = 1135,
        ["DeadForGood"] = 96,
        ["DriftMargin"] = 1624,
        ["EpochCheck"] = 31,
        ["ForeignReleasesProveNothing"] = 13,
        ["HoldKnown"] = 54,
        ["KeepUntilDestroyed"] = 96,
        ["LeaseCheck"] = 80,
        ["LeaseFromSending"] = 12556,
        ["LedgerFirst"] = 166,
        ["LedgersBeforeWorkers"] = 34,
        ["NewBeatsRenew"] = 2382,
        ["Reservation"] = 160,
    };

    public static TheoryData<string> Rules => [.. LeftOutRule.All.Keys];

    [Theory]
    [MemberData(nameof(Rules))]
    public void A_rule_left_out_is_noticed(string rule)
    {
        var left = LeftOutRule.All[rule];
        var seed = ProtocolSimulation.FirstFailure(TriedFirst.GetValueOrDefault(rule, 1), 1, left) ?? ProtocolSimulation.FirstFailure(1, Schedules, left);
        Assert.True(seed is not null, $"Without the rule {rule} {Schedules} schedules went well.");
        var story = ProtocolSimulation.Story(seed.Value, left);
        output.WriteLine($"{rule}: {story[..story.IndexOf('\n', StringComparison.Ordinal)]}");
        Assert.DoesNotContain("not deterministic", story, StringComparison.Ordinal);
        Assert.Contains(nameof(ProtocolViolationException), story, StringComparison.Ordinal);
    }
}
