namespace FuncScaler.Policies.Adaptive.Choosing;

/// <summary>
/// What all functions under `adaptive` share: the price of waiting. In production it is given. In a contest it is chosen among a ladder
/// of prices by what each would have cost so far: every price keeps a ledger of its own, in which each function enters what the candidate
/// it would have followed at that price would have paid. The price is followed that would lead to the best score if the run went on for as
/// long again as it has lasted: what is paid is paid, and what is to come is what each price has paid so far.
/// </summary>
/// <remarks>
/// The score is a sum of two ratios and not convex: following its slope can end in "everything warm, nothing left of the resource half".
/// Comparing all prices finds the better of two such hills.
/// </remarks>
internal sealed class AdaptivePrices
{
    /// <summary>The number of rungs of <see cref="Ladder"/>.</summary>
    public const int RungCount = 10;

    /// <summary>The ladder, GBs per second of waiting.</summary>
    public static readonly double[] Ladder = [0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256];

    /// <summary>The rung used before anything is known.</summary>
    public const int FirstRung = 2;

    private const int ReviewEvery = 64;

    private readonly double[] _slotGbSeconds = new double[Ladder.Length];
    private readonly double[] _waitSeconds = new double[Ladder.Length];
    private double _executionSeconds;
    private double _executionGbSeconds;

    /// <summary>What was paid under the prices that were followed.</summary>
    private double _paidGbSeconds;
    private double _paidWaitSeconds;
    private int _sinceReview;
    private long _startUs = long.MaxValue;

    /// <summary>The rung followed now.</summary>
    public int Rung { get; private set; } = FirstRung;

    public void Executed(double seconds, double memoryGb)
    {
        _executionSeconds += seconds;
        _executionGbSeconds += seconds * memoryGb;
    }

    /// <summary>Enters what a function's candidate at a rung would have paid.</summary>
    public void Enter(int rung, double slotGbSeconds, double waitSeconds)
    {
        _slotGbSeconds[rung] += slotGbSeconds;
        _waitSeconds[rung] += waitSeconds;
        if (rung == Rung)
        {
            _paidGbSeconds += slotGbSeconds;
            _paidWaitSeconds += waitSeconds;
        }
    }

    /// <summary>To be called after each arrival: now and then looks whether another rung is better.</summary>
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
        var best = Rung;
        var bestScore = ScoreOf(Rung) * (1 + options.Reluctance);
        for (var i = 0; i < Ladder.Length; i++)
        {
            var score = ScoreOf(i);
            if (score > bestScore)
            {
                (best, bestScore) = (i, score);
            }
        }

        Rung = best;
    }

    /// <summary>
    /// Everything is cold at first, whatever the price: what that costs says nothing about what is to come, but is part of the score under each.
    /// </summary>
    private void Equalise()
    {
        Array.Fill(_slotGbSeconds, _slotGbSeconds[Rung]);
        Array.Fill(_waitSeconds, _waitSeconds[Rung]);
        Rung = FirstRung;
        _paidGbSeconds = _slotGbSeconds[Rung];
        _paidWaitSeconds = _waitSeconds[Rung];
    }

    /// <summary>The score, of 2, when the run has gone on at a rung for as long again.</summary>
    public double ScoreOf(int rung)
    {
        var (executionGbSeconds, executionSeconds) = (2 * _executionGbSeconds, 2 * _executionSeconds);
        return (executionGbSeconds / (executionGbSeconds + _paidGbSeconds + _slotGbSeconds[rung]))
            + (executionSeconds / (executionSeconds + _paidWaitSeconds + _waitSeconds[rung]));
    }
}
