using System.Runtime.CompilerServices;

namespace FuncScaler.Policies.Adaptive.Demand;

/// <summary>How many requests came within the time of a cold start after each of the last onsets, about fifty of them.</summary>
internal struct CrowdSizes
{
    /// <summary>The number of bins, two to the octave; the last holds all that are larger.</summary>
    public const int Bins = 24;

    private const int BinsPerOctave = 2;

    /// <summary>What an onset counts at first; halved now and then, so that old ones come to count less and then nothing.</summary>
    private const int One = 4;

    /// <summary>As how many onsets it counts that as many come in the time to come as have come in the time past.</summary>
    private const double OtherwiseWeight = 0.3;

    /// <summary>How many of a crowd's pace still come when the time it was counted for is over.</summary>
    private const double GoingOn = 0.8;

    private static readonly double[] Sizes = [.. Enumerable.Range(0, Bins).Select(bin => Math.Pow(2, (bin + 0.5) / BinsPerOctave))];

    private static readonly double[] Ends = [.. Enumerable.Range(1, Bins).Select(bin => Math.Pow(2, (double)bin / BinsPerOctave))];

    private Counts _counts;
    private byte _total;

    /// <summary>Adds a crowd.</summary>
    /// <param name="size">The number of requests, from 1.</param>
    public void Add(int size)
    {
        if (_total > byte.MaxValue - One)
        {
            _total = 0;
            foreach (ref var count in (Span<byte>)_counts)
            {
                count /= 2;
                _total += count;
            }
        }

        _counts[Math.Min(Bins - 1, (int)(BinsPerOctave * Math.Log2(size)))] += One;
        _total += One;
    }

    /// <summary>How many more come in the time of a cold start from now on, when so many have come since the onset.</summary>
    /// <param name="soFar">How many have come.</param>
    /// <param name="elapsed">How long ago the onset was, in cold starts, 0 to 1.</param>
    /// <param name="otherwise">How many will come when this crowd is like none before.</param>
    /// <param name="factor">By how much more or less to expect.</param>
    /// <param name="outlook">Where to put it.</param>
    public readonly CrowdOutlook After(int soFar, double elapsed, double otherwise, double factor, CrowdOutlook outlook)
    {
        outlook.Start(factor * otherwise, OtherwiseWeight);
        for (var bin = 0; bin < Bins; bin++)
        {
            if (_counts[bin] > 0 && Ends[bin] > soFar)
            {
                outlook.Or(factor * (Math.Max(0, Sizes[bin] - soFar) + (GoingOn * elapsed * Sizes[bin])), (double)_counts[bin] / One);
            }
        }

        return outlook;
    }

    [InlineArray(Bins)]
    private struct Counts
    {
        private byte _first;
    }
}
