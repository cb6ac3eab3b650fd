namespace FuncScaler.ContestSimulator.Virtual;

/// <summary>
/// How many instances of one function existed, and how many were held by requests, in the course of a run: exact integrals over equal
/// buckets, from the first arrival to the end of what is paid. A bucket divided by its width is the time-weighted mean within it.
/// </summary>
public sealed class InstanceSeries
{
    internal InstanceSeries(FunctionMeta function, long bucketUs, long endUs, int peakInstances, long[] existingUs, long[] busyUs)
    {
        Function = function;
        BucketUs = bucketUs;
        EndUs = endUs;
        PeakInstances = peakInstances;
        ExistingUs = existingUs;
        BusyUs = busyUs;
    }

    /// <summary>The function.</summary>
    public FunctionMeta Function { get; }

    /// <summary>The width of a bucket, µs: 1/64 s times a power of two, the same for all functions of a run.</summary>
    public long BucketUs { get; }

    /// <summary>Where the series ends, µs since the first arrival; within the last bucket or at its end.</summary>
    public long EndUs { get; }

    /// <summary>The most instances that existed at one time; the means of the buckets do not show it.</summary>
    public int PeakInstances { get; }

    /// <summary>Per bucket, the time of the slots that existed in it, added up, µs. Initialisation counts, as it does in the score.</summary>
    public IReadOnlyList<long> ExistingUs { get; }

    /// <summary>Per bucket, the time of the slots that a request held in it, from the grant to the release, added up, µs.</summary>
    public IReadOnlyList<long> BusyUs { get; }

    /// <summary>The mean number of instances that existed in a bucket.</summary>
    public double MeanExisting(int bucket) => (double)ExistingUs[bucket] / WidthUs(bucket);

    /// <summary>The mean number of instances that a request held in a bucket.</summary>
    public double MeanBusy(int bucket) => (double)BusyUs[bucket] / WidthUs(bucket);

    private long WidthUs(int bucket) => Math.Min(BucketUs, EndUs - (bucket * BucketUs));
}
