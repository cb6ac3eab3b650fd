namespace FuncScaler.SlotBackends;

/// <summary>A backend that keeps the last of what instances print.</summary>
public interface IInstanceOutput
{
    /// <summary>The last lines that a function's instances have printed, the oldest first; those of instances that are gone too.</summary>
    /// <param name="function">The function.</param>
    /// <param name="most">How many at most, at least 1.</param>
    IReadOnlyList<OutputLine> OutputOf(MetaKey function, int most);
}

/// <summary>A line that an instance has printed.</summary>
/// <param name="At">When it was read.</param>
/// <param name="Instance">The instance.</param>
/// <param name="Stream">Where it was printed: stdout or stderr.</param>
/// <param name="Text">The line, without control characters, at most 500 characters of it.</param>
public readonly record struct OutputLine(DateTimeOffset At, string Instance, string Stream, string Text);
