using System.Runtime.ExceptionServices;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.Contract;
using Grpc.Core;
using Status = FuncScaler.Contract.Status;

namespace FuncScaler.ContestSimulator.Platform;

/// <summary>
/// One run: an open-loop replay of a trace in real time. Every request calls Assign at its time, whatever became of those before it,
/// executes for its duration, then calls Idle. One loop sends all of them; no thread waits. Used once.
/// </summary>
public sealed class ContestReplay
{
    private const string EndedEarly = "ended early, the figures are partial: ";

    private readonly PlatformService _platform;
    private readonly Scaler.ScalerClient _scaler;
    private readonly ContestRun _run;
    private readonly ContestPlatformOptions _options;
    private readonly CallStatistics _statistics = new();
    private readonly TaskCompletionSource _allEnded = new();
    private readonly Meta[] _metas;
    private readonly string _requestIdPrefix;

    // Guarded by _platform.Gate.
    private bool _started;
    private DateTimeOffset _startTime;
    private long _startUs;
    private long _sent;
    private long _lastSentUs;
    private RunReport? _final;

    // The pacing loop counts as one, so that none is the end.
    private int _underway = 1;
    private Exception? _fault;

    /// <exception cref="TraceFormatException">Two functions of the trace have the same key.</exception>
    public ContestReplay(PlatformService platform, Scaler.ScalerClient scaler, ContestRun run, ContestPlatformOptions options)
    {
        ArgumentNullException.ThrowIfNull(platform);
        ArgumentNullException.ThrowIfNull(scaler);
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(options);
        _platform = platform;
        _scaler = scaler;
        _run = run;
        _options = options;
        _metas = [.. run.Trace.Functions.Select(ToMeta)];
        ThrowOnDuplicateKeys(run.Trace);
        _startTime = options.TimeProvider.GetUtcNow();
        _requestIdPrefix = $"{_startTime.ToUnixTimeMilliseconds():x}-";
    }

    /// <summary>Replays the whole trace, waits for its last request and then for the tail.</summary>
    /// <returns>
    /// The result. A cancellation or a malformed line in mid-trace ends the run early: the report is partial then, and its
    /// <see cref="RunReport.Error"/> says why. Requests under way at that time count neither as served nor as failed.
    /// </returns>
    /// <exception cref="InvalidOperationException">It was called before.</exception>
    public async Task<RunReport> RunAsync(IProgress<RunProgress>? progress, CancellationToken cancellation)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        lock (_platform.Gate)
        {
            if (_started)
            {
                throw new InvalidOperationException("A replay is used once.");
            }

            _started = true;
            _startTime = _options.TimeProvider.GetUtcNow();
            _startUs = _platform.NowUs;
            _platform.State.StartRun(_startUs, _run.Trace.Functions);
        }

        var reporting = progress is null ? Task.CompletedTask : ReportProgressAsync(progress, stop.Token);
        string? error = null;
        try
        {
            await SendAllAsync(stop).ConfigureAwait(false);
            await _allEnded.Task.ConfigureAwait(false);
            stop.Token.ThrowIfCancellationRequested();
            await _platform.DelayUntilAsync(_platform.NowUs + ToUs(_options.Tail), stop.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            error = EndedEarly + (_fault?.Message ?? "cancelled");
        }
        catch (Exception unreadable) when (unreadable is TraceFormatException or IOException or InvalidDataException)
        {
            error = EndedEarly + unreadable.Message;
        }
        catch (Exception defect)
        {
            _fault = defect;
            error = EndedEarly + defect.Message;
        }

        RunReport report;
        lock (_platform.Gate)
        {
            report = ReportLocked(_options.TimeProvider.GetUtcNow(), error);
        }

        // What an early end leaves under way is cut off, and must be gone before another run begins.
        stop.Cancel();
        await _allEnded.Task.ConfigureAwait(false);
        await reporting.ConfigureAwait(false);
        lock (_platform.Gate)
        {
            _final = report;
        }

        if (_fault is { } fault)
        {
            ExceptionDispatchInfo.Throw(fault);
        }

        progress?.Report(ProgressOf(report));
        return report;
    }

    /// <summary>Whether the final report is there: nothing of the run is under way any more, and another may begin.</summary>
    public bool HasEnded
    {
        get
        {
            lock (_platform.Gate)
            {
                return _final is not null;
            }
        }
    }

