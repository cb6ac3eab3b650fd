using System.Runtime.InteropServices;
using FuncScaler.Learned;

namespace FuncScaler.Statistics;

/// <summary>
/// The distribution of idle gaps as hazards: for every bin of <see cref="LogHistogram"/>, which share of the gaps that reached it ended in it,
/// over about the last <see cref="Memory"/> that did. So each time scale has a memory of its own: milliseconds inside a burst do not wash out what
/// is known of the hours between bursts. Takes 0.1 KB and 5 bytes for every bin between the shortest and the longest observation.
/// </summary>
/// <remarks>The estimate is that of Kaplan and Meier, "Nonparametric estimation from incomplete observations" (1958), with forgetting.</remarks>
public sealed class HazardHistogram
{
    /// <summary>How many gaps that reached a bin are remembered in it.</summary>
    public const int Memory = byte.MaxValue;

    private Bin[] _bins = [];
    private int _first;
    private int _begun;

    /// <summary>How many observations there were, whatever their age.</summary>
    public long Count { get; private set; }

    /// <summary>Adds a gap that ended.</summary>
    /// <param name="valueUs">How long it was, µs.</param>
    /// <param name="fromBin">The first bin it has not been counted in yet (<see cref="Reach"/>).</param>
    public void Add(long valueUs, int fromBin = 0)
    {
        var bin = LogHistogram.BinOf(valueUs);
        Reach(fromBin, bin);
        MakeRoom(bin);
        if (bin == 0)
        {
            Begin();
        }

        Count++;
        ref var ended = ref _bins[bin - _first];
        ended.Hazard += (1 - ended.Hazard) / ended.ReachedOnceMore();
    }

    /// <summary>Counts a gap that has not ended yet in the bins it has passed.</summary>
    /// <param name="fromBin">The first bin it has not been counted in yet.</param>
    /// <param name="untilBin">The bin it is in.</param>
    public void Reach(int fromBin, int untilBin)
    {
        if (untilBin <= fromBin)
        {
            return;
        }

        MakeRoom(untilBin - 1);
        if (fromBin == 0)
        {
            Begin();
        }

        for (var i = Math.Max(0, fromBin - _first); i < untilBin - _first; i++)
        {
            _bins[i].Hazard -= _bins[i].Hazard / _bins[i].ReachedOnceMore();
        }
    }

    /// <summary>Of the gaps that reached a bin, the share that ended in it, 0 to 1; 0 where none reached it.</summary>
    public double Hazard(int bin) => (uint)(bin - _first) < (uint)_bins.Length ? _bins[bin - _first].Hazard : 0;

    /// <summary>How many gaps reached a bin, of those remembered.</summary>
    public int ReachedOf(int bin) =>
        bin < _first ? _begun
        : bin - _first < _bins.Length ? _bins[bin - _first].Reached
        : 0;

    /// <summary>The share of gaps that ended in a bin, 0 to 1.</summary>
    public double Share(int bin)
    {
        double reach = 1;
        for (var before = _first; before < bin; before++)
        {
            reach *= 1 - Hazard(before);
        }

        return reach * Hazard(bin);
    }

    /// <summary>The smallest bin bound that at least <paramref name="share"/> of the gaps do not exceed, µs; 0 when empty.</summary>
    public double QuantileUs(double share)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(share);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(share, 1);
        double reach = 1;
        double quantileUs = 0;
        for (var bin = _first; bin < _first + _bins.Length; bin++)
        {
            if (Hazard(bin) <= 0)
            {
                continue;
            }

            quantileUs = LogHistogram.UpperBoundUs(bin);
            reach *= 1 - Hazard(bin);
            if (1 - reach >= share - 1e-6)
            {
                break;
            }
        }

        return quantileUs;
    }

    internal void Write(LearnedWriter writer)
    {
        writer.Whole(Count);
        writer.Byte((byte)_begun);
        writer.Byte((byte)_first);
        writer.Byte((byte)_bins.Length);
        foreach (var bin in _bins)
        {
            var ends = bin.Hazard > 0;
            writer.Whole((bin.Reached << 1) | (ends ? 1 : 0));
            if (ends)
            {
                writer.Share(bin.Hazard);
            }
        }
    }

    internal void Read(LearnedReader reader)
    {
        Count = Math.Max(0, reader.Whole());
        _begun = reader.Byte();
        _first = reader.Byte();
        var bins = new Bin[reader.Byte()];
        if (_first + bins.Length > LogHistogram.BinCount)
        {
            throw new LearnedFormatException("a histogram has too many bins");
        }

        foreach (ref var bin in bins.AsSpan())
        {
            var reached = reader.Count((byte.MaxValue << 1) | 1);
            bin.Reached = (byte)(reached >> 1);
            bin.Hazard = (reached & 1) == 1 ? (float)reader.Share() : 0;
        }

        _bins = bins;
    }

    private void Begin() => _begun = Math.Min(_begun + 1, Memory);

    /// <summary>Room up to a bin, by whole octaves.</summary>
    private void MakeRoom(int bin)
    {
        if ((uint)(bin - _first) < (uint)_bins.Length)
        {
            return;
        }

        var had = _bins.Length;
        var (first, count) = LogHistogram.RoomFor(bin, _first, had);
        var bins = new Bin[count];
        _bins.CopyTo(bins, had > 0 ? _first - first : 0);
        for (var before = first; had > 0 && before < _first; before++)
        {
            // All gaps so far were longer.
            bins[before - first].Reached = (byte)_begun;
        }

        (_bins, _first) = (bins, first);
    }

    /// <summary>There are many: without padding, and in one array.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct Bin
    {
        public float Hazard;
        public byte Reached;

        /// <summary>Counts one more that reached it; how many are remembered.</summary>
        public int ReachedOnceMore()
        {
            Reached += (byte)(Reached < Memory ? 1 : 0);
            return Reached;
        }
    }
}
