namespace FuncScaler.Statistics;

/// <summary>
/// Idle times of a function in bins of equal width, with those beyond the last bin counted apart: the histogram of "Serverless in the
/// Wild" (ATC 2020). Adding and removing cost O(1), a percentile O(bins).
/// </summary>
public sealed class IdleTimeHistogram
{
    /// <summary>The width of a bin, µs: one minute.</summary>
    public const long BinUs = 60_000_000;

    private readonly int[] _bins;
    private double _sumOfSquares;

    /// <param name="rangeUs">Up to what idle time it has bins, µs; at least one bin's width.</param>
    public IdleTimeHistogram(long rangeUs)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rangeUs, BinUs);
        _bins = new int[rangeUs / BinUs];
    }

    /// <summary>Up to what idle time it has bins, µs.</summary>
    public long RangeUs => _bins.Length * BinUs;

    /// <summary>Idle times within the range.</summary>
    public long InRange { get; private set; }

    /// <summary>Idle times beyond the range.</summary>
    public long OutOfRange { get; private set; }

    /// <summary>The share of idle times beyond the range, 0 to 1; 0 when there are none at all.</summary>
    public double OutOfRangeShare => OutOfRange == 0 ? 0 : (double)OutOfRange / (InRange + OutOfRange);

    /// <summary>
    /// The coefficient of variation of the counts of all bins, empty ones included: 0 when all are equal, the square root of the number of
    /// bins less one when a single bin holds everything. 0 when empty.
    /// </summary>
    public double BinCountVariation
    {
        get
        {
            if (InRange == 0)
            {
                return 0;
            }

            var mean = (double)InRange / _bins.Length;
            return Math.Sqrt(Math.Max(0, (_sumOfSquares / _bins.Length) - (mean * mean))) / mean;
        }
    }

    /// <summary>The bin of an idle time; the number of bins when it is beyond the range.</summary>
    public int BinOf(long idleUs) => (int)Math.Min(idleUs / BinUs, _bins.Length);

    public void Add(long idleUs) => Change(BinOf(idleUs), 1);

    /// <summary>Changes the count of a bin from <see cref="BinOf"/> by some observations more or less.</summary>
    public void Change(int bin, int by)
    {
        if (bin >= _bins.Length)
        {
            OutOfRange += by;
            return;
        }

        var before = (double)_bins[bin];
        _bins[bin] += by;
        _sumOfSquares += (by * 2 * before) + ((double)by * by);
        InRange += by;
    }

    /// <summary>
    /// The lower bound of the bin that holds a percentile of the idle times within the range, µs; 0 when there are none.
    /// </summary>
    public long LowerBoundUs(double share) => InRange == 0 ? 0 : BinAt(share) * BinUs;

    /// <summary>The upper bound of that bin, µs; the range when there are none.</summary>
    public long UpperBoundUs(double share) => InRange == 0 ? RangeUs : (BinAt(share) + 1) * BinUs;

    private int BinAt(double share)
    {
        // A hair less, so that 5 % of 100 is 5 however the product is rounded.
        var wanted = (share * InRange) - 1e-9;
        long seen = 0;
        for (var bin = 0; bin < _bins.Length; bin++)
        {
            seen += _bins[bin];
            if (seen >= wanted && seen > 0)
            {
                return bin;
            }
        }

        return _bins.Length - 1;
    }
}
