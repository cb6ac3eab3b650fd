namespace FuncScaler.Tests.Policies.Published;

public class SloPolicyTests
{
    // An SLO of 1 s and executions of 0.2 s leave 0.8 s of slack. With one busy instance the k-th in line is served after k x 0.2 s: four may wait,
    // and the fifth would wait 1.0 s.
    [Fact]
    public void An_instance_is_created_only_for_the_request_that_would_wait_longer_than_its_slack()
    {
        var bench = new PolicyBench("slo:1000");
        var function = PolicyBench.Function();
        bench.Run(function, 0.2);
        bench.Assign(function);

        for (var i = 0; i < 4; i++)
        {
            bench.Assign(function);
            Assert.Single(bench.Creates(function));
        }

        bench.Assign(function);
        Assert.Equal(2, bench.Creates(function).Count());

        // It serves the fifth; with it the sixth waits as long as the fifth would have, and needs another.
        bench.Assign(function);
        Assert.Equal(3, bench.Creates(function).Count());
    }

    // The release is expected after 0.2 s and does not come. Once the request has waited for its slack, an instance is created.
    [Fact]
    public void A_release_that_does_not_come_is_not_waited_for_beyond_the_slack()
    {
        var bench = new PolicyBench("slo:1000");
        var function = PolicyBench.Function();
        bench.Run(function, 0.2);
        bench.AdvanceTo(10);
        bench.Assign(function);
        bench.Assign(function);

        bench.AdvanceTo(10.79);
        Assert.Single(bench.Creates(function));
        bench.AdvanceTo(10.81);

        Assert.Equal(2, bench.Creates(function).Count());
        Assert.Equal(10.8, bench.Creates(function).Last(), 0.001);
    }

    [Fact]
    public void Before_an_execution_is_known_each_request_that_must_wait_gets_an_instance()
    {
        var bench = new PolicyBench("slo");
        var function = PolicyBench.Function();

        bench.RunTogether(function, 3, 1);

        Assert.Equal([0.0, 0.0, 0.0], bench.Creates(function));
    }

    [Fact]
    public void Idle_instances_stay_for_ten_minutes()
    {
        var bench = new PolicyBench("slo");
        var function = PolicyBench.Function();
        bench.Run(function, 1);
        var freed = bench.Now;

        bench.AdvanceTo(1000);

        Assert.Equal([freed + 600], bench.Destroys(function));
    }
}
