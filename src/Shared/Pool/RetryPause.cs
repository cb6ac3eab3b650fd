namespace FuncScaler.Pool;

/// <summary>
/// When a pool may ask its backend for slots again after a failure, and how many it owes to those who wait. A pause doubles with each
/// failure in a row; a wave of creations that fail together is one failure. The backend's success anywhere ends a pause that its failure
/// to create had begun, unless the backend had named the time itself.
/// </summary>
/// <param name="options">The shortest and the longest pause, and how many failed starts are too many.</param>
/// <param name="registry">Knows when the backend last worked for any pool.</param>
internal sealed class RetryPause(SlotPoolOptions options, SlotRegistry registry)
{
    private long _untilUs;
    private long _refusedUntilUs;
    private long _lastFailureUs;
    private int _failuresInARow;
    private int _failedStarts;
    private bool _endsBySuccess;

    /// <summary>No slot is asked for before this time, µs.</summary>
    public long UntilUs => IsOver ? 0 : _untilUs;

    /// <summary>When the pause ends unless the backend's success ends it before, µs.</summary>
    public long WakeUs => _untilUs;

    /// <summary>No slot is asked for that nobody waits for before this time, µs.</summary>
    public long StandbyUntilUs => Math.Max(UntilUs, _refusedUntilUs);

    /// <summary>Whether the backend's success would end the pause.</summary>
    public bool AwaitsSuccess(long nowUs) => _endsBySuccess && UntilUs > nowUs;

    /// <summary>Slots to ask for when the pause is over, where they are still needed.</summary>
    public int Owed { get; private set; }

    /// <summary>What the backend said when it last failed; null once an instance is ready again.</summary>
    public string? LastFailure { get; private set; }

    /// <summary>Whether so many instances in a row have failed to start that nobody should wait for the next.</summary>
    public bool Failing => options.FailFastAfter > 0 && _failedStarts >= options.FailFastAfter;

    /// <summary>What callers are told while the function is <see cref="Failing"/>.</summary>
    public string FailingWords => $"its last {_failedStarts} instances failed to start, and another is tried now and then; the backend said: {LastFailure}";

    private bool IsOver => _endsBySuccess && registry.WorkedUs > _lastFailureUs;

    public void Owe(int count) => Owed += Math.Max(0, count);

    /// <summary>Nothing is owed any more; returns what was.</summary>
    public int TakeOwed()
    {
        var owed = Owed;
        Owed = 0;
        return owed;
    }

    /// <summary>An instance is ready: the backend works, and so does the function.</summary>
    public void Succeeded()
    {
        _failuresInARow = 0;
        _failedStarts = 0;
        LastFailure = null;
    }

    /// <summary>The backend refuses for good: requests are told at once, what nobody waits for can wait.</summary>
    public void Refused(long nowUs, string message)
    {
        LastFailure = message;
        _refusedUntilUs = nowUs + options.MaxRetryDelay.ToUs();
    }

    /// <summary>The backend has failed over a slot that was wanted at a time; another is owed after a pause.</summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="wantedUs">When the slot was wanted.</param>
    /// <param name="failure">How it failed.</param>
    /// <param name="starting">Whether the instance failed to start, as opposed to the slot's creation.</param>
    public void Failed(long nowUs, long wantedUs, SlotFailure failure, bool starting)
    {
        LastFailure = failure.Message;
        if (IsOver)
        {
            _failuresInARow = 0;
        }

        if (wantedUs >= _lastFailureUs)
        {
            // Those wanted before are of one wave with the last failure, and no sign that pausing did not help.
            _failuresInARow++;
            _failedStarts += starting ? 1 : 0;
        }

        _untilUs = Math.Max(UntilUs, nowUs + Math.Max(failure.RetryAfterUs, options.RetryPauseUs(_failuresInARow)));
        _lastFailureUs = nowUs;
        _endsBySuccess = !starting && failure.RetryAfterUs == 0;
        Owed++;
    }
}
