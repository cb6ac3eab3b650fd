using FuncScaler.Statistics;

namespace FuncScaler.Policies.Adaptive.Planning;

/// <summary>Idle gaps of all functions of a scaler, from which a function borrows while it has few of its own.</summary>
internal sealed class SharedGaps
{
    /// <summary>The number of gaps below which a histogram tells nothing.</summary>
    private const int FewestGaps = 20;
    private const int MemoryClasses = 16;

    /// <summary>The most kinds of runtime and memory that are told apart: callers name runtimes as they like.</summary>
    private const int MostKinds = 1024;

    /// <summary>Gaps of the first rank, by runtime and memory.</summary>
    private readonly Dictionary<(string Runtime, int MemoryClass), HazardHistogram> _firstRank = [];

    /// <summary>Gaps of further ranks with a histogram of their own, by memory.</summary>
    private readonly HazardHistogram?[] _furtherRanks = new HazardHistogram?[FunctionStatistics.SingleRanks * MemoryClasses];
    private readonly HazardHistogram?[] _all = new HazardHistogram?[FunctionStatistics.GroupCount];

    /// <summary>The first rank's gaps of functions with the same runtime and about the same memory.</summary>
    public HazardHistogram SimilarTo(FunctionMeta function)
    {
        var key = (function.Runtime, ClassOf(function.MemoryMb));
        if (_firstRank.Count >= MostKinds && !_firstRank.ContainsKey(key))
        {
            key.Runtime = "";
        }

        if (!_firstRank.TryGetValue(key, out var gaps))
        {
            _firstRank.Add(key, gaps = new HazardHistogram());
        }

        return gaps;
    }

    /// <summary>Enters a gap that has ended; it was counted already in the bins before <paramref name="fromBin"/>.</summary>
    public void Ended(HazardHistogram similar, int group, int memoryMb, long gapUs, int fromBin)
    {
        Of(similar, group, memoryMb)?.Add(gapUs, fromBin);
        OfAll(group).Add(gapUs, fromBin);
    }

    /// <summary>Enters a gap that goes on until a bin; it was counted already in the bins before <paramref name="fromBin"/>.</summary>
    public void Reached(HazardHistogram similar, int group, int memoryMb, int fromBin, int untilBin)
    {
        Of(similar, group, memoryMb)?.Reach(fromBin, untilBin);
        OfAll(group).Reach(fromBin, untilBin);
    }

    /// <summary>What is known of gaps of these ranks in similar functions, else in all functions; null when that is too little.</summary>
    public HazardHistogram? PriorOf(HazardHistogram similar, int group, int memoryMb)
    {
        var near = Of(similar, group, memoryMb);
        if (near?.Count >= FewestGaps)
        {
            return near;
        }

        return _all[group]?.Count >= FewestGaps ? _all[group] : null;
    }

    private HazardHistogram? Of(HazardHistogram similar, int group, int memoryMb) => group switch
    {
        0 => similar,
        < FunctionStatistics.SingleRanks => _furtherRanks[(group * MemoryClasses) + ClassOf(memoryMb)] ??= new HazardHistogram(),
        _ => null,
    };

    private HazardHistogram OfAll(int group) => _all[group] ??= new HazardHistogram();

    private static int ClassOf(int memoryMb) => Math.Clamp(System.Numerics.BitOperations.Log2((uint)memoryMb) - 5, 0, MemoryClasses - 1);
}
