namespace FuncScaler.ContestSimulator.Virtual;

/// <summary>
/// A restart of the scaler in the middle of a run: the core ends without notice and a new one takes its place at once. Requests that execute go
/// on; those that wait are asked for again.
/// </summary>
/// <param name="AtUs">When, µs since the first arrival.</param>
/// <param name="Keeps">What the new core takes over.</param>
public sealed record VirtualRestart(long AtUs, RestartKeeps Keeps = RestartKeeps.All);

/// <summary>What outlives a restart. Instances that execute a request do in any case.</summary>
[Flags]
public enum RestartKeeps
{
    /// <summary>Nothing else.</summary>
    Nothing = 0,

    /// <summary>Idle instances, and creations that are under way; without it idle ones are destroyed.</summary>
    Instances = 1,

    /// <summary>What the policy and the pools have learned.</summary>
    Learned = 2,

    /// <summary>Both.</summary>
    All = Instances | Learned,
}
