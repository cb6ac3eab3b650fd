namespace FuncScaler.Policies;

/// <summary>An idle instance, as a policy sees it.</summary>
/// <param name="Ticket">The slot.</param>
/// <param name="Rank">Its rank: 1 is used by the next request if none is active, k only when k requests are active.</param>
/// <param name="SinceUs">When it became idle, µs.</param>
/// <param name="Uses">How many requests it has served.</param>
public readonly record struct IdleSlot(SlotTicket Ticket, int Rank, long SinceUs, int Uses);
