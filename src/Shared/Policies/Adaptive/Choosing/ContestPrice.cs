using FuncScaler.Learned;

namespace FuncScaler.Policies.Adaptive.Choosing;

/// <summary>
/// Finds the price of waiting, if none is given: the price that leads to the best contest score. The search goes on during the whole run.
/// </summary>
/// <remarks>
/// Each price has a ledger. It holds what all functions would have paid so far, had they followed the candidates chosen at that price. To
/// compare prices, the run is assumed to go on for as long again. What has been paid already is the same for each price; for the second
/// half the price's ledger says what will be paid. The price with the best score at the end of such a run is followed. All prices are
/// compared, because the score is a sum of two ratios and may have several optima. A search along its slope could end where every request
/// is warm and nothing is left of the resource half.
/// </remarks>
internal sealed class ContestPrice
{
    /// <summary>The number of <see cref="Prices"/>.</summary>
    public const int Count = 10;

    /// <summary>The index of the price that is followed before anything is known.</summary>
    public const int First = 2;

    /// <summary>The prices, GB·s per second of waiting.</summary>
    public static readonly double[] Prices = [0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256];

    private const int ReviewEvery = 64;

    private readonly double[] _slotGbSeconds = new double[Count];
    private readonly double[] _waitSeconds = new double[Count];
    private double _executionSeconds;
    private double _executionGbSeconds;
    private double _paidGbSeconds;
    private double _paidWaitSeconds;
    private int _sinceReview;
    private long _startUs = long.MaxValue;
    private double _given = double.NaN;
    private int _nearestToGiven;

    /// <summary>The index of the price followed now.</summary>
    public int Followed { get; private set; } = First;

    /// <summary>The index of the price nearest to one that is given, more than 0.</summary>
    public int IndexOf(double givenGbs)
    {
        if (givenGbs != _given)
        {
            (_given, _nearestToGiven) = (givenGbs, Candidates.Nearest(Prices, givenGbs));
        }

        return _nearestToGiven;
    }

    /// <summary>Enters an execution.</summary>
    public void Executed(double seconds, double memoryGb)
    {
        _executionSeconds += seconds;
        _executionGbSeconds += seconds * memoryGb;
    }

    /// <summary>Enters what a function would have paid at a price.</summary>
    public void Enter(int price, double slotGbSeconds, double waitSeconds)
    {
        _slotGbSeconds[price] += slotGbSeconds;
        _waitSeconds[price] += waitSeconds;
        if (price == Followed)
        {
            _paidGbSeconds += slotGbSeconds;
            _paidWaitSeconds += waitSeconds;
        }
    }

    /// <summary>Compares the prices at every 64th call. To be called after each arrival.</summary>
    /// <param name="nowUs">The time, µs.</param>
    /// <param name="coldUs">The mean cold start, µs; 0 for not known.</param>
    /// <param name="options">The length of the warm-up, and by how much another price must be better.</param>
    public void Review(long nowUs, double coldUs, AdaptivePolicyOptions options)
    {
        _startUs = Math.Min(_startUs, nowUs);
        if (coldUs <= 0 || nowUs - _startUs < options.Warmup * coldUs)
        {
            Equalise();
            return;
        }

        if (++_sinceReview < ReviewEvery || _executionSeconds <= 0)
        {
            return;
        }

        _sinceReview = 0;
        var best = Followed;
        var bestScore = ScoreOf(Followed) * (1 + options.Reluctance);
        for (var i = 0; i < Count; i++)
        {
            var score = ScoreOf(i);
            if (score > bestScore)
            {
                (best, bestScore) = (i, score);
            }
        }

        Followed = best;
    }

    /// <summary>The score, 0 to 2, when the run goes on at a price for as long again.</summary>
    public double ScoreOf(int price)
    {
        var (executionGbSeconds, executionSeconds) = (2 * _executionGbSeconds, 2 * _executionSeconds);
        return (executionGbSeconds / (executionGbSeconds + _paidGbSeconds + _slotGbSeconds[price]))
            + (executionSeconds / (executionSeconds + _paidWaitSeconds + _waitSeconds[price]));
    }

    /// <summary>
    /// While the run warms up, no request finds a warm instance at any price. These costs say nothing about the prices, but they are part
    /// of the score. So every ledger gets the same costs.
    /// </summary>
    private void Equalise()
    {
        Array.Fill(_slotGbSeconds, _slotGbSeconds[Followed]);
        Array.Fill(_waitSeconds, _waitSeconds[Followed]);
        Followed = First;
        _paidGbSeconds = _slotGbSeconds[Followed];
        _paidWaitSeconds = _waitSeconds[Followed];
    }

    public void Write(LearnedWriter writer)
    {
        for (var price = 0; price < Count; price++)
        {
            writer.Number(_slotGbSeconds[price]);
            writer.Number(_waitSeconds[price]);
        }

        writer.Number(_executionSeconds);
        writer.Number(_executionGbSeconds);
        writer.Number(_paidGbSeconds);
        writer.Number(_paidWaitSeconds);
        writer.Time(_startUs == long.MaxValue ? writer.NowUs : _startUs);
        writer.Byte((byte)Followed);
    }

    public void Read(LearnedReader reader)
    {
        for (var price = 0; price < Count; price++)
        {
            _slotGbSeconds[price] = reader.Number(least: 0);
            _waitSeconds[price] = reader.Number(least: 0);
        }

        (_executionSeconds, _executionGbSeconds) = (reader.Number(least: 0), reader.Number(least: 0));
        (_paidGbSeconds, _paidWaitSeconds) = (reader.Number(least: 0), reader.Number(least: 0));
        _startUs = reader.Time();
        Followed = Math.Min(Count - 1, (int)reader.Byte());
    }
}
