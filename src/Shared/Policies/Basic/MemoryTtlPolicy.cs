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
    private readonly double _base = options.BaseMemoryMb * options.CollectSeconds;
    private double _limitMbSeconds = options.BaseMemoryMb * options.CollectSeconds;
    private long _tickUs = -1;
    private int _arrivals;
    private int _arrivalsBefore;

    public void RequestArrived(in PoolView pool)
    {
        Roll(pool);
        _arrivals++;
    }

    public long KeepUntilUs(in PoolView pool, in IdleSlot slot)
    {
        Roll(pool);
        var idleSecondsAtTick = Math.Floor((_tickUs - slot.SinceUs) / 1e6);
        if (idleSecondsAtTick * pool.Function.MemoryMb > _limitMbSeconds)
        {
            return pool.NowUs;
        }

        // Not before the first tick at which even the least limit would be exceeded; then tick by tick.
        var leastMbSeconds = Math.Min(_base, LargestLimit(pool));
        var soonestUs = slot.SinceUs + (long)((Math.Floor(leastMbSeconds / pool.Function.MemoryMb) + 1) * 1e6);
        var ticks = Math.Max(1, Math.Ceiling((soonestUs - _tickUs) / (double)options.TickUs));
        return _tickUs + ((long)ticks * options.TickUs);
    }

    private double LargestLimit(in PoolView pool) => 2 * pool.Function.MemoryMb * options.CollectSeconds;

    /// <summary>Brings the limit up to the last tick.</summary>
    private void Roll(in PoolView pool)
    {
        if (_tickUs < 0)
        {
            _tickUs = pool.NowUs;
        }

        var ticks = (pool.NowUs - _tickUs) / options.TickUs;
        _tickUs += ticks * options.TickUs;

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

/// <param name="CollectSeconds">The source's OUTDATED_SLOT_GC_SEC, s; more than 0. The limit's base is this times <paramref name="BaseMemoryMb"/>.</param>
/// <param name="BaseMemoryMb">The source's OUTDATED_SLOT_GC_BASE_MEM_MB, MB.</param>
/// <param name="TickSeconds">How often the limit moves and instances are collected, s; more than 0.</param>
public sealed record MemoryTtlPolicyOptions(double CollectSeconds = 15, int BaseMemoryMb = 128, double TickSeconds = 5)
{
    internal long TickUs { get; } = (long)(TickSeconds * 1e6);

    internal static MemoryTtlPolicyOptions Read(PolicyOptionReader reader) =>
        new(reader.Seconds("gc", 15, least: 0.001), 128, reader.Number("tick", 5, 0.001, 3600));
}
