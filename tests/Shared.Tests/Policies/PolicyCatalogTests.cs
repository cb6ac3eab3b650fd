using FuncScaler.Policies;
using FuncScaler.Policies.Basic;
using FuncScaler.Tests.Pool;

namespace FuncScaler.Tests.Policies;

public class PolicyCatalogTests
{
    private static readonly FunctionMeta Function = new(new MetaKey("f"), "go", 60, 512);

    [Theory]
    [InlineData("direct", typeof(DirectPolicy))]
    [InlineData("ttl", typeof(TtlPolicy))]
    [InlineData("ttl:9", typeof(TtlPolicy))]
    [InlineData("ttl: 0.25 ", typeof(TtlPolicy))]
    [InlineData("ttl:1e3", typeof(TtlPolicy))]
    [InlineData("capped", typeof(CappedPolicy))]
    [InlineData("capped:31536000", typeof(CappedPolicy))]
    public void A_choice_makes_its_policy(string text, Type type)
    {
        var choice = PolicyCatalog.Parse(text);

        Assert.Equal(text, choice.Name);
        Assert.IsType(type, NoHost.Make(choice, Function));
    }

    [Theory]
    [InlineData("ttl", 300)]
    [InlineData("ttl:9", 9)]
    [InlineData("ttl:0.25", 0.25)]
    [InlineData("capped", 60)]
    [InlineData("capped:5", 5)]
    public void The_option_is_how_many_seconds_are_kept(string text, double seconds)
    {
        var pool = new PoolDriver(NoHost.Make(PolicyCatalog.Parse(text), Function));
        pool.ColdStart("r1", 1);
        pool.Release("r1", "i-1");

        Assert.Equal("", pool.Wait((long)(seconds * 1e6) - 1));
        Assert.Equal("destroy 1 s1", pool.Wait(1));
    }

    [Theory]
    [InlineData("")]
    [InlineData("tll:9")]
    [InlineData("TTL")]
    [InlineData(":9")]
    public void An_unknown_name_is_answered_with_those_there_are(string text)
    {
        var e = Assert.Throws<FormatException>(() => PolicyCatalog.Parse(text));

        Assert.Contains("There is no policy", e.Message, StringComparison.Ordinal);
        foreach (var entry in PolicyCatalog.All)
        {
            Assert.Contains(entry.Usage, e.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("ttl:")]
    [InlineData("ttl:soon")]
    [InlineData("ttl:-1")]
    [InlineData("ttl:NaN")]
    [InlineData("ttl:Infinity")]
    [InlineData("ttl:31536001")]
    [InlineData("ttl:1:2")]
    [InlineData("capped:1,5")]
    public void An_option_that_is_no_number_of_seconds_is_named(string text)
    {
        var e = Assert.Throws<FormatException>(() => PolicyCatalog.Parse(text));

        Assert.Contains($"'{text[(text.IndexOf(':', StringComparison.Ordinal) + 1)..]}' is not a", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_option_where_none_is_taken_is_refused()
    {
        var e = Assert.Throws<FormatException>(() => PolicyCatalog.Parse("direct:3"));

        Assert.Equal("Policy 'direct': it takes no option. Write direct.", e.Message);
    }

    [Fact]
    public void The_default_is_a_choice() => Assert.NotNull(NoHost.Make(PolicyCatalog.Parse(PolicyCatalog.Default), Function));

    [Fact]
    public void Every_entry_can_be_chosen_by_its_name_and_says_what_it_does() => Assert.All(PolicyCatalog.All, entry =>
    {
        Assert.NotNull(NoHost.Make(PolicyCatalog.Parse(entry.Name), Function));
        Assert.NotEmpty(entry.Summary);
    });
}
