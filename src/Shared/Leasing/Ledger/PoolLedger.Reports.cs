using FuncScaler.Leasing.Messages;

namespace FuncScaler.Leasing.Ledger;

/// <summary>What workers tell.</summary>
public sealed partial class PoolLedger
{
    /// <summary>For how long what was learned from more requests stays before what was learned from fewer, µs: an hour.</summary>
    private const long LearnedKeptUs = 3_600_000_000;

    /// <summary>The most releases that are kept for slots not heard of yet.</summary>
    private const int MaxEarly = 64;

    /// <summary>
    /// A worker reports: its operations are applied, its waiting requests get what is idle. A report that is not newer than the last one
    /// changes nothing. One of a worker whose life is over tells what happened before; what it has goes the way of its other slots.
    /// </summary>
    public void Report(long nowUs, WorkerReport report, List<LedgerEffect> effects)
    {
        ArgumentNullException.ThrowIfNull(report);
        Advance(nowUs);
        if (!State.Workers.TryGetValue(report.Worker.Value, out var worker))
        {
            // All before the first operation was acknowledged, so it was applied before this worker was forgotten.
            worker = new LedgerWorker { Operation = report.FirstOperation - 1 };
            State.Workers.Add(report.Worker.Value, worker);
        }

        if (report.Sequence <= worker.Sequence)
        {
            Settle(effects);
            return;
        }

        worker.Sequence = report.Sequence;
        if (report.Function is not null)
        {
            Learn(report.Function);
            worker.Function = report.Function;
            State.HoldUs = Math.Max(State.HoldUs, report.HoldUs);
            State.Places = Math.Clamp(report.Places, 0, FunctionMeta.MostConcurrency);
            Statistics.Places = Places;
        }

        if (report.Learned is { Length: <= WorkerReport.MostLearnedBytes } learned
            && (State.Learned is null || report.LearnedArrivals >= State.LearnedArrivals || State.LearnedAtUs + LearnedKeptUs <= NowUs))
        {
            // Of several workers the one that has seen the most; a record that nobody has renewed for long gives way to any.
            (State.Learned, State.LearnedArrivals, State.LearnedAtUs) = (learned, report.LearnedArrivals, NowUs);
        }

        if (!worker.Expired)
        {
            worker.ExpiresUs = NowUs + _options.Lease.ToUs();
        }

        if (report.Over)
        {
            End(report.Worker);
        }

        worker.Waiting = Math.Max(0, report.Waiting - (int)(worker.Granted - report.LeasesSeen));
        worker.Releases.RemoveAll(r => r.Number <= report.ReleasesSeen);
        for (var i = 0; i < report.Operations.Count; i++)
        {
            var number = report.FirstOperation + i;
            if (number > worker.Operation)
            {
                worker.Operation = number;
                Apply(report, worker, report.Operations[i], effects);
            }
        }

        foreach (var slot in State.Slots.Values)
        {
            if (slot.Owner == report.Worker)
            {
                slot.Holders = null;
            }
        }

        foreach (var (ticket, request) in report.Held)
        {
            if (State.Slots.TryGetValue(ticket.Value, out var slot) && slot.Owner == report.Worker)
            {
                (slot.Holders ??= []).Add(request);
            }
        }

        if (worker.Expired)
        {
            TakeFrom(report.Worker, worker);
        }
        else if (report.Leaving)
        {
            // It gives nothing out any more; what it has not returned by now may be held by a request.
            End(report.Worker);
        }

        Settle(effects);
    }

    private void Apply(WorkerReport report, LedgerWorker worker, WorkerOperation operation, List<LedgerEffect> effects)
    {
        switch (operation.Kind)
        {
            case WorkerOperationKind.Intend:
                Intend(report, worker, operation, effects);
                break;
            case WorkerOperationKind.Created:
                Statistics.Create.Add(operation.TimeUs);
                State.History.Create = (Statistics.Create.Count, Statistics.Create.MeanUs);
                Create(report, operation, effects);
                break;
            case WorkerOperationKind.Found:
                Found(operation.Ticket, operation.BackendSlot, effects);
                break;
            case WorkerOperationKind.Ready:
                Ready(report.Worker, worker, operation);
                break;
            case WorkerOperationKind.Return:
                Return(report.Worker, worker, operation, effects);
                break;
            case WorkerOperationKind.Release:
                Forward(operation, effects);
                break;
            case WorkerOperationKind.Activity when operation.Activity is { } activity:
                Observe(worker, activity);
                break;
            case WorkerOperationKind.Activity:
            default:
                break;
        }
    }