    /// <summary>What the run has come to so far; its final report once it has ended.</summary>
    public RunReport Snapshot()
    {
        lock (_platform.Gate)
        {
            return _final ?? ReportLocked(null, null);
        }
    }

    /// <summary>Ends a run that could not begin.</summary>
    internal RunReport Abandon(string error)
    {
        lock (_platform.Gate)
        {
            return _final ??= ReportLocked(_options.TimeProvider.GetUtcNow(), error);
        }
    }

    private static long ToUs(TimeSpan span) => span.Ticks / TimeSpan.TicksPerMicrosecond;

    private static Meta ToMeta(TraceFunction function) => new()
    {
        Key = function.Meta.Key.Value,
        Runtime = function.Meta.Runtime,
        TimeoutInSecs = (uint)function.Meta.TimeoutSeconds,
        MemoryInMb = (ulong)function.Meta.MemoryMb,
    };

    private static void ThrowOnDuplicateKeys(ITrace trace)
    {
        var seen = new HashSet<MetaKey>();
        foreach (var function in trace.Functions)
        {
            if (!seen.Add(function.Meta.Key))
            {
                throw new TraceFormatException(
                    $"Trace \"{trace.Name}\" has two functions with the key \"{function.Meta.Key}\": remove one from its metas.");
            }
        }
    }

    private async Task SendAllAsync(CancellationTokenSource stop)
    {
        try
        {
            long? firstUs = null;
            var number = 0L;
            foreach (var request in _run.Trace.ReadRequests())
            {
                firstUs ??= request.StartUs;
                var sinceFirstUs = request.StartUs - firstUs.Value;
                await _platform.DelayUntilAsync(_startUs + sinceFirstUs, stop.Token).ConfigureAwait(false);
                stop.Token.ThrowIfCancellationRequested();
                lock (_platform.Gate)
                {
                    _sent++;
                    _lastSentUs = sinceFirstUs;
                    _statistics.Sent(_startUs + sinceFirstUs, _platform.NowUs);
                    _platform.State.AssignSent(_run.Trace.Functions[request.Function].Meta);
                }

                Interlocked.Increment(ref _underway);
                _ = ServeAsync(new RequestId($"{_requestIdPrefix}{++number}"), request, stop);
            }
        }
        finally
        {
            LeaveUnderway();
        }
    }

    /// <summary>Sees one request through; never throws.</summary>
    private async Task ServeAsync(RequestId id, TraceRequest request, CancellationTokenSource stop)
    {
        try
        {
            if (!await TryServeAsync(id, request, stop.Token).ConfigureAwait(false))
            {
                lock (_platform.Gate)
                {
                    _platform.State.RequestFailed();
                }
            }
        }
        catch (Exception) when (stop.IsCancellationRequested)
        {
            // Cut off by the run's early end.
        }
        catch (Exception fault)
        {
            // A defect of the platform, not of the scaler: the run's caller gets it.
            Interlocked.CompareExchange(ref _fault, fault, null);
            stop.Cancel();
        }
        finally
        {
            LeaveUnderway();
        }
    }

