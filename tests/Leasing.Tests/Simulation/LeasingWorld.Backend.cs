using FuncScaler.Leasing.Ledger;

namespace FuncScaler.Tests.Leasing.Simulation;

/// <summary>The backend, and those who call it.</summary>
internal sealed partial class LeasingWorld
{
    private static readonly SlotFailure NotThere = new(FailureKind.Transient, "the backend fails");
    private static readonly SlotFailure PerhapsThere = new(FailureKind.Transient, "the answer was lost", OutcomeUnknown: true);

    private readonly Dictionary<BackendSlotId, BackendSlot> _backend = [];
    private int _lastBackendSlot;

    private bool BackendFails => !_fair && _dice.Percent(_schedule.BackendFaultPercent);

    /// <summary>A call to create: what the caller is told and when, and what becomes of it, always within the time-out.</summary>
    private void Create(SlotTicket ticket, Action<BackendSlotId> created, Action<SlotFailure> failed)
    {
        Note($"create {ticket}");
        var latestUs = _schedule.Options.Pool.CreateTimeout.ToUs();
        if (!BackendFails)
        {
            After(_dice.Between(10, 400) * Schedule.Ms, () => created(Materialise(ticket)));
            return;
        }

        switch (_dice.Next(6))
        {
            case 5:
                After(_dice.Between(1, 200) * Schedule.Ms, () => failed(new SlotFailure(FailureKind.Permanent, "never")));
                break;
            case 0:
                After(_dice.Between(1, 200) * Schedule.Ms, () => failed(NotThere));
                break;
            case 1:
                After(_dice.Between(1, 200) * Schedule.Ms, () => failed(new SlotFailure(FailureKind.Throttled, "slower", 300 * Schedule.Ms)));
                break;
            case 2:
                // Takes effect after the caller has been told that nobody knows.
                After(_dice.Between(1, 300) * Schedule.Ms, () => failed(PerhapsThere));
                After(_dice.Between(1, latestUs), () => Materialise(ticket));
                break;
            case 3:
                After(_dice.Between(1, 300) * Schedule.Ms, () => failed(PerhapsThere));
                break;
            default:
                After(_dice.Between(latestUs / 2, latestUs), () => created(Materialise(ticket)));
                break;
        }
    }

    private BackendSlotId Materialise(SlotTicket ticket)
    {
        var id = new BackendSlotId($"s{++_lastBackendSlot}");
        _backend.Add(id, new BackendSlot(ticket, id));
        Note($"backend has {id} of {ticket}");
        return id;
    }

    private void Init(BackendSlotId id, InstanceId instance, Action done, Action<SlotFailure> failed)
    {
        var us = _dice.Between(1, 300) * Schedule.Ms;
        var fails = BackendFails;
        After(us, () =>
        {
            if (fails || !_backend.TryGetValue(id, out var slot))
            {
                failed(NotThere);
                return;
            }

            slot.Instance = instance;
            done();
        });
    }

    private void CreateFor(Worker worker, SlotTicket ticket) => Create(
        ticket,
        id => On(worker, (core, now) => core.SlotCreated(now, Schedule.Function.Key, ticket, id, _effects)),
        failure => On(worker, (core, now) => core.SlotFailed(now, Schedule.Function.Key, ticket, failure, _effects)));

    private void InitFor(Worker worker, SlotTicket ticket, BackendSlotId id, InstanceId instance) => Init(
        id,
        instance,
        () => On(worker, (core, now) => core.SlotReady(now, Schedule.Function.Key, ticket, null, _effects)),
        failure => On(worker, (core, now) => core.SlotFailed(now, Schedule.Function.Key, ticket, failure, _effects)));

    private void DestroyFor(Worker worker, SlotTicket ticket, BackendSlotId id)
    {
        _seen?.Add("a worker destroys");
        Destroy(
            ticket,
            id,
            () => On(worker, (core, now) => core.SlotDestroyed(now, Schedule.Function.Key, ticket, _effects)),
            failure => On(worker, (core, now) => core.SlotFailed(now, Schedule.Function.Key, ticket, failure, _effects)));
    }

