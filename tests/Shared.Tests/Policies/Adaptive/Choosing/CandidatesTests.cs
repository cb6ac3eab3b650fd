using FuncScaler.Policies.Adaptive.Choosing;

namespace FuncScaler.Tests.Policies.Adaptive.Choosing;

public class CandidatesTests
{
    [Theory]
    [InlineData(0.5, "0.5 1")]
    [InlineData(4, "2 4 8")]
    [InlineData(32, "16 64")]
    [InlineData(256, "256")]
    [InlineData(1e6, "256")]
    public void Candidates_of_about_a_price_are_those_within_twice_of_it_else_the_nearest(double price, string near) =>
        Assert.Equal(near, string.Join(' ', Candidates.Near(price).Select(Candidates.PriceOf)));
}
