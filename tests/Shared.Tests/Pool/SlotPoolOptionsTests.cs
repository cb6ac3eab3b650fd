namespace FuncScaler.Tests.Pool;

public class SlotPoolOptionsTests
{
    public static TheoryData<string, SlotPoolOptions> Wrong => new()
    {
        { "CreateTimeout is 00:00:00 and must be above 0", new SlotPoolOptions { CreateTimeout = TimeSpan.Zero } },
        { "InitTimeout", new SlotPoolOptions { InitTimeout = TimeSpan.FromSeconds(-1) } },
        { "DestroyTimeout", new SlotPoolOptions { DestroyTimeout = TimeSpan.Zero } },
        { "at most 366 days", new SlotPoolOptions { DestroyTimeout = TimeSpan.MaxValue } },
        { "RetryDelay", new SlotPoolOptions { RetryDelay = TimeSpan.FromSeconds(-1) } },
        { "at least RetryDelay, 00:00:20", new SlotPoolOptions { RetryDelay = TimeSpan.FromSeconds(20) } },
        { "AssignmentGrace", new SlotPoolOptions { AssignmentGrace = TimeSpan.FromSeconds(-1) } },
        { "NoTimeoutLimit", new SlotPoolOptions { NoTimeoutLimit = TimeSpan.Zero } },
        { "OrphanGrace", new SlotPoolOptions { OrphanGrace = Timeout.InfiniteTimeSpan } },
        { "MaxSlots is -1", new SlotPoolOptions { MaxSlots = -1 } },
        { "LatencyPriceGbs", new SlotPoolOptions { LatencyPriceGbs = double.NaN } },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void A_setting_out_of_its_range_is_refused_with_its_name_and_range(string words, SlotPoolOptions options) =>
        Assert.Contains(words, Assert.Throws<ArgumentException>(options.Validate).Message, StringComparison.Ordinal);

    [Fact]
    public void A_wrong_price_of_one_function_is_refused_where_it_is_given_with_the_function()
    {
        var e = Assert.Throws<ArgumentException>(() => new SlotPoolOptions { LatencyPricesGbs = new Dictionary<string, double?> { ["f"] = 1, ["g"] = -1 } });
        Assert.Equal("LatencyPricesGbs of g is -1 GB·s and must be 0 or more.", e.Message);
    }

    [Fact]
    public void The_defaults_are_in_range_and_so_is_no_limit_at_all()
    {
        new SlotPoolOptions().Validate();
        new SlotPoolOptions { AssignmentGrace = Timeout.InfiniteTimeSpan, NoTimeoutLimit = Timeout.InfiniteTimeSpan }.Validate();
    }
}
