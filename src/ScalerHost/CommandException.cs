namespace FuncScaler.ScalerHost;

/// <summary>A command cannot go on: one sentence for the user, and the exit code.</summary>
public sealed class CommandException : Exception
{
    /// <summary>The command could not do its work.</summary>
    public const int Failed = 1;

    /// <summary>The command was called wrongly.</summary>
    public const int BadUsage = 2;

    public CommandException(int exitCode, string message, Exception? innerException = null)
        : base(message, innerException)
    {
        ExitCode = exitCode;
    }

    public int ExitCode { get; }
}
