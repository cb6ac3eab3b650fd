namespace FuncScaler.Policies.Adaptive;

/// <summary>How `adaptive` weighs what it learns (docs/adaptive.md; docs/experiments.md says how much each of these matters).</summary>
/// <param name="PriceGbs">What a second of waiting is worth, GBs; null for the pool's option, and without one for the contest's score.</param>
/// <param name="WaitFactor">
/// By how much a request without an instance is taken to wait longer than the mean residual of those before it, until its waits have been seen.
/// </param>
/// <param name="PriorWeight">How many gaps that reached a length the other functions' count as there.</param>
/// <param name="Tail">Of gaps longer than any known, how fast they become rare: P(gap > t) falls with t to the power of minus this.</param>
/// <param name="ExpectFactor">How much of the arrivals expected during a cold start is prepared for; 0 for none of them.</param>
/// <param name="PileFactor">How much of the waiting that piles up behind a cold start is charged to it; 0 for only its own.</param>
/// <param name="Evidence">By how many cold starts another candidate must have been cheaper to be followed.</param>
/// <param name="Share">And by which share of the cost so far, 0 to 1.</param>
/// <param name="MemorySeconds">After how long the candidates' costs count half, s.</param>
/// <param name="Warmup">For how many times a mean cold start the run is taken to be warming up, in which prices are not compared.</param>
/// <param name="Reluctance">By which share of the score another price must be better to be followed, 0 to 1.</param>
public sealed record AdaptivePolicyOptions(
    double? PriceGbs = null,
    double WaitFactor = 6,
    double PriorWeight = 2,
    double Tail = 0.5,
    double ExpectFactor = 1,
    double PileFactor = 1,
    double Evidence = 2,
    double Share = 0.05,
    double MemorySeconds = 7200,
    double Warmup = 30,
    double Reluctance = 0.005)
{
    internal static AdaptivePolicyOptions Read(PolicyOptionReader reader)
    {
        var otherwise = new AdaptivePolicyOptions();
        var price = reader.Number("price", -1, -1, 1e6);
        return new AdaptivePolicyOptions(
            price < 0 ? null : price,
            reader.Number("wait", otherwise.WaitFactor, 0, 1000),
            reader.Number("prior", otherwise.PriorWeight, 0, 1000),
            reader.Number("tail", otherwise.Tail, 0, 1000),
            reader.Number("expect", otherwise.ExpectFactor, 0, 1000),
            reader.Number("pile", otherwise.PileFactor, 0, 1000),
            reader.Number("evidence", otherwise.Evidence, 0, 1000),
            reader.Number("share", otherwise.Share, 0, 1),
            reader.Number("memory", otherwise.MemorySeconds, 1, 1e9),
            reader.Number("warmup", otherwise.Warmup, 0, 1e6),
            reader.Number("reluctance", otherwise.Reluctance, 0, 1));
    }
}
