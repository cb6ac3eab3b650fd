using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;

namespace FuncScaler.Tests.Leasing.Simulation;

/// <summary>The ledger's host, and the messages to it and from it.</summary>
internal sealed partial class LeasingWorld
{
    private readonly List<LedgerEffect> _ledgerEffects = [];
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

    private void ReadLedger(Worker worker)
    {
        if (IsCutOff(worker))
        {
            return;
        }

        for (var copies = Copies; copies > 0; copies--)
        {
            After(Delay / 2, () =>
            {
                var view = _ledger.ViewFor(worker.Id);
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

                    On(worker, (pool, now) => pool.Receive(now, view, _effects));
                });
            });
        }
    }

    /// <summary>An operation of the ledger, on some host with a clock of its own; effects and state are committed together.</summary>
    private void Ledger(string name, Action<PoolLedger, long, List<LedgerEffect>> operation)
    {
        if (_schedule.ReloadPercent > 0 && _dice.Percent(_schedule.ReloadPercent))
        {
            _ledger = new PoolLedger(LeasingJson.ReadLedger(LeasingJson.Write(_ledger.State)), _schedule.Policy, _schedule.Options);
        }

        var before = _seen is null ? null : _ledger.State.Slots.ToDictionary(s => s.Key, s => (s.Value.State, s.Value.Owner));
        var skewUs = _schedule.Options.ClockSkew.ToUs();
        var hostUs = _nowUs + (_dice.Percent(50) ? _dice.Between(-skewUs, skewUs) : _dice.Pick([-skewUs, skewUs]));
        operation(_ledger, hostUs, _ledgerEffects);
        _ledger.CheckInvariants();
        if (_rules.Tamper(_ledger.State))
        {
            _ledger = new PoolLedger(_ledger.State, _schedule.Policy, _schedule.Options);
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
        if (!_rules.ListBeforeLedgers)
        {
            var state = LeasingJson.ReadLedger(LeasingJson.Write(_ledger.State));
            After(_dice.Between(1, 500) * Schedule.Ms, () => Sweep(state, List()));
        }
        else
        {
            var listed = List();
            After(_dice.Between(1, 500) * Schedule.Ms, () => Sweep(_ledger.State, listed));
        }

        After(SweepUs, SweepRegularly);
    }

    private void Sweep(LedgerState read, (long AskedUs, List<ListedSlot>? Slots) listed)
    {
        foreach (var orphan in listed.Slots is null ? [] : Sweeper.Orphans(listed.Slots, [read]))
        {
            Note($"orphan {orphan}");
            _seen?.Add("an orphan");
            Kill(orphan.Id, "an orphan");
        }

        After(Delay, () => Ledger("sweep", (l, now, e) => l.Sweep(now, listed.AskedUs, listed.Slots, e)));
    }
}
