using System.Numerics;

namespace FuncScaler.ContestSimulator.Platform;

/// <summary>
/// Latencies in buckets that widen with the value: exact below 256 µs, then within 0.4 %, in constant memory whatever their number.
/// Sums and counts are exact. Not safe for concurrent use.
/// </summary>
public sealed class LatencyHistogram
{
    // 128 buckets per power of two, 256 for the values below 256.
    private const int SubBucketBits = 7;
    private readonly long[] _counts = new long[(64 - SubBucketBits) << SubBucketBits];
    private long _sumUs;

    /// <summary>How many were added.</summary>
    public long Count { get; private set; }

    /// <summary>The mean, ms; 0 when there is none.</summary>
    public double MeanMs => Count == 0 ? 0 : (double)_sumUs / Count / 1e3;

    /// <summary>Adds one latency.</summary>
    /// <param name="valueUs">The latency, µs; a negative one counts as 0.</param>
    public void Add(long valueUs)
    {
        valueUs = Math.Max(0, valueUs);
        _counts[Bucket(valueUs)]++;
        _sumUs += valueUs;
        Count++;
    }

    /// <summary>Adds all latencies of another histogram.</summary>
    public void Add(LatencyHistogram other)
    {
        for (var bucket = 0; bucket < _counts.Length; bucket++)
        {
            _counts[bucket] += other._counts[bucket];
        }

        _sumUs += other._sumUs;
        Count += other.Count;
    }

    /// <summary>The smallest latency, ms, that at least this share of the latencies does not exceed; 0 when there is none.</summary>
    /// <param name="share">The share, 0 to 1.</param>
    public double PercentileMs(double share)
    {
        if (Count == 0)
        {
            return 0;
        }

        var rank = Math.Clamp((long)Math.Ceiling(share * Count), 1, Count);
        var bucket = 0;
        for (var seen = _counts[0]; seen < rank; seen += _counts[bucket])
        {
            bucket++;
        }

        return MiddleUs(bucket) / 1e3;
    }

    private static int Bucket(long valueUs)
    {
        var shift = Math.Max(0, BitOperations.Log2((ulong)valueUs) - SubBucketBits);
        return (shift << SubBucketBits) + (int)(valueUs >> shift);
    }

    private static double MiddleUs(int bucket)
    {
        var shift = Math.Max(0, (bucket >> SubBucketBits) - 1);
        var low = (long)(bucket - (shift << SubBucketBits)) << shift;
        return low + (((1L << shift) - 1) / 2.0);
    }
}
