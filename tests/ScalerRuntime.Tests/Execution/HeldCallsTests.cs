using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Soaking;
using FuncScaler.SlotBackends.Budget;
using FuncScaler.SlotBackends.Fake;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.Tests.Budget;

/// <summary>How the runtime holds calls back that the backend's budget does not grant.</summary>
public sealed class HeldCallsTests : IAsyncLifetime
{
    private readonly ManualTimeProvider _time = new();
    private readonly SimulatedBudget _budget;
    private readonly FakeBackend _backend;
    private readonly ScalerRuntime _runtime;

    public HeldCallsTests()
    {
        _budget = new SimulatedBudget(_time, new RateLimit(300, TimeSpan.FromHours(1)), new RateLimit(100, TimeSpan.FromMinutes(5)));
        _backend = new FakeBackend(_time) { Budget = _budget };
        _runtime = new ScalerRuntime(_backend, PolicyCatalog.Parse("ttl:5"), new ScalerRuntimeOptions(), _time, NullLogger<ScalerRuntime>.Instance);
    }

    [Fact]
    public async Task Of_150_misses_at_once_100_are_served_at_once_and_the_others_every_three_seconds_in_order()
    {
        var grantedAt = new long[150];
        var requests = Enumerable.Range(0, 150).Select(async i =>
        {
            await AssignAsync($"f{i % 40}", $"r{i}");
            grantedAt[i] = _time.GetTimestamp();
        }).ToList();

        while (requests.Exists(r => !r.IsCompleted))
        {
            await QuietAsync();
            await Task.WhenAll(requests.Where((_, i) => Started(i)).ToList());
            if (_runtime.GetStats().Budget!.HeldCreates > 0)
            {
                Assert.True(_time.AdvanceToNextTimer(TimeSpan.FromMinutes(10)));
            }
        }

        await Task.WhenAll(requests);
        Assert.Equal(Enumerable.Range(0, 150).Select(i => i < 100 ? 0 : (i - 99) * 3.0), grantedAt.Select(t => Math.Round(TimeSpan.FromTicks(t).TotalSeconds, 2)));
        Assert.Equal((150, 0), (_runtime.GetStats().Requests.Cold, _runtime.GetStats().Requests.Rejected));
        Assert.Equal(Enumerable.Range(1, 150).Select(i => (long)i), _budget.Granted);

        bool Started(int i) => _budget.Granted.Count > i;
    }

    [Fact]
    public async Task A_creation_that_waits_is_withdrawn_once_no_request_needs_it()
    {
        var first = await FillAsync();
        var waiting = AssignAsync("first", "waits");
        Assert.Equal(1, _runtime.GetStats().Budget!.HeldCreates);

        _runtime.Release(new MetaKey("first"), new RequestId("r0"), first.Instance, default);

        Assert.Equal(GrantKind.Waited, (await waiting).Kind);
        _time.Advance(TimeSpan.FromSeconds(4));
        await QuietAsync();
        Assert.Equal(0, _runtime.GetStats().Budget!.HeldCreates);
        Assert.DoesNotContain(101, _budget.Granted);
    }

    [Fact]
    public async Task A_request_that_waited_in_vain_is_told_that_creations_are_rationed()
    {
        await FillAsync();
        var waiting = _runtime.AssignAsync(Function("late"), new RequestId("late"), TimeSpan.FromSeconds(1), CancellationToken.None).AsTask();
        _time.Advance(TimeSpan.FromSeconds(1));

        var e = await Assert.ThrowsAsync<AssignRejectedException>(() => waiting);
        Assert.Contains("grants no more creations", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_creation_that_waits_longer_than_a_create_may_take_is_not_asked_for_twice()
    {
        await FillAsync();
        _budget.Stopped = true;
        var waiting = AssignAsync("late", "late");
        _time.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(1, _runtime.GetStats().Budget!.HeldCreates);

        _budget.Stopped = false;
        _time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal(GrantKind.Cold, (await waiting).Kind);
        Assert.Equal(101, _budget.Granted.Count);
    }

    [Fact]
    public async Task A_creation_that_the_platform_sends_back_keeps_its_place_and_its_request()
    {
        _backend.NextCreates(new FakeAnswer { Failure = new SlotFailure(FailureKind.Throttled, "too many") });

        Assert.Equal(GrantKind.Cold, (await AssignAsync("f", "r")).Kind);

        var stats = _runtime.GetStats();
        Assert.Equal((1, 0, 2), (stats.Budget!.Throttled, stats.Slots.BackendFailures, stats.Slots.Creates));
    }

    [Fact]
    public async Task Destructions_wait_for_their_budget_too_and_none_is_forgotten()
    {
        var first = await AssignAsync("f", "r");
        _budget.Stopped = true;
        _runtime.Release(new MetaKey("f"), new RequestId("r"), first.Instance, new ReleaseResult(0, NeedDestroy: true));
        _time.Advance(TimeSpan.FromMinutes(3));
        Assert.Equal(1, _runtime.GetStats().Budget!.HeldDestroys);
        Assert.Single(_backend.Existing);

        _budget.Stopped = false;
        _time.Advance(TimeSpan.FromSeconds(2));
        await QuietAsync();

        Assert.Empty(_backend.Existing);
        Assert.Equal(0, _runtime.GetStats().Slots.Total);
    }

    [Fact]
    public async Task A_destruction_that_waits_is_withdrawn_once_the_slot_is_gone()
    {
        var first = await AssignAsync("f", "r");
        _budget.Stopped = true;
        _runtime.Release(new MetaKey("f"), new RequestId("r"), first.Instance, new ReleaseResult(0, NeedDestroy: true));
        Assert.Equal(1, _runtime.GetStats().Budget!.HeldDestroys);
        _backend.Lose(_backend.Existing.Single());
        _time.Advance(TimeSpan.FromSeconds(2));

        await _runtime.ReconcileAsync(CancellationToken.None);

        Assert.Equal((0, 0), (_runtime.GetStats().Slots.Total, _runtime.GetStats().Budget!.HeldDestroys));
    }

    [Fact]
    public async Task Policies_see_what_creating_costs()
    {
        var before = _runtime.GetStats().Budget!.CreatePriceSeconds;
        await FillAsync();

        Assert.Equal(0, before);
        Assert.Equal(3, _runtime.GetStats().Budget!.CreatePriceSeconds, 3);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => _runtime.DisposeAsync().AsTask();

    private static FunctionMeta Function(string key) => new(new MetaKey(key), "go", 60, 128);

    private Task<AssignedInstance> AssignAsync(string function, string request) =>
        _runtime.AssignAsync(Function(function), new RequestId(request), null, CancellationToken.None).AsTask();

    /// <summary>Uses the burst up; the first instance is of function "first".</summary>
    private async Task<AssignedInstance> FillAsync()
    {
        var all = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => AssignAsync(i == 0 ? "first" : $"f{i}", $"r{i}")));
        return all[0];
    }

    /// <summary>Waits until the backend has answered all it was asked.</summary>
    private Task QuietAsync() => Eventually.HoldsAsync(() =>
        _runtime.GetStats() is var stats
        && stats.Slots.InFlight <= stats.Budget!.HeldCreates
        && stats.Slots.Total <= stats.Slots.Busy + stats.Slots.Idle + stats.Slots.InFlight + stats.Budget.HeldDestroys);
}
