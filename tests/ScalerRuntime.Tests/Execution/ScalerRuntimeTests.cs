using System.Collections.Concurrent;
using System.Text.Json;
using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.SlotBackends.Fake;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.Tests.Runtime;

public class ScalerRuntimeTests
{
    private static readonly FunctionMeta F = new(new MetaKey("f"), "go", 60, 512);
    private static readonly FunctionMeta G = new(new MetaKey("g"), "go", 60, 128);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task A_cold_start_waits_for_create_and_init()
    {
        await using var host = new Host();
        host.Backend.Fake.OnCreate = new FakeAnswer { Delay = TimeSpan.FromMilliseconds(100) };
        host.Backend.Fake.OnInit = new FakeAnswer { Delay = TimeSpan.FromMilliseconds(300) };

        var assign = host.AssignAsync("r1");
        await host.Backend.ExpectAsync("create 1");
        host.Time.Advance(TimeSpan.FromMilliseconds(100));
        await host.Backend.ExpectAsync("init i-1");
        host.Time.Advance(TimeSpan.FromMilliseconds(299));
        Assert.False(assign.IsCompleted);
        host.Time.Advance(TimeSpan.FromMilliseconds(1));

        Assert.Equal(new AssignedInstance(new InstanceId("i-1"), GrantKind.Cold, null), await assign);
    }

    [Fact]
    public async Task A_warm_start_is_answered_before_the_call_returns()
    {
        await using var host = new Host();
        await host.StartAndReleaseAsync("r1");

        var assign = host.Runtime.AssignAsync(F, new RequestId("r2"), null, CancellationToken.None);

        Assert.True(assign.IsCompletedSuccessfully);
        Assert.Equal(GrantKind.Warm, (await assign).Kind);
        var stats = host.Runtime.GetStats();
        Assert.Equal((2, 1, 1, 0, 1), (stats.Requests.Assigns, stats.Requests.Warm, stats.Requests.Cold, stats.Requests.Waited, stats.Requests.Releases));
        Assert.Equal((1, 0, 1), (stats.Slots.Busy, stats.Slots.Idle, stats.Slots.Total));
    }

    [Fact]
    public async Task A_release_serves_who_waits()
    {
        await using var host = new Host();
        var first = await host.AssignAsync("r1");
        host.Backend.Fake.OnCreate = new FakeAnswer { Delay = Timeout.InfiniteTimeSpan };
        var second = host.AssignAsync("r2");

        Assert.Equal(ReleaseOutcome.Released, host.Release("r1", first));

        Assert.Equal(first with { Kind = GrantKind.Waited }, await second);
    }

    [Fact]
    public async Task A_release_that_matches_nothing_is_told_so()
    {
        await using var host = new Host();
        var first = await host.AssignAsync("r1");

        Assert.Equal(ReleaseOutcome.InstanceMismatch, host.Release("r1", new AssignedInstance(new InstanceId("other"), default, null)));
        Assert.Equal(ReleaseOutcome.UnknownAssignment, host.Release("r2", first));
        Assert.Equal(ReleaseOutcome.Released, host.Release("r1", first));
        Assert.Equal(ReleaseOutcome.UnknownAssignment, host.Release("r1", first));
        Assert.Equal(3, host.Runtime.GetStats().Requests.UnknownReleases);
    }

    [Fact]
    public async Task A_caller_that_goes_away_while_it_waits_leaves_its_instance_to_the_next()
    {
        await using var host = new Host();
        host.Backend.Fake.OnInit = new FakeAnswer { Delay = Second };
        using var cancellation = new CancellationTokenSource();
        var assign = host.AssignAsync("r1", cancellationToken: cancellation.Token);
        await host.Backend.ExpectAsync("create 1", "init i-1");

        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => assign);
        Assert.Equal(0, host.Runtime.GetStats().Requests.Waiting);
        host.Time.Advance(Second);

