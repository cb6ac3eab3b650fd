namespace FuncScaler.Tests.Policies.Basic;

public class PreallocPolicyTests
{
    [Fact]
    public void The_first_request_creates_the_given_number()
    {
        var bench = new PolicyBench("prealloc:48"); // the source's number for its densest function: 750 / min * 3.9 s / 60 s = 48
        var function = PolicyBench.Function();

        bench.Run(function, 0.1);
        bench.Run(function, 0.1);

        Assert.Equal(48, bench.Creates(function).Count());
        Assert.All(bench.Creates(function), at => Assert.Equal(0, at));
        Assert.Equal(48, bench.Pool(function).IdleCount);
    }

    // Eight minutes after the last request, which was at 0.6 s, everything goes although the time-out of 1300 s is far.
    [Fact]
    public void Silence_releases_all()
    {
        var bench = new PolicyBench("prealloc:4");
        var function = PolicyBench.Function();
        bench.Run(function, 0.1);
        bench.Run(function, 0.1);

        bench.AdvanceTo(10_000);

        Assert.Equal([480.6, 480.6, 480.6, 480.6], bench.Destroys(function));
    }

    // One request a minute uses one instance; the three others, idle since 0.5 s, last 1300 s.
    [Fact]
    public void While_requests_come_the_time_out_is_long()
    {
        var bench = new PolicyBench("prealloc:4");
        var function = PolicyBench.Function();
        for (var minute = 0; minute < 30; minute++)
        {
            bench.AdvanceTo(minute * 60);
            bench.Run(function, 0.1);
        }

        Assert.Equal([1300.5, 1300.5, 1300.5], bench.Destroys(function));
    }

    [Fact]
    public void Without_a_number_it_is_the_peak_that_is_created_when_the_function_comes_back()
    {
        var bench = new PolicyBench("prealloc");
        var function = PolicyBench.Function();
        bench.RunTogether(function, 5, 2);
        bench.AdvanceTo(1000);
        Assert.Equal(0, bench.Pool(function).SlotCount);

        bench.Run(function, 0.1);

        Assert.Equal(5, bench.Creates(function).Count(at => at == 1000));
    }

    // The last request was at 0.6 s: at 480.6 s all are released, and who comes then comes back.
    [Fact]
    public void A_request_at_the_very_end_of_the_silence_is_a_beginning()
    {
        var bench = new PolicyBench("prealloc:4");
        var function = PolicyBench.Function();
        bench.Run(function, 0.1);
        bench.Run(function, 0.1);
        bench.AdvanceTo(480.6);

        bench.Run(function, 0.1);

        Assert.Equal(4, bench.Creates(function).Count(at => at == 480.6));
    }
}
