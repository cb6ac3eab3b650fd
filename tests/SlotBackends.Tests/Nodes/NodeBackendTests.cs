using FuncScaler.Nodes;
using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Nodes;
using FuncScaler.Tests.Backends;

namespace FuncScaler.Tests.Nodes;

/// <summary>The backend of nodes keeps to what every backend keeps to, and gives its nodes back.</summary>
public class NodeBackendTests : SlotBackendContract
{
    protected override Task<BackendHarness> StartAsync() => Task.FromResult<BackendHarness>(new Harness());

    [Fact]
    public async Task A_stop_gives_every_node_back()
    {
        var platform = new MemoryNodePlatform();
        var backend = new NodeBackend(platform, new NodeFleetOptions(), TimeProvider.System);
        await Task.WhenAll(Enumerable.Range(1, 20).Select(i => backend.CreateAsync(new SlotTicket(i), Function, CancellationToken.None)));
        Assert.Equal(3, platform.Nodes.Count);

        await backend.DisposeAsync();

        Assert.Empty(platform.Nodes);
    }

    [Fact]
    public async Task An_instance_is_reached_at_its_node()
    {
        await using var backend = new NodeBackend(new MemoryNodePlatform(), new NodeFleetOptions(), TimeProvider.System);
        var slot = await backend.CreateAsync(new SlotTicket(7), Function, CancellationToken.None);

        var address = await backend.InitAsync(slot, new InstanceId("i-1"), Function, CancellationToken.None);

        Assert.Equal("http://n1:1/n1/c7", address!.AbsoluteUri);
    }

    [Fact]
    public async Task A_creation_that_fails_says_so_and_leaves_the_memory_free()
    {
        var platform = new MemoryNodePlatform { NextCreateFails = new SlotFailure(FailureKind.Transient, "no image") };
        await using var backend = new NodeBackend(platform, new NodeFleetOptions(), TimeProvider.System);

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None));

        Assert.Equal("no image", e.Failure.Message);
        await backend.CreateAsync(new SlotTicket(2), Function with { MemoryMb = 4096 }, CancellationToken.None);
        Assert.Equal(4096, backend.Nodes.Sum(n => n.PromisedMb));
    }

    [Fact]
    public async Task A_node_that_is_not_to_be_had_is_asked_for_again()
    {
        var platform = new MemoryNodePlatform { NextReserveFails = new SlotFailure(FailureKind.Transient, "come again") };
        await using var backend = new NodeBackend(platform, new NodeFleetOptions { RetryDelay = TimeSpan.FromMilliseconds(1) }, TimeProvider.System);

        await backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None);

        Assert.Single(platform.Nodes);
    }

    [Fact]
    public async Task A_reservation_that_ends_unforeseen_is_asked_for_again()
    {
        var platform = new MemoryNodePlatform { NextReserveThrows = new UriFormatException("no address") };
        await using var backend = new NodeBackend(platform, new NodeFleetOptions { RetryDelay = TimeSpan.FromMilliseconds(1) }, TimeProvider.System);

        await backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(30));

        Assert.Single(platform.Nodes);
    }

    [Fact]
    public async Task A_removal_during_the_creation_waits_for_it_and_leaves_no_container()
    {
        var created = new TaskCompletionSource();
        var platform = new MemoryNodePlatform { CreatesWaitFor = created.Task };
        await using var backend = new NodeBackend(platform, new NodeFleetOptions(), TimeProvider.System);
        _ = backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None);
        Assert.True(SpinWait.SpinUntil(() => backend.Nodes.Any(n => n.PromisedMb > 0), TimeSpan.FromSeconds(30)));

        var gone = backend.DestroyAsync(new SlotTicket(1), default, "given up", CancellationToken.None);
        created.SetResult();

        Assert.True(await gone.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Empty(platform.Containers);
        Assert.Equal(0, backend.Nodes.Sum(n => n.PromisedMb));
    }

    [Fact]
    public async Task An_idle_instance_is_asked_back_when_another_function_needs_its_memory()
    {
        await using var backend = new NodeBackend(new MemoryNodePlatform(), new NodeFleetOptions { MostNodes = 1 }, TimeProvider.System);
        var large = new FunctionMeta(new MetaKey("large"), "", 60, 3000);
        var first = await backend.CreateAsync(new SlotTicket(1), large, CancellationToken.None);
        var asked = new TaskCompletionSource<SlotTicket>();
        backend.SlotWantedBack += (_, ticket) => asked.TrySetResult(ticket);

        var second = backend.CreateAsync(new SlotTicket(2), new FunctionMeta(new MetaKey("other"), "", 60, 3000), CancellationToken.None);

        Assert.Equal(new SlotTicket(1), await asked.Task.WaitAsync(TimeSpan.FromSeconds(30)));
        await backend.DestroyAsync(new SlotTicket(1), first, "asked back", CancellationToken.None);
        await second.WaitAsync(TimeSpan.FromSeconds(30));
    }

    private sealed class Harness : BackendHarness
    {
        private readonly MemoryNodePlatform _platform = new();
        private readonly NodeBackend _backend;

        public Harness() => _backend = new NodeBackend(_platform, new NodeFleetOptions(), new ManualTimeProvider());

        public override ISlotBackend Backend => _backend;

        public override IReadOnlyCollection<BackendSlotId> Existing => [.. _platform.Containers.Select(c => new BackendSlotId(c))];

        public override void Lose(BackendSlotId slot) => _platform.Lose(slot.Value);

        public override ValueTask DisposeAsync() => _backend.DisposeAsync();
    }
}
