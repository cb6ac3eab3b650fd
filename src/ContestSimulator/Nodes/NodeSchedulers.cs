using FuncScaler.Nodes;
using FuncScaler.Policies;

namespace FuncScaler.ContestSimulator.Nodes;

/// <summary>The schedulers that are compared in the world of the 2020 contest, by name.</summary>
public static class NodeSchedulers
{
    /// <summary>The scheduler that the score is relative to.</summary>
    public const string Baseline = "baseline";

    /// <summary>The product.</summary>
    public const string Own = "adaptive";

    /// <summary>The product with one request a container.</summary>
    public const string Alone = "adaptive-alone";

    /// <summary>The names, the product's first; any policy of the catalog can be named besides.</summary>
    public static IReadOnlyList<string> Names { get; } = [Own, Alone, "diary", "ttl:10", "ttl:60", "ttl:300", Baseline];

    /// <summary>Makes a scheduler for one run.</summary>
    /// <param name="name">One of <see cref="Names"/>, or a policy with its option.</param>
    /// <param name="weights">The contest's weights.</param>
    /// <param name="world">The world that it runs in; only what the statement tells of it is used.</param>
    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public static INodeScheduler Make(string name, NodeWeights weights, NodeWorldOptions world)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(world);
        var pool = new SlotPoolOptions { CreateTimeout = TimeSpan.FromMinutes(10) };
        var fleet = new NodeFleetOptions { MostNodes = world.MostNodes, NodeMemoryMb = world.NodeMemoryMb };
        return name switch
        {
            Baseline => new BaselineScheduler(world),
            "diary" => new DiaryScheduler(new DiaryOptions(), world),
            _ when name.StartsWith("ttl", StringComparison.Ordinal) => new FleetScheduler(
                name, PolicyCatalog.Parse(name), pool with { Waiting = false }, fleet with { HoldsForNothing = false, Drains = false }, weights: null),
            Alone => new FleetScheduler(name, PolicyCatalog.Parse(Own), pool, fleet, weights),
            _ => new FleetScheduler(name, PolicyCatalog.Parse(name), pool, fleet, weights, new MemorySharing()),
        };
    }
}
