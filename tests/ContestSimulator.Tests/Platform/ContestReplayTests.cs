using FuncScaler.ContestSimulator.Platform;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.Contract;
using FuncScaler.Scoring;
using Grpc.Core;
using static FuncScaler.Tests.Platform.ListTrace;

namespace FuncScaler.Tests.Platform;

public sealed class ContestReplayTests
{
    [Fact]
    public async Task One_cold_request_costs_create_init_execution_and_tail()
    {
        var report = await new ReplayWorld(tail: TimeSpan.FromSeconds(2)).RunAsync(Request(1_000_000, 60));

        // Assign 100 ms + 40 ms, execution 60 ms, tail 2000 ms, with 512 MB.
        Assert.Equal(new Score(1, 0, 0.030, 1.100, 0.060, 0.140, 0), Rounded(report.Score));
        Assert.Equal((50 * 0.030 / 1.100) + (50 * 0.060 / 0.200), report.Score.Total, 9);
        Assert.Equal(TimeSpan.FromMilliseconds(2200), report.EndTime - report.StartTime);
        Assert.Equal((1, 1, null), (report.LiveSlots, report.Sent, report.Error));
        Assert.Empty(report.Misuses);
    }

    [Fact]
    public async Task Cold_warm_and_waiting_requests_are_told_apart()
    {
        var world = new ReplayWorld();
        // The third waits for the second's instance: the scaler is told to wait until the second is done.
        world.Scaler.BeforeAssign = (request, cancellation) => world.Scaler.Assigns.Count == 3
            ? Task.Delay(TimeSpan.FromMilliseconds(30), world.Time, cancellation)
            : Task.CompletedTask;
        var report = await world.RunAsync(Request(0, 10), Request(1000, 20), Request(1005, 20));

        var measured = report.Measured;
        Assert.Equal((1, 1, 1, 1), (measured.ColdStarts, measured.ColdStartsFromCreation, measured.WarmRequests, measured.WaitedForBusy));
        Assert.Equal(100, measured.ColdAssignLessInitP50Ms, 0.4);
        Assert.Equal((0, 0), (measured.WarmAssignMeanMs, measured.WarmIdleMeanMs));
        Assert.Equal((140 + 0 + 30) / 3.0, measured.AssignMeanMs, 9);
        Assert.Equal((1, 1), (measured.PeakLiveSlots, measured.SlotsOfRun));
        Assert.Equal(0, measured.SendDelayP99Ms);
    }

    [Fact]
    public async Task Requests_are_sent_at_their_times_whatever_becomes_of_those_before()
    {
        var world = new ReplayWorld();
        var sent = new List<TimeSpan>();
        var start = world.Time.GetUtcNow();
        world.Scaler.BeforeAssign = (_, cancellation) =>
        {
            sent.Add(world.Time.GetUtcNow() - start);
            return Task.Delay(TimeSpan.FromHours(1), world.Time, cancellation);
        };
        // 836 in one second, as the densest trace has, and none of them answered within the hour.
        var requests = Enumerable.Range(0, 836).Select(i => Request(5000 + (i * 1000 / 836), 10)).ToArray();

        var report = await world.RunAsync(requests);

        Assert.Equal(requests.Select(request => TimeSpan.FromMicroseconds(request.StartUs - 5_000_000)), sent);
        Assert.Equal((836, 0), (report.Score.Requests, report.Score.FailedRequests));
    }

    [Fact]
    public async Task A_run_is_the_same_every_time()
    {
        var requests = Enumerable.Range(0, 200).Select(i => Request(i * 17, (i * 37 % 90) + 1, i % 2)).ToArray();
        var first = await new ReplayWorld().RunAsync(requests);
        var second = await new ReplayWorld().RunAsync(requests);
        Assert.Equal(first.ToDetailedJson(), second.ToDetailedJson());
    }

    [Theory]
    [InlineData(Fault.AssignRpcError, Misuse.AssignRpcError)]
    [InlineData(Fault.AssignRefused, Misuse.AssignRefused)]
    [InlineData(Fault.AnswersForAnotherRequest, Misuse.AssignmentMismatch)]
    [InlineData(Fault.NoAssignment, Misuse.AssignmentMismatch)]
    [InlineData(Fault.UnknownInstance, Misuse.UnknownInstance)]
    [InlineData(Fault.InstanceNotInitialised, Misuse.InstanceNotInitialised)]
    [InlineData(Fault.InstanceDestroyed, Misuse.InstanceDestroyed)]
    [InlineData(Fault.DestroysWhileRunning, Misuse.DestroyedWhileExecuting)]
    [InlineData(Fault.IdleRpcError, Misuse.IdleRpcError)]
    [InlineData(Fault.IdleRefused, Misuse.IdleRefused)]
    public async Task A_request_that_the_scaler_mishandles_fails(Fault fault, Misuse misuse)
    {
        var report = await new ReplayWorld(fault).RunAsync(Request(0, 60));

        Assert.Equal((1, 1), (report.Score.Requests, report.Score.FailedRequests));
        Assert.Equal((0, 0, 0), (report.Score.ExecutionSeconds, report.Score.AssignSeconds, report.Score.Total));
        var counted = Assert.Single(report.Misuses);
        Assert.Equal((misuse, 1), (counted.Kind, counted.Count));
        Assert.Null(report.Error);
    }

