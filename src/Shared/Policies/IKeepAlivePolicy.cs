using FuncScaler.Statistics;

namespace FuncScaler.Policies;

/// <summary>
/// Decides for one function how long instances are kept, when they are created ahead of requests, and whether a request waits or gets a new
/// instance. The function's <see cref="SlotPool"/> makes one call at a time; a policy keeps no clock and does no I/O.
/// </summary>
/// <remarks>
/// <b>Order of calls.</b> An Assign: <see cref="RequestArrived"/>, then <see cref="CreateOnMiss"/> where no instance is idle. A warm request has
/// its instance right after <see cref="RequestArrived"/>, so that call should be short: what takes longer has its place in the calls that
/// follow. A Release, or an
/// instance that has become ready: <see cref="Keep"/>, unless a request takes it. A slot that was created while nobody needs it any more:
/// <see cref="KeepSurplus"/>. When a held instance's time has come: <see cref="Keep"/> again. <see cref="DemandLearned"/> once for each arrival,
/// when its rank is known. After every event: <see cref="Standby"/>, where <see cref="HasStandby"/> says so. All times are µs on the pool's
/// clock.
/// <para>
/// <b>Example.</b> A policy that holds small instances for 9 s, lets large ones go, and has one ready again a minute after the last request:
/// <code>
/// public sealed class AgainPolicy(AgainPolicyOptions options) : IKeepAlivePolicy
/// {
///     public bool HasStandby => true;
///
///     public KeepDecision Keep(in PoolView pool, in IdleSlot slot) => pool.Function.MemoryMb > options.MostMemoryMb
///         ? KeepDecision.LetGoNow
///         : KeepDecision.HoldUntil(slot.SinceUs + 9_000_000);
///
///     public StandbyPlan Standby(in PoolView pool)
///     {
///         var againUs = pool.Statistics.LastArrivalUs + 60_000_000;
///         if (pool.NowUs &lt; againUs)
///         {
///             return StandbyPlan.CreateAt(againUs);
///         }
///
///         return pool.Busy + pool.Idle + pool.InFlight == 0 ? StandbyPlan.Create(1) : StandbyPlan.None;
///     }
/// }
/// </code>
/// The class and its options are one file in <c>Policies/Basic</c> or <c>Policies/Published</c>; <see cref="PolicyCatalog"/> has a line for it.
/// </para>
/// </remarks>
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
    /// It has become known which rank an arrival asks for, and how long that rank was unused before. That is known at once where nobody waits,
    /// else when those who wait are served. Called once for each arrival, in order, for a bounded number of arrivals in one event.
    /// </summary>
    void DemandLearned(in PoolView pool, in RankedArrival demand)
    {
    }

    /// <summary>A request has its instance, or is given up by its caller or its deadline.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="waitedUs">How long it has waited, µs; 0 for a warm request.</param>
    void Answered(in PoolView pool, long waitedUs)
    {
    }

    /// <summary>
    /// A request found no idle instance and no free place, and is now among <see cref="PoolView.Waiters"/>: how many slots to create now, 0 to let it wait. The pool
    /// creates one all the same where nothing else could ever serve the request.
    /// </summary>
    int CreateOnMiss(in PoolView pool) => Math.Min(1, pool.Missing);

    /// <summary>Whether to hold an idle instance. Asked when it becomes idle, and again when the time has come that was said before.</summary>
    KeepDecision Keep(in PoolView pool, in IdleSlot slot);

    /// <summary>A slot was created that no waiting request needs any more: initialise it and keep it idle (true), or give it back (false).</summary>
    bool KeepSurplus(in PoolView pool) => true;

    /// <summary>What to have ready beyond what requests ask for. Called after every event of the pool, and at the time that was asked for.</summary>
    StandbyPlan Standby(in PoolView pool) => StandbyPlan.None;

    /// <summary>The function's pool is forgotten: what the policy has put into a state shared with others, it takes out. No call follows.</summary>
    void Forgotten()
    {
    }
}
