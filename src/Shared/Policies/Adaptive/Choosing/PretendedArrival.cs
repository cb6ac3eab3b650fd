namespace FuncScaler.Policies.Adaptive.Choosing;

/// <summary>A request in the form in which it is applied to a function's pretended pools.</summary>
/// <param name="AtUs">When it arrived, µs.</param>
/// <param name="DurationUs">How long its execution is assumed to last, µs.</param>
/// <param name="ColdUs">How long a cold start takes, µs.</param>
/// <param name="MemoryGb">Memory of an instance, GB.</param>
/// <param name="CreateGbs">The memory that an instance holds until it is ready, GB·s.</param>
/// <param name="CreatePriceSeconds">
/// What a creation costs beyond its memory, s of waiting (<see cref="PoolView.CreatePriceSeconds"/>).
/// </param>
/// <param name="Foretold">Whether the function's period had foretold it.</param>
/// <param name="InVain">How many arrivals the period had foretold before this request which did not come.</param>
/// <param name="WindowUs">How long an instance is kept for a foretold arrival, creation included, µs.</param>
/// <param name="Rank">
/// The rank that the request asks for, if several requests share an instance: a request that waits for a place under way asks for no
/// further instance.
/// </param>
internal readonly record struct PretendedArrival(
    long AtUs, long DurationUs, long ColdUs, double MemoryGb, double CreateGbs, double CreatePriceSeconds, bool Foretold, int InVain, long WindowUs, int Rank = int.MaxValue);
