namespace FuncScaler.ContestSimulator.Platform;

/// <summary>What the platform knows at a moment.</summary>
/// <param name="AtSeconds">The time on the platform's clock, s since it was made.</param>
/// <param name="Report">The report of the run that goes on, else of the last one; null before the first.</param>
/// <param name="DestroyedSlots">Slots that the scaler gave back in that run.</param>
/// <param name="Functions">What is counted of each function.</param>
public sealed record PlatformReading(double AtSeconds, RunReport? Report, long DestroyedSlots, IReadOnlyList<PlatformFunction> Functions);
