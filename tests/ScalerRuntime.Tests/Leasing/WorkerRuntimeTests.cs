using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Leasing;
using FuncScaler.Runtime.Soaking;
using FuncScaler.SlotBackends.Budget;
using FuncScaler.SlotBackends.Fake;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.Tests.Leasing;

public sealed class WorkerRuntimeTests
{
    private static readonly FunctionMeta F = new(new MetaKey("f"), "go", 60, 128);

    [Fact]
    public async Task A_worker_that_its_ledger_does_not_know_asks_the_backend_for_nothing()
    {
        await using var world = new World();
        world.Ledgers.Broken = true;

        var assign = world.AssignAsync(0, "r1");
        await world.PassAsync(TimeSpan.FromSeconds(3));

        Assert.False(assign.IsCompleted);
        Assert.Equal(0, world.Backend.CreatedCount);
        world.Ledgers.Broken = false;
        await world.UntilAsync(() => assign.IsCompleted);
        Assert.Equal(GrantKind.Cold, (await assign).Kind);
        Assert.Equal(1, world.Backend.CreatedCount);
        await world.UntilAsync(() => world.Ledgers.State(F.Key).Slots.Values.Any(s => s.State == LedgerSlotState.Leased));
    }

    [Fact]
    public async Task A_worker_that_begins_has_its_lease_before_the_first_request()
    {
        await using var world = new World();
        await world.PassAsync(TimeSpan.FromSeconds(3));
        Assert.False(world.Workers[0].IsReady);

        world.Workers[0].Begin();
        await world.UntilAsync(() => world.Workers[0].IsReady);

        var assign = world.AssignAsync(0, "r1");
        await world.UntilAsync(() => world.Backend.CreatedCount == 1);
        await world.UntilAsync(() => assign.IsCompleted);
        Assert.Equal(GrantKind.Cold, (await assign).Kind);
    }

    [Fact]
    public async Task A_worker_that_begins_reads_what_those_before_it_have_learned()
    {
        await using var world = new World();
        Assert.Equal(0, await world.Workers[1].LearnAsync(CancellationToken.None));
        await world.WarmUpAsync(0);
        var stop = world.Workers[0].StopAsync(CancellationToken.None);
        await world.UntilAsync(() => stop.IsCompleted);

        Assert.Equal(1, await world.Workers[1].LearnAsync(CancellationToken.None));
        world.Ledgers.Broken = true;
        await Assert.ThrowsAnyAsync<Exception>(() => world.Workers[1].LearnAsync(CancellationToken.None));
    }

    [Fact]
    public async Task Warm_assigns_and_their_releases_call_no_ledger()
    {
        await using var world = new World();
        await world.WarmUpAsync(0);
        var (reports, reads) = (world.Ledgers.Reports, world.Ledgers.Reads);

        for (var i = 0; i < 10_000; i++)
        {
            var pending = world.Workers[0].AssignAsync(F, new RequestId($"w{i}"), null, CancellationToken.None);
            Assert.True(pending.IsCompletedSuccessfully);
            var assigned = await pending;
            Assert.Equal(GrantKind.Warm, assigned.Kind);
            Assert.Equal(ReleaseOutcome.Released, world.Workers[0].Release(F.Key, new RequestId($"w{i}"), assigned.Instance, default));
        }

        Assert.Equal((reports, reads), (world.Ledgers.Reports, world.Ledgers.Reads));
    }

    [Fact]
    public async Task Ten_thousand_requests_in_a_second_are_told_in_a_few_reports()
    {
        await using var world = new World();
        await world.WarmUpAsync(0);
        var reports = world.Ledgers.Reports;

        for (var i = 0; i < 10_000; i++)
        {
            world.Time.Advance(TimeSpan.FromMicroseconds(100));
            var assigned = await world.Workers[0].AssignAsync(F, new RequestId($"w{i}"), null, CancellationToken.None);
            world.Workers[0].Release(F.Key, new RequestId($"w{i}"), assigned.Instance, default);
        }

        await world.PassAsync(TimeSpan.FromSeconds(11));
        Assert.InRange(world.Ledgers.Reports - reports, 1, 5);
    }

