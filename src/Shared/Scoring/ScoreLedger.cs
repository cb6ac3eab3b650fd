namespace FuncScaler.Scoring;

/// <summary>
/// Adds up what the contest's score is made of. Slots are counted from the call of CreateSlot to the call of DestroySlot, initialisation
/// included; slots still alive count up to the time that is asked for. Not safe for concurrent use; all times are µs on one clock.
/// </summary>
/// <remarks>Source of the formula: the contest's scoring rules (docs/reference/contest.md).</remarks>
public sealed class ScoreLedger
{
    /// <summary>Below this share of successful requests the whole score is zero.</summary>
    public const double RequiredSuccessRate = 0.9995;

    // Whole numbers: sums that do not depend on the order of adding, so that parts of a run can be added up.
    private Int128 _closedSlotMbUs;
    private Int128 _liveMbTimesStart;
    private long _liveMb;
    private long _executionMbUs;
    private long _executionUs;
    private long _assignUs;
    private long _idleUs;

    /// <summary>Requests counted, failed ones included.</summary>
    public long Requests { get; private set; }

    /// <summary>Requests that failed.</summary>
    public long FailedRequests { get; private set; }

    /// <summary>Slots created so far.</summary>
    public long SlotsCreated { get; private set; }

    /// <summary>Slots that exist now.</summary>
    public long LiveSlots { get; private set; }

    /// <summary>The largest number of slots that existed at one time.</summary>
    public long PeakLiveSlots { get; private set; }

    /// <summary>A slot's creation began at <paramref name="nowUs"/>.</summary>
    public void SlotCreated(long nowUs, int memoryMb)
    {
        SlotsCreated++;
        LiveSlots++;
        PeakLiveSlots = Math.Max(PeakLiveSlots, LiveSlots);
        _liveMb += memoryMb;
        _liveMbTimesStart += (Int128)memoryMb * nowUs;
    }

    /// <summary>A slot whose creation began at <paramref name="createdUs"/> was given back at <paramref name="nowUs"/>.</summary>
    public void SlotDestroyed(long createdUs, long nowUs, int memoryMb)
    {
        LiveSlots--;
        _liveMb -= memoryMb;
        _liveMbTimesStart -= (Int128)memoryMb * createdUs;
        _closedSlotMbUs += (Int128)memoryMb * (nowUs - createdUs);
    }

    /// <summary>Memory was held that is no slot of the scaler's: the layers of slots that were given back, MB times µs.</summary>
    public void LayersHeld(Int128 mbUs) => _closedSlotMbUs += mbUs;

    /// <summary>A request was served.</summary>
    /// <param name="durationUs">Its execution, µs.</param>
    /// <param name="memoryMb">Its function's memory, MB.</param>
    /// <param name="assignUs">What its caller waited for Assign, µs.</param>
    /// <param name="idleUs">What its caller waited for Idle, µs.</param>
    public void RequestServed(long durationUs, int memoryMb, long assignUs, long idleUs) =>
        RequestServed(durationUs, durationUs, memoryMb, assignUs, idleUs);

    /// <summary>A request was served by an instance that others may have used at the same time.</summary>
    /// <param name="durationUs">Its execution, µs.</param>
    /// <param name="usedUs">For how long its instance was in use, µs; what counts with another request is left out (<see cref="InstanceUse"/>).</param>
    /// <param name="memoryMb">Its function's memory, MB.</param>
    /// <param name="assignUs">What its caller waited for Assign, µs.</param>
    /// <param name="idleUs">What its caller waited for Idle, µs.</param>
    public void RequestServed(long durationUs, long usedUs, int memoryMb, long assignUs, long idleUs)
    {
        Requests++;
        _executionUs += durationUs;
        _executionMbUs += usedUs * memoryMb;
        _assignUs += assignUs;
        _idleUs += idleUs;
    }

    /// <summary>A request failed; it adds nothing to the execution sums.</summary>
    public void RequestFailed()
    {
        Requests++;
        FailedRequests++;
    }

    /// <summary>
    /// Adds what another ledger of the same run has counted, as for functions that were simulated apart. <see cref="PeakLiveSlots"/> of a
    /// whole does not follow from its parts and is left as it is.
    /// </summary>
    public void Add(ScoreLedger other)
    {
        Requests += other.Requests;
        FailedRequests += other.FailedRequests;
        SlotsCreated += other.SlotsCreated;
        LiveSlots += other.LiveSlots;
        _closedSlotMbUs += other._closedSlotMbUs;
        _liveMbTimesStart += other._liveMbTimesStart;
        _liveMb += other._liveMb;
        _executionMbUs += other._executionMbUs;
        _executionUs += other._executionUs;
        _assignUs += other._assignUs;
        _idleUs += other._idleUs;
    }

    /// <summary>The sums, with live slots counted up to <paramref name="nowUs"/>.</summary>
    public Score ScoreAt(long nowUs) => new(
        Requests,
        FailedRequests,
        ExecutionGbSeconds: _executionMbUs / 1024e6,
        SlotGbSeconds: (double)(_closedSlotMbUs + ((Int128)_liveMb * nowUs) - _liveMbTimesStart) / 1024e6,
        ExecutionSeconds: _executionUs / 1e6,
        AssignSeconds: _assignUs / 1e6,
        IdleSeconds: _idleUs / 1e6);
}
