using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using FuncScaler.Policies;
using FuncScaler.Runtime.Leasing;
using FuncScaler.Runtime.Soaking;
using FuncScaler.SlotBackends;

namespace FuncScaler.Tests.Simulation;

/// <summary>Ledgers whose every message is under way until the world lets it arrive: it does, late, twice, not at all, or its answer does not.</summary>
internal sealed class SimulatedLedgers(
    ISlotBackend backend, PolicyChoice policy, LeasingOptions options, TimeProvider time, Dice dice, SoakLog log, Action<Func<Task>> start) : ILedgers
{
    private readonly HashSet<string> _dead = [];
    private readonly Dictionary<MetaKey, LedgerState> _states = [];
    private readonly Dictionary<WorkerId, WorkerState> _lives = [];
    private readonly List<Message> _messages = [];

    /// <summary>Whether a life of a worker has been taken for dead.</summary>
    public bool IsDead(string life) => _dead.Contains(life);

    public int PendingCount => _messages.Count;

    /// <summary>Slots that some ledger knows.</summary>
    public IEnumerable<LedgerSlot> Slots => _states.Values.SelectMany(s => s.Slots.Values);

    /// <summary>Those of them that are not a dead worker's.</summary>
    public IReadOnlyList<LedgerSlot> Living => [.. _states.Values.SelectMany(s => s.Slots.Values.Where(l => l.Owner is not { } owner || !s.Workers[owner.Value].Expired))];

    /// <summary>Whether a slot waits, untold, for as long as requests of a dead worker may hold it.</summary>
    public bool IsUntold(SlotTicket ticket) => _lives.Values.Any(w => w.Expired && w.Has(ticket.Value) && ticket.Value > w.SettledTo);

    private long NowUs => (time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    public Task ReportAsync(MetaKey function, WorkerReport report, CancellationToken cancellationToken)
    {
        // As text, as it would travel.
        var sent = LeasingJson.Write(report);
        return Send($"report {report.Sequence} of {function}", () =>
        {
            Run(function, (ledger, nowUs, effects) => ledger.Report(nowUs, LeasingJson.ReadReport(sent), effects));
            return true;
        });
    }

    public Task BeatAsync(WorkerBeat beat, CancellationToken cancellationToken)
    {
        var sent = LeasingJson.Write(beat);
        return Send($"beat {beat.Sequence} of {beat.Worker}", () =>
        {
            Run(beat.Worker, (ledger, nowUs, effects) => ledger.Beat(nowUs, LeasingJson.ReadBeat(sent), effects));
            return true;
        });
    }

    public Task<WorkerState?> ReadWorkerAsync(WorkerId worker, CancellationToken cancellationToken) =>
        Send($"read {worker}", () => _lives.TryGetValue(worker, out var state) ? LeasingJson.ReadWorker(LeasingJson.Write(state)) : null);

    public Task<LedgerState?> ReadAsync(MetaKey function, CancellationToken cancellationToken) =>
        Send($"read {function}", () => _states.TryGetValue(function, out var state) ? LeasingJson.ReadLedger(LeasingJson.Write(state)) : null);

    public IAsyncEnumerable<LedgerState> ReadAllAsync(CancellationToken cancellationToken) => AsyncEnumerable.Empty<LedgerState>();

    /// <summary>Lets one of the messages arrive, not always the oldest.</summary>
    /// <param name="well">It arrives once, and so does its answer.</param>
    public void DeliverOne(bool well)
    {
        var message = dice.Pick(_messages);
        var fate = well ? 0 : dice.Next(100);
        log.Add($"{message.Name} -> {fate}");
        if (fate is < 90 or >= 95)
        {
            _messages.Remove(message);
        }

        message.Arrive(fate < 95, fate < 85, fate is < 90 or >= 95);
    }

    /// <summary>Does what is due in the ledgers.</summary>
    public void Wake()
    {
        foreach (var (worker, state) in _lives.ToList())
        {
            if (state.WakeAtUs <= NowUs)
            {
                Run(worker, (ledger, nowUs, effects) => ledger.Wake(nowUs, effects));
            }
        }

        foreach (var (function, state) in _states)
        {
            if (state.WakeAtUs <= NowUs)
            {
                Run(function, (ledger, nowUs, effects) => ledger.Wake(nowUs, effects));
            }
        }
    }

    /// <summary>Compares the ledgers with the backend's list, as the app's timer does, and destroys what none of them knows.</summary>
    public void Sweep(IReadOnlyCollection<ListedSlot> listed)
    {
        foreach (var orphan in Sweeper.Orphans(NowUs, listed, _lives.Values, _states.Values, options))
        {
            start(() => backend.DestroyAsync(orphan.Ticket, orphan.Id, "no ledger knows it", CancellationToken.None));
        }

        foreach (var function in _states.Keys.ToList())
        {
            Run(function, (ledger, nowUs, effects) => ledger.Sweep(nowUs, nowUs, listed, Sweeper.DeadOf(ledger.State, _lives, nowUs), effects));
        }
    }

    private void Run(WorkerId worker, Action<WorkerLedger, long, List<LedgerEffect>> operation)
    {
        if (!_lives.TryGetValue(worker, out var state))
        {
            _lives[worker] = state = new WorkerState();
        }

        var effects = new List<LedgerEffect>();
        operation(new WorkerLedger(state, options), NowUs, effects);
        if (effects.Exists(e => e.Kind == LedgerEffectKind.Forget))
        {
            _lives.Remove(worker);
        }

        if (effects.Exists(e => e.Kind == LedgerEffectKind.Look))
        {
            log.Add($"{worker} is dead");
            _dead.Add(worker.Value);
            foreach (var function in _states.Keys.ToList())
            {
                Run(function, (ledger, nowUs, told) => ledger.Sweep(nowUs, nowUs, null, Sweeper.DeadOf(ledger.State, _lives, nowUs), told));
            }
        }
    }

    private void Run(MetaKey function, Action<PoolLedger, long, List<LedgerEffect>> operation)
    {
        if (!_states.TryGetValue(function, out var state))
        {
            _states[function] = state = new LedgerState();
        }

        var effects = new List<LedgerEffect>();
        var ledger = new PoolLedger(state, policy, options);
        operation(ledger, NowUs, effects);
        ledger.CheckInvariants();
        foreach (var effect in effects)
        {
            Assert.NotEqual(LedgerEffectKind.Provision, effect.Kind);
            if (effect.Kind == LedgerEffectKind.Destroy)
            {
                start(() => DestroyAsync(function, effect));
            }
        }
    }

    private async Task DestroyAsync(MetaKey function, LedgerEffect effect)
    {
        try
        {
            await backend.DestroyAsync(effect.Ticket, effect.BackendSlot, effect.Reason ?? "", CancellationToken.None);
            Run(function, (ledger, nowUs, effects) => ledger.Destroyed(nowUs, effect.Ticket, effect.Attempt, effects));
        }
        catch (Exception e)
        {
            Run(function, (ledger, nowUs, effects) => ledger.DestroyFailed(nowUs, effect.Ticket, effect.Attempt, new SlotFailure(FailureKind.Transient, e.Message), effects));
        }
    }

    private Task<T> Send<T>(string name, Func<T> effect)
    {
        var completion = new TaskCompletionSource<T>();
        _messages.Add(new Message(name, (takesEffect, answers, ends) =>
        {
            var result = takesEffect ? effect() : default;
            if (answers)
            {
                completion.TrySetResult(result!);
            }
            else if (ends)
            {
                completion.TrySetException(new IOException("the answer was lost"));
            }
        }));
        return completion.Task;
    }

    /// <param name="Arrive">Whether it takes effect, whether its answer arrives, and whether its sender hears that it does not.</param>
    private sealed record Message(string Name, Action<bool, bool, bool> Arrive);
}
