using System.Collections.Concurrent;
using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using FuncScaler.Policies;
using FuncScaler.Runtime.Leasing;

namespace FuncScaler.Runtime.Rehearsing;

/// <summary>Ledgers in memory that answer at once and do nothing of what they decide: nobody needs slots that do not exist.</summary>
internal sealed class PretendedLedgers(PolicyChoice policy, LeasingOptions options, TimeProvider time) : ILedgers
{
    private readonly ConcurrentDictionary<MetaKey, LedgerState> _functions = new();
    private readonly ConcurrentDictionary<WorkerId, WorkerState> _workers = new();

    private long NowUs => LedgerClock.NowUs(time);

    public Task ReportAsync(MetaKey function, WorkerReport report, CancellationToken cancellationToken)
    {
        var sent = LeasingJson.ReadReport(LeasingJson.Write(report));
        var state = _functions.GetOrAdd(function, _ => new LedgerState());
        lock (state)
        {
            new PoolLedger(state, policy, options).Report(NowUs, sent, []);
        }

        return Task.CompletedTask;
    }

    public Task BeatAsync(WorkerBeat beat, CancellationToken cancellationToken)
    {
        var sent = LeasingJson.ReadBeat(LeasingJson.Write(beat));
        var state = _workers.GetOrAdd(beat.Worker, _ => new WorkerState());
        lock (state)
        {
            new WorkerLedger(state, options).Beat(NowUs, sent, []);
        }

        return Task.CompletedTask;
    }

    public Task<WorkerState?> ReadWorkerAsync(WorkerId worker, CancellationToken cancellationToken)
    {
        if (!_workers.TryGetValue(worker, out var state))
        {
            return Task.FromResult<WorkerState?>(null);
        }

        lock (state)
        {
            return Task.FromResult<WorkerState?>(LeasingJson.ReadWorker(LeasingJson.Write(state)));
        }
    }

    public IAsyncEnumerable<LedgerState> ReadAllAsync(CancellationToken cancellationToken) => AsyncEnumerable.Empty<LedgerState>();

    public Task<LedgerState?> ReadAsync(MetaKey function, CancellationToken cancellationToken)
    {
        if (!_functions.TryGetValue(function, out var state))
        {
            return Task.FromResult<LedgerState?>(null);
        }

        lock (state)
        {
            return Task.FromResult<LedgerState?>(LeasingJson.ReadLedger(LeasingJson.Write(state)));
        }
    }
}
