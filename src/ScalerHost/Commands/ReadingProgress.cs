using FuncScaler.ContestSimulator.Traces;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>Reads traces with a line that says how far, and stops when the user does.</summary>
internal static class ReadingProgress
{
    /// <param name="what">What is done: "reading data/requests.csv".</param>
    /// <param name="read">Opens or reads traces.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public static T Run<T>(string what, Func<T> read, CancellationToken cancellationToken)
    {
        using var line = new ProgressLine(what);
        return TraceReading.Watch(
            share =>
            {
                cancellationToken.ThrowIfCancellationRequested();
                line.Report(share);
            },
            read);
    }
}
