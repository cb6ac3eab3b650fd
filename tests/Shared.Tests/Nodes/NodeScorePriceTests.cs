using FuncScaler.Nodes;

namespace FuncScaler.Tests.Nodes;

/// <summary>The price of waiting that follows from the 2020 contest's score.</summary>
public class NodeScorePriceTests
{
    private static readonly FunctionMeta Function = new(new MetaKey("f"), "", 60, 1024);

    [Fact]
    public void A_second_of_waiting_is_worth_what_it_and_a_nodes_second_add_to_the_score()
    {
        var price = new NodeScorePrice(0.75, 0.25, nodeMemoryMb: 4096, mostNodes: 20);
        price.Arrived(0, Function);

        // The baseline has created a container (1 s until creations are seen) and executed for 1 s: RT = 2 s. One node for 100 s: ND = 100 s.
        // (W1 / (1 · 2)) / (W2 / 100) = 3 · 50 = 150 node seconds, of 4 GB each.
        Assert.Equal(600, price.PriceGbs(Function.Key, nowUs: 100_000_000), 6);
    }

    [Fact]
    public void It_falls_with_the_calls_of_a_function_and_rises_with_the_nodes_of_the_baseline()
    {
        var price = new NodeScorePrice(0.5, 0.5, 4096, 20);
        var large = new FunctionMeta(new MetaKey("g"), "", 60, 4096);
        price.Arrived(0, Function);
        var first = price.PriceGbs(Function.Key, 10_000_000);
        price.Arrived(10_000_000, Function);
        var second = price.PriceGbs(Function.Key, 10_000_000);
        price.Arrived(10_000_000, large);

        Assert.True(second < first);
        Assert.True(price.PriceGbs(large.Key, 60_000_000) > 0);
    }
}
