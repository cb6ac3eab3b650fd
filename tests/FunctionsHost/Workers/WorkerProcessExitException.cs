namespace FuncScaler.FunctionsHost.Workers;

/// <summary>The worker has ended; the Durable extension knows the host's exception of this case by its name.</summary>
internal sealed class WorkerProcessExitException(string message) : Exception(message);

/// <summary>The function itself has failed.</summary>
internal sealed class FunctionFailedException(string message) : Exception(message);
