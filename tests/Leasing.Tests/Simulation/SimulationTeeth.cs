using FuncScaler.Leasing;
using Xunit.Abstractions;

namespace FuncScaler.Tests.Leasing.Simulation;

/// <summary>A simulation that finds nothing proves nothing unless it would have: each rule left out is noticed.</summary>
public class SimulationTeeth(ITestOutputHelper output)
{
    [Theory]
    [InlineData(nameof(LeasingFault.NoEpochCheck), 10_000)]
    [InlineData(nameof(LeasingFault.NoDriftMargin), 10_000)]
    [InlineData(nameof(LeasingFault.LeaseFromAnswer), 10_000)]
    [InlineData(nameof(LeasingFault.NoLeaseCheck), 10_000)]
    [InlineData(nameof(LeasingFault.ActionBeforeIntent), 10_000)]
    [InlineData(nameof(LeasingFault.NoDeduplication), 10_000)]
    [InlineData(nameof(LeasingFault.RenewByOldReport), 10_000)]
    [InlineData(nameof(LeasingFault.ReuseExpired), 10_000)]
    [InlineData(nameof(LeasingFault.TrustForeignRelease), 10_000)]
    [InlineData(nameof(LeasingFault.ForgetDestroyed), 10_000)]
    [InlineData(nameof(LeasingFault.NoCreateGrace), 10_000)]
    [InlineData(nameof(LeasingFault.LedgerBeforeList), 10_000)]
    public void A_rule_left_out_is_noticed(string fault, int schedules)
    {
        var left = Enum.Parse<LeasingFault>(fault);
        var seed = ProtocolSimulation.FirstFailure(1, schedules, left);
        Assert.True(seed is not null, $"Without the rule {fault} {schedules} schedules went well.");
        var story = ProtocolSimulation.Story(seed.Value, left);
        output.WriteLine($"{fault}: {story[..story.IndexOf('\n', StringComparison.Ordinal)]}");
        Assert.DoesNotContain("not deterministic", story, StringComparison.Ordinal);
        Assert.Contains(nameof(ProtocolViolationException), story, StringComparison.Ordinal);
    }
}
