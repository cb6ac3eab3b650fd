namespace FuncScaler.Statistics;

/// <summary>A request as it would have been served had nobody ever waited.</summary>
/// <param name="ArrivedUs">When it arrived, µs.</param>
/// <param name="Rank">How many requests were then being executed, itself included: the slot it asks for.</param>
/// <param name="GapUs">For how long that slot had been unused, µs; -1 at its first use.</param>
public readonly record struct RankedArrival(long ArrivedUs, int Rank, long GapUs);
