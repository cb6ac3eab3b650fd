using System.Runtime.InteropServices;
using FuncScaler.Learned;
using FuncScaler.Statistics;

namespace FuncScaler.Policies.Adaptive.Planning;

/// <summary>Idle gaps of all functions of a scaler, from which a function borrows while it has few of its own.</summary>
internal sealed class SharedGaps
{
    /// <summary>A histogram with fewer gaps than this is not used. Gaps that have not ended count: a function that stays silent tells something.</summary>
    private const int FewestGaps = 20;
    private const int MemoryClasses = 16;

    /// <summary>
    /// The most kinds of functions, by runtime and memory, that are told apart. Callers name runtimes as they like, so a limit is needed.
    /// </summary>
    private const int MostKinds = 1024;

    /// <summary>How many spans of time are remembered.</summary>
    private const int Spans = 1024;

    /// <summary>Gaps of the first rank, by runtime and memory.</summary>
    private readonly Dictionary<(string Runtime, int MemoryClass), HazardHistogram> _firstRank = [];

    /// <summary>Gaps of the further ranks that have histograms of their own, by rank and memory.</summary>
    private HazardHistogram?[] _furtherRanks = new HazardHistogram?[FunctionStatistics.SingleRanks * MemoryClasses];
    private HazardHistogram?[] _all = new HazardHistogram?[FunctionStatistics.GroupCount];

    /// <summary>Spans of time in which a gap has begun that stands for the others, by rank. A later span takes an earlier one's place.</summary>
    private readonly long[] _spans = new long[Spans];

    /// <summary>The first rank's gaps of functions with the same runtime and about the same memory.</summary>
    public HazardHistogram SimilarTo(FunctionMeta function)
    {
        var key = (function.Runtime, ClassOf(function.MemoryMb));
        if (_firstRank.Count >= MostKinds && !_firstRank.ContainsKey(key))
        {
            key.Runtime = "";
        }

        return CollectionsMarshal.GetValueRefOrAddDefault(_firstRank, key, out _) ??= new HazardHistogram();
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

    /// <summary>
    /// Whether an open gap stands for all gaps of its group that began in one span of time: whether none of the others has asked before. Only the
    /// last spans are remembered, so a gap that asks late may stand for an old span once more.
    /// </summary>
    /// <param name="group">The group of ranks, less than <see cref="FunctionStatistics.SingleRanks"/>.</param>
    /// <param name="span">The number of the span of time.</param>
    public bool StandsForOthers(int group, long span)
    {
        var key = 1 + (span * FunctionStatistics.SingleRanks) + group;
        ref var known = ref _spans[(int)((ulong)key % Spans)];
        var isFirst = known != key;
        known = key;
        return isFirst;
    }

    /// <summary>The gaps of these ranks in similar functions, else in all functions; null if there are too few.</summary>
    public HazardHistogram? PriorOf(HazardHistogram similar, int group, int memoryMb)
    {
        var near = Of(similar, group, memoryMb);
        if (IsEnough(near))
        {
            return near;
        }

        return IsEnough(_all[group]) ? _all[group] : null;
    }

    /// <summary>
    /// Writes the gaps of all functions together. Then it writes those of single kinds of functions while there is room, kinds with most
    /// gaps first.
    /// </summary>
    public void Write(LearnedWriter writer, int mostBytes)
    {
        var end = writer.Length + mostBytes;
        LearnedGroups.Write(writer, _all, mostBytes / 2, static (gaps, to) => gaps.Write(to));
        LearnedGroups.Write(writer, _furtherRanks, mostBytes / 4, static (gaps, to) => gaps.Write(to));
        foreach (var (kind, gaps) in _firstRank.Where(k => k.Value.Count > 0 && k.Key.Runtime.Length < 256).OrderByDescending(k => k.Value.Count))
        {
            var one = new LearnedWriter(writer.NowUs);
            one.Byte(1);
            one.Text(kind.Runtime);
            one.Byte((byte)kind.MemoryClass);
            gaps.Write(one);
            if (writer.Length + one.Length >= end)
            {
                break;
            }

            writer.Append(one);
        }

        writer.Byte(0);
    }

    public void Read(LearnedReader reader)
    {
        LearnedGroups.Read(reader, ref _all, static (gaps, from) => gaps.Read(from));
        LearnedGroups.Read(reader, ref _furtherRanks, static (gaps, from) => gaps.Read(from));
        while (reader.Byte() == 1)
        {
            // Functions that have joined already hold these histograms, so they are filled and not replaced.
            var kind = (reader.Text(), Math.Min(MemoryClasses - 1, (int)reader.Byte()));
            if (!_firstRank.TryGetValue(kind, out var gaps))
            {
                gaps = new HazardHistogram();
                if (_firstRank.Count < MostKinds)
                {
                    _firstRank.Add(kind, gaps);
                }
            }

            gaps.Read(reader);
        }
    }

    private static bool IsEnough(HazardHistogram? gaps) => gaps?.ReachedOf(0) >= FewestGaps || gaps?.Count >= FewestGaps;

    private HazardHistogram? Of(HazardHistogram similar, int group, int memoryMb) => group switch
    {
        0 => similar,
        < FunctionStatistics.SingleRanks => _furtherRanks[(group * MemoryClasses) + ClassOf(memoryMb)] ??= new HazardHistogram(),
        _ => null,
    };

    private HazardHistogram OfAll(int group) => _all[group] ??= new HazardHistogram();

    private static int ClassOf(int memoryMb) => Math.Clamp(System.Numerics.BitOperations.Log2((uint)memoryMb) - 5, 0, MemoryClasses - 1);
}
