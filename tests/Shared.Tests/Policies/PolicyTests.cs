using FuncScaler.Policies;
using FuncScaler.Policies.Basic;
using FuncScaler.Tests.Pool;

namespace FuncScaler.Tests.Policies;

/// <summary>Each policy by a worked example of its source, played on a pool.</summary>
public class PolicyTests
{
    private const long Second = PoolDriver.Second;

    [Fact]
    public void Direct_creates_for_each_request_and_destroys_on_its_release()
    {
        // The contest's first version: three requests, three creations, three destructions, nothing shared.
        var pool = new PoolDriver(new DirectPolicy());
        for (var i = 1; i <= 3; i++)
        {
            pool.ColdStart($"r{i}", i);
            Assert.Equal($"destroy {i} s{i}", pool.Release($"r{i}", $"i-{i}"));
            pool.Destroyed(i);
        }

        Assert.Equal(3, pool.Ledger.SlotsCreated);
    }

    [Fact]
    public void Direct_requests_at_the_same_time_do_not_share()
    {
        var pool = new PoolDriver(new DirectPolicy());
        pool.ColdStart("r1", 1);
        Assert.Equal("create 2", pool.Assign("r2"));

        Assert.Equal("destroy 1 s1", pool.Release("r1", "i-1"));

        pool.Created(2);
        Assert.Equal("r2 gets i-2 Cold", pool.Ready(2));
    }

    [Theory]
    [InlineData(300)]
    [InlineData(600)]
    [InlineData(0.5)]
    public void Ttl_keeps_every_instance_so_long_after_its_last_use(double seconds)
    {
        // The contest's template: 300 s; OpenWhisk: 600 s.
        var ttlUs = (long)(seconds * Second);
        var pool = new PoolDriver(new TtlPolicy(new TtlPolicyOptions { KeepAlive = TimeSpan.FromSeconds(seconds) }));
        pool.ColdStart("r1", 1);
        pool.Release("r1", "i-1");
        Assert.Equal("", pool.Wait(ttlUs - 1));
        Assert.Equal("r2 gets i-1 Warm", pool.Assign("r2"));
        Assert.Equal("", pool.Wait(1));
        pool.Release("r2", "i-1");

        Assert.Equal("", pool.Wait(ttlUs - 1));
        Assert.Equal("destroy 1 s1", pool.Wait(1));
    }

    [Fact]
    public void Ttl_of_nothing_keeps_nothing()
    {
        var pool = new PoolDriver(new TtlPolicy(new TtlPolicyOptions { KeepAlive = TimeSpan.FromSeconds(0) }));
        pool.ColdStart("r1", 1);

        Assert.Equal("destroy 1 s1", pool.Release("r1", "i-1"));
    }

    [Fact]
    public void Ttl_gives_instances_back_each_at_its_own_time()
    {
        var pool = new PoolDriver(new TtlPolicy(new TtlPolicyOptions { KeepAlive = TimeSpan.FromSeconds(10) }));
        pool.ColdStart("r1", 1);
        pool.ColdStart("r2", 2);
        pool.Release("r1", "i-1");
        pool.Wait(4 * Second);
        pool.Release("r2", "i-2");

        Assert.Equal("destroy 1 s1", pool.Wait(6 * Second));
        Assert.Equal("destroy 2 s2", pool.Wait(4 * Second));
    }

    [Theory]
    [InlineData(2047, 10)]
    [InlineData(2048, 1)]
    [InlineData(8192, 1)]
    public void Capped_keeps_at_most_ten_idle_and_one_of_two_gigabytes_and_more(int memoryMb, int most)
    {
        var pool = new PoolDriver(
            new CappedPolicy(new CappedPolicyOptions()), function: new FunctionMeta(new MetaKey("f"), "go", 60, memoryMb));
        for (var i = 1; i <= 12; i++)
        {
            pool.ColdStart($"r{i}", i);
        }

        for (var i = 1; i <= 12; i++)
        {
            Assert.Equal(i <= most ? "" : $"destroy {i} s{i}", pool.Release($"r{i}", $"i-{i}"));
        }

        Assert.Equal(most, pool.Pool.IdleCount);
    }

    [Fact]
    public void Capped_is_ttl_below_its_cap()
    {
        var pool = new PoolDriver(new CappedPolicy(new CappedPolicyOptions()));
        pool.ColdStart("r1", 1);
        pool.Release("r1", "i-1");

        Assert.Equal("", pool.Wait((60 * Second) - 1));
        Assert.Equal("destroy 1 s1", pool.Wait(1));
    }

    [Fact]
    public void A_burst_creates_as_many_as_wait_and_no_more()
    {
        var pool = new PoolDriver(new TtlPolicy(new TtlPolicyOptions()));
        for (var i = 1; i <= 100; i++)
        {
            Assert.Equal($"create {i}", pool.Assign($"r{i}"));
        }
    }

    [Theory]
    [MemberData(nameof(AllPolicies))]
    public void A_backend_that_answers_at_once_and_then_stalls_is_not_flooded(string policy)
    {
        var bench = new PolicyBench(policy) { CreateSeconds = 0, InitSeconds = _ => 0 };
        var function = PolicyBench.Function();
        bench.AdvanceTo(1);
        bench.RunTogether(function, 24, 0.5);
        bench.CreateSeconds = 1000;
        var before = bench.Creates(function).Count();
        var busy = Enumerable.Range(0, 27).Select(_ => bench.Assign(function)).Count();
        bench.Advance(20);

        Assert.InRange(bench.Creates(function).Count() - before, 0, 4 * busy);
    }

    public static TheoryData<string> AllPolicies() => [.. PolicyCatalog.All.Select(p => p.Name)];
}
