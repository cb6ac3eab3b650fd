using FuncScaler.Statistics;

namespace FuncScaler.Policies.Adaptive.Planning;

/// <summary>
/// Tells <see cref="SharedGaps"/> of one function's idle gaps, those that still go on included: a function that came once and never again has no
/// other.
/// </summary>
internal sealed class GapsTold(SharedGaps shared, HazardHistogram similar, FunctionMeta function)
{
    /// <summary>The most ranks whose open gaps are told.</summary>
    private const int MaxRanks = 128;

    /// <summary>For each rank, up to which bin its present gap has been told.</summary>
    private byte[] _toldBins = [];

    /// <summary>A gap has ended with an arrival; the first use of a slot ends none.</summary>
    public void Ended(in RankedArrival arrival, int memoryMb)
    {
        if (arrival.Joins)
        {
            return;
        }

        if (arrival.GapUs >= 0)
        {
            var bin = LogHistogram.BinOf(arrival.GapUs);
            var toldBins = arrival.Rank <= _toldBins.Length ? Math.Min(_toldBins[arrival.Rank - 1], bin) : 0;
            shared.Ended(similar, FunctionStatistics.GroupOf(arrival.Rank), memoryMb, arrival.GapUs, toldBins);
        }

        if (arrival.Rank <= _toldBins.Length)
        {
            _toldBins[arrival.Rank - 1] = 0;
        }
    }

    /// <summary>Tells how long the open gaps have become.</summary>
    public void TellOpen(FunctionStatistics? statistics, long nowUs)
    {
        var ranks = statistics is null ? 0 : Math.Min(MaxRanks, statistics.RanksSeen);
        for (var rank = 1; rank <= ranks; rank++)
        {
            if (statistics!.FreedAtUs(rank) is not { } freedAtUs)
            {
                continue;
            }

            if (_toldBins.Length < rank)
            {
                Array.Resize(ref _toldBins, ranks);
            }

            ref var told = ref _toldBins[rank - 1];
            var bin = LogHistogram.BinOf(nowUs - freedAtUs);
            if (bin > told)
            {
                shared.Reached(similar, FunctionStatistics.GroupOf(rank), function.MemoryMb, told, bin);
                told = (byte)bin;
            }
        }
    }
}
