using System.Runtime.CompilerServices;
using FuncScaler.Learned;

namespace FuncScaler.Policies.Adaptive.Demand;

/// <summary>
/// The sizes of a function's last bursts, about fifty of them. A burst begins with the first request after a pause; its size is the number
/// of
/// requests within a cold start's time from then on.
/// </summary>
internal struct BurstSizes
{
    /// <summary>The number of bins, two for each doubling of the size. The last bin holds all larger sizes.</summary>
    public const int Bins = 24;

    private const int BinsPerOctave = 2;

    /// <summary>
    /// How much a new burst adds to the count of its bin. All counts are halved now and then, so old bursts count less and less.
    /// </summary>
    private const int One = 4;

    /// <summary>How many bursts this guess counts as: the next cold start's time brings as many requests as the last one brought.</summary>
    private const double OtherwiseWeight = 0.3;

    /// <summary>
    /// A burst is counted for one cold start's time. After that, requests are taken to come at this share of the burst's rate.
    /// </summary>
    private const double GoingOn = 0.8;

    private static readonly double[] Sizes = [.. Enumerable.Range(0, Bins).Select(bin => Math.Pow(2, (bin + 0.5) / BinsPerOctave))];

    private static readonly double[] Ends = [.. Enumerable.Range(1, Bins).Select(bin => Math.Pow(2, (double)bin / BinsPerOctave))];

    private Counts _counts;
    private byte _total;

    /// <summary>Adds a burst.</summary>
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

    /// <summary>How many more requests arrive within a cold start from now on, while a burst is on.</summary>
    /// <param name="soFar">The requests of this burst so far.</param>
    /// <param name="elapsed">How long ago the burst began, in cold starts, 0 to 1.</param>
    /// <param name="otherwise">How many arrive if this burst is like no earlier burst.</param>
    /// <param name="factor">All expected numbers are multiplied by this.</param>
    /// <param name="into">Where to put the distribution.</param>
    public readonly ExpectedArrivals After(int soFar, double elapsed, double otherwise, double factor, ExpectedArrivals into)
    {
        into.Start(factor * otherwise, OtherwiseWeight);
        for (var bin = 0; bin < Bins; bin++)
        {
            // A burst that was smaller than this one is already says nothing about what is to come.
            if (_counts[bin] > 0 && Ends[bin] > soFar)
            {
                into.Or(factor * (Math.Max(0, Sizes[bin] - soFar) + (GoingOn * elapsed * Sizes[bin])), (double)_counts[bin] / One);
            }
        }

        return into;
    }

    public readonly void Write(LearnedWriter writer)
    {
        for (var bin = 0; bin < Bins; bin++)
        {
            writer.Byte(_counts[bin]);
        }
    }

    public void Read(LearnedReader reader)
    {
        var total = 0;
        for (var bin = 0; bin < Bins; bin++)
        {
            _counts[bin] = reader.Byte();
            total += _counts[bin];
        }

        _total = total <= byte.MaxValue ? (byte)total : throw new LearnedFormatException("there are too many bursts");
    }

    [InlineArray(Bins)]
    private struct Counts
    {
        private byte _first;
    }
}
