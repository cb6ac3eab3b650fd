using FuncScaler.Policies;

namespace FuncScaler.Tests.Policies;

public class PolicyCatalogOptionTests
{
    [Theory]
    [InlineData("ttl:9")]
    [InlineData("ttl:keep=9")]
    [InlineData("capped:0.5")]
    [InlineData("memory-ttl")]
    [InlineData("burst:extra=1,trim=5")]
    [InlineData("prealloc:20,silence=60")]
    [InlineData("provisioned:n=2, keep=60")]
    [InlineData("hybrid-histogram:hours=4,arima=on")]
    [InlineData("lsth:short=0.5")]
    [InlineData("greedy-dual:64")]
    [InlineData("fft:interval=10,window=120")]
    public void Options_are_a_bare_value_or_pairs(string text) => Assert.Equal(text, PolicyCatalog.Parse(text).Name);

    [Theory]
    [InlineData("nothing", "There is no policy 'nothing'. Choose one of: direct, ttl[:S], ")]
    [InlineData("direct:1", "Policy 'direct': it takes no option. Write direct.")]
    [InlineData("ttl:long", "Policy 'ttl': 'long' is not a number of seconds from 0 to 31536000, a year, for keep. Write ttl[:S].")]
    [InlineData("ttl:-1", "Policy 'ttl': '-1' is not a number of seconds from 0 to 31536000, a year, for keep. Write ttl[:S].")]
    [InlineData("ttl:nan", "Policy 'ttl': 'nan' is not a number of seconds")]
    [InlineData("greedy-dual:0", "Policy 'greedy-dual': '0' is not a value for gb; that is a number from 0.001 to 1000000. Write greedy-dual[:GB].")]
    [InlineData("provisioned:1.5", "Policy 'provisioned': '1.5' is not a value for n; that is a whole number from 0 to 100000.")]
    [InlineData("hybrid-histogram:arima=maybe", "'maybe' is not a value for arima; that is on or off.")]
    [InlineData("burst:extra=1,extra=2", "Policy 'burst': 'extra=1,extra=2' is not a list of options, each given once.")]
    [InlineData("burst:", "Policy 'burst': '' is not a list of options, each given once.")]
    [InlineData("burst:5", "Policy 'burst': it has no option '5'. Write burst[:extra=N,")]
    [InlineData("adaptive:p95=100,price=2", "Policy 'adaptive': price, p95 and within exclude each other: give one of them. Write adaptive[:price=X|p95=MS|within=GB,")]
    [InlineData("adaptive:within=0", "Policy 'adaptive': '0' is not a value for within; that is a number from 0.001 to 1000000.")]
    [InlineData("lsth:size=5", "Policy 'lsth': it has no option 'size'.")]
    public void What_is_wrong_is_said_with_what_would_be_right(string text, string message) =>
        Assert.Contains(message, Assert.Throws<FormatException>(() => PolicyCatalog.Parse(text)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("ttl:9", new[] { "ttl:9" })]
    [InlineData("direct, ttl:9,capped", new[] { "direct", "ttl:9", "capped" })]
    [InlineData("burst:extra=1,trim=5,ttl:keep=9,provisioned:2, keep=60", new[] { "burst:extra=1,trim=5", "ttl:keep=9", "provisioned:2,keep=60" })]
    [InlineData("", new string[0])]
    public void A_list_of_policies_keeps_each_ones_options_together(string text, string[] choices) =>
        Assert.Equal(choices, PolicyCatalog.SplitList(text));

    [Fact]
    public void Every_policy_can_be_chosen_by_its_bare_name()
    {
        foreach (var policy in PolicyCatalog.All)
        {
            var bench = new PolicyBench(policy.Name);
            var function = PolicyBench.Function();
            for (var i = 0; i < 30; i++)
            {
                bench.Run(function, 1);
                bench.RunTogether(function, 3, 2);
                bench.Advance(i * 7);
            }

            bench.Advance(100_000);
            Assert.Equal(0, bench.Pool(function).WaiterCount);
        }
    }
}
