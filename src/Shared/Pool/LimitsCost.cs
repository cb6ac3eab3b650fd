namespace FuncScaler.Pool;

/// <summary>What an operator's limits of a function have cost against what its policy would have done.</summary>
/// <param name="FloorGbSeconds">The memory time of idle instances that only the floor held: the policy would have let them go, GB·s.</param>
/// <param name="CeilingWaitSeconds">
/// The time that requests waited while the ceiling let no further instance be made, s. Some of it they would have waited without the ceiling too.
/// </param>
public sealed record LimitsCost(double FloorGbSeconds, double CeilingWaitSeconds);
