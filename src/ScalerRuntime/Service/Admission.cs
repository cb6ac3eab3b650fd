using FuncScaler.Runtime.Service.Frames;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace FuncScaler.Runtime.Service;

/// <summary>When a server lets assigns in.</summary>
public sealed record AdmissionOptions
{
    /// <summary>
    /// Where work stands in the process's queue for longer than this, for 150 ms on end, assigns are refused. Default 200 ms; above 0, or
    /// <see cref="Timeout.InfiniteTimeSpan"/> for never.
    /// </summary>
    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>
    /// Beyond so many bytes of managed memory assigns are refused. Default: three quarters of what the process may have; above 0.
    /// </summary>
    public long MaxMemoryBytes { get; init; } = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4 * 3;
}

/// <summary>
/// Says which assigns are refused while the process is behind its work or short of memory: at once, before they are read, and with a hint when to
/// come again. Releases and all else come through. Says as well when the process has stood still.
/// </summary>
/// <remarks>
/// A probe stands in the thread pool's queue at all times, and a thread of its own looks every 25 ms how long it has stood. (A timer would not do: its
/// callbacks wait in that queue too, and in an overload they come seconds late.) A late beat is a stall, as after a collection of garbage: nothing is
/// refused, creations are held. Six in a row are overload. Then as many assigns are let in as the process was seen to begin, fewer while the queue is
/// long, and a little more while it is short. So the queue stays short and never empty, whatever comes: the delay is looked at as in CoDel (Nichols and
/// Jacobson, 2012), and the rate is measured as in BBR (Cardwell et al., 2016). All are let in again half a second after fewer come than could be served.
/// </remarks>
public sealed class Admission : IDisposable
{
    /// <summary>How often the process's delay is measured.</summary>
    internal static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(25);

    /// <summary>From this delay on the process has stood still for a moment.</summary>
    internal static readonly TimeSpan ShortestStall = TimeSpan.FromMilliseconds(50);

    /// <summary>What callers are told who are refused in an overload.</summary>
    internal const string TooMany = "the scaler has more requests than it can serve";

    /// <summary>So many beats with a late queue are overload.</summary>
    internal const int LateBeats = 6;

    /// <summary>So many beats with fewer assigns than could be let in end it.</summary>
    internal const int CalmBeats = 20;

    private static readonly TimeSpan LongestHold = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan MemoryInterval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan CollectInterval = TimeSpan.FromSeconds(5);

    /// <summary>After how long callers may come again at the soonest.</summary>
    private static readonly TimeSpan LeastRetry = TimeSpan.FromMilliseconds(200);

    /// <summary>A request that has waited for so many times the delay that is allowed is refused.</summary>
    private const double TooOld = 4;

    /// <summary>After how long those who were refused for memory may come again.</summary>
    private static readonly TimeSpan MemoryRetry = TimeSpan.FromSeconds(2);

    /// <summary>Of what the process begins, this is let in while the queue is very long, while it is long, and while it is short.</summary>
    private const double WhileVeryLong = 0.2;
    private const double WhileLong = 0.6;
    private const double WhileShort = 1.05;

    /// <summary>While the queue is short, more may be possible than was seen: so much more with each beat, and at most.</summary>
    private const double Rise = 0.02;
    private const double MostRise = 0.1;

    /// <summary>While the queue is very long, less may be possible than was seen: so much is left of it with each beat.</summary>
    private const double Fall = 0.98;

    /// <summary>
    /// So many are let in with each beat, and at one time, however long the queue is. A process that so few callers find late is held up by others on
    /// its machine, and to refuse the few would not mend that.
    /// </summary>
    private const double LeastEach = 2;
    private const double LeastAtOnce = 64;

    /// <summary>While a larger share is let in, too few are refused for old requests to be the trouble.</summary>
    private const double NearlyAll = 0.99;

    /// <summary>So many items of work may stand in the thread pool's queue before requests wait unread: some 20 ms of work on a whole core.</summary>
    internal const int MostPending = 256;

    /// <summary>What one beat counts in a mean.</summary>
    private const double Newest = 0.2;

