namespace FuncScaler.SlotBackends.Budget;

/// <summary>
/// One token bucket for each of several limits on the same calls; a call takes from all of them or from none. Safe for concurrent use.
/// </summary>
/// <remarks>Of its own, because System.Threading.RateLimiting takes no clock and cannot be emptied when the platform says stop.</remarks>
public sealed class TokenBuckets
{
    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly RateLimit[] _limits;
    private readonly double[] _tokens;
    private readonly long _origin;
    private double _filledSeconds;
    private double _stoppedUntilSeconds;

    /// <param name="limits">The limits; none for no limit at all.</param>
    /// <param name="time">The clock that refills.</param>
    public TokenBuckets(IEnumerable<RateLimit> limits, TimeProvider time)
    {
        _limits = [.. limits];
        _time = time;
        _origin = time.GetTimestamp();
        _tokens = [.. _limits.Select(l => (double)l.Calls)];
        foreach (var limit in _limits)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(limit.Calls, 1, nameof(limits));
            ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(limit.Per, TimeSpan.Zero, nameof(limits));
        }
    }

    /// <summary>Calls granted at once: what the scarcest bucket holds; infinite without limits, 0 while stopped.</summary>
    public double Remaining
    {
        get
        {
            lock (_gate)
            {
                var now = Fill();
                return now < _stoppedUntilSeconds ? 0 : _tokens.DefaultIfEmpty(double.PositiveInfinity).Min();
            }
        }
    }

    /// <summary>The most that <see cref="Remaining"/> can be.</summary>
    public double Capacity => _limits.Length == 0 ? double.PositiveInfinity : _limits.Min(l => l.Calls);

    /// <summary>How fast the slowest of the buckets that are short is refilled, calls per second.</summary>
    public double PerSecond
    {
        get
        {
            lock (_gate)
            {
                Fill();
                var slowest = double.PositiveInfinity;
                for (var i = 0; i < _limits.Length; i++)
                {
                    // What later calls will wait for is the scarcest bucket, and any that is more than half used up.
                    if (_tokens[i] <= _tokens.Min() || _tokens[i] <= _limits[i].Calls / 2.0)
                    {
                        slowest = Math.Min(slowest, Rate(i));
                    }
                }

                return slowest;
            }
        }
    }

    /// <summary>Takes one call.</summary>
    /// <param name="wait">When it is not granted: how long until it would be.</param>
    public bool TryTake(out TimeSpan wait)
    {
        lock (_gate)
        {
            var now = Fill();
            var seconds = Math.Max(0, _stoppedUntilSeconds - now);
            for (var i = 0; i < _limits.Length; i++)
            {
                seconds = Math.Max(seconds, (1 - _tokens[i]) / Rate(i));
            }

            // Rounding must not have a caller wait for nothing, nor for the rest of a tick.
            if (seconds > 1e-6)
            {
                wait = TimeSpan.FromTicks((long)Math.Ceiling(seconds * TimeSpan.TicksPerSecond));
                return false;
            }

            for (var i = 0; i < _limits.Length; i++)
            {
                _tokens[i] -= 1;
            }

            wait = TimeSpan.Zero;
            return true;
        }
    }

    /// <summary>Puts one call back that was not made after all.</summary>
    public void Return()
    {
        lock (_gate)
        {
            for (var i = 0; i < _limits.Length; i++)
            {
                _tokens[i] = Math.Min(_limits[i].Calls, _tokens[i] + 1);
            }
        }
    }

    /// <summary>The platform has refused a call for now: nothing is granted for so long.</summary>
    public void StopFor(TimeSpan duration)
    {
        lock (_gate)
        {
            _stoppedUntilSeconds = Math.Max(_stoppedUntilSeconds, Fill() + duration.TotalSeconds);
        }
    }

    private double Rate(int i) => _limits[i].Calls / _limits[i].Per.TotalSeconds;

    private double Fill()
    {
        var now = _time.GetElapsedTime(_origin).TotalSeconds;
        for (var i = 0; i < _limits.Length; i++)
        {
            _tokens[i] = Math.Min(_limits[i].Calls, _tokens[i] + ((now - _filledSeconds) * Rate(i)));
        }

        _filledSeconds = now;
        return now;
    }
}
