using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;

namespace FuncScaler.Runtime.Leasing;

/// <summary>The way from a worker to the ledgers. Reports may be lost, late, repeated; what is read may be old: the protocol expects it.</summary>
public interface ILedgers
{
    /// <summary>Sends a report on its way to a function's ledger.</summary>
    Task ReportAsync(MetaKey function, WorkerReport report, CancellationToken cancellationToken);

    /// <summary>Sends a sign of life on its way to the worker's own ledger.</summary>
    Task BeatAsync(WorkerBeat beat, CancellationToken cancellationToken);

    /// <summary>Reads a worker's ledger; null where there is none (yet).</summary>
    Task<WorkerState?> ReadWorkerAsync(WorkerId worker, CancellationToken cancellationToken);

    /// <summary>Reads the ledgers of all functions, in any order.</summary>
    IAsyncEnumerable<LedgerState> ReadAllAsync(CancellationToken cancellationToken);

    /// <summary>Reads a function's ledger; null where there is none (yet).</summary>
    Task<LedgerState?> ReadAsync(MetaKey function, CancellationToken cancellationToken);
}
