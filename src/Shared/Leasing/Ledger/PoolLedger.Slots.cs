using FuncScaler.Leasing.Messages;
using FuncScaler.Policies;

namespace FuncScaler.Leasing.Ledger;

/// <summary>What follows every event: slots are given to who waits, kept, destroyed, or created ahead.</summary>
public sealed partial class PoolLedger
{
    private const long LookAgainUs = 60_000_000;

    /// <summary>An idle slot is looked at again after so many times the grid of wake-ups, whatever the policy says: each look is a message.</summary>
    private const int ReviewGrids = 5;

    private void Settle(List<LedgerEffect> effects)
    {
        State.Revision++;
        ForgetWorkers();
        DoWhatIsDue(effects);
        Supply();
        CreateAhead(effects);
        Announce(effects);
        KeepSlo();
    }

    private void ForgetWorkers()
    {
        List<string>? forgotten = null;
        foreach (var (name, worker) in State.Workers)
        {
            if (worker.Expired && worker.ExpiresUs + _options.ForgetWorkerAfter.ToUs() <= NowUs && State.Slots.Values.All(s => s.Owner?.Value != name))
            {
                (forgotten ??= []).Add(name);
            }
        }

        foreach (var name in forgotten ?? [])
        {
            State.Workers.Remove(name);
        }
    }

    /// <summary>A worker's life is over, as its own ledger has written down.</summary>
    private void End(WorkerId id)
    {
        if (!State.Workers.TryGetValue(id.Value, out var worker) || worker.Expired)
        {
            return;
        }

        worker.Expired = true;
        worker.ExpiresUs = NowUs;
        TakeFrom(id, worker);
    }

    private void TakeFrom(WorkerId id, LedgerWorker worker)
    {
        worker.Waiting = 0;
        for (; worker.Active > 0; worker.Active--)
        {
            Remember(NowUs, 0);
        }

        Suspect(id);
    }

    /// <summary>
    /// A worker's slots when its life has ended: it may have given any of them to a request a moment before, and only it knew. So they wait
    /// until no request can hold them any more, and are not used again.
    /// </summary>
    private void Suspect(WorkerId owner)
    {
        foreach (var slot in State.Slots.Values.Where(s => s.Owner == owner))
        {
            if (slot.State == LedgerSlotState.Leased)
            {
                Become(slot, LedgerSlotState.Suspect, NowUs + State.HoldUs + (2 * SkewUs));
            }
            else if (slot.State == LedgerSlotState.Creating && slot.DueUs == long.MaxValue)
            {
                // It may be ready and in use already; and a create that was asked for may still take effect.
                slot.DueUs = NowUs + (slot.BackendSlot == default ? _options.DeathGraceUs(State.HoldUs) : State.HoldUs + (2 * SkewUs));
            }
        }
    }

    private void DoWhatIsDue(List<LedgerEffect> effects)
    {
        List<KeyValuePair<long, LedgerSlot>>? due = null;
        foreach (var entry in State.Slots)
        {
            if (entry.Value.DueUs <= NowUs)
            {
                (due ??= []).Add(entry);
            }
        }

        foreach (var (number, slot) in due ?? [])
        {
            var ticket = new SlotTicket(number);
            switch (slot.State)
            {
                case LedgerSlotState.Idle:
                    Review(ticket, slot, effects);
                    break;
                case LedgerSlotState.Creating:
                    Destroy(ticket, slot, slot.Owner is null ? "its provisioning does not answer" : "its worker is gone", effects);
                    break;
                case LedgerSlotState.Suspect:
                    Destroy(ticket, slot, "its worker is gone", effects);
                    break;
                case LedgerSlotState.Entrusted:
                    Destroy(ticket, slot, $"request {slot.Holders?[0]} was not released in time", effects);
                    break;
                case LedgerSlotState.Destroying:
                    Destroy(ticket, slot, slot.Reason ?? "", effects);
                    break;
                case LedgerSlotState.Leased:
                default:
                    break;
            }
        }
    }

    /// <summary>The slot is free; whether it is worth keeping the policy says when it has gone to nobody.</summary>
    private void BecomeIdle(LedgerSlot slot, long sinceUs)
    {
        slot.Owner = null;
        slot.Holders = null;
        slot.Broken = false;
        Become(slot, LedgerSlotState.Idle, NowUs);
        slot.SinceUs = Math.Min(NowUs, sinceUs);
        Supply();
        if (slot.State == LedgerSlotState.Idle)
        {
            Keep(slot);
        }
    }

    private void Keep(LedgerSlot slot)
    {
        var depth = 1 + State.Slots.Values.Count(s => s.State == LedgerSlotState.Idle && s.SinceUs > slot.SinceUs);
        var untilUs = _policy!.Keep(View(NowUs), new IdleSlot(default, _leased + depth, slot.SinceUs, slot.Uses)).UntilUs;
        slot.DueUs = untilUs <= NowUs ? NowUs : Math.Max(untilUs, NowUs + (ReviewGrids * _options.WakeGrid.ToUs()));
    }

