namespace FuncScaler.Runtime.Execution;

/// <summary>
/// How work leaves the executor's lock. A backend's code before its first await, and callers' code after theirs, must not run inside
/// of it. Simulations put work into a queue of their own instead, so that a seed decides the order.
/// </summary>
/// <param name="Start">Starts work, without running any of it before it returns.</param>
/// <param name="Continuations">How those who wait for an answer go on.</param>
/// <param name="Answers">Gives an answer to those who wait, now or later; null for now.</param>
internal sealed record Scheduling(Action<Func<Task>> Start, TaskCreationOptions Continuations, Action<Action>? Answers = null)
{
    /// <summary>Work and continuations run on the thread pool.</summary>
    public static Scheduling ThreadPool { get; } = new(static work => _ = Task.Run(work), TaskCreationOptions.RunContinuationsAsynchronously);
}
