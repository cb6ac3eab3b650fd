namespace FuncScaler.Policies;

/// <summary>What a policy knows of one function and does about it.</summary>
/// <param name="Function">The function's key.</param>
/// <param name="AtSeconds">The time of the explanation, s on the pool's clock.</param>
/// <param name="MemoryMb">Memory of an instance, MB.</param>
/// <param name="Arrivals">Requests so far.</param>
/// <param name="ColdStartSeconds">How long a cold start is taken to last, s.</param>
/// <param name="Pile">How many waits of a whole cold start one amounts to, with those who come meanwhile; at least 1.</param>
/// <param name="Price">What waiting is worth.</param>
/// <param name="Followed">The candidate that is followed.</param>
/// <param name="Candidates">What the function chooses among, and what each would have cost.</param>
/// <param name="Prices">What would be followed at each price of waiting that can be in force, the lowest first.</param>
/// <param name="Ranks">Per slot rank, or group of ranks, that was used: what is known of its gaps, and the plan for the next.</param>
/// <param name="Period">The period found in the arrivals; null when there is none.</param>
/// <param name="Decisions">The last decisions, the oldest first.</param>
public sealed record PolicyExplanation(
    string Function,
    double AtSeconds,
    int MemoryMb,
    long Arrivals,
    double ColdStartSeconds,
    double Pile,
    PriceExplanation Price,
    string Followed,
    IReadOnlyList<CandidateExplanation> Candidates,
    IReadOnlyList<AtPriceExplanation> Prices,
    IReadOnlyList<RankExplanation> Ranks,
    PeriodExplanation? Period,
    IReadOnlyList<DecisionExplanation> Decisions)
{
    /// <summary>What callers are told at once because the function's instances fail to start; null where they do not.</summary>
    public string? Failing { get; init; }

    /// <summary>The limits that an operator has set; null for none.</summary>
    public FunctionLimits? Limits { get; init; }

    /// <summary>What they have cost so far against the policy's own plan; null where there never were any.</summary>
    public LimitsCost? LimitsCost { get; init; }

    /// <summary>How many requests share an instance; null for one.</summary>
    public ConcurrencyExplanation? Concurrency { get; init; }

    /// <summary>The functions whose requests this one's follow, as an operator has said; null for none.</summary>
    public IReadOnlyList<FollowingExplanation>? Groups { get; init; }
}

/// <param name="Parent">The function whose requests come first.</param>
/// <param name="FanOut">How many requests follow one of them.</param>
/// <param name="GivenDelaySeconds">How long after it they come, s, as the operator has said; null where that is learned.</param>
/// <param name="LearnedDelaySeconds">After how long 19 of 20 have not come yet, s, as was seen; null while too few were.</param>
/// <param name="FromSeconds">From when on instances are there for them, s after the parent's request.</param>
/// <param name="UntilSeconds">Until when they are waited for, s after the parent's request.</param>
/// <param name="Expected">How many requests instances are wanted for now.</param>
public sealed record FollowingExplanation(
    string Parent, int FanOut, double? GivenDelaySeconds, double? LearnedDelaySeconds, double FromSeconds, double UntilSeconds, int Expected);

/// <param name="Limit">The most requests that the function allows an instance to serve at a time.</param>
/// <param name="Used">How many share one now.</param>
/// <param name="MostSlowdown">By which factor an execution may last longer when it shares its instance; null for whatever factor.</param>
/// <param name="Seen">What was seen of executions, by how many shared an instance.</param>
public sealed record ConcurrencyExplanation(
    int Limit,
    int Used,
    double? MostSlowdown,
    IReadOnlyList<SharingExplanation> Seen);

/// <param name="Requests">About how many requests shared an instance: 1, 2, 4 and so on.</param>
/// <param name="Executions">How many executions were seen, of the last 64.</param>
/// <param name="TypicalSeconds">Their geometric mean, s.</param>
/// <param name="Slowdown">How many times as long as with the fewest requests; null while that is not known.</param>
public sealed record SharingExplanation(int Requests, int Executions, double TypicalSeconds, double? Slowdown);

/// <param name="GbsPerSecond">What candidates are compared at, GB·s per second of waiting.</param>
/// <param name="Given">The price that was given, GB·s per second; null where it was found from an objective or the contest's score.</param>
public sealed record PriceExplanation(double GbsPerSecond, double? Given)
{
    /// <summary>The objective that the price follows from; null for none.</summary>
    public ObjectiveExplanation? Objective { get; init; }
}

