using System.Runtime.CompilerServices;
using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using FuncScaler.Policies;
using FuncScaler.Runtime.Leasing;
using FuncScaler.SlotBackends;

namespace FuncScaler.Tests.Leasing;

/// <summary>Ledgers in memory, which destroy on a backend: what entities and orchestrations are to a deployed app.</summary>
internal sealed class MemoryLedgers(ISlotBackend backend, TimeProvider time, LeasingOptions options) : ILedgers
{
    private readonly Dictionary<MetaKey, LedgerState> _states = [];
    private readonly Dictionary<WorkerId, WorkerLedger> _lives = [];
    private readonly PolicyChoice _policy = PolicyCatalog.Parse("ttl:300");

    public int Reports { get; private set; }

    public int Reads { get; private set; }

    /// <summary>Every call fails while this is set.</summary>
    public bool Broken { get; set; }

    public Task ReportAsync(MetaKey function, WorkerReport report, CancellationToken cancellationToken)
    {
        lock (_states)
        {
            Reports++;
            ThrowIfBroken();
            Run(function, (ledger, nowUs, effects) => ledger.Report(nowUs, report, effects));
        }

        return Task.CompletedTask;
    }

    public Task<LedgerState?> ReadAsync(MetaKey function, CancellationToken cancellationToken)
    {
        lock (_states)
        {
            Reads++;
            ThrowIfBroken();

            // Through JSON: a reader must not see what happens after.
            return Task.FromResult(_states.TryGetValue(function, out var state) ? LeasingJson.ReadLedger(LeasingJson.Write(state)) : null);
        }
    }

    public async IAsyncEnumerable<LedgerState> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        List<MetaKey> functions;
        lock (_states)
        {
            functions = [.. _states.Keys];
        }

        foreach (var function in functions)
        {
            yield return (await ReadAsync(function, cancellationToken))!;
        }
    }

    public Task BeatAsync(WorkerBeat beat, CancellationToken cancellationToken)
    {
        lock (_states)
        {
            ThrowIfBroken();
            if (!_lives.TryGetValue(beat.Worker, out var life))
            {
                _lives[beat.Worker] = life = new WorkerLedger(new WorkerState(), options);
            }

            life.Beat(NowUs, beat, []);
        }

        return Task.CompletedTask;
    }

    public Task<WorkerState?> ReadWorkerAsync(WorkerId worker, CancellationToken cancellationToken)
    {
        lock (_states)
        {
            ThrowIfBroken();
            return Task.FromResult(_lives.TryGetValue(worker, out var life) ? LeasingJson.ReadWorker(LeasingJson.Write(life.State)) : null);
        }
    }

    /// <summary>Does what is due in all ledgers, and tells those of functions whose worker is dead.</summary>
    public void Sweep()
    {
        lock (_states)
        {
            foreach (var life in _lives.Values)
            {
                life.Wake(NowUs, []);
            }

            var lives = _lives.ToDictionary(l => l.Key, l => l.Value.State);
            foreach (var (function, state) in _states.ToList())
            {
                Run(function, (ledger, nowUs, effects) => ledger.Sweep(nowUs, nowUs, null, Sweeper.DeadOf(state, lives, nowUs), effects));
            }
        }
    }

    public LedgerState State(MetaKey function)
    {
        lock (_states)
        {
            return LeasingJson.ReadLedger(LeasingJson.Write(_states.TryGetValue(function, out var state) ? state : new LedgerState()));
        }
    }

    private void ThrowIfBroken()
    {
        if (Broken)
        {
            throw new IOException("the ledgers are out of reach");
        }
    }

    private void Run(MetaKey function, Action<PoolLedger, long, List<LedgerEffect>> operation)
    {
        if (!_states.TryGetValue(function, out var state))
        {
            _states[function] = state = new LedgerState();
        }

        var effects = new List<LedgerEffect>();
        operation(new PoolLedger(state, _policy, options), NowUs, effects);
        foreach (var effect in effects.Where(e => e.Kind == LedgerEffectKind.Destroy))
        {
            _ = DestroyAsync(function, effect);
        }
    }

    private long NowUs => (time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    private async Task DestroyAsync(MetaKey function, LedgerEffect effect)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        await backend.DestroyAsync(effect.Ticket, effect.BackendSlot, effect.Reason ?? "", CancellationToken.None);
        lock (_states)
        {
            Run(function, (ledger, nowUs, effects) => ledger.Destroyed(nowUs, effect.Ticket, effect.Attempt, effects));
        }
    }
}
