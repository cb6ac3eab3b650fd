namespace FuncScaler.Pool;

/// <summary>
/// When a pool may ask its backend for slots again after it has failed, and how many it owes to those who wait. A pause doubles with each
/// failure in a row; a wave of creations that fail together is one failure.
/// </summary>
/// <param name="options">The shortest and the longest pause.</param>
internal sealed class RetryPause(SlotPoolOptions options)
{
    private long _refusedUntilUs;
    private long _lastFailureUs;
    private int _failuresInARow;

    /// <summary>No slot is asked for before this time, µs.</summary>
    public long UntilUs { get; private set; }

    /// <summary>No slot is asked for that nobody waits for before this time, µs.</summary>
    public long StandbyUntilUs => Math.Max(UntilUs, _refusedUntilUs);

    /// <summary>Slots to ask for when the pause is over, where they are still needed.</summary>
    public int Owed { get; private set; }

    /// <summary>What the backend said when it last failed; null once an instance is ready again.</summary>
    public string? LastFailure { get; private set; }

    public void Owe(int count) => Owed += Math.Max(0, count);

    /// <summary>Nothing is owed any more; returns what was.</summary>
    public int TakeOwed()
    {
        var owed = Owed;
        Owed = 0;
        return owed;
    }

    /// <summary>An instance is ready: the backend works.</summary>
    public void Succeeded()
    {
        _failuresInARow = 0;
        LastFailure = null;
    }

    /// <summary>The backend refuses for good: requests are told at once, what nobody waits for can wait.</summary>
    public void Refused(long nowUs, string message)
    {
        LastFailure = message;
        _refusedUntilUs = nowUs + options.MaxRetryDelay.ToUs();
    }

    /// <summary>The backend has failed over a slot that was wanted at a time; another is owed after a pause.</summary>
    public void Failed(long nowUs, long wantedUs, SlotFailure failure)
    {
        LastFailure = failure.Message;
        if (wantedUs >= _lastFailureUs)
        {
            // Those wanted before are of one wave with the last failure, and no sign that pausing did not help.
            _failuresInARow++;
        }

        _lastFailureUs = nowUs;
        UntilUs = Math.Max(UntilUs, nowUs + Math.Max(failure.RetryAfterUs, options.RetryPauseUs(_failuresInARow)));
        Owed++;
    }
}
