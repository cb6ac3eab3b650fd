using FuncScaler.SlotBackends;

namespace FuncScaler.Tests.Backends;

/// <summary>What every <see cref="ISlotBackend"/> does, whatever platform is behind it.</summary>
public abstract class SlotBackendContract
{
    protected static FunctionMeta Function { get; } = new(new MetaKey("f"), "go", 60, 512);

    /// <summary>A platform of its own for each test, and the backend under test on it, without retries.</summary>
    protected abstract Task<BackendHarness> StartAsync();

    /// <summary>How many instances are many.</summary>
    protected virtual int Many => 100;

    [Fact]
    public async Task A_created_slot_exists()
    {
        await using var harness = await StartAsync();

        var slot = await harness.Backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None);

        Assert.Equal([slot], harness.Existing);
    }

    [Fact]
    public async Task Slots_created_at_the_same_time_are_different_ones()
    {
        await using var harness = await StartAsync();

        var slots = await Task.WhenAll(
            Enumerable.Range(1, 50).Select(i => harness.Backend.CreateAsync(new SlotTicket(i), Function, CancellationToken.None)));

        Assert.Equal(50, slots.Distinct().Count());
        Assert.Equal(slots.ToHashSet(), harness.Existing.ToHashSet());
    }

    [Fact]
    public async Task A_slot_becomes_an_instance_once()
    {
        await using var harness = await StartAsync();
        var slot = await harness.Backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None);
        await harness.Backend.InitAsync(slot, new InstanceId("i-1"), Function, CancellationToken.None);

        var e = await Assert.ThrowsAsync<SlotBackendException>(
            () => harness.Backend.InitAsync(slot, new InstanceId("i-2"), Function, CancellationToken.None));

        Assert.Equal(FailureKind.Permanent, e.Failure.Kind);
        Assert.Contains("already allocated", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_slot_that_does_not_exist_cannot_be_initialised()
    {
        await using var harness = await StartAsync();

        var e = await Assert.ThrowsAsync<SlotBackendException>(
            () => harness.Backend.InitAsync(new BackendSlotId("none"), new InstanceId("i-1"), Function, CancellationToken.None));

        Assert.Equal(FailureKind.Transient, e.Failure.Kind);
    }

    [Fact]
    public async Task Destroying_is_confirmed_once_and_may_be_repeated()
    {
        await using var harness = await StartAsync();
        var slot = await harness.Backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None);

        Assert.True(await harness.Backend.DestroyAsync(new SlotTicket(1), slot, "test", CancellationToken.None));
        Assert.False(await harness.Backend.DestroyAsync(new SlotTicket(1), slot, "test", CancellationToken.None));

        Assert.Empty(harness.Existing);
    }

    [Fact]
    public async Task Destroying_a_slot_that_never_existed_says_that_it_was_not_known()
    {
        await using var harness = await StartAsync();

        Assert.False(await harness.Backend.DestroyAsync(new SlotTicket(1), new BackendSlotId("none"), "test", CancellationToken.None));
        Assert.False(await harness.Backend.DestroyAsync(new SlotTicket(2), default, "test", CancellationToken.None));
    }

    [Fact]
    public async Task The_list_has_the_instances_that_exist_and_not_those_that_are_lost()
    {
        await using var harness = await StartAsync();
        var known = new List<SlotSnapshot>();
        for (var i = 1; i <= Many; i++)
        {
            var slot = await harness.Backend.CreateAsync(new SlotTicket(i), Function, CancellationToken.None);
            var instance = new InstanceId($"i-{i}");
            await harness.Backend.InitAsync(slot, instance, Function, CancellationToken.None);
            known.Add(new SlotSnapshot(new SlotTicket(i), i % 2 == 0 ? SlotState.Idle : SlotState.Busy, slot, instance, default, 512));
        }

        harness.Lose(known[10].BackendId);
        harness.Lose(known[^1].BackendId);

        var listed = await harness.Backend.ListAsync(known, CancellationToken.None);

        Assert.NotNull(listed);
        Assert.Equal(
            known.Where((_, i) => i != 10 && i != Many - 1).Select(s => s.BackendId).ToHashSet(),
            listed.Select(s => s.Id).ToHashSet());
        Assert.All(listed, l => Assert.True(l.Ticket == default || known.Exists(k => k.Ticket == l.Ticket && k.BackendId == l.Id)));
    }

    [Fact]
    public async Task The_list_changes_nothing()
    {
        await using var harness = await StartAsync();
        var created = await harness.Backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None);

        await harness.Backend.ListAsync(
            [new SlotSnapshot(new SlotTicket(1), SlotState.Initializing, created, new InstanceId("i-1"), default, 512)], CancellationToken.None);

        await harness.Backend.InitAsync(created, new InstanceId("i-2"), Function, CancellationToken.None);
    }

    [Fact]
    public async Task Disposing_of_it_twice_is_harmless()
    {
        await using var harness = await StartAsync();
        await harness.Backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None);

        await harness.Backend.DisposeAsync();
        await harness.Backend.DisposeAsync();
    }

    [Fact]
    public async Task A_call_that_is_cancelled_before_it_begins_ends_as_cancelled()
    {
        await using var harness = await StartAsync();
        var slot = await harness.Backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None);
        var snapshot = new SlotSnapshot(new SlotTicket(1), SlotState.Idle, slot, new InstanceId("i-1"), default, 512);
        var cancelled = new CancellationToken(canceled: true);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => harness.Backend.CreateAsync(new SlotTicket(2), Function, cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => harness.Backend.InitAsync(slot, new InstanceId("i-1"), Function, cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => harness.Backend.DestroyAsync(new SlotTicket(1), slot, "test", cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => harness.Backend.ListAsync([snapshot], cancelled));
        Assert.Equal([slot], harness.Existing);
    }
}

/// <summary>A backend under test, and the hand of the platform behind it.</summary>
public abstract class BackendHarness : IAsyncDisposable
{
    public abstract ISlotBackend Backend { get; }

    public abstract IReadOnlyCollection<BackendSlotId> Existing { get; }

    public abstract void Lose(BackendSlotId slot);

    public abstract ValueTask DisposeAsync();
}
