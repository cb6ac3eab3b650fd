namespace FuncScaler.ContestSimulator.Platform;

/// <summary>Gathers what <see cref="RunMeasurements"/> tells. Not safe for concurrent use; all times are µs.</summary>
internal sealed class CallStatistics
{
    private readonly LatencyHistogram _assign = new();
    private readonly LatencyHistogram _warmAssign = new();
    private readonly LatencyHistogram _warmIdle = new();
    private readonly LatencyHistogram _coldAssignLessInit = new();
    private readonly LatencyHistogram _sendDelay = new();
    private long _coldStarts;
    private long _waitedForBusy;

    /// <summary>A request that was due at <paramref name="dueUs"/> was sent.</summary>
    public void Sent(long dueUs, long nowUs) => _sendDelay.Add(nowUs - dueUs);

    /// <summary>A request sent at <paramref name="sentUs"/> was granted an instance.</summary>
    /// <returns>Whether it was a warm one.</returns>
    public bool Granted(long sentUs, long assignUs, in GrantCheck grant, long initDurationUs)
    {
        _assign.Add(assignUs);
        if (grant.InitialisedUs > sentUs)
        {
            _coldStarts++;
            if (grant.CreatedUs >= sentUs)
            {
                _coldAssignLessInit.Add(assignUs - initDurationUs);
            }

            return false;
        }

        if (grant.FreeSinceUs > sentUs)
        {
            _waitedForBusy++;
            return false;
        }

        _warmAssign.Add(assignUs);
        return true;
    }

    /// <summary>The Idle of a warm request was answered.</summary>
    public void WarmIdle(long idleUs) => _warmIdle.Add(idleUs);

    public RunMeasurements Snapshot(long peakLiveSlots, long slotsOfRun) => new()
    {
        AssignMeanMs = _assign.MeanMs,
        AssignP50Ms = _assign.PercentileMs(0.50),
        AssignP95Ms = _assign.PercentileMs(0.95),
        AssignP99Ms = _assign.PercentileMs(0.99),
        WarmRequests = _warmAssign.Count,
        WarmAssignMeanMs = _warmAssign.MeanMs,
        WarmIdleMeanMs = _warmIdle.MeanMs,
        ColdStarts = _coldStarts,
        WaitedForBusy = _waitedForBusy,
        ColdStartsFromCreation = _coldAssignLessInit.Count,
        ColdAssignLessInitP50Ms = _coldAssignLessInit.PercentileMs(0.50),
        PeakLiveSlots = peakLiveSlots,
        SlotsOfRun = slotsOfRun,
        SendDelayP99Ms = _sendDelay.PercentileMs(0.99),
    };
}