    [Theory]
    [InlineData(Fault.GrantsTwice, 0, Misuse.InstanceAlreadyAssigned)]
    [InlineData(Fault.InstanceOfOtherFunction, 1, Misuse.InstanceOfOtherFunction)]
    public async Task A_wrong_grant_fails_the_request_that_got_it_and_not_the_holder(Fault fault, int function, Misuse misuse)
    {
        // The second comes while the first executes, or, for the other function, when it has ended.
        var report = await new ReplayWorld(fault).RunAsync(Request(0, 500), Request(fault == Fault.GrantsTwice ? 300 : 1000, 60, function));

        Assert.Equal((2, 1), (report.Score.Requests, report.Score.FailedRequests));
        Assert.Equal(0.5, report.Score.ExecutionSeconds, 9);
        Assert.Equal((misuse, 1), (Assert.Single(report.Misuses).Kind, report.Misuses[0].Count));
    }

    [Fact]
    public async Task A_misuse_of_the_Platform_service_alone_fails_no_request()
    {
        var report = await new ReplayWorld(Fault.InitsTwice).RunAsync(Request(0, 60));

        Assert.Equal((1, 0), (report.Score.Requests, report.Score.FailedRequests));
        Assert.Equal(Misuse.InitTwice, Assert.Single(report.Misuses).Kind);
    }

    [Fact]
    public async Task A_broken_instance_is_served_and_its_Idle_asks_for_its_end()
    {
        var world = new ReplayWorld();
        var report = await world.RunAsync(Request(0, 60, statusCode: 408), Request(1000, 70));

        Assert.Equal((2, 0), (report.Score.Requests, report.Score.FailedRequests));
        Assert.Collection(
            world.Scaler.Idles.Select(idle => idle.Result),
            broken =>
            {
                Assert.Equal((408, 60ul, true), (broken.StatusCode, broken.DurationInMs, broken.NeedDestroy));
                Assert.Contains("408", broken.Reason, StringComparison.Ordinal);
            },
            sound => Assert.Equal((200, 70ul, false, false), (sound.StatusCode, sound.DurationInMs, sound.NeedDestroy, sound.HasReason)));
        // The fake scaler destroys before it answers, so its Idle takes what DestroySlot takes.
        Assert.Equal(0.020, report.Score.IdleSeconds, 9);
        Assert.Equal((2, 1), (report.Measured.SlotsOfRun, report.LiveSlots));
    }

    [Fact]
    public async Task What_a_scaler_is_told_of_a_request_is_its_functions_meta_and_the_time()
    {
        var world = new ReplayWorld();
        await world.RunAsync(Request(0, 1), Request(0, 1, 1));

        Assert.Equal(2, world.Scaler.Assigns.Select(assign => assign.RequestId).Distinct().Count());
        var second = world.Scaler.Assigns.Last();
        var meta = second.MetaData;
        Assert.Equal(("g", "go", 10u, 512ul), (meta.Key, meta.Runtime, meta.TimeoutInSecs, meta.MemoryInMb));
        Assert.Equal((ulong)new ManualTimeProvider().GetUtcNow().ToUnixTimeMilliseconds(), second.Timestamp);
    }

