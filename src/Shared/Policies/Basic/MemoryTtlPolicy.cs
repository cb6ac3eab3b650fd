namespace FuncScaler.Policies.Basic;

/// <summary>
/// Keeps an idle instance while its whole idle seconds times its memory do not exceed a limit in MB·s; the limit follows the function's
/// demand. Source: version 1.5 of the fourth place of the contest of 2023 (scaler-rust): "the more memory an instance takes, the shorter
/// its time-out; the more often it is used, the longer".
/// </summary>
/// <remarks>
/// As published: every 5 s a hint h moves the limit by base * ceil(ln(|h| / 5)), up for h > 10 and down for h &lt; -10; base = 128 MB * 15 s,
/// the limit stays from base to 2 * memory * 15 s, and the upper bound wins for functions of less than 64 MB.
/// What the text leaves open, and what is taken here: h is the number of requests in the 5 s past less that of the 5 s before, and
/// instances are collected at the same 5 s ticks, as in the team's repository; a function's ticks count from its first request. A limit
/// that would fall below the base becomes the base (their unsigned subtraction wrapped around instead). Their repository also frees
/// instances by an expected number of releases and lets requests wait for it; the text does not state that, and it is left out.
/// </remarks>
public sealed class MemoryTtlPolicy(MemoryTtlPolicyOptions options) : IKeepAlivePolicy
{
    private readonly double _base = options.BaseMemoryMb * options.Collect.TotalSeconds;
    private double _limitMbSeconds = options.BaseMemoryMb * options.Collect.TotalSeconds;
    private readonly long _tickLengthUs = options.Tick.ToUs();
    private long _tickUs = -1;
    private int _arrivals;
    private int _arrivalsBefore;

    public void RequestArrived(in PoolView pool)
    {
        Roll(pool);
        _arrivals++;
    }

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot)
    {
        Roll(pool);
        var idleSecondsAtTick = Math.Floor((_tickUs - slot.SinceUs) / 1e6);
        if (idleSecondsAtTick * pool.Function.MemoryMb > _limitMbSeconds)
        {
            return KeepDecision.LetGoNow;
        }

        // Not before the first tick at which even the least limit would be exceeded; then tick by tick.
        var leastMbSeconds = Math.Min(_base, LargestLimit(pool));
        var soonestUs = slot.SinceUs + (long)((Math.Floor(leastMbSeconds / pool.Function.MemoryMb) + 1) * 1e6);
        var ticks = Math.Max(1, Math.Ceiling((soonestUs - _tickUs) / (double)_tickLengthUs));
        return KeepDecision.HoldUntil(_tickUs + ((long)ticks * _tickLengthUs));
    }

    private double LargestLimit(in PoolView pool) => 2 * pool.Function.MemoryMb * options.Collect.TotalSeconds;

    /// <summary>Brings the limit up to the last tick.</summary>
    private void Roll(in PoolView pool)
    {
        if (_tickUs < 0)
        {
            _tickUs = pool.NowUs;
        }

        var ticks = (pool.NowUs - _tickUs) / _tickLengthUs;
        _tickUs += ticks * _tickLengthUs;

        // After two ticks without a request the hint is 0 for good.
        for (var i = 0; i < Math.Min(ticks, 3); i++)
        {
            var hint = _arrivals - _arrivalsBefore;
            if (Math.Abs(hint) > 10)
            {
                _limitMbSeconds += Math.Sign(hint) * _base * Math.Ceiling(Math.Log(Math.Abs(hint) / 5.0));
            }

            _limitMbSeconds = Math.Min(Math.Max(_limitMbSeconds, _base), LargestLimit(pool));
            _arrivalsBefore = _arrivals;
            _arrivals = 0;
        }
    }
}

/// <summary>Options of <see cref="MemoryTtlPolicy"/>.</summary>
public sealed record MemoryTtlPolicyOptions
{
    /// <summary>The source's OUTDATED_SLOT_GC_SEC, from 1 ms to a year. The limit's base is this times <see cref="BaseMemoryMb"/>.</summary>
    /// <value>The default is 15 s.</value>
    public TimeSpan Collect { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>The source's OUTDATED_SLOT_GC_BASE_MEM_MB, MB, from 1.</summary>
    /// <value>The default is 128 MB.</value>
    public int BaseMemoryMb { get; init; } = 128;

    /// <summary>How often the limit moves and instances are collected, from 1 ms to an hour.</summary>
    /// <value>The default is 5 s.</value>
    public TimeSpan Tick { get; init; } = TimeSpan.FromSeconds(5);

    internal MemoryTtlPolicyOptions Read(PolicyOptionReader reader) => this with
    {
        Collect = reader.Time("gc", Collect, leastSeconds: 0.001),
        Tick = reader.Time("tick", Tick, leastSeconds: 0.001, mostSeconds: 3600),
    };
}