    private readonly AdmissionOptions _options;
    private readonly TimeProvider _time;
    private readonly Action<TimeSpan> _stalled;
    private readonly Func<long> _memory;
    private readonly Func<long> _pending;
    private readonly ManualResetEventSlim _stop = new();
    private long _beatTicks;
    private long _probeTicks;
    private volatile bool _probing;
    private long _nextMemoryTicks;
    private long _nextCollectTicks = long.MinValue;
    private long _mayHoldTicks = long.MinValue;
    private int _lateBeats;
    private int _calmBeats;
    private int _shortBeats;
    private volatile bool _counts;
    private int _begun;
    private long _oldest;
    private double _begunBefore;
    private double _rate;
    private double _credit;
    private double _mostCredit;
    private int _asked;
    private int _letIn;
    private double _share = 1;
    private volatile bool _overloaded;
    private volatile bool _short;
    private readonly Lock _gate = new();

    /// <param name="options">Limits.</param>
    /// <param name="time">The clock.</param>
    /// <param name="stalled">Told for how long no creations should be begun, because the process has stood still.</param>
    public Admission(AdmissionOptions options, TimeProvider time, Action<TimeSpan> stalled)
        : this(options, time, stalled, static () => GC.GetTotalMemory(forceFullCollection: false), beats: true)
    {
    }

    internal Admission(
        AdmissionOptions options, TimeProvider time, Action<TimeSpan> stalled, Func<long> memory, bool beats, Func<long>? pending = null)
    {
        (_options, _time, _stalled, _memory, _pending) = (options, time, stalled, memory, pending ?? (static () => ThreadPool.PendingWorkItemCount));
        if (beats)
        {
            _beatTicks = time.GetTimestamp();
            new Thread(BeatOn) { IsBackground = true, Name = "admission" }.Start();
        }
    }

    /// <summary>The share of assigns that are let in, 0 to 1.</summary>
    public double Share => _short ? 0 : _overloaded ? _share : 1;

    /// <summary>Whether assigns have to be asked for.</summary>
    internal bool Sheds => _overloaded || _short;

    /// <summary>
    /// Whether so much work stands in the thread pool's queue that no further requests should join it. They wait unread, so that they can be refused unread
    /// where this turns out to be an overload.
    /// </summary>
    internal bool IsFull => _pending() > MostPending;

    /// <summary>Lets a request through or refuses it.</summary>
    public Task InvokeAsync(HttpContext http, RequestDelegate next)
    {
        ArgumentNullException.ThrowIfNull(http);
        ArgumentNullException.ThrowIfNull(next);
        if (!(_counts || Sheds) || !IsAssign(http.Request))
        {
            return next(http);
        }

        // Whoever has gone away meanwhile costs nothing, not even a refusal: else old requests are all that an overloaded process deals with.
        if (http.RequestAborted.IsCancellationRequested)
        {
            return Task.CompletedTask;
        }

        // Whoever was looked at by its frames has been let in already. Whoever came before the overload was seen may have waited for so long that its
        // caller is about to go.
        var shedding = http.Features.Get<FrameShedding>();
        var age = shedding is not null && http.Features.Get<IHttp2StreamIdFeature>() is { } stream ? shedding.AgeOf(stream.StreamId) : TimeSpan.Zero;
        var (why, retryAfter) = (TooMany, LeastRetry);
        if (Sheds && ((age > TooOld * _options.MaxDelay && Share < NearlyAll) || (shedding is not { IsSettled: true } && !TryEnter(out why, out retryAfter))))
        {
            return ScalerRefusal.SendAsync(http, StatusCode.ResourceExhausted, why, retryAfter);
        }

        CountBegun(age);
        return next(http);
    }

    public void Dispose() => _stop.Set();

    /// <summary>The process has begun with an assign that came so long ago.</summary>
    internal void CountBegun(TimeSpan age)
    {
        Interlocked.Increment(ref _begun);
        CountWait(age);
    }

    /// <summary>Assigns have waited for so long to be begun.</summary>
    internal void CountWait(TimeSpan age)
    {
        if (age.Ticks > Volatile.Read(ref _oldest))
        {
            // Of two at a time either is old enough.
            Volatile.Write(ref _oldest, age.Ticks);
        }
    }

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
            _asked++;
            if (!_overloaded || _credit >= 1)
            {
                _credit--;
                _letIn++;
                return true;
            }

