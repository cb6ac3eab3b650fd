using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;

namespace FuncScaler.Tests.Leasing.Simulation;

/// <summary>The promises.</summary>
internal sealed partial class LeasingWorld
{
    /// <summary>
    /// From a worker's death until nothing is its own any more: its last beat arrives, the lease runs out, and once more because the ledger is
    /// late; the sweep makes up for lost timers and tells; the last request it may have served comes to its limit.
    /// </summary>
    private long BoundUs
    {
        get
        {
            var options = _schedule.Options;
            var skewUs = 2 * options.ClockSkew.ToUs();
            var holdUs = Math.Max(options.HoldUs(Schedule.Function), options.HoldUs(Schedule.Changed));
            var graceUs = options.DeathGraceUs(Math.Max(holdUs, options.HoldAhead.ToUs()));
            return (6 * Schedule.LongestDelayUs) + (2 * options.Lease.ToUs()) + (6 * (SweepUs + Schedule.Second)) + graceUs + (3 * skewUs);
        }
    }

    /// <summary>No instance to more requests than may share it, and never by two workers.</summary>
    private void CheckFree(InstanceId instance, RequestId request, Worker worker)
    {
        if (_uses.TryGetValue(instance, out var uses) && uses.FindAll(u => u.Request != request && u.EndUs > _nowUs) is [var first, ..] others)
        {
            Require(others.Count < _schedule.Concurrency, $"{instance} is given to {request} while {first.Request} holds it, {others.Count} in all");
            Require(others.All(u => u.Worker == worker), $"{instance} is given to {request} by {worker.Id} while {first.Request} has it from another worker");
        }

        Require(_backend.Values.Any(s => s.Instance == instance), $"{request} is given {instance}, which the backend does not have");
    }

    /// <summary>No instance is taken from a request before its time is up.</summary>
    private void CheckNotInUse(BackendSlot slot)
    {
        if (slot.Instance != default && _uses.TryGetValue(slot.Instance, out var uses))
        {
            Require(uses.All(u => u.EndUs <= _nowUs), $"{slot.Instance} is destroyed while a request holds it");
        }
    }

    private void CheckAnswers()
    {
        foreach (var request in _requests.Values)
        {
            Require(request.WaitsAt is null, $"{request.Id} was never answered");
        }
    }

    private void CheckDeadOwner(WorkerId dead)
    {
        foreach (var (ticket, slot) in _ledger.State.Slots)
        {
            Require(slot.Owner != dead, $"slot {ticket} still belongs to {dead}, which is long dead");
        }
    }

    /// <summary>
    /// While a ledger waits for an id, a list without tickets does not tell what is nobody's. Where it has just got one, after a creation that the budget
    /// held back for long, the next sweeps may say more.
    /// </summary>
    private void WaitForQuiet()
    {
        const int Most = 10;
        for (var i = 0; i < Most && _schedule.List == ListKind.Ids; i++)
        {
            var before = _ledger.State.Slots.Values.Select(s => s.BackendSlot).ToHashSet();
            RunUntil(_nowUs + (4 * SweepUs));
            if (before.SetEquals(_ledger.State.Slots.Values.Select(s => s.BackendSlot)))
            {
                return;
            }
        }
    }

    /// <summary>When all is quiet the ledger and the backend agree, and nothing belongs to anybody.</summary>
    private void CheckNothingIsLost()
    {
        Require(_workers.Count == 0, "a worker is left");
        var known = _ledger.State.Slots;

        // A list without tickets says nothing while a ledger waits for an id.
        var mute = _schedule.List == ListKind.Ids && known.Values.Any(s => s.BackendSlot == default);
        foreach (var slot in mute ? [] : _backend.Values.AsEnumerable())
        {
            Require(
                known.TryGetValue(slot.Ticket.Value, out var own) && (own.BackendSlot == slot.Id || own.State == LedgerSlotState.Creating),
                $"the ledger has lost {slot.Ticket}, {slot.Id}");
        }

        foreach (var (ticket, slot) in known)
        {
            // A policy may be creating ahead at this very moment.
            if (slot.State == LedgerSlotState.Creating && slot.Owner is null)
            {
                continue;
            }

            Require(_backend.ContainsKey(slot.BackendSlot) || slot.State == LedgerSlotState.Destroying, $"the ledger has {ticket}, the backend has not");
            Require(slot.State is LedgerSlotState.Idle or LedgerSlotState.Destroying, $"slot {ticket} is still {slot.State}");
        }

        Require(_ledger.Statistics.Active == 0, $"{_ledger.Statistics.Active} requests seem to be active still");
    }
}
