using FuncScaler.Learned;
using FuncScaler.Statistics;

namespace FuncScaler.Policies.Adaptive.Planning;

/// <summary>
/// Tells <see cref="SharedGaps"/> of one function's idle gaps. Open gaps, which no arrival has ended yet, are included: a function that is
/// called once and never again has no other gap.
/// </summary>
internal sealed class GapsTold(SharedGaps shared, HazardHistogram similar, FunctionMeta function)
{
    /// <summary>The most ranks whose open gaps are told.</summary>
    private const int MaxRanks = 128;

    /// <summary>The most ranks that are written down.</summary>
    private const int MostWritten = 64;

    /// <summary>Gaps that began within this part of a mean cold start began together: an eighth.</summary>
    private const int TogetherOfCold = 8;

    /// <summary>For so many mean cold starts they count as one. A longer gap counts on its own.</summary>
    private const int TogetherForCold = 30;

    /// <summary>A gap that is told up to this bin counts as one that has begun, and says nothing of its length.</summary>
    private const byte Begun = 1;

    /// <summary>For each rank, the bin up to which its open gap has been told.</summary>
    private byte[] _toldBins = [];

    /// <summary>An arrival has ended a gap, unless it is the first of its rank.</summary>
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

    /// <summary>
    /// Tells how long the open gaps have become. Gaps that began together are one observation while they are short: what silences many functions
    /// at once may call them all again. So one of them is told, and the others only that they have begun. Ranks that share a histogram are all
    /// told, because <see cref="GapHazards"/> counts gaps of theirs as one.
    /// </summary>
    /// <param name="statistics">The function's statistics; null for none.</param>
    /// <param name="nowUs">The time, µs.</param>
    /// <param name="coldUs">The mean cold start, µs; 0 where each gap is told.</param>
    public void TellOpen(FunctionStatistics? statistics, long nowUs, long coldUs)
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
            var group = FunctionStatistics.GroupOf(rank);
            var bin = LogHistogram.BinOf(nowUs - freedAtUs);
            if (told <= Begun && bin > Begun && rank <= FunctionStatistics.SingleRanks && nowUs - freedAtUs < TogetherForCold * coldUs)
            {
                bin = told < Begun && shared.StandsForOthers(group, freedAtUs / Math.Max(1, coldUs / TogetherOfCold)) ? bin : Begun;
            }

            if (bin > told)
            {
                shared.Reached(similar, group, function.MemoryMb, told, bin);
                told = (byte)bin;
            }
        }
    }

    /// <summary>Writes how far the open gaps of the first ranks have been told.</summary>
    public void Write(LearnedWriter writer)
    {
        var ranks = Math.Min(MostWritten, _toldBins.Length);
        writer.Byte((byte)ranks);
        for (var rank = 0; rank < ranks; rank++)
        {
            writer.Byte(_toldBins[rank]);
        }
    }

    public void Read(LearnedReader reader)
    {
        _toldBins = new byte[Math.Min(MostWritten, (int)reader.Byte())];
        foreach (ref var told in _toldBins.AsSpan())
        {
            told = Math.Min((byte)(LogHistogram.BinCount - 1), reader.Byte());
        }
    }
}
