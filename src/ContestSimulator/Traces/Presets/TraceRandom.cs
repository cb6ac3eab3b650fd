using System.Numerics;
using System.Text;

namespace FuncScaler.ContestSimulator.Traces.Presets;

/// <summary>
/// The generator of random numbers behind generated traces: xoshiro256** (Blackman and Vigna, 2018), seeded through splitmix64. Written
/// out here, so that a seed means the same trace for good.
/// </summary>
internal sealed class TraceRandom
{
    private ulong _s0;
    private ulong _s1;
    private ulong _s2;
    private ulong _s3;
    private double _spareNormal = double.NaN;

    /// <summary>One of many independent streams of a seed.</summary>
    /// <param name="seed">The trace's seed.</param>
    /// <param name="purpose">What the numbers are for.</param>
    /// <param name="index">Which of several alike, for example the function.</param>
    public TraceRandom(long seed, string purpose, long index = 0)
    {
        // FNV-1a over the purpose: string.GetHashCode differs from process to process.
        var state = 14695981039346656037ul;
        foreach (var b in Encoding.UTF8.GetBytes(purpose))
        {
            state = (state ^ b) * 1099511628211ul;
        }

        state = SplitMix(ref state) ^ (ulong)seed;
        state = SplitMix(ref state) ^ (ulong)index;
        _s0 = SplitMix(ref state);
        _s1 = SplitMix(ref state);
        _s2 = SplitMix(ref state);
        _s3 = SplitMix(ref state);
    }

    public ulong NextBits()
    {
        var result = BitOperations.RotateLeft(_s1 * 5, 7) * 9;
        var t = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= t;
        _s3 = BitOperations.RotateLeft(_s3, 45);
        return result;
    }

    /// <summary>Uniform in [0, 1).</summary>
    public double Next() => (NextBits() >> 11) * (1.0 / (1ul << 53));

    /// <summary>Uniform in [<paramref name="low"/>, <paramref name="high"/>).</summary>
    public double Next(double low, double high) => low + ((high - low) * Next());

    /// <summary>Uniform in 0 .. <paramref name="count"/> - 1.</summary>
    public int NextIndex(int count) => (int)(((NextBits() >> 32) * (ulong)count) >> 32);

    /// <summary>Exponential, mean 1.</summary>
    public double NextExponential() => -Math.Log(1 - Next());

    /// <summary>Gamma of an integer shape, mean 1: the larger the shape, the more regular.</summary>
    public double NextGamma(int shape)
    {
        var product = 1.0;
        for (var i = 0; i < shape; i++)
        {
            product *= 1 - Next();
        }

        return -Math.Log(product) / shape;
    }

    /// <summary>Standard normal (Marsaglia's polar method).</summary>
    public double NextNormal()
    {
        if (!double.IsNaN(_spareNormal))
        {
            var spare = _spareNormal;
            _spareNormal = double.NaN;
            return spare;
        }

        while (true)
        {
            var u = (2 * Next()) - 1;
            var v = (2 * Next()) - 1;
            var s = (u * u) + (v * v);
            if (s is > 0 and < 1)
            {
                var factor = Math.Sqrt(-2 * Math.Log(s) / s);
                _spareNormal = v * factor;
                return u * factor;
            }
        }
    }

    /// <summary>Log-normal around a median.</summary>
    public double NextLogNormal(double median, double sigma) => median * Math.Exp(sigma * NextNormal());

    /// <summary>Lower-case hexadecimal digits.</summary>
    public string NextHex(int digits) =>
        string.Create(digits, this, static (span, random) =>
        {
            for (var i = 0; i < span.Length; i++)
            {
                span[i] = "0123456789abcdef"[random.NextIndex(16)];
            }
        });

    public void Shuffle<T>(Span<T> items)
    {
        for (var i = items.Length - 1; i > 0; i--)
        {
            var j = NextIndex(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    private static ulong SplitMix(ref ulong state)
    {
        state += 0x9E3779B97F4A7C15ul;
        var z = state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ul;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBul;
        return z ^ (z >> 31);
    }
}
