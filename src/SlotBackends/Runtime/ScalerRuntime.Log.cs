using Microsoft.Extensions.Logging;

namespace FuncScaler.SlotBackends.Runtime;

public sealed partial class ScalerRuntime
{
    [LoggerMessage(101, LogLevel.Information, "Reconciled: the backend lists {Listed} slots; the inventory went from {Before} to {After}")]
    private partial void LogReconciled(int listed, int before, int after);

    [LoggerMessage(102, LogLevel.Warning, "The backend's list cannot be had yet: {Reason}")]
    private partial void LogReconcileFailed(string reason);

    [LoggerMessage(104, LogLevel.Warning, "Stopping with {Count} instances still in use; they are destroyed")]
    private partial void LogForcedStop(int count);

    [LoggerMessage(105, LogLevel.Error, "Slot {Slot} could not be destroyed and is left behind: {Reason}")]
    private partial void LogLeftBehind(string slot, string reason);

    [LoggerMessage(106, LogLevel.Information, "{Call} for function {Function}, slot {Ticket}, waits: the platform takes no more for now: {Reason}")]
    private partial void LogThrottled(EffectKind call, string function, long ticket, string reason);

    [LoggerMessage(107, LogLevel.Warning, "Slot {Slot} has ended by itself: {Reason}")]
    private partial void LogLost(string slot, string reason);
}