/// <summary>What a price is to lead to. Either the values of time are set or those of memory.</summary>
/// <param name="WithinMs">The scheduling time that 95 of 100 requests are to keep to, ms.</param>
/// <param name="LateShare">The share of requests that were later lately, 0 to 1; null before the first.</param>
/// <param name="WithinGb">The memory that instances may take on average, GB.</param>
/// <param name="HeldGb">What they took on average lately, GB; null before anything was held.</param>
/// <param name="Expected">For each price, the lowest first, what it is expected to lead to: the share of late requests, or the memory, GB; null where nothing is known.</param>
public sealed record ObjectiveExplanation(double? WithinMs, double? LateShare, double? WithinGb, double? HeldGb, IReadOnlyList<double?> Expected);

/// <param name="Name">The price its plans are made for, and whether it follows the period too.</param>
/// <param name="SlotGbSeconds">What its instances would have cost beyond execution, GB·s, aged.</param>
/// <param name="WaitSeconds">What requests would have waited, s, aged.</param>
/// <param name="CostGbs">Both together at the price, GB·s.</param>
public sealed record CandidateExplanation(string Name, double SlotGbSeconds, double WaitSeconds, double CostGbs);

/// <param name="GbsPerSecond">The price, GB·s per second of waiting.</param>
/// <param name="Followed">The name of the candidate that would be followed.</param>
/// <param name="Plan">Its plan for the first rank's next gap; null before the first.</param>
/// <param name="MemoryGbs">What its instances would have cost beyond execution, GB·s, aged.</param>
/// <param name="WaitingGbs">What its waits would have cost at this price, GB·s, aged.</param>
public sealed record AtPriceExplanation(double GbsPerSecond, string Followed, PlanExplanation? Plan, double MemoryGbs, double WaitingGbs)
{
    /// <summary>Both together, GB·s.</summary>
    public double CostGbs => MemoryGbs + WaitingGbs;
}

/// <param name="FromRank">The first rank, from 1.</param>
/// <param name="ToRank">The last rank that shares these gaps.</param>
/// <param name="GapsSeen">How many idle gaps were seen.</param>
/// <param name="GapsWeight">How many of them are remembered at most, in each bin.</param>
/// <param name="OthersWeight">How many gaps those of other functions count as.</param>
/// <param name="Gaps">The histogram of the function's own gaps: bins that are not empty.</param>
/// <param name="Plan">The plan of the candidate that is followed; null before the first.</param>
public sealed record RankExplanation(
    int FromRank, int ToRank, long GapsSeen, double GapsWeight, double OthersWeight, IReadOnlyList<GapBin> Gaps, PlanExplanation? Plan);

/// <param name="UpToMs">The bin's upper bound, ms; null for the last, which has none.</param>
/// <param name="Share">The share of gaps in it, of those remembered, 0 to 1.</param>
public sealed record GapBin(double? UpToMs, double Share);

/// <param name="HoldSeconds">How long an instance is held from the beginning of the gap on, s.</param>
/// <param name="Prewarms">When one is made again, and until when that is held.</param>
/// <param name="WorthGbs">How much cheaper a gap is expected to be with an instance at its beginning, GB·s.</param>
public sealed record PlanExplanation(double HoldSeconds, IReadOnlyList<PrewarmWindow> Prewarms, double WorthGbs);

/// <param name="FromSeconds">When an instance is to be ready, s from the beginning of the gap.</param>
/// <param name="UntilSeconds">Until when it is held, s from the beginning of the gap.</param>
public sealed record PrewarmWindow(double FromSeconds, double UntilSeconds);

/// <param name="Seconds">The period, s.</param>
/// <param name="Reliability">The share of foretold arrivals that came, 0 to 1; 0 while too few were foretold.</param>
/// <param name="Coverage">The share of arrivals that were foretold, 0 to 1.</param>
/// <param name="MarginSeconds">How far from its time a foretold arrival is expected at most, s.</param>
/// <param name="NextSeconds">When the next is foretold, s on the pool's clock; null for not at all.</param>
/// <param name="Followed">Whether instances are made by it: it is reliable, and the candidate that is followed uses it.</param>
public sealed record PeriodExplanation(
    double Seconds, double Reliability, double Coverage, double MarginSeconds, double? NextSeconds, bool Followed);

/// <param name="AtSeconds">When, s on the pool's clock.</param>
/// <param name="What">What was decided.</param>
/// <param name="Rank">For which rank; 0 for none in particular.</param>
/// <param name="Count">How many instances were created.</param>
/// <param name="UntilSeconds">Until when one is kept, s on the pool's clock; null where it does not apply.</param>
/// <param name="CostGbs">What that was expected to cost, GB·s; null where nothing is known.</param>
/// <param name="Alternative">What else could have been done.</param>
/// <param name="AlternativeGbs">What that was expected to cost, GB·s; null where nothing is known.</param>
public sealed record DecisionExplanation(
    double AtSeconds, string What, int Rank, int Count, double? UntilSeconds, double? CostGbs, string Alternative, double? AlternativeGbs)
{
    /// <summary>All of it in a sentence for people.</summary>
    public string Sentence { get; init; } = "";
}
