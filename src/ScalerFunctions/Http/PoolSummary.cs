using FuncScaler.Leasing.Ledger;
using FuncScaler.Runtime.Leasing;

namespace FuncScaler.ScalerFunctions.Http;

/// <summary>A ledger, for people.</summary>
internal sealed record PoolSummary(
    string MetaKey,
    string Runtime,
    int MemoryInMb,
    int TimeoutInSecs,
    long Revision,
    int Provisioned,
    IReadOnlyDictionary<string, int> Counts,
    IReadOnlyList<PoolSlot> Slots,
    IReadOnlyList<PoolWorker> Workers,
    DateTimeOffset? NextWake,
    string? LastFailure,
    LimitsCost? LimitsCost)
{
    public static PoolSummary Of(LedgerState ledger) => new(
        ledger.Function!.Key.Value,
        ledger.Function.Runtime,
        ledger.Function.MemoryMb,
        ledger.Function.TimeoutSeconds,
        ledger.Revision,
        ledger.Provisioned,
        ledger.Slots.Values.CountBy(s => s.State).ToDictionary(s => s.Key.ToString(), s => s.Value),
        [.. ledger.Slots.OrderBy(s => s.Key).Select(s => new PoolSlot(
            s.Value.Instance.Value ?? "",
            s.Value.State.ToString(),
            LedgerClock.At(s.Value.SinceUs),
            s.Value.BackendSlot.Value,
            s.Value.Owner?.Value,
            s.Value.Holders?[0].Value,
            s.Value.Holders?.Count ?? 0,
            s.Value.Uses,
            s.Value.Reason))],
        [.. ledger.Workers.OrderBy(w => w.Key, StringComparer.Ordinal).Select(w => new PoolWorker(
            w.Key, LedgerClock.At(w.Value.ExpiresUs), w.Value.Expired, w.Value.Waiting))],
        ledger.WakeAtUs == long.MaxValue ? null : LedgerClock.At(ledger.WakeAtUs),
        ledger.LastFailure,
        PoolLedger.LimitsCost(ledger));
}

/// <summary>A slot of a ledger.</summary>
internal sealed record PoolSlot(
    string Instance, string State, DateTimeOffset Since, string? BackendSlot, string? Worker, string? Request, int Requests, int Uses, string? Reason);

/// <summary>A worker of a ledger.</summary>
internal sealed record PoolWorker(string Worker, DateTimeOffset LeaseEnds, bool Expired, int Waiting);
