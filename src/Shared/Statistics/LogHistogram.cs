using FuncScaler.Learned;

namespace FuncScaler.Statistics;

/// <summary>
/// A histogram of durations with bins of equal ratio and exponential ageing: each observation counts half after
/// <see cref="HalfLifeUs"/>. Four bins to the octave from 1 ms to about 26 hours, so a bin's width is 19 % of its value. Takes 0.1 KB and 4 bytes for every bin
/// between the shortest and the longest observation.
/// </summary>
/// <remarks>
/// Ageing by growing the weight of new observations instead of shrinking the old ones, after Cormode et al., "Forward decay: a practical
/// time decay model for streaming systems" (ICDE 2009).
/// </remarks>
public sealed class LogHistogram
{
    /// <summary>Bins per doubling of the value.</summary>
    public const int BinsPerOctave = 4;

    /// <summary>The number of bins; the last one takes everything longer.</summary>
    public const int BinCount = 108;

    private const double FirstUpperBoundUs = 1000;

    private static readonly double[] UpperBounds = MakeUpperBounds();

    /// <summary>The bins from <see cref="_first"/> on; all others are empty.</summary>
    private float[] _bins = [];
    private int _first;
    private long _landmarkUs;
    private double _total;

    /// <param name="halfLifeUs">After how long an observation counts half, µs; 0 for no ageing.</param>
    public LogHistogram(long halfLifeUs = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(halfLifeUs);
        HalfLifeUs = halfLifeUs;
    }

    /// <summary>After how long an observation counts half, µs; 0 for no ageing.</summary>
    public long HalfLifeUs { get; }

    /// <summary>How many observations there were, whatever their age.</summary>
    public long Count { get; private set; }

    /// <summary>The upper bound of a bin, µs.</summary>
    public static double UpperBoundUs(int bin) => UpperBounds[bin];

    /// <summary>The lower bound of a bin, µs.</summary>
    public static double LowerBoundUs(int bin) => bin == 0 ? 0 : UpperBounds[bin - 1];

    /// <summary>Where a bin ends, µs: its upper bound, and of the last bin, which has none, twice its lower bound.</summary>
    public static double EndUs(int bin) => bin == BinCount - 1 ? 2 * LowerBoundUs(bin) : UpperBounds[bin];

    /// <summary>The value that stands for those in a bin, µs: its middle, and of the last bin where that is taken to end.</summary>
    public static double TypicalUs(int bin) => bin == BinCount - 1 ? EndUs(bin) : (LowerBoundUs(bin) + UpperBounds[bin]) / 2;

    /// <summary>The bin a value falls into.</summary>
    public static int BinOf(long valueUs)
    {
        if (valueUs <= FirstUpperBoundUs)
        {
            return 0;
        }

        var bin = (int)Math.Ceiling(Math.Log2(valueUs / FirstUpperBoundUs) * BinsPerOctave);
        return Math.Min(bin, BinCount - 1);
    }

    /// <summary>Adds an observation made at <paramref name="nowUs"/>.</summary>
    public void Add(long valueUs, long nowUs)
    {
        var weight = 1.0;
        if (HalfLifeUs > 0)
        {
            var age = (double)(nowUs - _landmarkUs) / HalfLifeUs;
            if (age > 30)
            {
                Rescale(Math.Pow(2, -age));
                _landmarkUs = nowUs;
            }
            else
            {
                weight = Math.Pow(2, age);
            }
        }

        BinFor(BinOf(valueUs)) += (float)weight;
        _total += weight;
        Count++;
    }

    /// <summary>The aged share of observations in a bin, 0 to 1.</summary>
    public double Share(int bin) => _total > 0 ? WeightOf(bin) / _total : 0;

    /// <summary>The aged weight of all observations at <paramref name="nowUs"/>, in observations.</summary>
    public double WeightAt(long nowUs) =>
        HalfLifeUs == 0 ? _total : _total * Math.Pow(2, -(double)(nowUs - _landmarkUs) / HalfLifeUs);