    [Fact]
    public async Task A_cancelled_run_ends_at_once_with_what_it_has_come_to()
    {
        var world = new ReplayWorld();
        using var cancelling = new CancellationTokenSource();
        var replay = world.Replay(new ListTrace(ReplayWorld.Functions, [Request(0, 10), Request(500, 1000)]));
        var run = ReplayWorld.Begin(replay, null, cancelling.Token);
        world.Time.Advance(TimeSpan.FromMilliseconds(700));
        Assert.False(run.IsCompleted);
        ManualTimeProvider.Inline(cancelling.Cancel);

        var report = await world.EndAsync(run);

        Assert.Equal((1, 0, 2), (report.Score.Requests, report.Score.FailedRequests, report.Sent));
        Assert.Equal(TimeSpan.FromMilliseconds(700), report.EndTime - report.StartTime);
        Assert.Contains("cancelled", report.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_malformed_line_ends_the_run_and_is_named_in_its_report()
    {
        var world = new ReplayWorld();
        var trace = new ListTrace(ReplayWorld.Functions, [Request(0, 10), Request(500, 1000)], "requests line 3: no startTime");
        var report = await world.EndAsync(ReplayWorld.Begin(world.Replay(trace)));

        Assert.Contains("requests line 3: no startTime", report.Error, StringComparison.Ordinal);
        Assert.Equal((1, 2), (report.Score.Requests, report.Sent));
        Assert.NotNull(report.EndTime);
    }

    [Fact]
    public void A_trace_with_two_functions_of_one_key_is_refused()
    {
        var trace = new ListTrace([Function("f", 128, 1), Function("f", 256, 1)], []);
        var error = Assert.Throws<TraceFormatException>(() => new ReplayWorld().Replay(trace));
        Assert.Contains("\"f\"", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_empty_trace_ends_after_the_tail_without_a_score()
    {
        var report = await new ReplayWorld(tail: TimeSpan.FromSeconds(3)).RunAsync();
        Assert.Equal((0, 0.0), (report.Score.Requests, report.Score.Total));
        Assert.Equal(TimeSpan.FromSeconds(3), report.EndTime - report.StartTime);
    }

    [Fact]
    public async Task Progress_is_told_in_between_and_at_the_end()
    {
        var world = new ReplayWorld();
        var progress = new Recorder();
        var replay = world.Replay(new ListTrace(ReplayWorld.Functions, [Request(0, 10), Request(500, 1000)]));
        await world.EndAsync(ReplayWorld.Begin(replay, progress));

        Assert.Equal(new RunProgress(1, 1, 0, 1, TimeSpan.FromMilliseconds(250), 0), progress.Seen[0]);
        Assert.Equal(new RunProgress(2, 2, 0, 1, TimeSpan.FromMilliseconds(1500), 500_000), progress.Seen[^1]);
        Assert.Equal(6, progress.Seen.Count);
    }

    [Fact]
    public async Task A_second_run_finds_the_slots_of_the_first_and_pays_for_them()
    {
        var world = new ReplayWorld(tail: TimeSpan.FromSeconds(1));
        await world.RunAsync(Request(0, 60));
        world.Time.Advance(TimeSpan.FromHours(5));

        var second = await world.RunAsync(Request(0, 1000));

        Assert.Equal((0, 1, 1), (second.Measured.ColdStarts, second.Measured.WarmRequests, second.Measured.SlotsOfRun));
        Assert.Equal(new Score(1, 0, 0.5, 1.0, 1, 0, 0), Rounded(second.Score));
    }

    [Fact]
    public async Task A_slot_whose_caller_went_away_during_its_creation_exists_and_costs()
    {
        var world = new ReplayWorld();
        using var leaving = new CancellationTokenSource();
        world.Scaler.BeforeAssign = async (request, _) =>
        {
            var create = new CreateSlotRequest { ResourceConfig = new ResourceConfig { MemoryInMegabytes = 1024 } };
            var call = world.Scaler.Platform.CreateSlotAsync(create, cancellationToken: leaving.Token);
            leaving.Cancel();
            await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync);
        };

        var run = ReplayWorld.Begin(world.Replay(new ListTrace(ReplayWorld.Functions, [Request(0, 860)])));
        var report = await world.EndAsync(run);

        // 1000 ms each: the forgotten slot of 1024 MB and the request's of 512 MB.
        Assert.Equal(2, report.LiveSlots);
        Assert.Equal(1.5, report.Score.SlotGbSeconds, 9);
    }

    [Fact]
    public async Task A_creation_that_is_asked_for_again_under_its_id_is_the_same_slot()
    {
        var platform = new PlatformService(new ContestPlatformOptions { CreateDelay = TimeSpan.Zero });
        CreateSlotRequest Create(string id) => new() { RequestId = id, ResourceConfig = new ResourceConfig { MemoryInMegabytes = 128 } };

        var first = await platform.CreateSlotAsync(Create("a"));
        var again = await platform.CreateSlotAsync(Create("a"));
        var other = await platform.CreateSlotAsync(Create("b"));
        var unnamed = (await platform.CreateSlotAsync(Create(""))).Slot.Id != (await platform.CreateSlotAsync(Create(""))).Slot.Id;

        Assert.Equal(first.Slot.Id, again.Slot.Id);
        Assert.NotEqual(first.Slot.Id, other.Slot.Id);
        Assert.True(unnamed, "an id that is empty names nothing");
    }

    private static Score Rounded(Score score) => new(
        score.Requests,
        score.FailedRequests,
        Math.Round(score.ExecutionGbSeconds, 9),
        Math.Round(score.SlotGbSeconds, 9),
        Math.Round(score.ExecutionSeconds, 9),
        Math.Round(score.AssignSeconds, 9),
        Math.Round(score.IdleSeconds, 9));

    private sealed class Recorder : IProgress<RunProgress>
    {
        public List<RunProgress> Seen { get; } = [];

        public void Report(RunProgress value) => Seen.Add(value);
    }
}
