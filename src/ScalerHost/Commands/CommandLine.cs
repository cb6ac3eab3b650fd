using System.CommandLine;
using FuncScaler.ContestSimulator.Platform;
using FuncScaler.ContestSimulator.Traces;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>The whole command line: what there is, and what a run of it ends with.</summary>
internal static class CommandLine
{
    /// <summary>Every command with its options.</summary>
    public static RootCommand Root()
    {
        var root = new RootCommand("FuncScaler decides how many instances of a serverless function exist, and which request gets which one.")
        {
            ServeCommand.Create(),
            HealthCommand.Create(),
            TokenCommand.Create(),
            PlatformCommand.Create(),
            ContestCommand.Create(),
            SimulateCommand.Create(),
            ExplainCommand.Create(),
            GenerateCommand.Create(),
            SoakCommand.Create(),
        };
        CommandHelp.AddTo(root);
        return root;
    }

    /// <summary>Runs a command; what goes wrong is told in a sentence.</summary>
    /// <param name="args">What was typed.</param>
    /// <param name="errors">Where errors are told.</param>
    /// <param name="cancellationToken">Asks it to stop, as a signal does.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(string[] args, TextWriter errors, CancellationToken cancellationToken = default)
    {
        var parsed = Root().Parse(args);
        if (parsed.Errors.Count > 0)
        {
            await errors.WriteLineAsync($"error: {UsageError.Of(parsed)}").ConfigureAwait(false);
            return CommandException.BadUsage;
        }

        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,

                // A stop drains: it takes as long as the requests under way, up to the server's own limit.
                ProcessTerminationTimeout = TimeSpan.FromSeconds(30),
            }, cancellationToken).ConfigureAwait(false);
        }
        catch (CommandException e)
        {
            await errors.WriteLineAsync($"error: {e.Message}").ConfigureAwait(false);
            return e.ExitCode;
        }
        catch (TraceFormatException e)
        {
            await errors.WriteLineAsync($"error: {e.Message}").ConfigureAwait(false);
            return CommandException.BadUsage;
        }
        catch (Exception e) when (e is ContestPlatformException or IOException or UnauthorizedAccessException)
        {
            await errors.WriteLineAsync($"error: {e.Message}").ConfigureAwait(false);
            return CommandException.Failed;
        }
        catch (OperationCanceledException)
        {
            await errors.WriteLineAsync("stopped.").ConfigureAwait(false);
            return CommandException.Failed;
        }
    }
}