    /// <summary>The smallest bin bound that at least <paramref name="share"/> of the aged observations do not exceed, µs; 0 when empty.</summary>
    public double QuantileUs(double share)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(share);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(share, 1);
        if (Count == 0)
        {
            return 0;
        }

        var wanted = share * _total;
        double seen = 0;
        var last = 0;
        for (var i = 0; i < _bins.Length; i++)
        {
            if (_bins[i] <= 0)
            {
                continue;
            }

            seen += _bins[i];
            last = _first + i;
            if (seen >= wanted)
            {
                break;
            }
        }

        return UpperBounds[last];
    }

    /// <summary>
    /// The mean of what is left of a value that has reached this age, µs, over the aged observations beyond it; the age itself again where
    /// none is, as for a distribution without a scale.
    /// </summary>
    public double MeanBeyondUs(long ageUs)
    {
        double weight = 0, sum = 0;
        for (var bin = Math.Max(_first, BinOf(ageUs)); bin < _first + _bins.Length; bin++)
        {
            var inBin = _bins[bin - _first];
            if (inBin > 0)
            {
                var typicalUs = TypicalUs(bin);
                weight += inBin;
                sum += inBin * Math.Max(typicalUs - ageUs, typicalUs * 0.05);
            }
        }

        return weight > 0 ? sum / weight : Math.Max(ageUs, 1000);
    }

    /// <summary>Which bins to keep so that there is room for one more, by whole octaves.</summary>
    /// <param name="bin">The bin to make room for.</param>
    /// <param name="first">The first bin kept so far.</param>
    /// <param name="count">How many are kept so far.</param>
    internal static (int First, int Count) RoomFor(int bin, int first, int count)
    {
        var from = bin / BinsPerOctave * BinsPerOctave;
        var end = from + BinsPerOctave;
        if (count > 0)
        {
            (from, end) = (Math.Min(from, first), Math.Max(end, first + count));
        }

        return (from, end - from);
    }

    private float WeightOf(int bin) => (uint)(bin - _first) < (uint)_bins.Length ? _bins[bin - _first] : 0;

    /// <summary>A bin to add to, with room made for it by whole octaves.</summary>
    private ref float BinFor(int bin)
    {
        if ((uint)(bin - _first) >= (uint)_bins.Length)
        {
            var (first, count) = RoomFor(bin, _first, _bins.Length);
            var wider = new float[count];
            _bins.CopyTo(wider, _bins.Length > 0 ? _first - first : 0);
            (_bins, _first) = (wider, first);
        }

        return ref _bins[bin - _first];
    }

    internal void Write(LearnedWriter writer)
    {
        writer.Whole(Count);
        writer.Time(_landmarkUs);
        writer.Whole(_first);
        writer.Whole(_bins.Length);
        foreach (var bin in _bins)
        {
            writer.Number(bin);
        }
    }

    internal void Read(LearnedReader reader)
    {
        Count = Math.Max(0, reader.Whole());
        _landmarkUs = reader.Time();
        _first = reader.Count(BinCount - 1);
        _bins = new float[reader.Count(BinCount - _first)];
        _total = 0;
        foreach (ref var bin in _bins.AsSpan())
        {
            bin = (float)reader.Number(least: 0);
            _total += bin;
        }
    }

    private static double[] MakeUpperBounds()
    {
        var bounds = new double[BinCount];
        for (var bin = 0; bin < BinCount; bin++)
        {
            bounds[bin] = FirstUpperBoundUs * Math.Pow(2, (double)bin / BinsPerOctave);
        }

        bounds[BinCount - 1] = double.PositiveInfinity;
        return bounds;
    }

    private void Rescale(double factor)
    {
        _total = 0;
        for (var i = 0; i < _bins.Length; i++)
        {
            _bins[i] = (float)(_bins[i] * factor);
            _total += _bins[i];
        }
    }
}
