using FuncScaler.Contract;
using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Simulator;

namespace FuncScaler.Tests.Backends;

public class SimulatorBackendTests : RemoteSlotBackendContract
{
    protected override async Task<RemoteBackendHarness> StartRemoteAsync() => new Harness(await TestPlatform.StartAsync());

    [Fact]
    public async Task Requests_say_what_the_contract_wants_to_know()
    {
        await using var platform = await TestPlatform.StartAsync();
        await using var backend = Connect(platform.Address);

        var slot = await backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None);
        await backend.InitAsync(slot, new InstanceId("i-1"), Function, CancellationToken.None);
        await backend.DestroyAsync(new SlotTicket(1), slot, "no longer needed", CancellationToken.None);

        var requests = platform.Requests.ToArray();
        var create = Assert.IsType<CreateSlotRequest>(requests[0]);
        Assert.Equal(512UL, create.ResourceConfig.MemoryInMegabytes);
        Assert.NotEmpty(create.RequestId);
        var init = Assert.IsType<InitRequest>(requests[1]);
        Assert.Equal((slot.Value, "i-1"), (init.SlotId, init.InstanceId));
        Assert.Equal(new Meta { Key = "f", Runtime = "go", TimeoutInSecs = 60, MemoryInMb = 512 }, init.MetaData);
        var destroy = Assert.IsType<DestroySlotRequest>(requests[2]);
        Assert.Equal((slot.Value, "no longer needed"), (destroy.Id, destroy.Reason));
    }

    [Theory]
    [InlineData(nameof(Fault.Throttle))]
    [InlineData(nameof(Fault.Exhausted))]
    public async Task A_throttled_call_is_tried_again_after_a_pause(string fault)
    {
        await using var platform = await TestPlatform.StartAsync();
        var time = new ManualTimeProvider();
        await using var backend = Connect(platform.Address, time);
        platform.Creates.Enqueue(Enum.Parse<Fault>(fault));
        platform.Creates.Enqueue(Enum.Parse<Fault>(fault));

        var slot = await RunAsync(time, backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None));

        Assert.Equal([slot.Value], platform.Slots.Keys);
        Assert.Equal(3, platform.Requests.Count);
        Assert.NotEqual(0, time.GetTimestamp());
    }

    [Fact]
    public async Task Retries_are_bounded_in_number_and_time()
    {
        await using var platform = await TestPlatform.StartAsync();
        var time = new ManualTimeProvider();
        await using var backend = Connect(platform.Address, time);
        Fill(platform.Creates, Fault.Throttle);

        var e = await Assert.ThrowsAsync<SlotBackendException>(
            () => RunAsync(time, backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None)));

        Assert.Equal(FailureKind.Throttled, e.Failure.Kind);
        Assert.Equal(4, platform.Requests.Count);
        Assert.InRange(time.GetElapsedTime(0).TotalMilliseconds, 50, 5_000);
    }

    [Fact]
    public async Task The_pauses_have_jitter()
    {
        var pauses = new List<TimeSpan>();
        foreach (var random in new[] { 0.05, 0.95 })
        {
            await using var platform = await TestPlatform.StartAsync();
            var time = new ManualTimeProvider();
            await using var backend = Connect(platform.Address, time, new SimulatorBackendOptions { Randomizer = () => random });
            platform.Creates.Enqueue(Fault.Throttle);
            await RunAsync(time, backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None));
            pauses.Add(time.GetElapsedTime(0));
        }

        Assert.NotEqual(pauses[0], pauses[1]);
    }

    [Fact]
    public async Task The_platforms_words_are_one_short_line()
    {
        await using var platform = await TestPlatform.StartAsync();
        await using var backend = Connect(platform.Address);
        platform.RefusalReason = "no\r\n\u001b[31m memory\u0007 " + new string('x', 20_000);
        platform.Creates.Enqueue(Fault.Refused);

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None));

        Assert.StartsWith("CreateSlot answered InvalidArgument: no memory xxx", e.Message, StringComparison.Ordinal);
        Assert.InRange(e.Message.Length, 500, 600);
    }

    [Fact]
    public async Task A_slot_id_of_a_thousand_characters_is_taken_and_a_longer_one_is_none()
    {
        await using var platform = await TestPlatform.StartAsync();
        await using var backend = Connect(platform.Address);
        platform.IdPrefix = new string('s', 1000);
        await backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None);
        platform.IdPrefix = new string('s', 2000);

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => backend.CreateAsync(new SlotTicket(2), Function, CancellationToken.None));

        Assert.Equal(FailureKind.Transient, e.Failure.Kind);
        Assert.Contains("a slot id of 2001 characters", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_create_whose_answer_was_lost_is_not_repeated()
    {
        await using var platform = await TestPlatform.StartAsync();
        await using var backend = Connect(platform.Address);
        platform.Creates.Enqueue(Fault.AnswerLost);

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None));

        Assert.True(e.Failure.OutcomeUnknown);
        Assert.Single(platform.Requests);
        Assert.Single(platform.Slots);
    }

    [Fact]
    public async Task A_create_that_takes_too_long_has_an_unknown_outcome_and_is_not_repeated()
    {
        await using var platform = await TestPlatform.StartAsync();
        await using var backend = Connect(platform.Address, options: new SimulatorBackendOptions { CreateTimeout = TimeSpan.FromSeconds(1) });
        Fill(platform.Creates, Fault.Hang);

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None));

        Assert.True(e.Failure.OutcomeUnknown);
        Assert.Equal(FailureKind.Transient, e.Failure.Kind);
        Assert.Single(platform.Requests);
    }

    [Fact]
    public async Task A_platform_that_goes_during_a_create_leaves_an_unknown_outcome()
    {
        await using var platform = await TestPlatform.StartAsync();
        await using var backend = Connect(platform.Address);
        platform.Creates.Enqueue(Fault.Hang);

        var create = Assert.ThrowsAsync<SlotBackendException>(() => backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None));
        await Eventually.HoldsAsync(() => platform.Requests.Count == 1);
        await platform.KillAsync();

        Assert.True((await create).Failure.OutcomeUnknown);
    }

    [Fact]
    public async Task A_caller_that_gives_up_gets_its_own_cancellation()
    {
        await using var platform = await TestPlatform.StartAsync();
        await using var backend = Connect(platform.Address);
        platform.Creates.Enqueue(Fault.Hang);
        using var giveUp = new CancellationTokenSource();

        var create = backend.CreateAsync(new SlotTicket(1), Function, giveUp.Token);
        await Eventually.HoldsAsync(() => platform.Requests.Count == 1);
        await giveUp.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => create);
    }

    [Fact]
    public async Task A_refused_connection_means_that_nothing_happened_and_that_the_platform_is_away()
    {
        using var port = new ReservedPort();
        var time = new ManualTimeProvider();
        await using var backend = Connect(port.Address, time);

        var create = await Assert.ThrowsAsync<SlotBackendException>(
            () => RunAsync(time, backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None)));
        var list = await Assert.ThrowsAsync<SlotBackendException>(() => backend.ListAsync(
            [new SlotSnapshot(new SlotTicket(1), SlotState.Idle, new BackendSlotId("s"), new InstanceId("i"), default, 512)], CancellationToken.None));

        Assert.True(create.PlatformUnreachable);
        Assert.Equal(FailureKind.Transient, create.Failure.Kind);
        Assert.False(create.Failure.OutcomeUnknown);
        Assert.NotEqual(0, time.GetTimestamp());
        Assert.True(list.PlatformUnreachable);
    }

    [Fact]
    public async Task A_platform_that_answers_without_a_slot_has_failed()
    {
        await using var platform = await TestPlatform.StartAsync();
        await using var backend = Connect(platform.Address);
        platform.Creates.Enqueue(Fault.Empty);

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None));

        Assert.Equal(FailureKind.Transient, e.Failure.Kind);
        Assert.Contains("without a slot id", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_internal_error_is_not_repeated_here_the_pool_does_that()
    {
        await using var platform = await TestPlatform.StartAsync();
        await using var backend = Connect(platform.Address);
        platform.Creates.Enqueue(Fault.InternalError);

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None));

        Assert.Equal(FailureKind.Transient, e.Failure.Kind);
        Assert.Single(platform.Requests);
    }

    [Fact]
    public async Task An_init_whose_answer_was_lost_succeeds_when_repeated()
    {
        await using var platform = await TestPlatform.StartAsync();
        var time = new ManualTimeProvider();
        await using var backend = Connect(platform.Address, time);
        var slot = await backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None);
        platform.Inits.Enqueue(Fault.AnswerLost);

        await RunAsync(time, backend.InitAsync(slot, new InstanceId("i-1"), Function, CancellationToken.None));

        Assert.Equal("i-1", platform.Slots[slot.Value]);
    }

    [Fact]
    public async Task An_init_that_finds_the_slot_allocated_at_the_first_try_has_failed()
    {
        await using var platform = await TestPlatform.StartAsync();
        await using var backend = Connect(platform.Address);
        var slot = await backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None);
        await backend.InitAsync(slot, new InstanceId("i-other"), Function, CancellationToken.None);

        var e = await Assert.ThrowsAsync<SlotBackendException>(
            () => backend.InitAsync(slot, new InstanceId("i-1"), Function, CancellationToken.None));

        Assert.Equal(FailureKind.Permanent, e.Failure.Kind);
    }

    [Theory]
    [InlineData(nameof(Fault.Throttle))]
    [InlineData(nameof(Fault.Exhausted))]
    public async Task An_init_that_finds_the_slot_allocated_after_throttled_tries_has_failed(string fault)
    {
        // A throttled try had no effect, so the slot is somebody else's.
        await using var platform = await TestPlatform.StartAsync();
        var time = new ManualTimeProvider();
        await using var backend = Connect(platform.Address, time);
        var slot = await backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None);
        await backend.InitAsync(slot, new InstanceId("i-other"), Function, CancellationToken.None);
        platform.Inits.Enqueue(Enum.Parse<Fault>(fault));

        await Assert.ThrowsAsync<SlotBackendException>(
            () => RunAsync(time, backend.InitAsync(slot, new InstanceId("i-1"), Function, CancellationToken.None)));
    }

    [Theory]
    [InlineData(nameof(Fault.RequestLost))]
    [InlineData(nameof(Fault.AnswerLost))]
    [InlineData(nameof(Fault.Throttle))]
    [InlineData(nameof(Fault.Exhausted))]
    public async Task A_destroy_is_repeated_until_it_is_answered(string fault)
    {
        await using var platform = await TestPlatform.StartAsync();
        var time = new ManualTimeProvider();
        await using var backend = Connect(platform.Address, time);
        var slot = await backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None);
        platform.Destroys.Enqueue(Enum.Parse<Fault>(fault));

        await RunAsync(time, backend.DestroyAsync(new SlotTicket(1), slot, "test", CancellationToken.None));

        Assert.Empty(platform.Slots);
    }

    [Fact]
    public async Task Not_found_is_understood_as_a_status_of_the_call_too()
    {
        await using var platform = await TestPlatform.StartAsync();
        await using var backend = Connect(platform.Address);
        platform.Destroys.Enqueue(Fault.NotFoundStatus);
        platform.Inits.Enqueue(Fault.NotFoundStatus);

        Assert.False(await backend.DestroyAsync(new SlotTicket(1), new BackendSlotId("none"), "test", CancellationToken.None));
        Assert.Empty((await backend.ListAsync(
            [new SlotSnapshot(new SlotTicket(1), SlotState.Idle, new BackendSlotId("none"), new InstanceId("i"), default, 512)], CancellationToken.None))!);
    }

    [Fact]
    public async Task A_slot_without_an_id_cannot_be_destroyed_and_the_platform_is_not_asked()
    {
        await using var platform = await TestPlatform.StartAsync();
        await using var backend = Connect(platform.Address);

        Assert.False(await backend.DestroyAsync(new SlotTicket(1), default, "test", CancellationToken.None));

        Assert.Empty(platform.Requests);
    }

    [Fact]
    public async Task The_list_asks_only_about_instances_slots_under_way_are_taken_to_exist()
    {
        await using var platform = await TestPlatform.StartAsync();
        await using var backend = Connect(platform.Address);

        var listed = await backend.ListAsync(
            [
                new SlotSnapshot(new SlotTicket(1), SlotState.Creating, default, default, default, 512),
                new SlotSnapshot(new SlotTicket(2), SlotState.Initializing, new BackendSlotId("a"), new InstanceId("i-2"), default, 512),
                new SlotSnapshot(new SlotTicket(3), SlotState.Destroying, new BackendSlotId("b"), new InstanceId("i-3"), default, 512),
            ],
            CancellationToken.None);

        Assert.Equal([new BackendSlotId("a"), new BackendSlotId("b")], listed!.Select(l => l.Id));
        Assert.Empty(platform.Requests);
    }

    private static SimulatorBackend Connect(Uri address, TimeProvider? time = null, SimulatorBackendOptions? options = null) =>
        new(PlatformChannel.Open(address), options ?? new SimulatorBackendOptions { Randomizer = () => 0.5 }, time ?? new ManualTimeProvider());

    /// <summary>Waits for a call that pauses between tries: time passes whenever it waits for nothing else.</summary>
    private static async Task<T> RunAsync<T>(ManualTimeProvider time, Task<T> call)
    {
        while (!call.IsCompleted)
        {
            if (!time.AdvanceToNextTimer(TimeSpan.FromMinutes(1)))
            {
                await Task.WhenAny(call, Task.Delay(1));
            }
        }

        return await call;
    }

    private static void Fill(System.Collections.Concurrent.ConcurrentQueue<Fault> script, Fault fault)
    {
        for (var i = 0; i < 10; i++)
        {
            script.Enqueue(fault);
        }
    }

    private sealed class Harness(TestPlatform platform) : RemoteBackendHarness
    {
        public override ISlotBackend Backend { get; } =
            Connect(platform.Address, TimeProvider.System, new SimulatorBackendOptions { MaxRetries = 0 });

        public override IReadOnlyCollection<BackendSlotId> Existing => [.. platform.Slots.Keys.Select(id => new BackendSlotId(id))];

        public override void Lose(BackendSlotId slot) => platform.Lose(slot.Value);

        public override void NextCreateIsThrottled() => platform.Creates.Enqueue(Fault.Throttle);

        public override void NextCreateIsRefused(string reason)
        {
            platform.RefusalReason = reason;
            platform.Creates.Enqueue(Fault.Refused);
        }

        public override void NextCreateLosesItsAnswer() => platform.Creates.Enqueue(Fault.AnswerLost);

        public override void NextCreateHangs() => platform.Creates.Enqueue(Fault.Hang);

        public override async ValueTask DisposeAsync()
        {
            await Backend.DisposeAsync();
            await platform.DisposeAsync();
        }
    }
}
