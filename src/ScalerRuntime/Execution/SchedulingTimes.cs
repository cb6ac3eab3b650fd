using System.Numerics;

namespace FuncScaler.Runtime.Execution;

/// <summary>
/// How long callers of Assign have waited for their answer, counted while somebody wants to know: in buckets that widen with the value, within
/// 13 %. Safe for concurrent use; counting one takes some nanoseconds, and nothing while <see cref="On"/> is false.
/// </summary>
public sealed class SchedulingTimes
{
    // Eight buckets per power of two; 16 for the values below 16 µs. Up to 2^40 µs, twelve days.
    private const int SubBucketBits = 3;
    private const int Buckets = (40 - SubBucketBits) << SubBucketBits;

    private readonly long[] _counts = new long[Buckets];
    private volatile bool _on;

    /// <summary>Whether to count.</summary>
    public bool On
    {
        get => _on;
        set => _on = value;
    }

    /// <summary>Counts one.</summary>
    /// <param name="durationUs">From the call to its answer, µs; a negative one counts as 0.</param>
    public void Add(long durationUs)
    {
        if (_on)
        {
            Interlocked.Increment(ref _counts[Bucket(Math.Max(0, durationUs))]);
        }
    }

    /// <summary>The counts of all buckets so far.</summary>
    public long[] Copy() => (long[])_counts.Clone();

    /// <summary>Percentiles of what was counted between two copies, ms.</summary>
    /// <param name="before">The earlier copy; null for the beginning.</param>
    /// <param name="after">The later copy.</param>
    /// <param name="share">The share that does not exceed it, 0 to 1.</param>
    /// <returns>Null where nothing was counted.</returns>
    public static double? PercentileMs(long[]? before, long[] after, double share)
    {
        long total = 0;
        for (var i = 0; i < Buckets; i++)
        {
            total += after[i] - (before?[i] ?? 0);
        }

        if (total <= 0)
        {
            return null;
        }

        var rank = Math.Clamp((long)Math.Ceiling(share * total), 1, total);
        var bucket = 0;
        for (var seen = after[0] - (before?[0] ?? 0); seen < rank; seen += after[bucket] - (before?[bucket] ?? 0))
        {
            bucket++;
        }

        return MiddleUs(bucket) / 1e3;
    }

    private static int Bucket(long us)
    {
        var shift = Math.Max(0, BitOperations.Log2((ulong)us) - SubBucketBits);
        return Math.Min((shift << SubBucketBits) + (int)(us >> shift), Buckets - 1);
    }

    private static double MiddleUs(int bucket)
    {
        if (bucket < 2 << SubBucketBits)
        {
            return bucket;
        }

        var shift = (bucket >> SubBucketBits) - 1;
        var low = (long)((bucket & ((1 << SubBucketBits) - 1)) + (1 << SubBucketBits)) << shift;
        return low + (((1L << shift) - 1) / 2.0);
    }
}
