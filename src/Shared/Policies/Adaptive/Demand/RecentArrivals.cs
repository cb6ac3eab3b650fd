using FuncScaler.Learned;

namespace FuncScaler.Policies.Adaptive.Demand;

/// <summary>A function's arrival rates, and its present burst.</summary>
internal struct RecentArrivals
{
    /// <summary>The rates. A field, because it is a struct that changes.</summary>
    public ArrivalRates Rates;

    /// <summary>
    /// When the present burst began, µs. A burst begins with a request that finds no other active request, after a pause longer than a cold
    /// start.
    /// </summary>
    public long BurstStartUs { get; private set; }

    /// <summary>The requests of the present burst so far.</summary>
    public int SinceBurstStart { get; private set; }

    /// <summary>A request arrived.</summary>
    /// <param name="nowUs">When, µs.</param>
    /// <param name="alone">Whether no other request is active.</param>
    /// <param name="coldUs">How long a cold start takes, µs.</param>
    public void Arrived(long nowUs, bool alone, double coldUs)
    {
        if (alone && nowUs - Rates.LastUs > coldUs)
        {
            BurstStartUs = nowUs;
            SinceBurstStart = 0;
        }

        Rates.Arrived(nowUs, coldUs);
        SinceBurstStart++;
    }

    public readonly void Write(LearnedWriter writer)
    {
        Rates.Write(writer);
        writer.Time(BurstStartUs);
        writer.Whole(SinceBurstStart);
    }

    public void Read(LearnedReader reader)
    {
        Rates.Read(reader);
        BurstStartUs = reader.Time();
        SinceBurstStart = reader.Count(int.MaxValue);
    }
}