            // The fewer are let in, the later all of them would be.
            (why, retryAfter) = (TooMany, TimeSpan.FromSeconds(Math.Clamp(LeastRetry.TotalSeconds / _share, LeastRetry.TotalSeconds, 5)));
            return false;
        }
    }

    /// <summary>Work has stood in the queue for so long.</summary>
    /// <param name="late">For how long.</param>
    /// <param name="beats">How many beats have passed since the last look; more than one where the machine let the thread wait.</param>
    internal void Observe(TimeSpan late, double beats = 1)
    {
        var nowTicks = _time.GetTimestamp();
        var oldest = TimeSpan.FromTicks(Interlocked.Exchange(ref _oldest, 0));
        var delay = oldest > late ? oldest : late;
        lock (_gate)
        {
            var begun = Interlocked.Exchange(ref _begun, 0) / beats;
            _lateBeats = delay > _options.MaxDelay && _options.MaxDelay != Timeout.InfiniteTimeSpan ? _lateBeats + 1 : 0;
            _begunBefore = _lateBeats > 1 ? _begunBefore + begun : 0;
            if (_overloaded)
            {
                Steer(delay, begun, beats);
            }
            else if (_lateBeats >= LateBeats)
            {
                Begin();
            }

            _counts = _lateBeats > 0 || _overloaded;
            LookAtMemory(nowTicks);
        }

        if (late >= ShortestStall && nowTicks >= _mayHoldTicks)
        {
            // Not without end: a function that is new has to get its first instance some time.
            var hold = late < LongestHold ? late : LongestHold;
            _mayHoldTicks = nowTicks + Ticks(3 * hold);
            _stalled(hold);
        }
    }

    private void Begin()
    {
        _overloaded = true;
        _rate = Math.Max(1, _begunBefore / (LateBeats - 1));
        (_credit, _mostCredit, _calmBeats, _share) = (LeastAtOnce, LeastAtOnce, 0, 1);
        (_asked, _letIn) = (0, 0);
    }

    /// <summary>Lets in about as many as were begun.</summary>
    private void Steer(TimeSpan delay, double begun, double beats)
    {
        var isVeryLong = delay > 2 * _options.MaxDelay;
        var isShort = delay < _options.MaxDelay / 4;
        var isCalm = isShort && _asked == _letIn && _credit + _rate >= _mostCredit;
        _calmBeats = isCalm ? _calmBeats + 1 : 0;
        if (_calmBeats >= CalmBeats)
        {
            _overloaded = false;
            return;
        }

        if (_asked > 0)
        {
            _share += Newest * (((double)_letIn / _asked) - _share);
            (_asked, _letIn) = (0, 0);
        }

        _shortBeats = isShort ? _shortBeats + 1 : 0;
        double letIn;
        if (isVeryLong)
        {
            // What is begun now is old, and tells little.
            (_rate, letIn) = (_rate * Fall, WhileVeryLong);
        }
        else if (isShort)
        {
            // What is begun now tells how much comes, and not how much could be served.
            (_rate, letIn) = (isCalm ? _rate : _rate * (1 + Math.Min(MostRise, Rise * _shortBeats)), WhileShort);
        }
        else
        {
            (_rate, letIn) = (_rate + (Newest * (begun - _rate)), delay > _options.MaxDelay ? WhileLong : 1);
        }

        _rate = Math.Max(1, _rate);
        var each = Math.Max(LeastEach, _rate * letIn);
        _mostCredit = Math.Max(LeastAtOnce, 2 * each);
        _credit = Math.Min(_credit + (each * Math.Min(beats, 2)), _mostCredit);
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

    private void BeatOn()
    {
        while (!_stop.Wait(Beat))
        {
            OnBeat();
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

        Observe(late, Math.Max(1, _time.GetElapsedTime(_beatTicks) / Beat));
        _beatTicks = _time.GetTimestamp();
    }

    private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * _time.TimestampFrequency);
}
