using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;

namespace FuncScaler.Tests.Leasing.Simulation;

/// <summary>The ledger's host, and the messages to it and from it.</summary>
internal sealed partial class LeasingWorld
{
    private readonly List<LedgerEffect> _ledgerEffects = [];
    private readonly Dictionary<WorkerId, WorkerLedger> _lives = [];
    private PoolLedger _ledger;

    private bool Lost => !_fair && _dice.Percent(_schedule.LossPercent);

    private long Delay => !_fair && _dice.Percent(_schedule.SlowPercent)
        ? _dice.Between(0, Schedule.LongestDelayUs)
        : _dice.Between(1, 40) * Schedule.Ms;

    private bool IsCutOff(Worker worker) => !_fair && worker.CutOffUntilUs > _nowUs;

    /// <summary>How often a message arrives.</summary>
    private int Copies => Lost ? 0 : _dice.Percent(_schedule.DuplicatePercent) ? 2 : 1;

    private void SendReport(Worker worker, WorkerReport report)
    {
        if (_trace is not null)
        {
            Note($"{worker.Id} reports {LeasingJson.Write(report)}");
        }

        if (_schedule.Serialised)
        {
            report = LeasingJson.ReadReport(LeasingJson.Write(report));
        }

        for (var copies = IsCutOff(worker) ? 0 : Copies; copies > 0; copies--)
        {
            var late = copies == 2 && _dice.Percent(20);
            After(
                late ? _dice.Between(1, 20) * Schedule.Second : Delay,
                () => Ledger($"report {report.Sequence} of {report.Worker}", (l, now, e) => _rules.Report(l, now, report, e)));
        }
    }

    private void SendBeat(Worker worker, WorkerBeat beat)
    {
        Note($"{worker.Id} beats {beat}");
        _seen?.Add(beat.Resting ? "a rest" : beat.Leaving ? "a leave" : "a beat");
        if (_schedule.Serialised)
        {
            beat = LeasingJson.ReadBeat(LeasingJson.Write(beat));
        }

        for (var copies = IsCutOff(worker) ? 0 : Copies; copies > 0; copies--)
        {
            var late = copies == 2 && _dice.Percent(20);
            After(
                late ? _dice.Between(1, 20) * Schedule.Second : Delay,
                () => WorkerLedger(beat.Worker, $"beat {beat.Sequence} of {beat.Worker}", (l, now, e) => _rules.Beat(l, now, beat, e)));
        }
    }

    private void ReadWorker(Worker worker)
    {
        var life = worker.Core.Worker;
        for (var copies = IsCutOff(worker) ? 0 : Copies; copies > 0; copies--)
        {
            After(Delay / 2, () =>
            {
                if (!_lives.TryGetValue(life, out var ledger))
                {
                    return;
                }

                var state = Copy(ledger.State);
                After(Delay / 2, () =>
                {
                    if (!IsCutOff(worker))
                    {
                        On(worker, (core, now) => core.ReceiveWorker(now, state, _effects));
                    }
                });
            });
        }
    }

    private void ReadLedger(Worker worker)
    {
        var life = worker.Core.Worker;
        for (var copies = IsCutOff(worker) ? 0 : Copies; copies > 0; copies--)
        {
            After(Delay / 2, () =>
            {
                var view = _ledger.ViewFor(life);
                if (_schedule.Serialised)
                {
                    view = LeasingJson.ReadView(LeasingJson.Write(view));
                }

                After(Delay / 2, () =>
                {
                    if (IsCutOff(worker))
                    {
                        return;
                    }

                    if (_trace is not null)
                    {
                        Note($"{worker.Id} reads {LeasingJson.Write(view)}");
                    }

                    On(worker, (core, now) => core.Receive(now, Schedule.Function.Key, view, _effects));
                });
            });
        }
    }

    /// <summary>The time by the clock of some host.</summary>
    private long HostUs()
    {
        var skewUs = _schedule.Options.ClockSkew.ToUs();
        return _nowUs + (!_schedule.EarlyCutOffs && _dice.Percent(50) ? _dice.Between(-skewUs, skewUs) : _dice.Pick([-skewUs, skewUs]));
    }

