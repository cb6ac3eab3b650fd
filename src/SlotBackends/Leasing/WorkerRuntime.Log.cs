using Microsoft.Extensions.Logging;

namespace FuncScaler.SlotBackends.Leasing;

public sealed partial class WorkerRuntime
{
    private long _reportsSent;
    private long _ledgersRead;

    /// <summary>Reports sent to ledgers since the start.</summary>
    public long ReportsSent => Interlocked.Read(ref _reportsSent);

    /// <summary>Ledgers read since the start.</summary>
    public long LedgersRead => Interlocked.Read(ref _ledgersRead);

    [LoggerMessage(120, LogLevel.Warning, "The ledger of function {Function} could not be told; it is told again: {Reason}")]
    private partial void LogReportFailed(string function, string reason);

    [LoggerMessage(121, LogLevel.Warning, "The ledger of function {Function} could not be read; it is read again: {Reason}")]
    private partial void LogReadFailed(string function, string reason);

    [LoggerMessage(122, LogLevel.Information, "Stopping with {Count} slots; they go back with the names of the requests that hold them")]
    private partial void LogLeaving(int count);

    [LoggerMessage(123, LogLevel.Warning, "Stopping with {Count} reports unsent; leases expire by themselves")]
    private partial void LogUnsent(int count);
}