    [Fact]
    public async Task An_instance_that_one_worker_does_not_need_any_more_serves_at_another()
    {
        await using var world = new World();
        var first = await world.WarmUpAsync(0);

        // Parked after 10 s, told to the ledger within a second. To create one takes longer than to ask for that one.
        await world.PassAsync(TimeSpan.FromSeconds(15));
        world.Backend.OnCreate = new FakeAnswer { Delay = TimeSpan.FromSeconds(3) };
        var assign = world.AssignAsync(1, "r2");
        await world.UntilAsync(() => assign.IsCompleted);

        Assert.Equal(first.Instance, (await assign).Instance);
        Assert.Equal(1, world.Backend.CreatedCount);
    }

    [Fact]
    public async Task A_release_that_lands_on_another_worker_frees_the_instance_where_it_is_leased()
    {
        await using var world = new World();
        var assign = world.AssignAsync(0, "r1");
        await world.UntilAsync(() => assign.IsCompleted);
        var held = await assign;

        Assert.Equal(ReleaseOutcome.Forwarded, world.Workers[1].Release(F.Key, new RequestId("r1"), held.Instance, default));
        await world.UntilAsync(() => world.Workers[0].GetStats().Slots.Idle == 1);

        var again = await world.AssignAsync(0, "r2");
        Assert.Equal((GrantKind.Warm, held.Instance), (again.Kind, again.Instance));
    }

    [Fact]
    public async Task A_stopping_worker_gives_back_what_is_idle_and_names_who_holds_the_rest()
    {
        await using var world = new World();
        var first = world.AssignAsync(0, "r1");
        var second = world.AssignAsync(0, "r2");
        await world.UntilAsync(() => first.IsCompleted && second.IsCompleted);
        world.Workers[0].Release(F.Key, new RequestId("r1"), (await first).Instance, default);

        var stop = world.Workers[0].StopAsync(new CancellationToken(canceled: true));
        await world.UntilAsync(() => stop.IsCompleted);
        await stop;

        var slots = world.Ledgers.State(F.Key).Slots.Values.ToDictionary(s => s.Instance, s => s);
        Assert.Equal(LedgerSlotState.Idle, slots[(await first).Instance].State);
        var entrusted = slots[(await second).Instance];
        Assert.Equal((LedgerSlotState.Entrusted, new RequestId("r2")), (entrusted.State, entrusted.Holders!.Single()));

        // Its release lands on another worker, and the instance is free for all.
        world.Workers[1].Release(F.Key, new RequestId("r2"), (await second).Instance, default);
        await world.UntilAsync(() => world.Ledgers.State(F.Key).Slots.Values.All(s => s.State == LedgerSlotState.Idle));
    }

    [Fact]
    public async Task Without_ledgers_a_worker_stops_giving_out_instances_before_its_lease_ends()
    {
        await using var world = new World();
        await world.WarmUpAsync(0);
        world.Ledgers.Broken = true;
        await world.PassAsync(TimeSpan.FromSeconds(30));

        var assign = world.AssignAsync(0, "r2");

        Assert.False(assign.IsCompleted);
        world.Ledgers.Broken = false;
        await world.UntilAsync(() => assign.IsCompleted);
        await assign;
    }

    [Fact]
    public async Task A_worker_that_was_taken_for_dead_goes_on_under_another_name_and_serves_those_who_wait()
    {
        await using var world = new World();
        await world.WarmUpAsync(0);
        var former = world.Workers[0].Worker;
        var warm = await world.AssignAsync(0, "held");
        world.Ledgers.Broken = true;
        for (var i = 0; i < 45; i++)
        {
            await world.PassAsync(TimeSpan.FromSeconds(1));
            world.Ledgers.Sweep();
        }

        var assign = world.AssignAsync(0, "r2");
        world.Ledgers.Broken = false;

        await world.UntilAsync(() => assign.IsCompleted);

        Assert.NotEqual(warm.Instance, (await assign).Instance);
        Assert.NotEqual(former, world.Workers[0].Worker);
        world.Ledgers.Sweep();
        Assert.Equal(LedgerSlotState.Suspect, world.Ledgers.State(F.Key).Slots.Values.Single(s => s.Instance == warm.Instance).State);
    }

    [Fact]
    public async Task What_the_policy_keeps_no_longer_the_worker_destroys_itself()
    {
        await using var world = new World("ttl:4");
        await world.WarmUpAsync(0);
        await world.UntilAsync(() => world.Backend.Existing.Count == 0);
        await world.UntilAsync(() => world.Ledgers.State(F.Key).Slots.Count == 0);
    }