    /// <summary>The orchestration that creates ahead: durable, so it goes on whatever happens, but its answers are signals like others.</summary>
    private void Orchestrate(LedgerEffect effect)
    {
        var request = ProvisionRequest.From(effect);
        Step(request, new Provisioning(request.NotBeforeUs, _nowUs, _schedule.Options.Pool));
    }

    private void Step(ProvisionRequest request, Provisioning work)
    {
        var step = work.Next;
        Note($"provisioning {request.Ticket}: {step}");
        _seen?.Add($"provisioning {step.Kind}");
        switch (step.Kind)
        {
            case ProvisionStepKind.Wait:
                After(step.WaitUs, () => Answer(() => work.Waited(_nowUs)));
                break;
            case ProvisionStepKind.Create:
                Create(request.Ticket, id => Answer(() => work.Created(_nowUs, id)), f => Answer(() => work.Failed(_nowUs, f)));
                break;
            case ProvisionStepKind.Init:
                Init(step.BackendSlot, request.Instance, () => Answer(() => work.Done(_nowUs)), f => Answer(() => work.Failed(_nowUs, f)));
                break;
            case ProvisionStepKind.Destroy:
                Destroy(request.Ticket, step.BackendSlot, () => Answer(() => work.Done(_nowUs)), f => Answer(() => work.Failed(_nowUs, f)));
                break;
            case ProvisionStepKind.Register:
                Signal($"provisioned {request.Ticket}", (l, now, e) => l.Provisioned(now, work.Result(request), e));
                break;
            case ProvisionStepKind.Report:
            default:
                Signal($"not provisioned {request.Ticket}", (l, now, e) => l.ProvisionFailed(now, request.Ticket, step.Failure!, e));
                break;
        }

        void Answer(Action answer)
        {
            answer();
            Step(request, work);
        }
    }

    private void DestroyFor(LedgerEffect effect) => Destroy(
        effect.Ticket,
        effect.BackendSlot,
        () => Signal($"destroyed {effect.Ticket}", (l, now, e) => l.Destroyed(now, effect.Ticket, effect.Attempt, e)),
        failure => Signal($"not destroyed {effect.Ticket}", (l, now, e) => l.DestroyFailed(now, effect.Ticket, effect.Attempt, failure, e)));

    private void Destroy(SlotTicket ticket, BackendSlotId id, Action done, Action<SlotFailure> failed)
    {
        var us = _dice.Between(1, 300) * Schedule.Ms;
        if (BackendFails)
        {
            After(us, () => failed(NotThere));
            return;
        }

        After(us, () =>
        {
            foreach (var slot in _backend.Values.Where(s => id == default ? s.Ticket == ticket : s.Id == id).ToList())
            {
                Kill(slot.Id, "destroyed");
            }

            done();
        });
    }

    private void Signal(string name, Action<PoolLedger, long, List<LedgerEffect>> operation)
    {
        for (var copies = Copies; copies > 0; copies--)
        {
            After(Delay, () => Ledger(name, operation));
        }
    }

    private void Kill(BackendSlotId id, string why)
    {
        if (_backend.Remove(id, out var slot))
        {
            Note($"backend loses {id} of {slot.Ticket}: {why}");
            CheckNotInUse(slot);
        }
    }

    private List<ListedSlot>? List() => _schedule.List == ListKind.None
        ? null
        : [.. _backend.Values.Select(s => new ListedSlot(s.Id, _schedule.List == ListKind.Tickets ? s.Ticket : default))];

    private sealed class BackendSlot(SlotTicket ticket, BackendSlotId id)
    {
        public SlotTicket Ticket { get; } = ticket;

        public BackendSlotId Id { get; } = id;

        public InstanceId Instance { get; set; }
    }
}