    /// <summary>A worker wants to create a slot: it gets an idle one instead where there is one, else the ticket is entered.</summary>
    private void Intend(WorkerReport report, LedgerWorker worker, WorkerOperation operation, List<LedgerEffect> effects)
    {
        var ticket = operation.Ticket;
        if (report.Function is not { } function || worker.Expired || State.Slots.ContainsKey(ticket.Value))
        {
            return;
        }

        if (operation.Runtime is not null)
        {
            function = function with { MemoryMb = operation.MemoryMb, Runtime = operation.Runtime };
        }

        if (LatestIdle(function) is { } idle)
        {
            Lease(idle, report.Worker, worker);
        }
        else if (Ceiling == 0 || State.Slots.Count < Ceiling)
        {
            Add(ticket, LedgerSlotState.Creating, report.Worker, function);
            State.Budget = State.Budget.Take(NowUs, _options.CreateBurst, _options.CreatesPerMinute, out _);
        }
        else if (_idle > 0)
        {
            // All places are taken, this one by an instance of other settings that nobody uses: the worker asks again.
            var (number, longest) = State.Slots.Where(s => s.Value.State == LedgerSlotState.Idle).MinBy(s => s.Value.SinceUs);
            Destroy(new SlotTicket(number), longest, "requests with other settings need its place", effects);
        }
    }

    /// <summary>A worker has created a slot, under a ticket that it had reserved or intended.</summary>
    private void Create(WorkerReport report, WorkerOperation operation, List<LedgerEffect> effects)
    {
        if (State.Function is { } function && operation.BackendSlot != default && !State.Slots.ContainsKey(operation.Ticket.Value))
        {
            var slot = Add(operation.Ticket, LedgerSlotState.Creating, report.Worker, function);
            slot.BackendSlot = operation.BackendSlot;
            slot.MemoryMb = operation.MemoryMb > 0 ? operation.MemoryMb : slot.MemoryMb;
            slot.Runtime = operation.Runtime ?? slot.Runtime;
            State.Budget = State.Budget.Take(NowUs, _options.CreateBurst, _options.CreatesPerMinute, out _);
            foreach (var early in State.Early.Where(e => e.Ticket == operation.Ticket.Value))
            {
                Forward(report.Worker, early.Release);
            }

            State.Early.RemoveAll(e => e.Ticket == operation.Ticket.Value);
            return;
        }

        Found(operation.Ticket, operation.BackendSlot, effects);
    }

    /// <summary>The backend has a slot of this ticket.</summary>
    private void Found(SlotTicket ticket, BackendSlotId backendSlot, List<LedgerEffect> effects)
    {
        if (backendSlot == default || State.Function is null)
        {
            return;
        }

        if (!State.Slots.TryGetValue(ticket.Value, out var slot))
        {
            // Given up before its id was known, or confirmed as gone too early: destroyed by name, again if need be.
            slot = Add(ticket, LedgerSlotState.Destroying, null, State.Function);
            slot.BackendSlot = backendSlot;
            Destroy(ticket, slot, "the backend has it although its ticket was given up", effects);
        }
        else if (slot.BackendSlot == default)
        {
            slot.BackendSlot = backendSlot;
            slot.SinceUs = NowUs;
            if (slot.State == LedgerSlotState.Destroying)
            {
                Destroy(ticket, slot, slot.Reason ?? "", effects);
            }
        }
    }

    private void Ready(WorkerId id, LedgerWorker worker, WorkerOperation operation)
    {
        if (State.Slots.TryGetValue(operation.Ticket.Value, out var slot) && slot.Owner == id && slot.State == LedgerSlotState.Creating)
        {
            slot.Instance = operation.Instance;
            slot.Address = operation.Address;
            slot.Epoch = 1;
            slot.Ordinal = worker.Granted;
            Become(slot, LedgerSlotState.Leased, long.MaxValue);
            Statistics.Init.Add(operation.TimeUs);
            State.History.Init = (Statistics.Init.Count, Statistics.Init.MeanUs);
        }
    }