    private static WorkerState Copy(WorkerState state) => LeasingJson.ReadWorker(LeasingJson.Write(state));

    /// <summary>An operation of a worker's ledger, on some host with a clock of its own.</summary>
    private void WorkerLedger(WorkerId id, string name, Action<WorkerLedger, long, List<LedgerEffect>> operation)
    {
        if (!_lives.TryGetValue(id, out var ledger) || _dice.Percent(_schedule.ReloadPercent))
        {
            _lives[id] = ledger = new WorkerLedger(ledger is null ? new WorkerState() : Copy(ledger.State), _schedule.Options);
        }

        var effects = new List<LedgerEffect>();
        var lived = !ledger.State.Expired;
        operation(ledger, HostUs(), effects);
        if (lived && ledger.State.Expired)
        {
            _seen?.Add("a life over");
        }

        Note($"worker's ledger: {name}: until {(ledger.State.ExpiresUs - StartUs) / 1e6}{(ledger.State.Expired ? ", over" : "")}");
        foreach (var effect in effects)
        {
            switch (effect.Kind)
            {
                case LedgerEffectKind.WakeAt:
                    if (_fair || !_dice.Percent(_schedule.LossPercent / 4))
                    {
                        At(effect.AtUs - _dice.Between(0, 100 * Schedule.Ms), () => WorkerLedger(id, "wake", (l, now, e) => l.Wake(now, e)));
                    }

                    break;
                case LedgerEffectKind.Look:
                    After(Delay, Look);
                    break;
                case LedgerEffectKind.Forget:
                    _lives.Remove(id);
                    _seen?.Add("a worker forgotten");
                    break;
                default:
                    throw new ProtocolViolationException($"a worker's ledger asks for {effect.Kind}");
            }
        }
    }

    /// <summary>An operation of the ledger, on some host with a clock of its own; effects and state are committed together.</summary>
    private void Ledger(string name, Action<PoolLedger, long, List<LedgerEffect>> operation)
    {
        if (_schedule.ReloadPercent > 0 && _dice.Percent(_schedule.ReloadPercent))
        {
            _ledger = new PoolLedger(LeasingJson.ReadLedger(LeasingJson.Write(_ledger.State)), _schedule.Policy, _schedule.Options, _schedule.Limits);
        }

        var before = _seen is null ? null : _ledger.State.Slots.ToDictionary(s => s.Key, s => (s.Value.State, s.Value.Owner));
        var hostUs = HostUs();
        operation(_ledger, hostUs, _ledgerEffects);
        _ledger.CheckInvariants();
        if (_rules.Tamper(_ledger.State))
        {
            _ledger = new PoolLedger(_ledger.State, _schedule.Policy, _schedule.Options, _schedule.Limits);
            _ledger.Wake(hostUs, _ledgerEffects);
        }

        if (_trace is not null)
        {
            Note($"ledger: {name}: {string.Join(", ", _ledger.State.Slots.Select(s => $"{s.Key} {s.Value.State} {s.Value.Owner} e{s.Value.Epoch}"))}");
        }

        if (before is not null)
        {
            SeeTransitions(before);
        }

        foreach (var effect in _ledgerEffects)
        {
            RunLedgerEffect(effect);
        }

        _ledgerEffects.Clear();
    }

    private void SeeTransitions(Dictionary<long, (LedgerSlotState State, WorkerId? Owner)> before)
    {
        foreach (var (ticket, (state, owner)) in before)
        {
            var after = _ledger.State.Slots.TryGetValue(ticket, out var slot) ? $"{slot.State}" : "gone";
            if (after != $"{state}" || slot!.Owner != owner)
            {
                var whose = state == LedgerSlotState.Creating ? owner is null ? ", provisioning" : ", at a worker" : "";
                _seen!.Add($"{state}{whose} -> {after}");
                if (slot is { State: LedgerSlotState.Entrusted, Holders.Count: > 1 })
                {
                    _seen.Add("a slot entrusted by several");
                }
            }
        }
    }

