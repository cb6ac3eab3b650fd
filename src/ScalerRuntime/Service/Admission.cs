using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace FuncScaler.Runtime.Service;

/// <summary>When a server lets assigns in.</summary>
public sealed record AdmissionOptions
{
    /// <summary>
    /// Work may stand in the process's queue for so long before assigns are refused. Default 1 s; above 0, or
    /// <see cref="Timeout.InfiniteTimeSpan"/> for never.
    /// </summary>
    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Beyond so many bytes of managed memory assigns are refused. Default: three quarters of what the process may have; above 0.
    /// </summary>
    public long MaxMemoryBytes { get; init; } = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4 * 3;
}

/// <summary>
/// Stands before the service and refuses assigns while the process is behind its work or short of memory: at once, before they are read, and
/// with a hint when to come again. Releases and all else come through. Says as well when the process has stood still.
/// </summary>
/// <remarks>
/// A probe stands in the thread pool's queue at all times, and a timer, which does not wait there, looks every 25 ms how long it has stood. One
/// late beat is a stall, as after a collection of garbage: nothing is refused, creations are held. Two in a row are overload: the share of assigns
/// that are let in falls by a quarter with each late beat, and rises by a quarter with each that is in time. So what is let in settles at what can
/// be served, and all are let in again half a second after the overload.
/// </remarks>
public sealed class Admission : IDisposable
{
    /// <summary>How often the process's delay is measured.</summary>
    internal static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(25);

    /// <summary>From this delay on the process has stood still for a moment.</summary>
    internal static readonly TimeSpan ShortestStall = TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan LongestHold = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan MemoryInterval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan CollectInterval = TimeSpan.FromSeconds(5);

    /// <summary>After how long those who were refused for memory may come again.</summary>
    private static readonly TimeSpan MemoryRetry = TimeSpan.FromSeconds(2);

    private const double LeastShare = 0.02;
    private const double Fall = 0.75;
    private const double Rise = 1.25;

    private readonly AdmissionOptions _options;
    private readonly TimeProvider _time;
    private readonly Action<TimeSpan> _stalled;
    private readonly Func<long> _memory;
    private readonly ITimer? _timer;
    private long _beatTicks;
    private long _probeTicks;
    private volatile bool _probing;
    private long _nextMemoryTicks;
    private long _nextCollectTicks = long.MinValue;
    private long _mayHoldTicks = long.MinValue;
    private int _lateBeats;
    private double _share = 1;
    private double _credit;
    private volatile bool _short;
    private volatile bool _sheds;
    private readonly Lock _gate = new();

    /// <param name="options">Limits.</param>
    /// <param name="time">The clock.</param>
    /// <param name="stalled">Told for how long no creations should be begun, because the process has stood still.</param>
    public Admission(AdmissionOptions options, TimeProvider time, Action<TimeSpan> stalled)
        : this(options, time, stalled, static () => GC.GetTotalMemory(forceFullCollection: false), beats: true)
    {
    }

    internal Admission(AdmissionOptions options, TimeProvider time, Action<TimeSpan> stalled, Func<long> memory, bool beats)
    {
        (_options, _time, _stalled, _memory) = (options, time, stalled, memory);
        if (beats)
        {
            _beatTicks = time.GetTimestamp();
            _timer = time.CreateTimer(static state => ((Admission)state!).OnBeat(), this, Beat, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>The share of assigns that are let in, 0 to 1.</summary>
    public double Share => _short ? 0 : _share;

    /// <summary>Lets a request through or refuses it.</summary>
    public Task InvokeAsync(HttpContext http, RequestDelegate next)
    {
        ArgumentNullException.ThrowIfNull(http);
        ArgumentNullException.ThrowIfNull(next);
        if (!_sheds || !IsAssign(http.Request))
        {
            return next(http);
        }

        // Whoever has gone away meanwhile costs nothing, not even a refusal: else old requests are all that an overloaded process deals with.
        return http.RequestAborted.IsCancellationRequested ? Task.CompletedTask
            : TryEnter(out var why, out var retryAfter) ? next(http)
            : ScalerRefusal.SendAsync(http, StatusCode.ResourceExhausted, why, retryAfter);
    }

    public void Dispose() => _timer?.Dispose();

    /// <summary>Whether one more assign is let in.</summary>
    internal bool TryEnter(out string why, out TimeSpan retryAfter)
    {
        (why, retryAfter) = ("", TimeSpan.Zero);
        if (_short)
        {
            (why, retryAfter) = ("the scaler is short of memory and takes no more requests for now", MemoryRetry);
            return false;
        }

        lock (_gate)
        {
            _credit += _share;
            if (_credit >= 1)
            {
                _credit -= 1;
                return true;
            }

            // The fewer are let in, the later all of them would be.
            (why, retryAfter) = ("the scaler has more requests than it can serve", TimeSpan.FromSeconds(Math.Min(5, 0.2 / _share)));
            return false;
        }
    }

    /// <summary>Work has stood in the queue for so long.</summary>
    internal void Observe(TimeSpan late)
    {
        var nowTicks = _time.GetTimestamp();
        lock (_gate)
        {
            _lateBeats = late > _options.MaxDelay && _options.MaxDelay != Timeout.InfiniteTimeSpan ? _lateBeats + 1 : 0;
            if (_lateBeats > 1)
            {
                _share = Math.Max(LeastShare, _share * Fall);
            }
            else if (_lateBeats == 0)
            {
                _share = Math.Min(1, _share * Rise);
            }

            LookAtMemory(nowTicks);
            _sheds = _short || _share < 1;
        }

        if (late >= ShortestStall && nowTicks >= _mayHoldTicks)
        {
            // Not without end: a function that is new has to get its first instance some time.
            var hold = late < LongestHold ? late : LongestHold;
            _mayHoldTicks = nowTicks + Ticks(3 * hold);
            _stalled(hold);
        }
    }

    private static bool IsAssign(HttpRequest request) =>
        request.Path.Value is { } path
        && (path.EndsWith("/Assign", StringComparison.OrdinalIgnoreCase)
            || path.EndsWith("/AcquireContainer", StringComparison.OrdinalIgnoreCase)
            || path.StartsWith("/api/assign", StringComparison.OrdinalIgnoreCase));

    private void LookAtMemory(long nowTicks)
    {
        if (nowTicks < _nextMemoryTicks)
        {
            return;
        }

        _nextMemoryTicks = nowTicks + Ticks(MemoryInterval);
        var used = _memory();
        _short = used > (_short ? _options.MaxMemoryBytes / 10 * 9 : _options.MaxMemoryBytes);
        if (_short && nowTicks >= _nextCollectTicks)
        {
            // What is garbage alone must not refuse anybody for long.
            _nextCollectTicks = nowTicks + Ticks(CollectInterval);
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Optimized, blocking: false);
        }
    }

    private void OnBeat()
    {
        var late = _time.GetElapsedTime(_beatTicks) - Beat;
        if (_probing)
        {
            var stood = _time.GetElapsedTime(_probeTicks);
            late = stood > late ? stood : late;
        }
        else
        {
            _probing = true;
            _probeTicks = _time.GetTimestamp();
            ThreadPool.UnsafeQueueUserWorkItem(static admission => admission._probing = false, this, preferLocal: false);
        }

        Observe(late);
        _beatTicks = _time.GetTimestamp();
        _timer!.Change(Beat, Timeout.InfiniteTimeSpan);
    }

    private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * _time.TimestampFrequency);
}
