using FuncScaler.Leasing.Messages;
using FuncScaler.Leasing.Worker;

namespace FuncScaler.Tests.Leasing.Simulation;

/// <summary>Workers: they start, run their pool, crash, lose the network, stop.</summary>
internal sealed partial class LeasingWorld
{
    private readonly List<Effect> _effects = [];
    private int _started;

    private void StartWorker()
    {
        var name = new WorkerId($"w{++_started}");
        var drift = _schedule.Options.ClockDrift * (_dice.Percent(50) ? _dice.Between(-100, 100) / 100.0 : _dice.Pick([-1, 0, 1]));
        var worker = new Worker(
            name,
            1 + drift,
            _dice.Between(0, 1000) * Schedule.Second,
            _nowUs,
            _rules.NewWorker(name, _schedule.Policy, _schedule.Options));
        worker.Core.SetGroups(worker.Now(_nowUs), _schedule.Groups, _effects);
        worker.Core.SetLimits(worker.Now(_nowUs), Schedule.Function.Key, _schedule.Limits, _effects);
        _workers.Add(worker);
        Note($"{name} starts, drift {drift}");
        Arm(worker);
    }

    private Worker? AnyWorker() => _workers.Count == 0 ? null : _workers[_dice.Next(_workers.Count)];

    private void Crash()
    {
        if (AnyWorker() is not { } worker)
        {
            return;
        }

        Note($"{worker.Id} crashes");
        Die(worker);
        if (_dice.Percent(80))
        {
            After(_dice.Between(10, 2000) * Schedule.Ms, StartWorker);
        }
    }

    private void LeaveEarly()
    {
        if (AnyWorker() is { } worker)
        {
            Note($"{worker.Id} leaves while there is work");
            _workers.Remove(worker);
            On(worker, (core, now) => core.Leave(now, _effects));
            After(_dice.Between(100, 3000) * Schedule.Ms, () => Die(worker));
            StartWorker();
        }
    }

    private void Die(Worker worker)
    {
        worker.Alive = false;
        _workers.Remove(worker);
        foreach (var request in _requests.Values)
        {
            if (request.WaitsAt == worker)
            {
                // The connection breaks: that is an answer too.
                request.WaitsAt = null;
            }
        }

        var id = worker.Core.Worker;
        After(BoundUs, () => CheckDeadOwner(id));
    }

    /// <summary>A worker has begun another life: of the former one nothing may be left after a while.</summary>
    private void Over(Worker worker)
    {
        var former = worker.Life;
        worker.Life = worker.Core.Worker;
        After(BoundUs, () => CheckDeadOwner(former));
    }

    private void Partition()
    {
        if (AnyWorker() is { } worker)
        {
            worker.CutOffUntilUs = _nowUs + (_dice.Between(_schedule.EarlyCutOffs ? 5000 : 500, 6000) * Schedule.Ms);
            Note($"{worker.Id} is cut off until {(worker.CutOffUntilUs - StartUs) / 1e6}");
            for (var i = worker.Core.SlotCount == 0 ? 0 : _dice.Next(4); i > 0; i--)
            {
                // About when its lease ends.
                At(worker.TrueTime(worker.Core.Lease.UntilUs) + (_dice.Between(_dice.Pick([-400, -60]), 40) * Schedule.Ms), () => ArriveAt(worker));
            }
        }
    }

    /// <summary>All workers end: some hand back what they have, some just die.</summary>
    private void Stop()
    {
        foreach (var worker in _workers.ToList())
        {
            if (_dice.Percent(40))
            {
                Note($"{worker.Id} crashes in the end");
                worker.Alive = false;
                _workers.Remove(worker);
            }
            else
            {
                Note($"{worker.Id} leaves");
                On(worker, (core, now) => core.Leave(now, _effects));
                After(2 * Schedule.Second, () =>
                {
                    worker.Alive = false;
                    _workers.Remove(worker);
                });
            }
        }
    }

    /// <summary>Something happens to a worker; its effects follow, and it is woken when it next wishes.</summary>
    private void On(Worker worker, Action<WorkerCore, long> happens)
    {
        if (!worker.Alive)
        {
            return;
        }

        var life = worker.Core.Worker;
        happens(worker.Core, worker.Now(_nowUs));
        if (worker.Core.Worker != life)
        {
            Note($"{life} lives on as {worker.Core.Worker}");
            _seen?.Add("another life");
            Over(worker);
        }

        Ran(worker);
        Arm(worker);
    }

    private void Ran(Worker worker)
    {
        foreach (var pool in worker.Core.Pools)
        {
            pool.CheckInvariants();
        }

        // Carrying one out leads to no other of the same worker at once: answers come by the calendar.
        foreach (var effect in _effects)
        {
            switch (effect.Kind)
            {
                case EffectKind.Grant:
                    Granted(worker, effect);
                    break;
                case EffectKind.Reject:
                    Note($"{worker.Id} rejects {effect.Request}: {effect.RejectReason}");
                    _seen?.Add($"a reject {effect.RejectReason}");
                    Answered(worker, effect.Request);
                    break;
                case EffectKind.CreateSlot:
                    CreateFor(worker, effect.Ticket);
                    break;
                case EffectKind.InitSlot:
                    InitFor(worker, effect.Ticket, effect.BackendSlot, effect.Instance);
                    break;
                case EffectKind.DestroySlot:
                    DestroyFor(worker, effect.Ticket, effect.BackendSlot);
                    break;
                default:
                    throw new ProtocolViolationException($"a worker's pool asks for {effect.Kind}");
            }
        }

        _effects.Clear();
        foreach (var due in worker.Core.Outbox.Reports)
        {
            SendReport(worker, due.Report);
        }

        if (worker.Core.Outbox.Beat is { } beat)
        {
            SendBeat(worker, beat);
        }

        if (worker.Core.Outbox.ReadWorker)
        {
            ReadWorker(worker);
        }

        foreach (var _ in worker.Core.Outbox.Reads)
        {
            ReadLedger(worker);
        }

        worker.Core.Outbox.Clear();
    }

    private void Arm(Worker worker)
    {
        var dueUs = worker.Core.NextDueUs;
        if (dueUs == long.MaxValue)
        {
            return;
        }

        var atUs = Math.Max(_nowUs + 1, worker.TrueTime(Math.Max(dueUs, 0)));
        if (atUs < worker.ArmedUs || worker.ArmedUs <= _nowUs)
        {
            worker.ArmedUs = atUs;
            At(atUs, () => WakeWorker(worker, atUs));
        }
    }

    private void WakeWorker(Worker worker, long atUs)
    {
        if (worker.ArmedUs == atUs)
        {
            worker.ArmedUs = long.MaxValue;
            On(worker, (core, now) => core.Tick(now, _effects));
        }
    }

    private sealed class Worker(WorkerId id, double rate, long originUs, long startedUs, WorkerCore core)
    {
        public WorkerId Id { get; } = id;

        public double Rate { get; } = rate;

        public WorkerCore Core { get; } = core;

        /// <summary>The life that it is in.</summary>
        public WorkerId Life { get; set; } = core.Worker;

        public bool Alive { get; set; } = true;

        public long ArmedUs { get; set; } = long.MaxValue;

        public long CutOffUntilUs { get; set; }

        /// <summary>What its clock shows.</summary>
        public long Now(long trueUs) => originUs + (long)((trueUs - startedUs) * Rate);

        /// <summary>When its clock will show a time.</summary>
        public long TrueTime(long localUs) => startedUs + (long)Math.Ceiling((localUs - originUs) / Rate) + 1;
    }
}
