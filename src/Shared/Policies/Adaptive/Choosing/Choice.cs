using System.Runtime.CompilerServices;
using FuncScaler.Learned;

namespace FuncScaler.Policies.Adaptive.Choosing;

/// <summary>
/// Which candidate one function follows at each price of <see cref="ContestPrice.Prices"/>: the candidate that has been cheapest in the
/// function's pretended pools.
/// </summary>
internal sealed class Choice : ILearned
{
    /// <summary>What is followed at each price before anything is known.</summary>
    private static readonly int[] Nearest = [.. ContestPrice.Prices.Select(p => Candidates.Nearest(Candidates.Prices, p))];

    /// <summary>For each price the candidates with about that price.</summary>
    private static readonly int[][] Near = [.. ContestPrice.Prices.Select(Candidates.Near)];

    /// <summary>For each price the candidates with about that price, and all candidates with the period.</summary>
    private static readonly int[][] NearOrPeriodic =
        [.. Near.Select(near => (int[])[.. near, .. Enumerable.Range(0, Candidates.Count).Where(Candidates.IsPeriodic)])];

    private readonly AdaptivePolicyOptions _options;
    private readonly ContestPrice _contestPrice;
    private readonly Objective? _sharedObjective;
    private Objective? _objective;
    private Objective? _read;
    private TimeSpan? _slo;
    private FollowedAtPrice _followed;

    public Choice(AdaptivePolicyOptions options, AdaptiveShared shared)
    {
        _options = options;
        _contestPrice = shared.ContestPrice;
        _objective = _sharedObjective = shared.Objective;
        Pools = new PretendedPools(shared.LastCosts);
        for (var price = 0; price < ContestPrice.Count; price++)
        {
            _followed[price] = (byte)Nearest[price];
        }
    }

    /// <summary>What the function's requests would have cost under each candidate.</summary>
    public PretendedPools Pools { get; }

    /// <summary>What the price is found from: the function's own objective, or the one of all functions; null for none.</summary>
    public Objective? Objective => _objective;

    /// <summary>
    /// The time that an operator wants for the function alone; null for none. Another time begins a new search for the price, with what was read of
    /// an earlier search for the same time.
    /// </summary>
    public void Aim(TimeSpan? slo)
    {
        if (slo != _slo)
        {
            _slo = slo;
            _objective = slo is { } within ? Objective.Of(within) : _sharedObjective;
            TakeRead();
        }
    }

    /// <summary>Writes what was learned for the function's own time; nothing where it has none.</summary>
    public void WriteLearned(LearnedWriter writer)
    {
        var own = _slo is null ? _read : _objective;
        own?.Write(writer);
        own?.WriteReviewed(writer);
    }

    /// <summary>Reads it. It is used once the function has the same time.</summary>
    public void ReadLearned(LearnedReader reader)
    {
        _read = Objective.Read(reader);
        _read.ReadReviewed(reader);
        TakeRead();
    }

    /// <summary>The candidate followed now.</summary>
    public int Followed(in PoolView pool) => _followed[PriceIndex(pool)];

    /// <summary>
    /// The candidate that is followed while a price of <see cref="ContestPrice.Prices"/>, given by its index, is in force.
    /// </summary>
    public int FollowedAt(int price) => _followed[price];

    /// <summary>The price of the candidate followed now, GB·s per second of waiting.</summary>
    public double PriceGbs(in PoolView pool) => Candidates.PriceOf(Followed(pool));

    /// <summary>The price that was given, GB·s per second of waiting; null if the scaler has to find it.</summary>
    public double? GivenPriceGbs(in PoolView pool) => _objective is null ? _options.PriceGbs ?? pool.LatencyPriceGbs : null;

    /// <summary>The index in <see cref="ContestPrice.Prices"/> of the price in force.</summary>
    public int PriceIndex(in PoolView pool) =>
        GivenPriceGbs(pool) is { } price ? _contestPrice.IndexOf(price) : _objective?.Followed ?? _contestPrice.Followed;

    /// <summary>The price in force, which all functions' candidates are compared at, GB·s per second of waiting.</summary>
    public double PriceInForceGbs(in PoolView pool) => ContestPrice.Prices[PriceIndex(pool)];

    /// <summary>Enters the costs that were last added to the pretended pools into the books of each price.</summary>
    /// <param name="arrivals">How many real arrivals that was; 0 where only time has passed.</param>
    public void EnterPrices(int arrivals)
    {
        _objective?.Arrived(arrivals);
        for (var price = 0; price < ContestPrice.Count; price++)
        {
            var followed = _followed[price];
            if (_objective is not null)
            {
                _objective.Enter(price, Pools.LastSlotGbSeconds[followed], Pools.LastWaitSeconds[followed] / Pools.Scale, arrivals);
            }
            else
            {
                _contestPrice.Enter(price, Pools.LastSlotGbSeconds[followed], Pools.LastWaitSeconds[followed]);
            }
        }
    }

    /// <summary>
    /// Chooses a candidate anew for each price. Only candidates with about that price are compared. With more candidates the function would
    /// change too often, and after each change the instances of the new candidate are missing: it has them only in pretence. Candidates
    /// with the period are compared if the function has a period.
    /// </summary>
    /// <param name="memoryGb">Memory of an instance, GB.</param>
    /// <param name="coldSeconds">How long a cold start takes, s.</param>
    /// <param name="hasPeriod">Whether the function has a period.</param>
    public void Choose(double memoryGb, double coldSeconds, bool hasPeriod)
    {
        var candidates = hasPeriod ? NearOrPeriodic : Near;
        for (var i = 0; i < ContestPrice.Count; i++)
        {
            var price = ContestPrice.Prices[i];
            int followed = _followed[i];
            var best = followed;
            var bestCost = ((1 - _options.Share) * (Pools.SlotGbSeconds[followed] + (price * Pools.WaitSeconds[followed])))
                - (_options.Evidence * (memoryGb + price) * coldSeconds);
            foreach (var candidate in candidates[i])
            {
                // The candidate has its instances only in pretence. After a change they must be created.
                var toCreate = Math.Max(0, Pools.Instances(candidate) - Pools.Instances(followed));
                var cost = Pools.SlotGbSeconds[candidate] + (price * Pools.WaitSeconds[candidate]) + (toCreate * ((memoryGb * coldSeconds) + _options.CreateGbs));
                if (cost < bestCost)
                {
                    (best, bestCost) = (candidate, cost);
                }
            }

            _followed[i] = (byte)best;
        }
    }

    public void Write(LearnedWriter writer)
    {
        for (var price = 0; price < ContestPrice.Count; price++)
        {
            writer.Byte(_followed[price]);
        }

        Pools.WriteCosts(writer);
    }

    public void Read(LearnedReader reader)
    {
        for (var price = 0; price < ContestPrice.Count; price++)
        {
            var followed = reader.Byte();
            _followed[price] = followed < Candidates.Count ? followed : throw new LearnedFormatException("there is no such candidate");
        }

        Pools.ReadCosts(reader);
    }

    private void TakeRead()
    {
        if (_slo is not null && _read is { } read)
        {
            _objective!.Take(read);
            _read = null;
        }
    }

    [InlineArray(ContestPrice.Count)]
    private struct FollowedAtPrice
    {
        private byte _first;
    }
}
