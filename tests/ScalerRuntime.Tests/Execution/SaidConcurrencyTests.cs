using FuncScaler.Runtime.Service;

namespace FuncScaler.Tests.Runtime;

public class SaidConcurrencyTests
{
    private static readonly MetaKey F = new("f");
    private readonly ManualTimeProvider _time = new();
    private readonly SaidConcurrency _said;

    public SaidConcurrencyTests() => _said = new SaidConcurrency(_time);

    [Fact]
    public void What_the_callers_agree_about_counts()
    {
        Assert.Equal(4, _said.Agree(F, 4));
        Assert.Equal(4, _said.Agree(F, 4));
        Assert.Equal(1, _said.Agree(new MetaKey("g"), 1));
    }

    [Fact]
    public void Where_two_gateways_differ_the_smaller_number_counts_and_does_not_flip()
    {
        _said.Agree(F, 8);
        for (var i = 0; i < 100; i++)
        {
            Assert.Equal(2, _said.Agree(F, 2));
            _time.Advance(TimeSpan.FromMinutes(4));
            Assert.Equal(2, _said.Agree(F, 8));
        }
    }

    [Fact]
    public void A_caller_that_says_nothing_shares_with_nobody()
    {
        _said.Agree(F, 8);

        Assert.Equal(1, _said.Agree(F, 1));
        Assert.Equal(1, _said.Agree(F, 8));
    }

    [Fact]
    public void When_nobody_has_said_the_smaller_number_for_ten_minutes_the_larger_one_counts()
    {
        _said.Agree(F, 2);
        _time.Advance(SaidConcurrency.SmallestCounts - TimeSpan.FromTicks(1));
        Assert.Equal(2, _said.Agree(F, 8));

        _time.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(8, _said.Agree(F, 8));
        Assert.Equal(2, _said.Agree(F, 2));
    }
}
