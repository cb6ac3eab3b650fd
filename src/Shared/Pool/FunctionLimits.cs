namespace FuncScaler.Pool;

/// <summary>
/// What an operator says of one function: a floor and a ceiling under what the policy wants, and settings in place of the scaler's own. A pool is
/// told of new limits by an event, and follows them from then on.
/// </summary>
public sealed record FunctionLimits
{
    /// <summary>The most instances that can be asked for.</summary>
    public const int MostInstances = 100_000;

    /// <summary>The shortest time that can be aimed at.</summary>
    public static readonly TimeSpan ShortestSlo = TimeSpan.FromMilliseconds(1);

    /// <summary>The longest time that can be aimed at.</summary>
    public static readonly TimeSpan LongestSlo = TimeSpan.FromHours(1);

    /// <summary>No floor, no ceiling, and the scaler's own settings.</summary>
    public static FunctionLimits None { get; } = new();

    /// <summary>
    /// The instances kept at all times, busy ones included, 0 to <see cref="MostInstances"/>. Default 0. Those that break are made anew, with the
    /// usual pause after failures.
    /// </summary>
    public int MinInstances { get; init; }

    /// <summary>
    /// The most slots at a time, in whatever state, 0 to <see cref="MostInstances"/>; 0 for no limit but <see cref="SlotPoolOptions.MaxSlots"/>.
    /// Default 0. Requests beyond wait, at most <see cref="MaxWaiting"/> of them; further ones are told to come again. Idle instances beyond a
    /// lowered limit go at once, busy ones when they are released.
    /// </summary>
    public int MaxInstances { get; init; }

    /// <summary>The most requests that wait at a time, at least 1; null for <see cref="SlotPoolOptions.MaxWaiting"/>. Default null.</summary>
    public int? MaxWaiting { get; init; }

    /// <summary>
    /// The most requests that an instance serves at a time, 1 to <see cref="FunctionMeta.MostConcurrency"/>; null for what comes with requests
    /// (<see cref="FunctionMeta.MaxConcurrency"/>). Default null.
    /// </summary>
    public int? Concurrency { get; init; }

    /// <summary>What a second of waiting is worth, GB·s, from 0; null for the scaler's own price. Default null.</summary>
    public double? LatencyPriceGbs { get; init; }

    /// <summary>
    /// The time within which 95 of 100 requests of the function are to have their instance, at the least memory, <see cref="ShortestSlo"/> to
    /// <see cref="LongestSlo"/>; null for none. The price of a second of waiting is found from it, so not with <see cref="LatencyPriceGbs"/>. Policies
    /// that have no price leave it aside. Default null.
    /// </summary>
    public TimeSpan? Slo { get; init; }

    /// <exception cref="ArgumentException">A limit is out of its range, or the floor is above the ceiling; says which.</exception>
    public void Validate()
    {
        Check(MinInstances is >= 0 and <= MostInstances, nameof(MinInstances), MinInstances, $"0 to {MostInstances}");
        Check(MaxInstances is >= 0 and <= MostInstances, nameof(MaxInstances), MaxInstances, $"0, for no limit, to {MostInstances}");
        Check(MaxInstances == 0 || MaxInstances >= MinInstances, nameof(MaxInstances), MaxInstances, $"at least {nameof(MinInstances)}, {MinInstances}");
        Check(MaxWaiting is null or >= 1, nameof(MaxWaiting), MaxWaiting ?? 0, "1 or more");
        Check(
            Concurrency is null or (>= 1 and <= FunctionMeta.MostConcurrency), nameof(Concurrency), Concurrency ?? 0, $"1 to {FunctionMeta.MostConcurrency}");
        Check(LatencyPriceGbs is null or (>= 0 and <= WaitingPrice.Most), nameof(LatencyPriceGbs), LatencyPriceGbs ?? 0, "0 or more");

        Check(Slo is null || (Slo >= ShortestSlo && Slo <= LongestSlo), $"{nameof(Slo)}, s,", Slo?.TotalSeconds ?? 0, "0.001 to 3600");
        Check(Slo is null || LatencyPriceGbs is null, nameof(LatencyPriceGbs), LatencyPriceGbs ?? 0, $"null where {nameof(Slo)} is given: the price follows from it");

        static void Check(bool holds, string name, double value, string range)
        {
            if (!holds)
            {
                throw new ArgumentException(FormattableString.Invariant($"{name} is {value} and must be {range}."));
            }
        }
    }
}
