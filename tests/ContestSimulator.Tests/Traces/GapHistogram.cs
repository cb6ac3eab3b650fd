using System.Numerics;

namespace FuncScaler.Tests.Traces;

/// <summary>Counts of non-negative numbers in buckets of 1/64 of an octave, so that a quantile is within 0.8 % of the exact one.</summary>
internal sealed class GapHistogram
{
    private const int SubBits = 6;
    private const int Sub = 1 << SubBits;

    private int[] _buckets = [];

    public long Count { get; private set; }

    public void Add(long value)
    {
        var index = Index(value);
        if (index >= _buckets.Length)
        {
            Array.Resize(ref _buckets, (index / Sub * Sub) + Sub);
        }

        _buckets[index]++;
        Count++;
    }

    /// <summary>The smallest number that at least the share <paramref name="p"/> (0 to 1) of all does not exceed; 0 when there is none.</summary>
    public double Quantile(double p)
    {
        var wanted = Math.Max(1, (long)Math.Ceiling(p * Count));
        var seen = 0L;
        for (var i = 0; i < _buckets.Length; i++)
        {
            seen += _buckets[i];
            if (seen >= wanted)
            {
                return Middle(i);
            }
        }

        return 0;
    }

    private static int Index(long value)
    {
        if (value < Sub)
        {
            return (int)Math.Max(0, value);
        }

        var exponent = BitOperations.Log2((ulong)value);
        return ((exponent - SubBits + 1) << SubBits) + (int)((value >> (exponent - SubBits)) & (Sub - 1));
    }

    private static double Middle(int index)
    {
        if (index < Sub)
        {
            return index;
        }

        var shift = (index >> SubBits) - 1;
        var low = (double)((long)(Sub + (index & (Sub - 1))) << shift);
        return low + (((1L << shift) - 1) / 2.0);
    }
}
