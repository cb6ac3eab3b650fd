namespace FuncScaler.Tests.Policies.Basic;

public class BurstPolicyTests
{
    [Fact]
    public void A_miss_creates_two_more_instances_which_serve_the_next_requests()
    {
        var bench = new PolicyBench("burst");
        var function = PolicyBench.Function();

        var requests = Enumerable.Range(0, 3).Select(_ => bench.Assign(function)).ToList();
        Assert.Equal([0.0, 0.0, 0.0], bench.Creates(function)); // 1 + 2, which are enough for all three
        bench.Advance(1);
        var fourth = bench.Assign(function);
        bench.Advance(1);

        Assert.Equal([0.0, 0.0, 0.0, 1.0, 1.0, 1.0], bench.Creates(function));
        Assert.Equal(4, bench.Pool(function).BusyCount);
        Assert.Equal(2, bench.Pool(function).IdleCount);
        requests.Append(fourth).ToList().ForEach(r => bench.Release(r));
    }

    // Three instances idle from 1 s on. After the first interval, 60 s, two stay; after the second, at 1 + 60 + 60, none.
    [Fact]
    public void After_an_interval_two_stay_in_reserve_and_after_another_none()
    {
        var bench = new PolicyBench("burst");
        var function = PolicyBench.Function();
        bench.RunTogether(function, 3, 1);

        bench.AdvanceTo(1000);

        Assert.Equal([61.0, 121.0, 121.0], bench.Destroys(function));
    }

    [Fact]
    public void Use_within_the_second_interval_starts_both_again()
    {
        var bench = new PolicyBench("burst:trim=10,release=20");
        var function = PolicyBench.Function();
        bench.RunTogether(function, 3, 1);
        bench.AdvanceTo(25); // one was trimmed at 11 s; the reserve would go at 31 s
        Assert.Equal([11.0], bench.Destroys(function));

        bench.RunTogether(function, 1, 1); // the most recently used of the two, again idle from 26 s
        bench.AdvanceTo(1000);

        Assert.Equal([11.0, 31.0, 56.0], bench.Destroys(function));
    }

    // The source's own condition, with numbers of ours: three misses within a second.
    [Fact]
    public void A_function_can_be_asked_to_miss_often_before_it_counts_as_hot()
    {
        var bench = new PolicyBench("burst:hot=3,within=1");
        var function = PolicyBench.Function();

        bench.Assign(function);
        bench.Advance(2);
        Enumerable.Range(0, 3).ToList().ForEach(_ => bench.Assign(function));

        // At 0 s one. At 2 s the first two are not hot (one each), the third is: 1 + 2.
        Assert.Equal([0.0, 2.0, 2.0, 2.0, 2.0, 2.0], bench.Creates(function));
    }
}
