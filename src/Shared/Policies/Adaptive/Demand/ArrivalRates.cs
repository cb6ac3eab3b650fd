using FuncScaler.Learned;

namespace FuncScaler.Policies.Adaptive.Demand;

/// <summary>
/// Requests that arrived lately: exponentially weighted counts over a cold start's time, and over a half, an eighth and a 32nd of it.
/// </summary>
internal struct ArrivalRates
{
    /// <summary>
    /// A count over a shorter time is lowered by so many standard deviations before it is compared, so that chance alone shows no rise.
    /// </summary>
    private const double Surely = 2;

    private float _whole;
    private float _half;
    private float _eighth;
    private float _thirtySecond;

    /// <summary>When the last request arrived, µs.</summary>
    public long LastUs { get; private set; }

    /// <summary>A request arrived.</summary>
    public void Arrived(long nowUs, double coldUs)
    {
        var (whole, half, eighth, thirtySecond) = At(nowUs, coldUs);
        (_whole, _half, _eighth, _thirtySecond) = ((float)whole + 1, (float)half + 1, (float)eighth + 1, (float)thirtySecond + 1);
        LastUs = nowUs;
    }

    /// <summary>How many requests came within about the last cold start's time, the last request included.</summary>
    public readonly double Recent(long nowUs, double coldUs) => _whole * Math.Exp(-(nowUs - LastUs) / coldUs);

    /// <summary>
    /// How many extra requests would come within a cold start's time if the highest of the short-term rates continued. Only what exceeds
    /// chance counts. 0 means that there is no rise.
    /// </summary>
    public readonly double Rise(long nowUs, double coldUs)
    {
        var (whole, half, eighth, thirtySecond) = At(nowUs, coldUs);
        return Math.Max(Math.Max(0, (2 * AtLeast(half)) - whole), Math.Max((8 * AtLeast(eighth)) - whole, (32 * AtLeast(thirtySecond)) - whole));
    }

    private static double AtLeast(double count) => count - (Surely * Math.Sqrt(count));

    private readonly (double Whole, double Half, double Eighth, double ThirtySecond) At(long nowUs, double coldUs)
    {
        if (nowUs == LastUs)
        {
            return (_whole, _half, _eighth, _thirtySecond);
        }

        var left = Math.Exp(-(nowUs - LastUs) / coldUs);
        var leftOfHalf = left * left;
        var leftOfQuarter = leftOfHalf * leftOfHalf;
        var leftOfEighth = leftOfQuarter * leftOfQuarter;
        var leftOfSixteenth = leftOfEighth * leftOfEighth;
        return (_whole * left, _half * leftOfHalf, _eighth * leftOfEighth, _thirtySecond * leftOfSixteenth * leftOfSixteenth);
    }

    public readonly void Write(LearnedWriter writer)
    {
        writer.Number(_whole);
        writer.Number(_half);
        writer.Number(_eighth);
        writer.Number(_thirtySecond);
        writer.Time(LastUs);
    }

    public void Read(LearnedReader reader)
    {
        (_whole, _half) = ((float)reader.Number(least: 0), (float)reader.Number(least: 0));
        (_eighth, _thirtySecond) = ((float)reader.Number(least: 0), (float)reader.Number(least: 0));
        LastUs = reader.Time();
    }
}