    private void RunLedgerEffect(LedgerEffect effect)
    {
        switch (effect.Kind)
        {
            case LedgerEffectKind.WakeAt:
                // A timer may be a little early, or lost: then the sweep makes up for it.
                if (_fair || !_dice.Percent(_schedule.LossPercent / 4))
                {
                    At(effect.AtUs - _dice.Between(0, 100 * Schedule.Ms), () => Ledger("wake", (l, now, e) => l.Wake(now, e)));
                }

                break;
            case LedgerEffectKind.Provision:
                Orchestrate(effect);
                break;
            case LedgerEffectKind.Destroy:
            default:
                DestroyFor(effect);
                break;
        }
    }

    private static long SweepUs => 2 * Schedule.Second;

    private void SweepRegularly()
    {
        Look();
        After(SweepUs, SweepRegularly);
    }

    /// <summary>The backend's list, then the workers' ledgers, then the function's, with time in between.</summary>
    private void Look()
    {
        var askedUs = HostUs();
        var listed = List();
        var workers = Lives();
        var read = LeasingJson.ReadLedger(LeasingJson.Write(_ledger.State));
        var ledgerFirst = !_rules.ListBeforeLedgers;
        After(_dice.Between(1, _schedule.EarlyCutOffs ? 10 : 300) * Schedule.Ms, () =>
        {
            listed = ledgerFirst ? List() : listed;
            if (!ledgerFirst && _rules.WorkersBeforeLedgers)
            {
                workers = Lives();
            }
            else if (!ledgerFirst)
            {
                read = LeasingJson.ReadLedger(LeasingJson.Write(_ledger.State));
            }

            // Many ledgers take their time.
            After(_dice.Between(1, _schedule.EarlyCutOffs ? 10 : _dice.Pick([300, 2000])) * Schedule.Ms, () =>
            {
                if (!_rules.WorkersBeforeLedgers)
                {
                    workers = Lives();
                }

                Sweep(askedUs, listed, workers, ledgerFirst || !_rules.WorkersBeforeLedgers ? read : _ledger.State);
            });
        });
    }

    /// <summary>The workers' ledgers, without those that have forgotten their worker.</summary>
    private Dictionary<WorkerId, WorkerState> Lives() =>
        _lives.Values.Select(l => Copy(l.State)).Where(s => s.Worker != default).Select(s => _rules.Read(s, _nowUs)).ToDictionary(s => s.Worker);

    private void Sweep(long askedUs, List<ListedSlot>? listed, Dictionary<WorkerId, WorkerState> workers, LedgerState read)
    {
        var options = _schedule.Options;
        foreach (var orphan in listed is null ? [] : Sweeper.Orphans(askedUs, listed, [.. workers.Values.Where(_rules.MayTell)], [read], options))
        {
            Note($"orphan {orphan}");
            _seen?.Add("an orphan");
            Kill(orphan.Id, "an orphan");
        }

        foreach (var ticket in listed is null ? Sweeper.Untold(askedUs, workers.Values, [read], options) : [])
        {
            _seen?.Add("a ticket never told");
            foreach (var slot in _backend.Values.Where(s => s.Ticket == ticket).ToList())
            {
                _seen?.Add("a slot never told");
                Kill(slot.Id, "never told");
            }
        }

        foreach (var worker in Sweeper.Dead(askedUs, workers.Values, options).ToList())
        {
            After(Delay, () => WorkerLedger(worker.Worker, "swept", (l, now, e) => l.Swept(now, e)));
        }

        foreach (var worker in Sweeper.Late(askedUs, workers.Values, options).ToList())
        {
            After(Delay, () => WorkerLedger(worker.Worker, "wake after all", (l, now, e) => l.Wake(now, e)));
        }

        var dead = Sweeper.DeadOf(read, workers, askedUs);
        if (Sweeper.Concerns(read, askedUs, listed, dead, options))
        {
            After(Delay, () => Ledger("sweep", (l, now, e) => l.Sweep(now, askedUs, listed, dead, e)));
        }
    }
}
