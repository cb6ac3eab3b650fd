using FuncScaler.Policies.Adaptive.Choosing;
using FuncScaler.Policies.Adaptive.Demand;
using FuncScaler.Statistics;

namespace FuncScaler.Policies.Adaptive;

/// <summary>What the functions of one scaler tell each other.</summary>
internal sealed class AdaptiveState
{
    private const int FewestGaps = 20;
    private const int MemoryClasses = 16;

    /// <summary>Of the first rank, by runtime and memory.</summary>
    private readonly Dictionary<(string Runtime, int MemoryClass), HazardHistogram> _kin = [];

    /// <summary>Of further ranks with a histogram of their own, by memory.</summary>
    private readonly HazardHistogram?[] _gaps = new HazardHistogram?[FunctionStatistics.SingleRanks * MemoryClasses];
    private readonly HazardHistogram?[] _allGaps = new HazardHistogram?[FunctionStatistics.GroupCount];
    private readonly RunningTime _cold = new();
    private readonly List<AdaptivePolicy> _policies = [];
    private int _settled;
    private Surges.Share _surges;
    private double _logDuration;
    private int _durations;

    public AdaptivePrices Prices { get; } = new();

    public CoArrivals CoArrivals { get; } = new();

    /// <summary>What the arrival just applied to one of the functions added.</summary>
    public AdaptiveShadows.Costs LastCosts { get; } = new();

    /// <summary>Where a decision puts how many requests may come.</summary>
    public CrowdOutlook Outlook { get; } = new();

    /// <summary>What all functions' surges have come to.</summary>
    public ref Surges.Share Surges => ref _surges;

    public void Join(AdaptivePolicy policy) => _policies.Add(policy);

    /// <summary>Brings the books of one function up to date, of each in turn.</summary>
    public void SettleNext(long nowUs) => _policies[_settled++ % _policies.Count].Settle(nowUs);

    /// <summary>The mean cold start of functions seen, µs; 0 before the first.</summary>
    public double MeanColdUs => _cold.MeanUs;

    /// <summary>The geometric mean of execution times over functions, µs; null before the first.</summary>
    public double? DurationUs => _durations == 0 ? null : Math.Exp(_logDuration / _durations);

    /// <summary>Enters an execution time.</summary>
    public void Executed(long us)
    {
        _logDuration += Math.Log(Math.Max(1000, us));
        _durations++;
    }

    /// <summary>Enters a cold start's time.</summary>
    public void Cold(double us) => _cold.Add((long)us);

    /// <summary>The gaps of the first rank in functions of this one's runtime and about its memory.</summary>
    public HazardHistogram KinOf(FunctionMeta function)
    {
        var key = (function.Runtime, ClassOf(function.MemoryMb));
        if (!_kin.TryGetValue(key, out var gaps))
        {
            _kin.Add(key, gaps = new HazardHistogram());
        }

        return gaps;
    }

    /// <summary>Enters an idle gap that has ended; it was counted in the bins before <paramref name="fromBin"/>.</summary>
    public void Gap(HazardHistogram kin, int group, int memoryMb, long gapUs, int fromBin)
    {
        Of(kin, group, memoryMb)?.Add(gapUs, fromBin);
        OfAll(group).Add(gapUs, fromBin);
    }

    /// <summary>Enters that a gap which was counted in the bins before <paramref name="fromBin"/> goes on until another.</summary>
    public void GapReached(HazardHistogram kin, int group, int memoryMb, int fromBin, int untilBin)
    {
        Of(kin, group, memoryMb)?.Reach(fromBin, untilBin);
        OfAll(group).Reach(fromBin, untilBin);
    }

    /// <summary>What is known of gaps of these ranks in functions like this one, else in all; null when too little.</summary>
    public HazardHistogram? PriorOf(HazardHistogram kin, int group, int memoryMb)
    {
        var near = Of(kin, group, memoryMb);
        if (near?.Count >= FewestGaps)
        {
            return near;
        }

        return _allGaps[group]?.Count >= FewestGaps ? _allGaps[group] : null;
    }

    private HazardHistogram? Of(HazardHistogram kin, int group, int memoryMb) => group switch
    {
        0 => kin,
        < FunctionStatistics.SingleRanks => _gaps[(group * MemoryClasses) + ClassOf(memoryMb)] ??= new HazardHistogram(),
        _ => null,
    };

    private HazardHistogram OfAll(int group) => _allGaps[group] ??= new HazardHistogram();

    private static int ClassOf(int memoryMb) => Math.Clamp(System.Numerics.BitOperations.Log2((uint)memoryMb) - 5, 0, MemoryClasses - 1);
}
