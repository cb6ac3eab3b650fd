using FuncScaler.Learned;
using FuncScaler.Statistics;

namespace FuncScaler.Policies.Adaptive.Demand;

/// <summary>What is expected to arrive for one function: its period, its bursts and its rate.</summary>
/// <remarks>
/// Each arrival is seen twice. <see cref="Arrived"/> sees it when it comes; decisions about real instances use that. <see cref="Learned"/>
/// sees it when its rank is known, which is later if requests wait; pretended pools use that.
/// </remarks>
internal sealed class FunctionDemand(AdaptivePolicyOptions options, AdaptiveShared shared)
{
    /// <summary>A period that is less reliable than this is not used.</summary>
    private const double LeastReliability = 0.4;

    /// <summary>At most so many foretold arrivals that did not come are counted between two arrivals.</summary>
    private const int MostInVain = 8;

    private RecentArrivals _arrived;
    private RecentArrivals _learned;
    private RateRises _rises;
    private ColdStartPile _pile = new();
    private long _lastAloneUs = long.MinValue / 2;

    public PeriodTracker Period { get; } = new();

    /// <summary>Whether the period is reliable enough to act on it.</summary>
    public bool HasPeriod => Period.Reliability >= LeastReliability;

    /// <summary>Whether the period had foretold the last arrival that found no other active request.</summary>
    public bool WasForetold { get; private set; }

    /// <summary>How many arrivals the period had foretold before that arrival which did not come, 0 to 8.</summary>
    public int InVain { get; private set; }

    /// <summary>The waiting that one cold start causes, in waits of a whole cold start; at least 1.</summary>
    public double Pile => 1 + (options.PileFactor * (_pile.Mean - 1));

    /// <summary>A request arrived.</summary>
    /// <param name="nowUs">When, µs.</param>
    /// <param name="alone">Whether no other request is active.</param>
    /// <param name="coldUs">How long a cold start takes, µs.</param>
    public void Arrived(long nowUs, bool alone, long coldUs)
    {
        _arrived.Arrived(nowUs, alone, coldUs);
        _rises.Arrived(nowUs, coldUs, _arrived.Rates, ref shared.RateRises);
        if (alone)
        {
            CompareWithPeriod(nowUs);
            _lastAloneUs = nowUs;
            Period.Arrived(nowUs, Math.Max(200_000, 2 * coldUs));
        }
    }

    /// <summary>An arrival's rank has become known.</summary>
    /// <param name="arrival">The arrival.</param>
    /// <param name="afterPause">Whether its slot had been unused for longer than a cold start, or was never used.</param>
    /// <param name="coldUs">How long a cold start takes, µs.</param>
    public void Learned(in RankedArrival arrival, bool afterPause, double coldUs)
    {
        _pile.Arrived(arrival, afterPause, coldUs);
        _learned.Arrived(arrival.ArrivedUs, arrival is { Rank: 1, Joins: false }, coldUs);
    }

    /// <summary>The arrivals expected within a cold start from now on.</summary>
    public ExpectedArrivals Expected(long nowUs, long coldUs) => Expected(_arrived, nowUs, coldUs);

    /// <summary>The arrivals that were expected at an earlier time: when a request arrived whose rank has only now become known.</summary>
    public ExpectedArrivals ExpectedThen(long arrivedUs, long coldUs) => Expected(_learned, arrivedUs, coldUs);

    /// <summary>The requests per second lately.</summary>
    public double RatePerSecond(long nowUs, long coldUs) => _arrived.Rates.Recent(nowUs, coldUs) / (coldUs / 1e6);

    /// <summary>Finds the next arrival that the period foretells at or after a time.</summary>
    public bool TryForetell(long fromUs, out long arrivalUs)
    {
        arrivalUs = HasPeriod ? Period.NextAfter(fromUs) : long.MaxValue;
        return arrivalUs != long.MaxValue;
    }

    public void Write(LearnedWriter writer)
    {
        _arrived.Write(writer);
        _learned.Write(writer);
        _rises.Write(writer);
        _pile.Write(writer);
        writer.Time(_lastAloneUs);
        Period.Write(writer);
    }

    public void Read(LearnedReader reader)
    {
        _arrived.Read(reader);
        _learned.Read(reader);
        _rises.Read(reader);
        _pile.Read(reader);
        _lastAloneUs = reader.Time();
        Period.Read(reader);
    }

    /// <summary>
    /// For one cold start's time after a burst began, the sizes of earlier bursts say what is to come. Later the rate over the last cold
    /// start's time does. If the rate is rising, the share of the extra requests that usually comes is added.
    /// </summary>
    private ExpectedArrivals Expected(in RecentArrivals arrivals, long nowUs, long coldUs)
    {
        var recent = arrivals.Rates.Recent(nowUs, coldUs) - 1;
        var elapsed = (double)(nowUs - arrivals.BurstStartUs) / coldUs;
        if (elapsed < 1)
        {
            return _pile.Bursts.After(arrivals.SinceBurstStart, elapsed, Math.Max(0, recent), options.ExpectFactor, shared.Expected);
        }

        recent += _rises.Expected(shared.RateRises) * arrivals.Rates.Rise(nowUs, coldUs);
        return shared.Expected.Start(Math.Max(0, recent) * options.ExpectFactor);
    }

    private void CompareWithPeriod(long nowUs)
    {
        InVain = 0;
        WasForetold = false;
        if (!HasPeriod)
        {
            return;
        }

        var marginUs = Period.MarginUs;
        var nextUs = Period.NextAfter(_lastAloneUs + marginUs);
        while (nextUs < nowUs - marginUs && InVain < MostInVain)
        {
            InVain++;
            nextUs = Period.NextAfter(nextUs + 1);
        }

        WasForetold = Math.Abs(nextUs - nowUs) <= marginUs;
    }
}
