using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;

namespace FuncScaler.Tests.Virtual;

/// <summary>What a trace costs at least, to measure a policy by: memory beyond execution plus waiting at a price, GB·s.</summary>
internal sealed class Yardstick
{
    /// <summary>From giving everything back at once to keeping it for ten minutes.</summary>
    private static readonly string[] KeepAlives = ["direct", "ttl:0.5", "ttl:1", "ttl:5", "ttl:60", "ttl:600"];

    private readonly double _price;

    /// <param name="trace">The trace.</param>
    /// <param name="price">What a second of waiting is worth, GB·s.</param>
    /// <param name="options">What it is played with.</param>
    public Yardstick(ITrace trace, double price, VirtualOptions options)
    {
        _price = price;
        var bound = ClairvoyantBound.Of(trace, options);
        Clairvoyant = bound.LeastCost(price) - bound.ExecutionGbSeconds;
        BestFixed = KeepAlives.Select(policy => VirtualContest.Run(trace, PolicyCatalog.Parse(policy), options)).MinBy(Cost)!;
    }

    /// <summary>What no policy falls below, not even one that knows the future.</summary>
    public double Clairvoyant { get; }

    /// <summary>The best fixed keep-alive, chosen with the whole trace in view: what can be had without foreknowledge of single arrivals.</summary>
    public VirtualResult BestFixed { get; }

    public double Cost(VirtualResult result) => result.WastedGbSeconds + (_price * result.Score.AssignSeconds);

    /// <summary>Asserts that a run costs at most so many times what a clairvoyant pays.</summary>
    public void AssertWithinClairvoyant(VirtualResult result, double times) => AssertWithin(result, times, Clairvoyant, "a clairvoyant");

    /// <summary>Asserts that a run costs at most so many times what the best fixed keep-alive costs.</summary>
    public void AssertWithinBestFixed(VirtualResult result, double times) => AssertWithin(result, times, Cost(BestFixed), BestFixed.Policy);

    private void AssertWithin(VirtualResult result, double times, double least, string whose) =>
        Assert.True(Cost(result) <= times * least, $"{result.Policy} costs {Cost(result)} GB·s, {whose} {least}: more than {times} times as much");
}
