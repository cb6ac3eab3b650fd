using FuncScaler.Learned;

namespace FuncScaler.Statistics;

/// <summary>A running estimate of a duration that may drift: the exact mean of the first observations, then exponentially weighted.</summary>
public sealed class RunningTime
{
    private const double SmallestWeight = 1.0 / 16;

    /// <summary>Observations so far.</summary>
    public long Count { get; private set; }

    /// <summary>The estimate, µs; 0 before the first observation.</summary>
    public double MeanUs { get; private set; }

    public void Add(long valueUs)
    {
        Count++;
        MeanUs += (valueUs - MeanUs) * Math.Max(1.0 / Count, SmallestWeight);
    }

    internal void Write(LearnedWriter writer)
    {
        writer.Whole(Count);
        writer.Number(MeanUs);
    }

    internal void Read(LearnedReader reader)
    {
        Count = Math.Max(0, reader.Whole());
        MeanUs = reader.Number(least: 0);
    }
}
