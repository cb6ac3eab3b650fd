using FuncScaler.Statistics;

namespace FuncScaler.Policies;

/// <summary>
/// Decides for one function how long instances are kept, when they are created ahead of time, and whether a request waits or gets a new
/// one. Called by the function's <see cref="SlotPool"/>, one call at a time; a policy keeps no clock and does no I/O.
/// </summary>
public interface IKeepAlivePolicy
{
    /// <summary>Whether waiting requests take whatever comes first; false ties each miss to its own new instance.</summary>
    bool Waits => true;

    /// <summary>Whether <see cref="Standby"/> is to be called at all.</summary>
    bool HasStandby => false;

    /// <summary>A request arrived; called before it is served.</summary>
    void RequestArrived(in PoolView pool)
    {
    }

    /// <summary>
    /// It has become known which slot an arrival asks for, and how long that slot was unused before: at once where nobody waits, else when
    /// those who wait are served. Called once for each arrival, in order.
    /// </summary>
    void DemandLearned(in PoolView pool, in RankedArrival demand)
    {
    }

    /// <summary>
    /// A request found no idle instance and is now among <see cref="PoolView.Waiters"/>: how many slots to create at once. The pool
    /// creates one all the same where nothing else could ever serve the request.
    /// </summary>
    int CreateOnMiss(in PoolView pool) => pool.Waiters > pool.InFlight ? 1 : 0;

    /// <summary>
    /// Until when to keep an idle instance, µs on the pool's clock; a time that is not later than <see cref="PoolView.NowUs"/> gives it
    /// back at once. Asked when it becomes idle, and again when that time has come.
    /// </summary>
    long KeepUntilUs(in PoolView pool, in IdleSlot slot);

    /// <summary>A slot was created that no waiting request needs any more: initialise it and keep it idle (true) or give it back (false).</summary>
    bool KeepSurplus(in PoolView pool) => true;

    /// <summary>What to have ready beyond what requests ask for. Called after every change of the pool and at the review it asked for.</summary>
    StandbyPlan Standby(in PoolView pool) => StandbyPlan.None;
}
