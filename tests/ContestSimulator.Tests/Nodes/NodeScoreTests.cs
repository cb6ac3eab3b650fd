using FuncScaler.ContestSimulator.Nodes;

namespace FuncScaler.Tests.Nodes;

/// <summary>The score of the 2020 contest against the statement's worked example.</summary>
public class NodeScoreTests
{
    private static readonly double[] Baseline = [5, 10, 8, 10];

    /// <remarks>
    /// Of its third row the statement says 1.153125 and 0.9421875. The second follows from the numbers it gives; the first from an RT of 10, not 8, for the
    /// second function. Both are here.
    /// </remarks>
    [Theory]
    [InlineData(new double[] { 4, 10, 7, 8 }, 35, 0.871875, 0.8703125)]
    [InlineData(new double[] { 6, 8, 10, 10 }, 45, 1.09375, 1.078125)]
    [InlineData(new double[] { 4, 8, 5, 8 }, 60, 1.128125, 0.9421875)]
    [InlineData(new double[] { 4, 10, 5, 8 }, 60, 1.153125, 0.9796875)]
    [InlineData(new double[] { 7, 12, 10, 12 }, 30, 1.00625, 1.134375)]
    public void It_is_as_the_statement_works_it_out(double[] callSeconds, double nodeSeconds, double even, double quick)
    {
        Assert.Equal(even, NodeScore.Of(NodeWeights.Even, callSeconds, nodeSeconds, Baseline, 40), 9);
        Assert.Equal(quick, NodeScore.Of(new NodeWeights(0.75, 0.25), callSeconds, nodeSeconds, Baseline, 40), 9);
    }

    [Fact]
    public void The_baseline_has_one_and_failures_beyond_a_thousandth_cost_points()
    {
        Assert.Equal(1, NodeScore.Of(NodeWeights.Even, Baseline, 40, Baseline, 40), 9);
        Assert.Equal(1, NodeScore.Of(NodeWeights.Even, Baseline, 40, Baseline, 40, failedShare: 0.001), 9);
        Assert.Equal(11, NodeScore.Of(NodeWeights.Even, Baseline, 40, Baseline, 40, failedShare: 0.0011), 9);
    }

    [Fact]
    public void A_function_without_calls_does_not_count() =>
        Assert.Equal(0.5, NodeScore.CallRatio([1, 0], [2, 0]), 9);
}