    private void Return(WorkerId id, LedgerWorker worker, WorkerOperation operation, List<LedgerEffect> effects)
    {
        var ticket = operation.Ticket;
        if (!State.Slots.TryGetValue(ticket.Value, out var slot))
        {
            if (operation is { Return: ReturnKind.Unknown, Epoch: 0 } && State.Function is { } function)
            {
                slot = Add(ticket, LedgerSlotState.Destroying, null, function);
                slot.Reason = operation.Reason;
                slot.DueUs = NowUs + CreateGraceUs;
            }

            return;
        }

        if (slot.Owner != id || slot.Epoch != operation.Epoch)
        {
            return;
        }

        slot.Uses = Math.Max(slot.Uses, operation.Uses);
        switch (operation.Return)
        {
            case ReturnKind.Idle or ReturnKind.Entrusted when worker.Expired:
                // What has been taken from it is not used again.
                break;
            case ReturnKind.Idle:
                BecomeIdle(slot, NowUs - operation.TimeUs);
                break;
            case ReturnKind.Absent:
            case ReturnKind.Gone:
                Remove(ticket, slot);
                break;
            case ReturnKind.Unknown when slot.BackendSlot == default:
                // The create may still take effect: destroying now would come too early, and its "not found" would be believed.
                slot.Owner = null;
                slot.Reason = operation.Reason;
                Become(slot, LedgerSlotState.Destroying, NowUs + CreateGraceUs);
                break;
            case ReturnKind.Entrusted:
                Entrust(ticket, slot, worker, operation, effects);
                break;
            case ReturnKind.Unknown:
            case ReturnKind.Broken:
            default:
                Destroy(ticket, slot, operation.Reason ?? "its worker does not want it any more", effects);
                break;
        }
    }

    /// <summary>A worker stops while requests hold a slot. Some may have been released already, where the worker was told too late.</summary>
    private void Entrust(SlotTicket ticket, LedgerSlot slot, LedgerWorker worker, WorkerOperation operation, List<LedgerEffect> effects)
    {
        var broken = operation.NeedDestroy;
        var holders = new List<RequestId>();
        foreach (var request in (RequestId[])[operation.Request, .. operation.AlsoHeldBy ?? []])
        {
            if (worker.Releases.Find(r => r.Request == request && r.Instance == slot.Instance) is { } released)
            {
                broken |= released.NeedDestroy;
            }
            else
            {
                holders.Add(request);
            }
        }

        if (holders.Count > 0)
        {
            slot.Owner = null;
            slot.Holders = holders;
            slot.Broken = broken;
            slot.Reason = broken ? operation.Reason : null;
            Become(slot, LedgerSlotState.Entrusted, NowUs + State.HoldUs + (2 * SkewUs));
        }
        else if (broken)
        {
            Destroy(ticket, slot, operation.Reason ?? "its worker does not want it any more", effects);
        }
        else
        {
            BecomeIdle(slot, NowUs);
        }
    }

    private long SkewUs => _options.ClockSkew.ToUs();

    private long CreateGraceUs => _options.Pool.CreateTimeout.ToUs() + (2 * SkewUs);

    /// <summary>A release landed at a worker that has not the instance: its owner is told, who alone knows what it is worth.</summary>
    private void Forward(WorkerOperation release, List<LedgerEffect> effects)
    {
        var forwarded = new ForwardedRelease(0, release.Request, release.Instance, release.DurationUs, release.NeedDestroy);
        if (!State.Slots.TryGetValue(release.Ticket.Value, out var slot))
        {
            // Of a slot that is gone, or that its worker is about to tell of.
            State.Early.RemoveAll(e => e.AtUs + LookAgainUs < NowUs);
            if (State.Early.Count < MaxEarly)
            {
                State.Early.Add(new EarlyRelease(NowUs, release.Ticket.Value, forwarded));
            }

            return;
        }

        if (slot.State == LedgerSlotState.Entrusted && slot.Holders!.Remove(release.Request))
        {
            slot.Uses++;
            if (release.NeedDestroy)
            {
                (slot.Broken, slot.Reason) = (true, "the caller reports the instance as broken");
            }

            if (slot.Holders.Count > 0)
            {
                // The others may still end well.
                return;
            }

            if (slot.Broken)
            {
                Destroy(release.Ticket, slot, slot.Reason ?? "it is broken", effects);
            }
            else
            {
                BecomeIdle(slot, NowUs);
            }
        }
        else if (slot.Owner is { } owner)
        {
            Forward(owner, forwarded);
        }
    }

    private void Forward(WorkerId owner, ForwardedRelease release)
    {
        if (State.Workers.TryGetValue(owner.Value, out var worker)
            && worker.Releases.All(r => r.Request != release.Request || r.Instance != release.Instance))
        {
            worker.Releases.Add(release with { Number = ++worker.LastRelease });
        }
    }
}
