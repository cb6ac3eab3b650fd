namespace FuncScaler.ContestSimulator.Virtual;

/// <summary>
/// Records one function's instances in constant memory: a fixed number of buckets, whose width doubles whenever the run has outgrown
/// them. Whole numbers throughout, so that nothing is lost by that.
/// </summary>
internal sealed class InstanceRecorder
{
    internal const int BucketCount = 240;

    private const long FirstBucketUs = 15_625;

    private readonly long[] _existingUs = new long[BucketCount];
    private readonly long[] _busyUs = new long[BucketCount];
    private long _bucketUs = FirstBucketUs;
    private long _nowUs;
    private int _existing;
    private int _busy;

    /// <summary>Slots came or went, or became held or free. Times never go back.</summary>
    public void Change(long nowUs, int existing, int busy)
    {
        Advance(nowUs);
        _existing += existing;
        _busy += busy;
    }

    /// <summary>The series up to <paramref name="endUs"/>.</summary>
    public InstanceSeries Close(FunctionMeta function, long endUs, int peakInstances)
    {
        Advance(endUs);
        WidenTo(endUs);
        var buckets = (int)((endUs + _bucketUs - 1) / _bucketUs);
        return new InstanceSeries(function, _bucketUs, endUs, peakInstances, _existingUs[..buckets], _busyUs[..buckets]);
    }

    private void Advance(long nowUs)
    {
        var fromUs = _nowUs;
        _nowUs = nowUs;
        if (_existing == 0)
        {
            return;
        }

        WidenTo(nowUs);
        for (var bucket = (int)(fromUs / _bucketUs); fromUs < nowUs; bucket++)
        {
            var toUs = Math.Min(nowUs, (bucket + 1) * _bucketUs);
            _existingUs[bucket] += (toUs - fromUs) * _existing;
            _busyUs[bucket] += (toUs - fromUs) * _busy;
            fromUs = toUs;
        }
    }

    private void WidenTo(long nowUs)
    {
        while (nowUs > _bucketUs * BucketCount)
        {
            Halve(_existingUs);
            Halve(_busyUs);
            _bucketUs *= 2;
        }
    }

    private static void Halve(long[] buckets)
    {
        for (var i = 0; i < BucketCount / 2; i++)
        {
            buckets[i] = buckets[2 * i] + buckets[(2 * i) + 1];
        }

        Array.Clear(buckets, BucketCount / 2, BucketCount / 2);
    }
}
