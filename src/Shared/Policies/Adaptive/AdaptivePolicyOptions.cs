namespace FuncScaler.Policies.Adaptive;

/// <summary>How <see cref="AdaptivePolicy"/> weighs what it learns. docs/experiments.md says how much each option matters.</summary>
public sealed record AdaptivePolicyOptions
{
    /// <summary>What a second of waiting is worth, GB·s, 0 to 1,000,000; null for the pool's option.</summary>
    /// <value>The default is null. Where the pool has none either, the price follows from the contest's score.</value>
    public double? PriceGbs { get; init; }

    /// <summary>
    /// The scheduling time that 95 of 100 requests are to keep to, at the least memory, 1 ms to 1 h; null for no such objective. The price of
    /// waiting follows from it, and given prices are not used.
    /// </summary>
    /// <value>The default is null.</value>
    public TimeSpan? Within { get; init; }

    /// <summary>
    /// The memory that instances may take on average, with the least waiting, 0.001 to 1,000,000 GB; null for no such objective. The price of
    /// waiting follows from it, and given prices are not used.
    /// </summary>
    /// <value>The default is null.</value>
    public double? WithinGb { get; init; }

    /// <summary>What each creation costs beyond the memory until the instance is ready, 0 to 1,000,000 GB·s: load on the platform, or money.</summary>
    /// <value>The default is 0.</value>
    public double CreateGbs { get; init; }

    /// <summary>How many of a function's own gaps the gaps of other functions count as, in each bin of the histogram, 0 to 1000.</summary>
    /// <value>The default is 2.</value>
    public double PriorWeight { get; init; } = 2;

    /// <summary>
    /// The exponent of the law for gaps longer than any that is known, 0 to 1000: P(gap > t) falls with t to the power of minus this.
    /// </summary>
    /// <value>The default is 0.5.</value>
    public double Tail { get; init; } = 0.5;

    /// <summary>
    /// Requests that arrive during a cold start wait as well. This share of their waiting is charged to the cold start, 0 to 1000. 0
    /// charges only the wait of the request that caused the cold start.
    /// </summary>
    /// <value>The default is 1.</value>
    public double PileFactor { get; init; } = 1;

    /// <summary>The number of arrivals that are expected during a cold start is multiplied by this, 0 to 1000.</summary>
    /// <value>The default is 1.</value>
    public double ExpectFactor { get; init; } = 1;

    /// <summary>
    /// How long a request of rank 2 or higher is assumed to wait for another instance, until such waits have been seen, 0 to 1000. It is a
    /// multiple of the mean execution time, divided by the number of lower ranks.
    /// </summary>
    /// <value>The default is 6.</value>
    public double WaitFactor { get; init; } = 6;

    /// <summary>
    /// A function changes to another candidate only if that has been cheaper by the cost of so many cold starts, 0 to 1000.
    /// </summary>
    /// <value>The default is 2.</value>
    public double Evidence { get; init; } = 2;

    /// <summary>In addition the other candidate must have been cheaper by this share of the followed candidate's cost, 0 to 1.</summary>
    /// <value>The default is 0.05.</value>
    public double Share { get; init; } = 0.05;

    /// <summary>The half-life of the candidates' costs: after this time they count half, 1 s to 30 years.</summary>
    /// <value>The default is 2 h.</value>
    public TimeSpan Memory { get; init; } = TimeSpan.FromHours(2);

    /// <summary>How long a run warms up before prices are compared, in mean cold starts, 0 to 1,000,000.</summary>
    /// <value>The default is 30.</value>
    public double Warmup { get; init; } = 30;

    /// <summary>Another price is followed only if its score is higher by this share, 0 to 1.</summary>
    /// <value>The default is 0.005.</value>
    public double Reluctance { get; init; } = 0.005;

    internal AdaptivePolicyOptions Read(PolicyOptionReader reader)
    {
        var price = reader.Number("price", -1, -1, 1e6);
        var p95 = reader.Number("p95", 0, 1, 3_600_000);
        var withinGb = reader.Number("within", 0, 0.001, 1e6);
        if ((price < 0 ? 0 : 1) + (p95 > 0 ? 1 : 0) + (withinGb > 0 ? 1 : 0) > 1)
        {
            throw reader.Wrong("price, p95 and within exclude each other: give one of them");
        }

        return this with
        {
            PriceGbs = price < 0 ? null : price,
            Within = p95 > 0 ? TimeSpan.FromMilliseconds(p95) : null,
            WithinGb = withinGb > 0 ? withinGb : null,
            CreateGbs = reader.Number("create", CreateGbs, 0, 1e6),
            PriorWeight = reader.Number("prior", PriorWeight, 0, 1000),
            Tail = reader.Number("tail", Tail, 0, 1000),
            PileFactor = reader.Number("pile", PileFactor, 0, 1000),
            ExpectFactor = reader.Number("expect", ExpectFactor, 0, 1000),
            WaitFactor = reader.Number("wait", WaitFactor, 0, 1000),
            Evidence = reader.Number("evidence", Evidence, 0, 1000),
            Share = reader.Number("share", Share, 0, 1),
            Memory = reader.Time("memory", Memory, leastSeconds: 1, mostSeconds: 1e9),
            Warmup = reader.Number("warmup", Warmup, 0, 1e6),
            Reluctance = reader.Number("reluctance", Reluctance, 0, 1),
        };
    }
}
