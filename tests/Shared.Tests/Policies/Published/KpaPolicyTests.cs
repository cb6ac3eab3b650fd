namespace FuncScaler.Tests.Policies.Published;

public class KpaPolicyTests
{
    // Seven requests at 0 s: one instance at once. At the tick of 2 s P = S = 7: ceil(7 / 0.7) = 10, ten times what is ready: a panic, and nine more.
    [Fact]
    public void Requests_queue_until_a_tick_and_a_panic_creates_what_concurrency_asks_for()
    {
        var bench = new PolicyBench("kpa");
        var function = PolicyBench.Function();

        var requests = Enumerable.Range(0, 7).Select(_ => bench.Assign(function)).ToList();
        bench.AdvanceTo(1.9);
        Assert.Equal([0.0], bench.Creates(function));
        Assert.Equal(6, bench.Pool(function).WaiterCount);
        bench.AdvanceTo(3);

        Assert.Equal([0.0, .. Enumerable.Repeat(2.0, 9)], bench.Creates(function));
        Assert.Equal((7, 3), (bench.Pool(function).BusyCount, bench.Pool(function).IdleCount));
        Assert.Equal(7, requests.Count);
    }

    // The same seven are done at 10 s. The panic ends 60 s after its last tick over the threshold (2 s): until then there are never fewer. At 64 s
    // the stable window has 6 s of 7 requests: 42 / 60 = 0.7, one instance, but no fewer than floor(10 / 2) = 5. At 66 s floor(5 / 2) = 2, at 68 s
    // one. From 70 s on the window is empty, and the last goes after 30 s of grace.
    [Fact]
    public void A_panic_never_shrinks_then_each_tick_at_most_halves_and_the_last_goes_after_the_grace()
    {
        var bench = new PolicyBench("kpa");
        var function = PolicyBench.Function();

        bench.RunTogether(function, 7, 10);
        bench.AdvanceTo(63.9);
        Assert.Empty(bench.Destroys(function));
        bench.AdvanceTo(200);

        Assert.Equal([64, 64, 64, 64, 64, 66, 66, 66, 68, 100], bench.Destroys(function));
        Assert.Equal(long.MaxValue, bench.Pool(function).NextWakeUs);
    }

    // One request at a time, without a pause: S = P = 1, ceil(1 / 0.7) = 2. Two of one ready is a panic already, and two stay.
    [Fact]
    public void Steady_load_keeps_the_room_that_the_target_leaves()
    {
        var bench = new PolicyBench("kpa");
        var function = PolicyBench.Function();

        for (var i = 0; i < 30; i++)
        {
            bench.RunTogether(function, 1, 5);
        }

        Assert.Equal([0.0, 2.0], bench.Creates(function));
        Assert.Empty(bench.Destroys(function));
    }

    // With a threshold beyond reach there is no panic: S alone counts, whose window of 60 s is averaged over what there is.
    [Fact]
    public void Without_a_panic_the_stable_window_decides()
    {
        var bench = new PolicyBench("kpa:threshold=10,target=1");
        var function = PolicyBench.Function();

        bench.RunTogether(function, 4, 9);

        // At 2 s the mean is 4, so 3 more.
        Assert.Equal([0.0, 2.0, 2.0, 2.0], bench.Creates(function));

        // 9 s of 4 requests in 18 s: 2; floor(4 / 2) = 2.
        bench.AdvanceTo(18.1);
        Assert.Equal(2, bench.Pool(function).IdleCount);
    }
}
