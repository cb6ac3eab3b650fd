using FuncScaler.ContestSimulator.Traces.Presets;

namespace FuncScaler.ContestSimulator.Nodes;

/// <summary>Generated loads after the 2020 statement and what its participants saw. A seed means the same load for good.</summary>
public static class NodePresets
{
    /// <summary>Every kind of function sparse, dense and periodic, all at the same time, at changing rates.</summary>
    public const string Mixed = "mixed";

    /// <summary>One function at a time, called in rounds of 200 to 800 ms, as the diary observed.</summary>
    public const string Turns = "turns";

    /// <summary>The names.</summary>
    public static IReadOnlyList<string> Names { get; } = [Mixed, Turns];

    /// <summary>What the statement's run lasts, s.</summary>
    public const double LengthSeconds = 1200;

    private static readonly int[] HelloMb = [128, 256];
    private static readonly int[] CpuMb = [512, 1024];
    private static readonly int[] MemoryMb = [768, 1024];
    private static readonly int[] SleepMb = [256, 512];

    /// <summary>Generates a load.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="seed">The seed.</param>
    /// <param name="lengthSeconds">How long it lasts, s; above 0.</param>
    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public static NodeTrace Generate(string name, long seed, double lengthSeconds = LengthSeconds)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(lengthSeconds);
        var requests = new List<NodeRequest>();
        var functions = new List<NodeFunction>();
        switch (name)
        {
            case Mixed:
                AddMixed(seed, lengthSeconds, functions, requests);
                break;
            case Turns:
                AddTurns(seed, lengthSeconds, functions, requests);
                break;
            default:
                throw new ArgumentException($"There is no load '{name}'; there are {string.Join(", ", Names)}.", nameof(name));
        }

        // Arrivals at one time in the order of functions: OrderBy keeps it.
        return new NodeTrace(name, functions, [.. requests.OrderBy(r => r.StartUs)], (long)(lengthSeconds * 1e6));
    }

    private static void AddMixed(long seed, double length, List<NodeFunction> functions, List<NodeRequest> requests)
    {
        foreach (var kind in Enum.GetValues<NodeFunctionKind>())
        {
            foreach (var pattern in (string[])["sparse", "dense", "periodic"])
            {
                var index = functions.Count;
                var random = new TraceRandom(seed, "nodes-mixed", index);
                var work = Work.Of(kind, random);
                functions.Add(new NodeFunction(work.Meta($"{kind}-{pattern}".ToLowerInvariant()), kind, pattern));
                switch (pattern)
                {
                    case "sparse":
                        var gap = random.Next(10, 40);
                        for (var at = gap * random.Next(); at < length; at += gap * random.NextExponential())
                        {
                            requests.Add(work.At(at, index, random));
                        }

                        break;
                    case "dense":
                        var rate = random.Next(0.6, 1.4) * kind switch
                        {
                            NodeFunctionKind.Hello => 25,
                            NodeFunctionKind.Cpu => 3,
                            NodeFunctionKind.Memory => 1.5,
                            _ => 8,
                        };
                        var untilNext = 0.0;
                        var factor = 1.0;
                        for (var at = random.NextExponential() / rate; at < length; at += random.NextExponential() / (rate * factor))
                        {
                            if (at > untilNext)
                            {
                                factor = random.Next(0.3, 1.7);
                                untilNext = at + random.Next(60, 240);
                            }

                            requests.Add(work.At(at, index, random));
                        }

                        break;
                    default:
                        var period = random.Next(15, 90);
                        var burst = 2 + random.NextIndex(kind is NodeFunctionKind.Memory or NodeFunctionKind.Cpu ? 5 : 12);
                        for (var at = period * random.Next(); at < length; at += period)
                        {
                            for (var i = 0; i < burst; i++)
                            {
                                requests.Add(work.At(at + (0.2 * random.Next()), index, random));
                            }
                        }

                        break;
                }
            }
        }
    }

    private static void AddTurns(long seed, double length, List<NodeFunction> functions, List<NodeRequest> requests)
    {
        var random = new TraceRandom(seed, "nodes-turns");
        var works = new List<Work>();
        for (var i = 0; i < 12; i++)
        {
            var kind = (NodeFunctionKind)(i % 4);
            works.Add(Work.Of(kind, random));
            functions.Add(new NodeFunction(works[i].Meta($"{kind}-{i}".ToLowerInvariant()), kind, "turns"));
        }

        var order = Enumerable.Range(0, works.Count).ToArray();
        var turn = works.Count;
        for (var at = 0.0; at < length;)
        {
            if (turn == works.Count)
            {
                random.Shuffle(order.AsSpan());
                turn = 0;
            }

            var index = order[turn++];
            var endsAt = Math.Min(length, at + random.Next(30, 110));
            var atOnce = 1 + random.NextIndex(functions[index].Kind switch
            {
                NodeFunctionKind.Hello => 40,
                NodeFunctionKind.Sleep => 10,
                NodeFunctionKind.Cpu => 3,
                _ => 2,
            });
            for (; at < endsAt; at += random.Next(0.2, 0.8))
            {
                for (var i = 0; i < atOnce; i++)
                {
                    requests.Add(works[index].At(at + (0.02 * random.Next()), index, random));
                }
            }
        }
    }

    /// <summary>What a function's requests need.</summary>
    /// <param name="MemoryLimitMb">What the function declares.</param>
    /// <param name="CpuSeconds">The median of what it computes.</param>
    /// <param name="SleepSeconds">The median of what it waits.</param>
    /// <param name="UsedMb">The median of what it uses.</param>
    /// <param name="Spread">How far inputs differ, as the sigma of a log-normal; 0 for a fixed duration.</param>
    private readonly record struct Work(int MemoryLimitMb, double CpuSeconds, double SleepSeconds, int UsedMb, double Spread)
    {
        public static Work Of(NodeFunctionKind kind, TraceRandom random)
        {
            var spread = random.Next() < 0.5 ? 0 : random.Next(0.2, 0.6);
            return kind switch
            {
                NodeFunctionKind.Hello => new Work(HelloMb[random.NextIndex(2)], random.Next(0.002, 0.01), 0, 10, 0),
                NodeFunctionKind.Cpu => new Work(CpuMb[random.NextIndex(2)], random.Next(0.05, 0.25), 0, 40, spread),
                NodeFunctionKind.Memory => new Work(MemoryMb[random.NextIndex(2)], random.Next(0.05, 0.15), 0, (int)random.Next(200, 450), spread),
                _ => new Work(SleepMb[random.NextIndex(2)], 0.002, random.Next(0.3, 2), 15, spread),
            };
        }

        public FunctionMeta Meta(string name) => new(new MetaKey(name), "", 60, MemoryLimitMb);

        public NodeRequest At(double seconds, int index, TraceRandom random)
        {
            var factor = Spread == 0 ? 1 : Math.Clamp(random.NextLogNormal(1, Spread), 0.2, 5);

            // What a request uses fits in its own container, so that only sharing can kill it.
            return new NodeRequest(
                index, (long)(seconds * 1e6), CpuSeconds * factor, SleepSeconds * factor, (int)Math.Min(UsedMb * Math.Sqrt(factor), 0.9 * MemoryLimitMb));
        }
    }
}
