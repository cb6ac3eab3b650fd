namespace FuncScaler.SlotBackends.Budget;

/// <summary>So many calls in so much time.</summary>
/// <param name="Calls">How many; at least 1. All of them may come at once.</param>
/// <param name="Per">In how much time as many are refilled, evenly.</param>
public readonly record struct RateLimit(int Calls, TimeSpan Per);
