using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Fake;

namespace FuncScaler.Tests.Backends;

public class FakeBackendTests : RemoteSlotBackendContract
{
    protected override Task<RemoteBackendHarness> StartRemoteAsync() => Task.FromResult<RemoteBackendHarness>(new Harness());

    [Fact]
    public async Task Answers_come_after_their_delay()
    {
        var time = new ManualTimeProvider();
        await using var backend = new FakeBackend(time) { OnCreate = new FakeAnswer { Delay = TimeSpan.FromMilliseconds(100) } };

        var create = backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None);
        time.Advance(TimeSpan.FromMilliseconds(99));
        Assert.False(create.IsCompleted);
        time.Advance(TimeSpan.FromMilliseconds(1));

        Assert.Equal(backend.Existing.Single(), await create);
    }

    [Fact]
    public async Task An_init_whose_answer_is_lost_takes_effect()
    {
        await using var backend = new FakeBackend(TimeProvider.System);
        var slot = await backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None);
        backend.NextInits(new FakeAnswer { Failure = new SlotFailure(FailureKind.Transient, "lost"), TakesEffect = true });

        await Assert.ThrowsAsync<SlotBackendException>(() => backend.InitAsync(slot, new InstanceId("i-1"), Function, CancellationToken.None));

        await Assert.ThrowsAsync<SlotBackendException>(() => backend.InitAsync(slot, new InstanceId("i-2"), Function, CancellationToken.None));
    }

    [Fact]
    public async Task A_slot_whose_id_never_became_known_is_destroyed_by_its_ticket()
    {
        await using var backend = new FakeBackend(TimeProvider.System);
        await backend.CreateAsync(new SlotTicket(7), Function, CancellationToken.None);

        Assert.True(await backend.DestroyAsync(new SlotTicket(7), default, "test", CancellationToken.None));
        Assert.Empty(backend.Existing);
    }

    private sealed class Harness : RemoteBackendHarness
    {
        private readonly FakeBackend _fake = new(new ManualTimeProvider());

        public override ISlotBackend Backend => _fake;

        public override IReadOnlyCollection<BackendSlotId> Existing => _fake.Existing;

        public override void Lose(BackendSlotId slot) => _fake.Lose(slot);

        public override void NextCreateIsThrottled() =>
            _fake.NextCreates(new FakeAnswer { Failure = new SlotFailure(FailureKind.Throttled, "too fast") });

        public override void NextCreateIsRefused(string reason) =>
            _fake.NextCreates(new FakeAnswer { Failure = new SlotFailure(FailureKind.Permanent, reason) });

        public override void NextCreateLosesItsAnswer() => _fake.NextCreates(new FakeAnswer
        {
            Failure = new SlotFailure(FailureKind.Transient, "no answer", OutcomeUnknown: true),
            TakesEffect = true,
        });

        public override void NextCreateHangs() => _fake.NextCreates(new FakeAnswer { Delay = Timeout.InfiniteTimeSpan });

        public override ValueTask DisposeAsync() => _fake.DisposeAsync();
    }
}
