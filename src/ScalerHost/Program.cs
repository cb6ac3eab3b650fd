using System.CommandLine;
using FuncScaler.ContestSimulator.Platform;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ScalerHost;
using FuncScaler.ScalerHost.Commands;

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
};

CommandHelp.AddTo(root);
var parsed = root.Parse(args);
if (parsed.Errors.Count > 0)
{
    await Console.Error.WriteLineAsync($"error: {UsageError.Of(parsed)}").ConfigureAwait(false);
    return CommandException.BadUsage;
}

try
{
    return await parsed.InvokeAsync(new InvocationConfiguration
    {
        EnableDefaultExceptionHandler = false,

        // A stop drains: it takes as long as the requests under way, up to the server's own limit.
        ProcessTerminationTimeout = TimeSpan.FromSeconds(30),
    }).ConfigureAwait(false);
}
catch (CommandException e)
{
    await Console.Error.WriteLineAsync($"error: {e.Message}").ConfigureAwait(false);
    return e.ExitCode;
}
catch (TraceFormatException e)
{
    await Console.Error.WriteLineAsync($"error: {e.Message}").ConfigureAwait(false);
    return CommandException.BadUsage;
}
catch (Exception e) when (e is ContestPlatformException or IOException or UnauthorizedAccessException)
{
    await Console.Error.WriteLineAsync($"error: {e.Message}").ConfigureAwait(false);
    return CommandException.Failed;
}
catch (OperationCanceledException)
{
    await Console.Error.WriteLineAsync("stopped.").ConfigureAwait(false);
    return CommandException.Failed;
}
