namespace FuncScaler.Nodes;

/// <summary>
/// How many requests may share a container, by the memory that requests are seen to use: as many as fit into what the function declares. Functions
/// declare much more than they use, as memory is how processors are asked for.
/// </summary>
/// <remarks>
/// Source of the idea: the diary of a participant of the 2020 contest. The number grows with what is known: at most a quarter of the executions seen.
/// A container that dies while it is shared halves what may share it from then on. Whether executions slow down is watched by the pool itself
/// (<see cref="SlotPoolOptions.MostSlowdown"/>), within this number.
/// </remarks>
public sealed class MemorySharing
{
    /// <summary>For each request more that shares a container, so many executions must have been seen.</summary>
    private const int ExecutionsPerPlace = 4;

    private readonly Dictionary<MetaKey, Use> _uses = [];

    /// <param name="most">The most requests that share a container, from 1 to <see cref="FunctionMeta.MostConcurrency"/>.</param>
    public MemorySharing(int most = 100)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(most, FunctionMeta.MostConcurrency);
        Most = most;
    }

    /// <summary>The most requests that share a container.</summary>
    public int Most { get; }

    /// <summary>The function with the number of requests that may share a container now; the same object until that changes.</summary>
    public FunctionMeta Of(FunctionMeta function)
    {
        ArgumentNullException.ThrowIfNull(function);
        if (!_uses.TryGetValue(function.Key, out var use))
        {
            _uses.Add(function.Key, use = new Use());
        }

        var places = use.MostMb == 0
            ? 1
            : (int)Math.Clamp(Math.Min(function.MemoryMb / (use.MostMb * use.Caution), use.Executions / ExecutionsPerPlace), 1, Most);
        if (use.Function is not { } known || known.MaxConcurrency != places || known with { MaxConcurrency = function.MaxConcurrency } != function)
        {
            use.Function = function with { MaxConcurrency = places };
        }

        return use.Function;
    }

    /// <summary>A request was executed.</summary>
    /// <param name="function">Its function.</param>
    /// <param name="memoryMb">The most memory that it used, MB; 0 where that is not known.</param>
    /// <param name="failed">Whether it failed.</param>
    public void Executed(MetaKey function, int memoryMb, bool failed)
    {
        if (!_uses.TryGetValue(function, out var use))
        {
            return;
        }

        if (failed && use.Function is { MaxConcurrency: > 1 })
        {
            // Those that die together are told one after the other: only the first of them says something new.
            use.Caution = use.Executions > use.CautiousSince ? use.Caution * 2 : use.Caution;
            use.CautiousSince = use.Executions + use.Function.MaxConcurrency;
        }
        else if (!failed && memoryMb > 0)
        {
            use.Executions++;
            use.MostMb = Math.Max(use.MostMb, memoryMb);
        }
    }

    private sealed class Use
    {
        public FunctionMeta? Function { get; set; }

        public int MostMb { get; set; }

        public int Executions { get; set; }

        public double Caution { get; set; } = 1;

        public int CautiousSince { get; set; } = -1;
    }
}
