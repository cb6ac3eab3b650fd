using FuncScaler.ContestSimulator.Nodes;

namespace FuncScaler.Tests.Nodes;

/// <summary>The machines of the 2020 contest: what runs beside what, and what that does to it.</summary>
public class NodeWorldTests
{
    private readonly NodeWorldOptions _options = new() { CreateSeconds = (3, 3), WarmReserveSeconds = (0.1, 0.1), ReserveSeconds = (30, 30) };
    private readonly List<WorldEvent> _events = [];

    [Fact]
    public void A_container_gets_processors_in_proportion_to_its_memory()
    {
        var world = new NodeWorld(_options, 1);
        var container = Container(world, Node(world), 1024);

        // 0.67 processors for 1 GB: one second of computing takes 1 / 0.67 s.
        Assert.Equal(1e6 / 0.67, Duration(world, container, new NodeRequest(0, 0, CpuSeconds: 1, SleepSeconds: 0, MemoryMb: 10)), 1.0);
    }

    [Fact]
    public void Requests_that_compute_in_one_container_share_its_processors_and_those_that_sleep_do_not()
    {
        var world = new NodeWorld(_options, 1);
        var container = Container(world, Node(world), 1024);
        var at = world.NextUs == long.MaxValue ? 10_000_000 : world.NextUs;
        world.Execute(at, 101, container, new NodeRequest(0, 0, 1, 0, 10));
        world.Execute(at, 102, container, new NodeRequest(0, 0, 1, 0, 10));
        world.Execute(at, 103, container, new NodeRequest(0, 0, 0, 1, 10));

        world.Advance(long.MaxValue - 1, _events);

        Assert.Equal(2e6 / 0.67, Ended(101).DurationUs, 2.0);
        Assert.Equal(2e6 / 0.67, Ended(102).DurationUs, 2.0);
        Assert.Equal(1e6, Ended(103).DurationUs, 2.0);
    }

    [Fact]
    public void An_over_committed_node_slows_everything_down_alike()
    {
        var world = new NodeWorld(_options, 1);
        var node = Node(world);
        var containers = Enumerable.Range(0, 4).Select(_ => Container(world, node, 1024)).ToList();
        for (var i = 0; i < 4; i++)
        {
            world.Execute(20_000_000, 100 + i, containers[i], new NodeRequest(0, 0, 1, 0, 10));
        }

        world.Advance(long.MaxValue - 1, _events);

        // Four want 0.67 each, and there are two: half a processor each.
        Assert.All(Enumerable.Range(0, 4), i => Assert.Equal(2e6, Ended(100 + i).DurationUs, 2.0));
    }

    [Fact]
    public void A_container_whose_requests_use_more_than_its_limit_dies_with_them()
    {
        var world = new NodeWorld(_options, 1);
        var container = Container(world, Node(world), 512);
        world.Execute(20_000_000, 101, container, new NodeRequest(0, 0, 1, 0, 300));
        world.Execute(20_000_000, 102, container, new NodeRequest(0, 0, 1, 0, 300));

        world.Advance(20_000_000, _events);

        Assert.True(Ended(101).Failed && Ended(102).Failed);
        Assert.Equal(1, world.OutOfMemory);
        Assert.False(world.Has(container));
    }

    [Fact]
    public void Warm_nodes_are_quick_to_reserve_and_there_is_a_most()
    {
        var world = new NodeWorld(_options with { MostNodes = 3, WarmNodes = 2 }, 1);
        for (var i = 1; i <= 4; i++)
        {
            world.Reserve(0, i);
        }

        world.Advance(200_000, _events);
        Assert.Equal([1, 2, 4], _events.Select(e => e.Id).Order());
        Assert.True(_events.Single(e => e.Id == 4).Failed);

        world.Advance(30_000_000, _events);
        Assert.Contains(_events, e => e is { Id: 3, Failed: false });
    }

    private int Node(NodeWorld world)
    {
        world.Reserve(0, 1);
        world.Advance(1_000_000, _events);
        return _events.Single(e => e is { Kind: WorldEventKind.Reserved, Id: 1 }).Node;
    }

    private long Container(NodeWorld world, int node, int limitMb)
    {
        var id = 1000 + _events.Count;
        world.Create(1_000_000, id, node, limitMb);
        world.Advance(10_000_000, _events);
        return _events.Single(e => e.Kind == WorldEventKind.Created && e.Id == id).Container;
    }

    private double Duration(NodeWorld world, long container, NodeRequest request)
    {
        world.Execute(20_000_000, 99, container, request);
        world.Advance(long.MaxValue - 1, _events);
        return Ended(99).DurationUs;
    }

    private WorldEvent Ended(long id) => _events.Single(e => e.Kind == WorldEventKind.Ended && e.Id == id);
}
