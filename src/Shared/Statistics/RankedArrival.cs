namespace FuncScaler.Statistics;

/// <summary>A request as it would have been served had nobody ever waited.</summary>
/// <param name="ArrivedUs">When it arrived, µs.</param>
/// <param name="Rank">
/// The slot it asks for: how many requests were then being executed, itself included, divided by how many share a slot, rounded up.
/// </param>
/// <param name="GapUs">For how long that slot had been unused, µs; -1 at its first use, 0 where the request <see cref="Joins"/> others.</param>
public readonly record struct RankedArrival(long ArrivedUs, int Rank, long GapUs)
{
    /// <summary>Whether other requests used that slot already, so that no gap has ended: instances that serve several requests at a time.</summary>
    public bool Joins { get; init; }
}