    private void Review(SlotTicket ticket, LedgerSlot slot, List<LedgerEffect> effects)
    {
        if (_idle + _leased + _creating <= Floor && Fits(slot, State.Function!))
        {
            Keep(slot);
            slot.HeldByFloorUs = slot.DueUs > NowUs ? 0 : slot.HeldByFloorUs > 0 ? slot.HeldByFloorUs : NowUs;
            slot.DueUs = NowUs + LookAgainUs;
            return;
        }

        var above = _limits.MaxInstances > 0 && _idle + _leased + _creating > _limits.MaxInstances;
        EndFloor(slot);
        Keep(slot);
        if (above || slot.DueUs <= NowUs)
        {
            Destroy(ticket, slot, above ? "its function's limits have changed" : "its keep-alive has ended", effects);
        }
    }

    private void EndFloor(LedgerSlot slot)
    {
        if (slot.HeldByFloorUs > 0)
        {
            State.FloorMbUs += (double)(NowUs - slot.HeldByFloorUs) * slot.MemoryMb;
            slot.HeldByFloorUs = 0;
        }
    }

    private void Destroy(SlotTicket ticket, LedgerSlot slot, string reason, List<LedgerEffect> effects)
    {
        slot.Owner = null;
        slot.Holders = null;
        slot.Broken = false;
        slot.Reason = reason;
        slot.Attempts++;
        Become(slot, LedgerSlotState.Destroying, NowUs + _options.Pool.DestroyTimeout.ToUs());
        effects.Add(new LedgerEffect(LedgerEffectKind.Destroy)
        {
            Function = State.Function,
            Ticket = ticket,
            BackendSlot = slot.BackendSlot,
            Reason = reason,
            Attempt = slot.Attempts,
        });
    }

    /// <summary>Idle slots go to workers whose requests wait for such, to the one with the most first.</summary>
    private void Supply()
    {
        while (_idle > 0)
        {
            (WorkerId Id, LedgerWorker Worker, LedgerSlot Slot)? next = null;
            foreach (var (name, worker) in State.Workers)
            {
                if (worker.Waiting > (next?.Worker.Waiting ?? 0) && !worker.Expired && worker.ExpiresUs - (2 * SkewUs) > NowUs
                    && LatestIdle(worker.Function ?? State.Function!) is { } slot)
                {
                    next = (new WorkerId(name), worker, slot);
                }
            }

            if (next is not { } found)
            {
                return;
            }

            Lease(found.Slot, found.Id, found.Worker);
        }
    }

    private void Lease(LedgerSlot slot, WorkerId id, LedgerWorker worker)
    {
        slot.Owner = id;
        slot.Epoch++;
        slot.Ordinal = ++worker.Granted;
        worker.Waiting = Math.Max(0, worker.Waiting - 1);
        Become(slot, LedgerSlotState.Leased, long.MaxValue);
    }

    private LedgerSlot? LatestIdle(FunctionMeta function)
    {
        LedgerSlot? latest = null;
        if (_idle > 0)
        {
            foreach (var slot in State.Slots.Values)
            {
                if (slot.State == LedgerSlotState.Idle && Fits(slot, function) && slot.SinceUs > (latest?.SinceUs ?? long.MinValue))
                {
                    latest = slot;
                }
            }
        }

        return latest;
    }

    private static bool Fits(LedgerSlot slot, FunctionMeta function) => slot.MemoryMb == function.MemoryMb && slot.Runtime == function.Runtime;

    private void CreateAhead(List<LedgerEffect> effects)
    {
        State.ReviewAtUs = long.MaxValue;
        if (_policy is null)
        {
            return;
        }

        var wanted = Math.Max(0, Floor - (_idle + _leased + _creating));
        if (_policy.HasStandby && State.Workers.Values.All(w => w.Expired))
        {
            // While a worker serves the function, creating ahead is the worker's.
            var plan = _policy.Standby(View(NowUs));
            wanted = Math.Max(wanted, plan.CreateNow);
            State.ReviewAtUs = Math.Max(plan.ReviewAtUs, NowUs + 1);
            if (plan.ReviewIdle)
            {
                foreach (var (number, slot) in State.Slots.Where(s => s.Value.State == LedgerSlotState.Idle).ToList())
                {
                    Review(new SlotTicket(number), slot, effects);
                }
            }
        }

        if (wanted > 0 && NowUs < State.StandbyNotBeforeUs)
        {
            State.ReviewAtUs = Math.Min(State.ReviewAtUs, State.StandbyNotBeforeUs);
            return;
        }

        for (; wanted > 0 && (Ceiling == 0 || State.Slots.Count < Ceiling); wanted--)
        {
            Provision(effects);
        }
    }

    private void Announce(List<LedgerEffect> effects)
    {
        var nextUs = State.ReviewAtUs;
        foreach (var slot in State.Slots.Values)
        {
            nextUs = Math.Min(nextUs, slot.DueUs);
        }

        foreach (var worker in State.Workers.Values)
        {
            nextUs = Math.Min(nextUs, worker.Expired ? Math.Max(worker.ExpiresUs + _options.ForgetWorkerAfter.ToUs(), NowUs + LookAgainUs) : long.MaxValue);
        }

        State.WakeAtUs = LedgerTimers.Announce(State.WakeAtUs, nextUs, NowUs, _options, State.Function, effects);
    }
}
