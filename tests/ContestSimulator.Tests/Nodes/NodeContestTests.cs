using FuncScaler.ContestSimulator.Nodes;

namespace FuncScaler.Tests.Nodes;

/// <summary>Whole runs of the 2020 contest in virtual time.</summary>
public class NodeContestTests
{
    private static readonly NodeWorldOptions World = new();

    [Theory]
    [InlineData(NodePresets.Mixed)]
    [InlineData(NodePresets.Turns)]
    public void The_same_seed_gives_the_same_run_and_the_product_beats_the_baseline_and_not_the_bound(string load)
    {
        var trace = NodePresets.Generate(load, seed: 3, lengthSeconds: TestLength.Count(150, 300));
        var baseline = Play(NodeSchedulers.Baseline);
        var own = Play(NodeSchedulers.Own);
        var again = Play(NodeSchedulers.Own);
        var bound = NodeBound.Of(trace, World);

        Assert.Equal(own.NodeSeconds, again.NodeSeconds);
        Assert.Equal(own.Functions.Select(f => f.Seconds), again.Functions.Select(f => f.Seconds));
        Assert.InRange(own.ScoreAgainst(baseline, NodeWeights.Even), bound.ScoreAgainst(baseline, NodeWeights.Even), 0.9);
        Assert.All(own.Functions.Zip(bound.Functions), pair => Assert.True(pair.First.Seconds >= pair.Second.Seconds - 1e-6));

        NodeResult Play(string name) => NodeContest.Run(trace, NodeSchedulers.Make(name, NodeWeights.Even, World), World, seed: 3);
    }

    [Theory]
    [InlineData(NodeSchedulers.Baseline)]
    [InlineData(NodeSchedulers.Own)]
    [InlineData(NodeSchedulers.Alone)]
    [InlineData("diary")]
    [InlineData("ttl:60")]
    public void Every_call_ends(string scheduler)
    {
        var trace = NodePresets.Generate(NodePresets.Mixed, seed: 5, lengthSeconds: 120);

        var result = NodeContest.Run(trace, NodeSchedulers.Make(scheduler, NodeWeights.Even, World), World, seed: 5);

        Assert.Equal(trace.Requests.Count, result.Calls);
        Assert.Equal(0, result.Failed);
        Assert.All(result.Functions, f => Assert.InRange(f.AcquireSeconds, 0, f.Seconds));
    }

    [Fact]
    public void Nodes_are_given_back_when_nothing_comes_any_more()
    {
        var busy = NodePresets.Generate(NodePresets.Turns, seed: 1, lengthSeconds: 60);
        var trace = busy with { LengthUs = 3_600_000_000 };

        var result = NodeContest.Run(trace, NodeSchedulers.Make(NodeSchedulers.Own, NodeWeights.Even, World), World);

        Assert.Equal(0, result.NodeCounts[^1].Nodes);
    }

    [Fact]
    public void A_node_is_needed_for_as_long_as_anything_runs()
    {
        var function = new NodeFunction(new FunctionMeta(new MetaKey("f"), "", 60, 1024), NodeFunctionKind.Sleep, "once");
        var trace = new NodeTrace("one", [function], [new NodeRequest(0, 0, 0, 2, 10), new NodeRequest(0, 1_000_000, 0, 2, 10)], 10_000_000);

        // From 0 to 3 s; each call is 2 s and two ways of 0.5 ms.
        var bound = NodeBound.Of(trace, World);

        Assert.Equal(3, bound.NodeSeconds, 6);
        Assert.Equal(4.002, bound.Functions[0].Seconds, 6);
    }
}
