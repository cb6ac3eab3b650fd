using Xunit.Abstractions;

namespace FuncScaler.Tests.Leasing.Simulation;

/// <summary>A simulation that finds nothing proves nothing unless it would have: each rule left out is noticed.</summary>
public class SimulationTeeth(ITestOutputHelper output)
{
    private const int Schedules = 30_000;

    public static TheoryData<string> Rules => [.. LeftOutRule.All.Keys];

    [Theory]
    [MemberData(nameof(Rules))]
    public void A_rule_left_out_is_noticed(string rule)
    {
        var left = LeftOutRule.All[rule];
        var seed = ProtocolSimulation.FirstFailure(1, Schedules, left);
        Assert.True(seed is not null, $"Without the rule {rule} {Schedules} schedules went well.");
        var story = ProtocolSimulation.Story(seed.Value, left);
        output.WriteLine($"{rule}: {story[..story.IndexOf('\n', StringComparison.Ordinal)]}");
        Assert.DoesNotContain("not deterministic", story, StringComparison.Ordinal);
        Assert.Contains(nameof(ProtocolViolationException), story, StringComparison.Ordinal);
    }
}