    [Fact]
    public async Task A_backend_that_rations_creations_holds_a_workers_back_and_serves_them_in_turn()
    {
        await using var world = new World(creates: new RateLimit(1, TimeSpan.FromSeconds(5)));
        var assigns = Enumerable.Range(0, 3).Select(i => world.AssignAsync(0, $"r{i}")).ToList();
        await world.UntilAsync(() => assigns.Count(a => a.IsCompleted) == 1);
        Assert.Equal(1, world.Backend.CreatedCount);
        await world.UntilAsync(() => assigns.All(a => a.IsCompleted));
        Assert.Equal(3, world.Backend.CreatedCount);
    }

    [Fact]
    public async Task A_request_that_cannot_be_served_in_its_time_is_told_so()
    {
        await using var world = new World();
        world.Ledgers.Broken = true;

        var assign = world.Workers[0].AssignAsync(F, new RequestId("r1"), TimeSpan.FromSeconds(5), CancellationToken.None).AsTask();
        await world.UntilAsync(() => assign.IsCompleted);

        Assert.Equal(RejectReason.DeadlineExceeded, (await Assert.ThrowsAsync<AssignRejectedException>(() => assign)).Reason);
    }

    [Fact]
    public async Task Disposing_of_a_worker_twice_is_harmless()
    {
        await using var world = new World();
        await world.WarmUpAsync(0);

        await world.Workers[0].DisposeAsync();
        await world.Workers[0].DisposeAsync();
    }

    [Fact]
    public async Task A_disposed_worker_may_still_be_told_to_stop()
    {
        await using var world = new World();
        await world.WarmUpAsync(0);
        await world.Workers[0].DisposeAsync();

        var stop = world.Workers[0].StopAsync(CancellationToken.None);
        await world.UntilAsync(() => stop.IsCompleted);

        await stop;
    }

    /// <summary>Two workers, one backend, ledgers in memory, and a clock that the test moves.</summary>
    private sealed class World : IAsyncDisposable
    {
        private int _requests;

        public World(string policy = "ttl:300", RateLimit? creates = null)
        {
            var options = new LeasingOptions { ParkAfter = TimeSpan.FromSeconds(10) };
            Backend = new FakeBackend(Time) { Budget = creates is { } limit ? new SimulatedBudget(Time, limit) : null };
            Ledgers = new MemoryLedgers(Backend, Time, options);
            Workers =
            [
                .. new[] { "w0", "w1" }.Select(id => new WorkerRuntime(
                    new WorkerId(id),
                    Ledgers,
                    Backend,
                    PolicyCatalog.Parse(policy),
                    options,
                    new ScalerRuntimeOptions(),
                    Time,
                    NullLogger<WorkerRuntime>.Instance)),
            ];
        }

        public ManualTimeProvider Time { get; } = new();

        public FakeBackend Backend { get; }

        public MemoryLedgers Ledgers { get; }

        public IReadOnlyList<WorkerRuntime> Workers { get; }

        public Task<AssignedInstance> AssignAsync(int worker, string request) =>
            Workers[worker].AssignAsync(F, new RequestId(request), null, CancellationToken.None).AsTask();

        /// <summary>One instance at the worker, unused, and the worker's lease known to it.</summary>
        public async Task<AssignedInstance> WarmUpAsync(int worker)
        {
            var request = $"warm-{++_requests}";
            var assign = AssignAsync(worker, request);
            await UntilAsync(() => assign.IsCompleted);
            var assigned = await assign;
            Assert.Equal(ReleaseOutcome.Released, Workers[worker].Release(F.Key, new RequestId(request), assigned.Instance, default));
            await PassAsync(TimeSpan.FromSeconds(3));
            return assigned;
        }

        /// <summary>Lets time pass in small steps, and other threads do what they have begun.</summary>
        public async Task PassAsync(TimeSpan time)
        {
            for (var passed = TimeSpan.Zero; passed < time; passed += TimeSpan.FromMilliseconds(25))
            {
                Time.Advance(TimeSpan.FromMilliseconds(25));
                await Task.Delay(1);
            }
        }

        public async Task UntilAsync(Func<bool> condition)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            while (!condition())
            {
                limit.Token.ThrowIfCancellationRequested();
                await PassAsync(TimeSpan.FromMilliseconds(25));
            }
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var worker in Workers)
            {
                await worker.DisposeAsync();
            }

            await Backend.DisposeAsync();
        }
    }
}