    private async Task<bool> TryServeAsync(RequestId id, TraceRequest request, CancellationToken stop)
    {
        var function = _run.Trace.Functions[request.Function];
        var assign = new AssignRequest
        {
            RequestId = id.Value,
            Timestamp = (ulong)_options.TimeProvider.GetUtcNow().ToUnixTimeMilliseconds(),
            MetaData = _metas[request.Function],
        };

        var sentUs = _platform.NowUs;
        AssignReply granted;
        try
        {
            granted = await _scaler.AssignAsync(assign, CallOptions(stop)).ConfigureAwait(false);
        }
        catch (RpcException error) when (!stop.IsCancellationRequested)
        {
            return Fail(Misuse.AssignRpcError, $"request \"{id}\" of function \"{function.Meta.Key}\": {error.StatusCode}: {error.Status.Detail}");
        }
        finally
        {
            lock (_platform.Gate)
            {
                _platform.State.AssignEnded(function.Meta);
            }
        }

        var answeredUs = _platform.NowUs;
        var assignUs = answeredUs - sentUs;
        _options.AssignAnswered?.Invoke(assignUs);
        if (granted.Status != Status.Ok)
        {
            return Fail(
                Misuse.AssignRefused,
                $"request \"{id}\" of function \"{function.Meta.Key}\": {granted.Status} \"{granted.ErrorMessage}\"");
        }

        bool isWarm;
        lock (_platform.Gate)
        {
            var check = _platform.State.Grant(_platform.NowUs, id, function.Meta.Key, granted.Assigment);
            if (check.Failure is not null)
            {
                return false;
            }

            isWarm = _statistics.Granted(sentUs, assignUs, check, function.InitDurationUs);
        }

        await _platform.DelayUntilAsync(answeredUs + request.DurationUs, stop).ConfigureAwait(false);

        bool survived;
        lock (_platform.Gate)
        {
            survived = _platform.State.Release(_platform.NowUs, id);
        }

        var idle = new IdleRequest { Assigment = granted.Assigment, Result = ResultOf(request, survived) };
        var idleSentUs = _platform.NowUs;
        IdleReply released;
        try
        {
            released = await _scaler.IdleAsync(idle, CallOptions(stop)).ConfigureAwait(false);
        }
        catch (RpcException error) when (!stop.IsCancellationRequested)
        {
            return Fail(Misuse.IdleRpcError, $"request \"{id}\" of function \"{function.Meta.Key}\": {error.StatusCode}: {error.Status.Detail}");
        }

        var idleUs = _platform.NowUs - idleSentUs;
        if (released.Status != Status.Ok)
        {
            return Fail(
                Misuse.IdleRefused,
                $"request \"{id}\" of function \"{function.Meta.Key}\": {released.Status} \"{released.ErrorMessage}\"");
        }

        if (!survived)
        {
            return false;
        }

        lock (_platform.Gate)
        {
            _platform.State.RequestServed(request.DurationUs, function.Meta.MemoryMb, assignUs, idleUs);
            if (isWarm)
            {
                _statistics.WarmIdle(idleUs);
            }
        }

        return true;
    }

    /// <summary>gRPC counts deadlines on the system's clock.</summary>
    private CallOptions CallOptions(CancellationToken stop) =>
        new(deadline: TimeProvider.System.GetUtcNow().UtcDateTime + _options.CallTimeout, cancellationToken: stop);

    private static Result ResultOf(TraceRequest request, bool survived)
    {
        var result = new Result
        {
            StatusCode = survived ? request.StatusCode : 500,
            DurationInMs = (ulong)(request.DurationUs / 1000),
            NeedDestroy = !survived || request.StatusCode != 200,
        };
        if (!survived)
        {
            result.Reason = "the slot was destroyed while it executed the request";
        }
        else if (request.StatusCode != 200)
        {
            result.Reason = $"the instance is broken: status code {request.StatusCode}";
        }

        return result;
    }

    private bool Fail(Misuse kind, string example)
    {
        lock (_platform.Gate)
        {
            _platform.State.Count(kind, example);
        }

        return false;
    }

    private void LeaveUnderway()
    {
        if (Interlocked.Decrement(ref _underway) == 0)
        {
            _allEnded.SetResult();
        }
    }

    private async Task ReportProgressAsync(IProgress<RunProgress> progress, CancellationToken stop)
    {
        try
        {
            while (true)
            {
                await Task.Delay(_options.ProgressInterval, _options.TimeProvider, stop).ConfigureAwait(false);
                progress.Report(ProgressOf(Snapshot()));
            }
        }
        catch (OperationCanceledException)
        {
            // The run has ended.
        }
    }

    private RunProgress ProgressOf(RunReport report)
    {
        lock (_platform.Gate)
        {
            return new RunProgress(
                report.Sent,
                report.Score.Requests,
                report.Score.FailedRequests,
                report.LiveSlots,
                (report.EndTime ?? _options.TimeProvider.GetUtcNow()) - report.StartTime,
                _lastSentUs);
        }
    }

    private RunReport ReportLocked(DateTimeOffset? endTime, string? error)
    {
        var state = _platform.State;
        return new RunReport(
            _run.Id,
            _run.RequestFilePath,
            _run.MetaFilePath,
            _startTime,
            endTime,
            _started ? state.ScoreAt(_platform.NowUs) : default,
            _started ? state.LiveSlots : 0,
            _sent,
            _statistics.Snapshot(_started ? state.PeakLiveSlots : 0, _started ? state.SlotsOfRun : 0),
            _started ? state.Misuses : [],
            error);
    }
}
