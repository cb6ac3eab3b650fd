using FuncScaler.Leasing.Messages;

namespace FuncScaler.Leasing.Ledger;

/// <summary>What provisionings, destroys and the sweep answer.</summary>
public sealed partial class PoolLedger
{
    /// <summary>A provisioning has succeeded. May come late, twice, or for a ticket that was given up.</summary>
    public void Provisioned(long nowUs, ProvisionedSlot answer, List<LedgerEffect> effects)
    {
        ArgumentNullException.ThrowIfNull(answer);
        Advance(nowUs);
        if (State.Slots.TryGetValue(answer.Ticket.Value, out var slot) && slot.State == LedgerSlotState.Creating && slot.Owner is null)
        {
            slot.BackendSlot = answer.BackendSlot;
            slot.Instance = answer.Instance;
            slot.Address = answer.Address;
            Statistics.Create.Add(answer.CreateUs);
            Statistics.Init.Add(answer.InitUs);
            State.History.Create = (Statistics.Create.Count, Statistics.Create.MeanUs);
            State.History.Init = (Statistics.Init.Count, Statistics.Init.MeanUs);
            State.FailuresInARow = 0;
            State.LastFailure = null;
            BecomeIdle(slot, NowUs);
        }
        else if (State.Function is not null)
        {
            Found(answer.Ticket, answer.BackendSlot, effects);
        }

        Settle(effects);
    }

    /// <summary>A provisioning has failed.</summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="ticket">The slot.</param>
    /// <param name="failure">How; where the outcome is unknown the slot is destroyed, else it does not exist.</param>
    /// <param name="effects">Where effects are added.</param>
    public void ProvisionFailed(long nowUs, SlotTicket ticket, SlotFailure failure, List<LedgerEffect> effects)
    {
        ArgumentNullException.ThrowIfNull(failure);
        Advance(nowUs);
        if (State.Slots.TryGetValue(ticket.Value, out var slot) && slot.State == LedgerSlotState.Creating && slot.Owner is null)
        {
            if (failure.OutcomeUnknown)
            {
                slot.Reason = failure.Message;
                Become(slot, LedgerSlotState.Destroying, NowUs + (slot.BackendSlot == default ? CreateGraceUs : 0));
            }
            else
            {
                Remove(ticket, slot);
            }

            State.FailuresInARow++;
            State.LastFailure = failure.Message;
            var pauseUs = failure.Kind == FailureKind.Permanent ? _options.Pool.MaxRetryDelay.ToUs() : _options.Pool.RetryPauseUs(State.FailuresInARow);
            State.StandbyNotBeforeUs = Math.Max(State.StandbyNotBeforeUs, NowUs + Math.Max(failure.RetryAfterUs, pauseUs));
        }

        Settle(effects);
    }

    /// <summary>The backend confirms that a slot is gone.</summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="ticket">The slot.</param>
    /// <param name="attempt">The effect's attempt: the answer to an earlier one proves nothing, it may not have known the slot's id.</param>
    /// <param name="effects">Where effects are added.</param>
    public void Destroyed(long nowUs, SlotTicket ticket, int attempt, List<LedgerEffect> effects)
    {
        Advance(nowUs);
        if (State.Slots.TryGetValue(ticket.Value, out var slot) && slot.State == LedgerSlotState.Destroying && slot.Attempts == attempt)
        {
            Remove(ticket, slot);
        }

        Settle(effects);
    }

    /// <summary>A destroy has failed: tried again later, until the backend confirms.</summary>
    public void DestroyFailed(long nowUs, SlotTicket ticket, int attempt, SlotFailure failure, List<LedgerEffect> effects)
    {
        ArgumentNullException.ThrowIfNull(failure);
        Advance(nowUs);
        if (State.Slots.TryGetValue(ticket.Value, out var slot) && slot.State == LedgerSlotState.Destroying && slot.Attempts == attempt)
        {
            slot.DueUs = NowUs + Math.Max(failure.RetryAfterUs, _options.Pool.DestroyPauseUs(attempt));
        }

        Settle(effects);
    }

    /// <summary>
    /// The regular look at everything: does what is due, whatever timer was lost, compares with what the backend lists, and takes slots from
    /// workers that are dead.
    /// </summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="askedUs">When the backend was asked for its list, µs.</param>
    /// <param name="listed">Its list; null where it has none or did not answer. Slots of other functions do no harm.</param>
    /// <param name="dead">Workers whose own ledgers say that their lives are over.</param>
    /// <param name="effects">Where effects are added.</param>
    public void Sweep(long nowUs, long askedUs, IReadOnlyCollection<ListedSlot>? listed, IReadOnlyCollection<WorkerId> dead, List<LedgerEffect> effects)
    {
        ArgumentNullException.ThrowIfNull(dead);
        Advance(nowUs);
        foreach (var worker in dead)
        {
            End(worker);
        }

        if (listed is not null)
        {
            var ids = listed.Select(l => l.Id).ToHashSet();
            foreach (var slot in listed)
            {
                if (slot.Ticket != default && State.Slots.TryGetValue(slot.Ticket.Value, out var own) && own.BackendSlot == default)
                {
                    Found(slot.Ticket, slot.Id, effects);
                }
            }

            foreach (var (number, slot) in Sweeper.Missing(State, askedUs, ids, _options).ToList())
            {
                Remove(new SlotTicket(number), slot);
            }
        }

        // Whatever was asked to wake the ledger may be lost.
        State.WakeAtUs = long.MaxValue;
        Settle(effects);
    }

    private void Provision(List<LedgerEffect> effects)
    {
        var function = State.Function!;
        if (State.LastTicket == 0)
        {
            State.LastTicket = TicketSpace.For($"{function.Key} {NowUs}");
        }

        var ticket = new SlotTicket(++State.LastTicket);
        State.Budget = State.Budget.Take(NowUs, _options.CreateBurst, _options.CreatesPerMinute, out var notBeforeUs);
        var slot = Add(ticket, LedgerSlotState.Creating, null, function);
        slot.DueUs = notBeforeUs + _options.ProvisionTimeout.ToUs();
        effects.Add(new LedgerEffect(LedgerEffectKind.Provision)
        {
            Function = function,
            Ticket = ticket,
            Instance = new InstanceId(_options.Pool.InstancePrefix + ticket),
            AtUs = notBeforeUs,
        });
    }
}
