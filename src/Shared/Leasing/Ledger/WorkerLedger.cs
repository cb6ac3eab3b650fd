using FuncScaler.Leasing.Messages;

namespace FuncScaler.Leasing.Ledger;

/// <summary>
/// One life of a worker: whether it goes on, and which tickets it may use without asking. A deterministic state machine on a
/// <see cref="WorkerState"/> without I/O, clock or tasks. Every operation may be repeated, late or lost without harm.
/// </summary>
/// <remarks>
/// A life that is over stays over. Only then are the ledgers of functions told (<see cref="Sweeper"/>), so a worker that a function's ledger
/// takes for dead can never be told here that it lives. See docs/explanation/azure-protocol.md.
/// </remarks>
/// <param name="state">The state, which this ledger changes from now on; a new one for a worker never seen.</param>
/// <param name="options">Settings, the same as the worker's.</param>
public sealed class WorkerLedger(WorkerState state, LeasingOptions options)
{
    /// <summary>What is to be kept.</summary>
    public WorkerState State => state;

    private long NowUs => state.NowUs;

    /// <summary>The worker lives.</summary>
    public void Beat(long nowUs, WorkerBeat beat, List<LedgerEffect> effects)
    {
        ArgumentNullException.ThrowIfNull(beat);
        Advance(nowUs);
        if (state.Sequence == 0)
        {
            state.Worker = beat.Worker;
            state.FirstTicket = beat.FirstTicket;
            state.ReservedTo = beat.FirstTicket;
            state.SettledTo = beat.FirstTicket;
            if (beat.Renewal)
            {
                End();
            }
        }

        if (beat.Sequence > state.Sequence && beat.Worker == state.Worker)
        {
            state.Sequence = beat.Sequence;
            state.SettledTo = Math.Max(state.SettledTo, beat.SettledTo);
            if (!state.Expired)
            {
                state.ReservedTo = beat.Resting ? beat.ReserveTo : Math.Max(state.ReservedTo, beat.ReserveTo);
                state.HoldUs = Math.Max(state.HoldUs, beat.HoldUs);
                state.ExpiresUs = NowUs + (beat.Resting ? options.ForgetWorkerAfter : options.Lease).ToUs();
                state.Extended = false;
                if (beat.Leaving)
                {
                    End();
                }
            }
        }

        Settle(effects);
    }

    /// <summary>Does what is due. May be called at any time.</summary>
    public void Wake(long nowUs, List<LedgerEffect> effects)
    {
        Advance(nowUs);
        if (state.WakeAtUs <= NowUs + LedgerTimers.EarlyUs)
        {
            state.WakeAtUs = long.MaxValue;
        }

        Settle(effects);
    }

    /// <summary>What the worker may have created without telling is gone; said once <see cref="WorkerState.DeadFromUs"/> has passed.</summary>
    public void Swept(long nowUs, List<LedgerEffect> effects)
    {
        Advance(nowUs);
        state.Swept |= state.Expired;
        Settle(effects);
    }

    private void Advance(long nowUs) => state.NowUs = Math.Max(state.NowUs, nowUs);

    private void End()
    {
        state.Expired = true;
        state.ExpiresUs = NowUs;
    }

    private void Settle(List<LedgerEffect> effects)
    {
        state.Revision++;
        if (!state.Expired && state.ExpiresUs <= NowUs)
        {
            if (!state.Extended && NowUs - state.ExpiresUs > 2 * options.WakeGrid.ToUs())
            {
                // This ledger is late itself, so beats may have been held up as well. A longer lease does no harm here.
                state.Extended = true;
                state.ExpiresUs = NowUs + options.Lease.ToUs();
            }
            else
            {
                End();
                effects.Add(new LedgerEffect(LedgerEffectKind.Look));
            }
        }

        var nextUs = state.Expired ? state.ExpiresUs + options.ForgetWorkerAfter.ToUs() : state.ExpiresUs;
        if (state.Expired && nextUs <= NowUs)
        {
            effects.Add(new LedgerEffect(LedgerEffectKind.Forget));
            return;
        }

        state.WakeAtUs = LedgerTimers.Announce(state.WakeAtUs, nextUs, NowUs, options, null, effects);
    }
}

/// <summary>What ledgers of both kinds do about being woken.</summary>
internal static class LedgerTimers
{
    /// <summary>So much too early a wake-up may come, µs.</summary>
    public const long EarlyUs = 500_000;

    /// <summary>A wake-up that is late by so many times <see cref="LeasingOptions.WakeGrid"/> is lost.</summary>
    private const int LostGrids = 10;

    /// <summary>Whether a wake-up is so late that it must be lost.</summary>
    public static bool IsLost(long wakeAtUs, long nowUs, LeasingOptions options) =>
        wakeAtUs != long.MaxValue && wakeAtUs + (LostGrids * options.WakeGrid.ToUs()) < nowUs;

    /// <summary>When to wake for something that is due at a time.</summary>
    public static long WakeTime(long dueUs, LeasingOptions options)
    {
        var gridUs = options.WakeGrid.ToUs();
        return dueUs > long.MaxValue - gridUs ? long.MaxValue : (dueUs + gridUs - 1) / gridUs * gridUs;
    }

    /// <summary>One wake-up under way is enough, unless it would be too late: when it comes it asks for the next.</summary>
    /// <returns>The wake-up that is under way.</returns>
    public static long Announce(long underWayUs, long nextUs, long nowUs, LeasingOptions options, FunctionMeta? function, List<LedgerEffect> effects)
    {
        nextUs = WakeTime(nextUs, options);
        if (nextUs >= underWayUs && !IsLost(underWayUs, nowUs, options))
        {
            return underWayUs;
        }

        if (nextUs != long.MaxValue)
        {
            effects.Add(new LedgerEffect(LedgerEffectKind.WakeAt) { Function = function, AtUs = nextUs });
        }

        return nextUs;
    }
}
