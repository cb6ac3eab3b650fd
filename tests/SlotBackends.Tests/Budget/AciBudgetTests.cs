using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.SlotBackends.Aci;
using FuncScaler.SlotBackends.Budget;
using FuncScaler.Tests.Aci;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;

namespace FuncScaler.Tests.Budget;

/// <summary>A scaler on the ACI backend under Azure's default limits, which the fake enforces.</summary>
public class AciBudgetTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Of_150_misses_at_once_none_fails_also_where_the_platform_throttles_before_the_budget_does()
    {
        // 150 s of waiting in 3 s: the clock of scaler and platform runs 50 times faster. Calls over sockets do not, so the platform's
        // buckets lag behind the scaler's by what would be a minute, and it sends a few calls back.
        var time = new FastTimeProvider(50);
        await using var world = await AciWorld.StartAsync(Defaults, time);
        world.Fake.Limits = new AciOptions().CreateLimits;
        world.Fake.MaxGroupsPerRegion = 1000;
        await using var runtime = NewRuntime(world, time);

        var start = time.GetTimestamp();
        var waits = await Task.WhenAll(Enumerable.Range(0, 150).Select(async i =>
        {
            var function = new FunctionMeta(new MetaKey($"f{i % 30}"), "go", 600, 256);
            var assigned = await runtime.AssignAsync(function, new RequestId($"r{i}"), null, CancellationToken.None);
            return (assigned.Kind, Seconds: time.GetElapsedTime(start).TotalSeconds);
        }));

        var stats = runtime.GetStats();
        var ordered = waits.Select(w => w.Seconds).Order().ToList();
        output.WriteLine($"refused {stats.Requests.Rejected}; sent back by the platform {world.Fake.Throttled}; waits p50 {ordered[75]:0.0} s, 100th {ordered[99]:0.0} s, 125th {ordered[124]:0.0} s, last {ordered[^1]:0.0} s");
        Assert.Equal((150, 0), (stats.Requests.Cold, stats.Requests.Rejected));
        Assert.Equal(150, world.Fake.Groups.Count);

        Assert.True(ordered[^1] > 140);
    }

    [Fact]
    public async Task A_platform_that_throttles_all_the_same_delays_requests_and_keeps_their_order()
    {
        var time = new FastTimeProvider(50);
        await using var world = await AciWorld.StartAsync(o => Defaults(o) with { CreateLimits = [], DeleteLimits = [] }, time);
        world.Fake.Limits = [new RateLimit(5, TimeSpan.FromSeconds(25))];
        await using var runtime = NewRuntime(world, time);

        await Task.WhenAll(Enumerable.Range(0, 15).Select(i => runtime.AssignAsync(
            new FunctionMeta(new MetaKey($"f{i}"), "go", 600, 256), new RequestId($"r{i}"), null, CancellationToken.None).AsTask()));

        var stats = runtime.GetStats();
        Assert.Equal((15, 0), (stats.Requests.Cold, stats.Requests.Rejected));
        Assert.True(world.Fake.Throttled > 0);
        Assert.Equal(15, world.Fake.Groups.Count);
    }

    [Fact]
    public async Task A_region_that_is_full_has_requests_wait_until_a_group_is_given_back()
    {
        var time = new FastTimeProvider(50);
        await using var world = await AciWorld.StartAsync(o => Defaults(o) with { MaxGroupsPerRegion = 2 }, time);
        await using var runtime = NewRuntime(world, time, "direct");
        var functions = Enumerable.Range(0, 3).Select(i => new FunctionMeta(new MetaKey($"f{i}"), "go", 600, 256)).ToArray();
        var first = await runtime.AssignAsync(functions[0], new RequestId("r0"), null, CancellationToken.None);
        await runtime.AssignAsync(functions[1], new RequestId("r1"), null, CancellationToken.None);

        var third = runtime.AssignAsync(functions[2], new RequestId("r2"), null, CancellationToken.None).AsTask();
        Assert.Equal(1, runtime.GetStats().Budget!.HeldCreates);
        runtime.Release(functions[0].Key, new RequestId("r0"), first.Instance, default);

        Assert.Equal(GrantKind.Cold, (await third).Kind);
    }

    [Fact]
    public async Task Requests_share_a_container_group_as_far_as_their_function_allows()
    {
        var time = new FastTimeProvider(50);
        await using var world = await AciWorld.StartAsync(o => Defaults(o) with { MaxGroupsPerRegion = 1 }, time);
        await using var runtime = NewRuntime(world, time);
        var function = new FunctionMeta(new MetaKey("f"), "go", 600, 256, MaxConcurrency: 3);

        var assigned = await Task.WhenAll(Enumerable.Range(0, 3).Select(i => runtime.AssignAsync(function, new RequestId($"r{i}"), null, CancellationToken.None).AsTask()));
        var fourth = runtime.AssignAsync(function, new RequestId("r4"), null, CancellationToken.None).AsTask();

        Assert.Single(assigned.Select(a => (a.Instance, a.Address)).Distinct());
        runtime.Release(function.Key, new RequestId("r1"), assigned[1].Instance, default);
        Assert.Equal((assigned[0].Instance, GrantKind.Waited), ((await fourth).Instance, (await fourth).Kind));
        Assert.Equal((1, 3), (runtime.GetStats().Slots.Busy, runtime.GetStats().Functions.Single().Executing));
    }

    [Fact]
    public void Overflow_goes_to_the_next_place_and_cores_count()
    {
        var time = new ManualTimeProvider();
        var options = new AciOptions
        {
            Places = [new("a", "east"), new("b", "west")],
            MaxGroupsPerRegion = 2,
            MaxCoresPerRegion = 5,
            CpuPerGb = 1,
        };
        var budget = new AciBudget(options, new AciNames("o", "run"), time);
        var large = new FunctionMeta(new MetaKey("l"), "", 0, 4096);

        Assert.True(budget.TryTakeCreate(new SlotTicket(1), large, out _));
        Assert.True(budget.TryTakeCreate(new SlotTicket(2), large, out _));
        Assert.False(budget.TryTakeCreate(new SlotTicket(3), large, out var wait));
        Assert.True(wait > TimeSpan.Zero);
        Assert.Equal(("a", "b"), (budget.PlaceOf(new SlotTicket(1))!.ResourceGroup, budget.PlaceOf(new SlotTicket(2))!.ResourceGroup));
        Assert.True(budget.TryTakeCreate(new SlotTicket(4), large with { MemoryMb = 512 }, out _));
        budget.Gone(new SlotTicket(1), default);
        Assert.True(budget.TryTakeCreate(new SlotTicket(3), large, out _));
        Assert.Equal("a", budget.PlaceOf(new SlotTicket(3))!.ResourceGroup);
    }

    // The time-outs are long, as seconds of these tests are a fiftieth of a second, in which a machine with much else to do does little.
    private static AciOptions Defaults(AciOptions options) => options with
    {
        CreateLimits = new AciOptions().CreateLimits,
        DeleteLimits = new AciOptions().DeleteLimits,
        Start = options.Start with { PollDelay = TimeSpan.FromMilliseconds(500), Timeout = TimeSpan.FromSeconds(3000) },
    };

    private static ScalerRuntime NewRuntime(AciWorld world, TimeProvider time, string policy = "ttl:300") => new(
        world.Backend,
        PolicyCatalog.Parse(policy),
        new ScalerRuntimeOptions { Pool = new SlotPoolOptions { CreateTimeout = TimeSpan.FromSeconds(6000) } },
        time,
        NullLogger<ScalerRuntime>.Instance);
}
