using FuncScaler.SlotBackends.Settings;

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

    /// <summary>A settings file is wrong: one error stands behind its name, several on a line each.</summary>
    /// <param name="file">The file, as it was named.</param>
    /// <param name="e">What is wrong.</param>
    internal static CommandException OfFile(string file, BackendSettingsException e) =>
        new(BadUsage, e.Errors.Count == 1 ? $"{file}: {e.Message}" : $"{file}:\n  {string.Join("\n  ", e.Errors)}", e);
}