        Assert.Equal(new InstanceId("i-1"), (await host.AssignAsync("r2")).Instance);
        Assert.Equal(1, host.Runtime.GetStats().Slots.Total);
    }

    [Fact]
    public async Task A_caller_that_is_gone_already_is_not_served()
    {
        await using var host = new Host();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => host.AssignAsync("r1", cancellationToken: new CancellationToken(canceled: true)));

        Assert.Equal(0, host.Runtime.GetStats().Requests.Assigns);
    }

    [Fact]
    public async Task A_request_is_answered_before_its_callers_deadline_with_the_backends_reason()
    {
        await using var host = new Host();
        host.Backend.Fake.OnCreate = new FakeAnswer { Failure = new SlotFailure(FailureKind.Throttled, "300 creates an hour", 60_000_000) };
        var assign = host.AssignAsync("r1", timeout: 2 * Second);
        await host.Backend.ExpectAsync("create 1");
        await host.UntilAsync(s => s.Slots.BackendFailures == 1);

        host.Time.Advance(TimeSpan.FromMilliseconds(1899));
        Assert.False(assign.IsCompleted);
        host.Time.Advance(TimeSpan.FromMilliseconds(1));

        var e = await Assert.ThrowsAsync<AssignRejectedException>(() => assign);
        Assert.Equal(RejectReason.DeadlineExceeded, e.Reason);
        Assert.Contains("300 creates an hour", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_short_deadline_keeps_nine_tenths_of_its_time()
    {
        await using var host = new Host();
        host.Backend.Fake.OnCreate = new FakeAnswer { Delay = Timeout.InfiniteTimeSpan };
        var assign = host.AssignAsync("r1", timeout: TimeSpan.FromMilliseconds(100));

        host.Time.Advance(TimeSpan.FromMilliseconds(89));
        Assert.False(assign.IsCompleted);
        host.Time.Advance(TimeSpan.FromMilliseconds(1));

        await Assert.ThrowsAsync<AssignRejectedException>(() => assign);
    }

    [Fact]
    public async Task A_caller_without_a_deadline_waits_as_long_as_the_settings_say()
    {
        await using var host = new Host(new ScalerRuntimeOptions { AssignTimeout = TimeSpan.FromSeconds(5) });
        host.Backend.Fake.OnCreate = new FakeAnswer { Delay = Timeout.InfiniteTimeSpan };
        var assign = host.AssignAsync("r1");

        host.Time.Advance(TimeSpan.FromMilliseconds(4_999));
        Assert.False(assign.IsCompleted);
        host.Time.Advance(TimeSpan.FromMilliseconds(1));

        await Assert.ThrowsAsync<AssignRejectedException>(() => assign);
    }

    [Fact]
    public async Task A_refusal_for_good_reaches_the_caller()
    {
        await using var host = new Host();
        host.Backend.Fake.OnCreate = new FakeAnswer { Failure = new SlotFailure(FailureKind.Permanent, "no such size") };

        var e = await Assert.ThrowsAsync<AssignRejectedException>(() => host.AssignAsync("r1"));

        Assert.Equal(RejectReason.BackendRefused, e.Reason);
        Assert.Contains("no such size", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Callers_of_one_request_share_its_instance_and_one_that_goes_away_does_not_take_it_from_the_other()
    {
        await using var host = new Host();
        host.Backend.Fake.OnCreate = new FakeAnswer { Delay = Second };
        using var cancellation = new CancellationTokenSource();
        var leaving = host.AssignAsync("r1", cancellationToken: cancellation.Token);
        var staying = host.AssignAsync("r1");
        var third = host.AssignAsync("r1");
        await host.Backend.ExpectAsync("create 1");

        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving);
        host.Time.Advance(Second);

        var assigned = await staying;
        Assert.Equal(assigned, await third);
        Assert.Equal(assigned.Instance, (await host.AssignAsync("r1")).Instance);
        Assert.Equal(1, host.Runtime.GetStats().Slots.Busy);
        Assert.Equal(ReleaseOutcome.Released, host.Release("r1", assigned));
    }

    [Fact]
    public async Task The_last_caller_of_a_request_that_goes_away_gives_it_up()
    {
        await using var host = new Host();
        host.Backend.Fake.OnCreate = new FakeAnswer { Delay = Second };
        using var cancellation = new CancellationTokenSource();
        var one = host.AssignAsync("r1", cancellationToken: cancellation.Token);
        var other = host.AssignAsync("r1", cancellationToken: cancellation.Token);

        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => one);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => other);

        Assert.Equal(0, host.Runtime.GetStats().Requests.Waiting);
    }

    [Fact]
    public async Task A_create_that_is_never_answered_does_not_hold_up_the_request()
    {
        await using var host = new Host();
        host.Backend.Fake.NextCreates(new FakeAnswer { Delay = Timeout.InfiniteTimeSpan });
        var assign = host.AssignAsync("r1");
        await host.Backend.ExpectAsync("create 1");

        host.Time.Advance(TimeSpan.FromSeconds(31));

        await host.Backend.ExpectAsync("create 2", "init i-2");
        Assert.Equal(GrantKind.Cold, (await assign).Kind);
    }

    [Fact]
    public async Task A_call_that_fails_in_an_unforeseen_way_is_a_failure_like_any_other()
    {
        await using var host = new Host();
        host.Backend.Fake.NextCreates(new FakeAnswer { Failure = new SlotFailure(FailureKind.Transient, "x", OutcomeUnknown: true), TakesEffect = true });
        var assign = host.AssignAsync("r1");

        await host.Backend.ExpectAsync("create 1", "destroy ?");
        await host.UntilAsync(s => s.Slots.Total == 0);
        Assert.Empty(host.Backend.Fake.Existing);
        host.Time.Advance(TimeSpan.FromMilliseconds(100));

        await host.Backend.ExpectAsync("create 2", "init i-2");
        await assign;
    }

    [Fact]
    public async Task After_an_outage_instances_that_were_lost_meanwhile_are_dropped()
    {
        await using var host = new Host();
        await host.StartAndReleaseAsync("r1");
        await host.Backend.ExpectAsync("create 1", "init i-1");
        host.Time.Advance(Second);

        host.Backend.Unreachable = true;
        var other = host.Runtime.AssignAsync(G, new RequestId("r2"), null, CancellationToken.None).AsTask();
        await host.Backend.ExpectAsync("create 2", "list");
        host.Backend.Fake.Lose(host.Backend.Fake.Existing.Single());
        host.Backend.Unreachable = false;
        Assert.Equal(1, host.Runtime.GetStats().Slots.Idle);
        await host.UntilAsync(_ => host.Time.ActiveTimers >= 2);
        host.Time.Advance(Second);

        await host.UntilAsync(s => s.Slots.Idle == 0);
        Assert.Equal(GrantKind.Cold, (await host.AssignAsync("r3")).Kind);
        await other;
    }

    [Fact]
    public async Task A_slot_that_the_platform_did_not_know_any_more_makes_the_runtime_ask_about_the_others()
    {
        await using var host = new Host();
        var one = await host.AssignAsync("r1");
        var other = await host.AssignAsync("r2");
        foreach (var slot in host.Backend.Fake.Existing)
        {
            host.Backend.Fake.Lose(slot);
        }

        host.Time.Advance(Second);
        host.Release("r1", one);
        host.Runtime.Release(F.Key, new RequestId("r2"), other.Instance, new ReleaseResult(0, NeedDestroy: true));

        await host.UntilAsync(s => s.Slots.Total == 0);
    }

    [Fact]
    public async Task Slots_that_nobody_owns_are_destroyed_when_the_list_shows_them()
    {
        await using var host = new Host();
        host.Backend.Fake.Plant();
        host.Backend.Fake.Plant();

        Assert.True(await host.Runtime.ReconcileAsync(CancellationToken.None));

        await host.UntilAsync(s => s.Slots.Total == 0);
        Assert.Empty(host.Backend.Fake.Existing);
    }

    [Fact]
    public async Task The_list_is_asked_for_at_the_interval_that_was_set()
    {
        await using var host = new Host(new ScalerRuntimeOptions { ReconcileInterval = TimeSpan.FromMinutes(1) });
        host.Backend.Fake.Plant();

        host.Time.Advance(TimeSpan.FromMinutes(1));

        await host.Backend.ExpectAsync("list", "destroy fake-1");
    }

    [Fact]
    public async Task An_instance_that_was_made_while_a_list_was_under_way_is_kept()
    {
        await using var host = new Host();
        host.Backend.ListGate = new TaskCompletionSource();
        var reconciled = host.Runtime.ReconcileAsync(CancellationToken.None);
        host.Time.Advance(Second);
        await host.StartAndReleaseAsync("r1");
        host.Time.Advance(Second);

        host.Backend.ListGate.SetResult();

        Assert.True(await reconciled);
        Assert.Equal(1, host.Runtime.GetStats().Slots.Idle);
    }

    [Fact]
    public async Task A_backend_without_a_list_says_so()
    {
        await using var host = new Host();
        host.Backend.Fake.CanList = false;

        Assert.False(await host.Runtime.ReconcileAsync(CancellationToken.None));
    }

    [Fact]
    public async Task Stopping_waits_for_instances_in_use_and_destroys_everything()
    {
        await using var host = new Host();
        await host.StartAndReleaseAsync("r1");
        var busy = await host.AssignAsync("r2");
        var other = await host.AssignAsync("r3");
        host.Release("r3", other);

        var stop = host.Runtime.StopAsync(keepInstances: false, CancellationToken.None);
        var e = await Assert.ThrowsAsync<AssignRejectedException>(() => host.AssignAsync("r4"));
        Assert.Equal(RejectReason.ShuttingDown, e.Reason);
        Assert.False(stop.IsCompleted);
        host.Release("r2", busy);
        await stop;

        Assert.Empty(host.Backend.Fake.Existing);
    }

    [Fact]
    public async Task Stopping_twice_ends_both_calls()
    {
        await using var host = new Host();
        var busy = await host.AssignAsync("r1");

        var first = host.Runtime.StopAsync(keepInstances: false, CancellationToken.None);
        var second = host.Runtime.StopAsync(keepInstances: false, CancellationToken.None);
        host.Release("r1", busy);

        await second;
        await first;
    }

    [Fact]
    public async Task A_stop_whose_patience_ends_destroys_instances_in_use_and_orphans()
    {
        await using var host = new Host();
        await host.AssignAsync("r1");
        host.Backend.Fake.Plant();
        host.Backend.Fake.NextDestroys(new FakeAnswer { Failure = new SlotFailure(FailureKind.Transient, "not now") });
        await host.Runtime.ReconcileAsync(CancellationToken.None);
        await host.UntilAsync(s => s.Slots.BackendFailures == 1);
        using var patience = new CancellationTokenSource();

        var stop = host.Runtime.StopAsync(keepInstances: false, patience.Token);
        Assert.False(stop.IsCompleted);
        await patience.CancelAsync();
        await stop;

        Assert.Empty(host.Backend.Fake.Existing);
    }

    [Fact]
    public async Task Stopping_may_leave_instances_for_a_successor()
    {
        await using var host = new Host();
        await host.StartAndReleaseAsync("r1");

        await host.Runtime.StopAsync(keepInstances: true, CancellationToken.None);

        Assert.Single(host.Backend.Fake.Existing);
    }

    [Fact]
    public async Task Idle_instances_are_destroyed_when_their_time_has_come_though_nobody_calls()
    {
        await using var host = new Host();
        await host.StartAndReleaseAsync("r1");
        await host.Backend.ExpectAsync("create 1", "init i-1");

        host.Time.Advance(TimeSpan.FromSeconds(300));

        await host.Backend.ExpectAsync("destroy fake-1");
    }

    [Fact]
    public async Task Statistics_can_be_written_as_json_also_of_a_function_that_rested_for_days()
    {
        await using var host = new Host();
        await host.StartAndReleaseAsync("r1");
        host.Time.Advance(TimeSpan.FromDays(3));
        await host.AssignAsync("r2");

        var json = JsonSerializer.Serialize(host.Runtime.GetStats());

        Assert.Contains("\"Key\":\"f\"", json, StringComparison.Ordinal);
    }

    /// <summary>The lock alone, on threads of the system's choosing: what faults and time do is played in the simulation.</summary>
    [Fact]
    public async Task Threads_that_assign_and_release_at_once_never_hold_an_instance_twice()
    {
        await using var host = new Host();
        var functions = Enumerable.Range(0, 5).Select(i => F with { Key = new MetaKey($"f{i}") }).ToArray();
        var holders = new ConcurrentDictionary<InstanceId, RequestId>();
        var served = 0;

        await Parallel.ForAsync(0, 20_000, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (i, _) =>
        {
            var (function, request) = (functions[i % functions.Length], new RequestId($"r{i}"));
            using var cancellation = new CancellationTokenSource();
            var assign = host.Runtime.AssignAsync(function, request, null, cancellation.Token);
            if (i % 50 == 0)
            {
                await cancellation.CancelAsync();
            }

            try
            {
                var assigned = await assign;
                Assert.True(holders.TryAdd(assigned.Instance, request), "An instance was held twice");
                if (i % 7 == 0)
                {
                    await Task.Yield();
                }

                Assert.True(holders.TryRemove(assigned.Instance, out var holder) && holder == request);
                Assert.Equal(ReleaseOutcome.Released, host.Runtime.Release(function.Key, request, assigned.Instance, new ReleaseResult(1, i % 97 == 0)));
                Interlocked.Increment(ref served);
            }
            catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
            {
            }
        });
        await host.Runtime.StopAsync(keepInstances: false, CancellationToken.None);

        var stats = host.Runtime.GetStats();
        Assert.InRange(served, 19_600, 20_000);
        Assert.Equal((0, 0, 0, 0), (stats.Slots.Total, stats.Slots.Busy, stats.Slots.InFlight, stats.Requests.Waiting));
        Assert.Empty(host.Backend.Fake.Existing);
    }

    /// <summary>A runtime on a backend and a clock that the test controls.</summary>
    private sealed class Host : IAsyncDisposable
    {
        public Host(ScalerRuntimeOptions? options = null)
        {
            Backend = new ObservedBackend(Time);
            Runtime = new ScalerRuntime(
                Backend, PolicyCatalog.Parse("ttl:300"), options ?? new ScalerRuntimeOptions(), Time, NullLogger<ScalerRuntime>.Instance);
        }

        public ManualTimeProvider Time { get; } = new();

        public ObservedBackend Backend { get; }

        public ScalerRuntime Runtime { get; }

        public Task<AssignedInstance> AssignAsync(string request, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
        {
            try
            {
                return Runtime.AssignAsync(F, new RequestId(request), timeout, cancellationToken).AsTask();
            }
            catch (OperationCanceledException e)
            {
                return Task.FromCanceled<AssignedInstance>(e.CancellationToken);
            }
        }

        public ReleaseOutcome Release(string request, AssignedInstance assigned) =>
            Runtime.Release(F.Key, new RequestId(request), assigned.Instance, new ReleaseResult(1_000, NeedDestroy: false));

        public async Task StartAndReleaseAsync(string request) =>
            Assert.Equal(ReleaseOutcome.Released, Release(request, await AssignAsync(request)));

        /// <summary>Waits for what other threads are about to do; the clock stands still meanwhile.</summary>
        public Task UntilAsync(Func<ScalerStats, bool> condition) => Eventually.HoldsAsync(() => condition(Runtime.GetStats()));

        public ValueTask DisposeAsync() => Runtime.DisposeAsync();
    }
}
