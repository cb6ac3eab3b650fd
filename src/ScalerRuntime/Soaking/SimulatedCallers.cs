using System.Runtime.InteropServices;
using FuncScaler.Contract;
using FuncScaler.Runtime.Leasing;
using FuncScaler.Runtime.Service;
using FuncScaler.Runtime.State;
using Grpc.Core;

namespace FuncScaler.Runtime.Soaking;

/// <summary>
/// Callers of several functions that share request ids, repeat themselves, go away while they wait or while they hold an instance, and to whom
/// some replies cannot be delivered. They call the contract's service, and check what they are given.
/// </summary>
/// <param name="pick">The scaler that is called next, and what the ids of its requests begin with.</param>
/// <param name="backend">Knows which instances exist.</param>
/// <param name="dice">Decides.</param>
/// <param name="log">What happens is told there.</param>
/// <param name="concurrency">How many requests may share an instance.</param>
/// <param name="isDead">Whether the life of a worker has been taken for dead; null where there are no workers.</param>
internal sealed class SimulatedCallers(
    Func<(IScaler Scaler, string Ids)> pick, SimulatedPlatform backend, Dice dice, SoakLog log, int concurrency = 1, Func<string, bool>? isDead = null)
{
    /// <summary>Longer than any schedule holds an instance, so that no assignment runs out but those nobody ends.</summary>
    public const int TimeoutSeconds = 10_000;

    private readonly FunctionMeta[] _functions =
        [.. Enumerable.Range(0, 3).Select(i => new FunctionMeta(new MetaKey($"f{i}"), "go", TimeoutSeconds, 128 << i))];

    private readonly List<Call> _calls = [];
    private readonly Dictionary<IScaler, ScalerService> _services = [];

    /// <summary>Requests that ask for twice the memory, as a second gateway with other settings would.</summary>
    private readonly int _largePercent = dice.Pick([0, 0, 0, 50]);

    /// <summary>Calls without an answer.</summary>
    public int Waiting => _calls.Count(c => c.State == CallState.Waiting);

    private bool _restarted;

    /// <summary>Instances that a former process had saved as held by as many requests as they serve.</summary>
    private readonly HashSet<InstanceId> _savedFull = [];

    /// <summary>Calls that hold an instance, or whose reply is under way.</summary>
    public int Holding => _calls.Count(c => c.State is CallState.Answered or CallState.Holding);

    /// <summary>What has happened, so that a test can tell that something has.</summary>
    public int Granted { get; private set; }

    public int Rejected { get; private set; }

    public int Undelivered { get; private set; }

    public int Cancelled { get; private set; }

    /// <summary>How often more than one request was seen to hold an instance.</summary>
    public int Shared { get; private set; }

    public void Assign()
    {
        var (at, ids) = pick();
        var (function, request) = (dice.Pick(_functions), new RequestId($"{ids}{dice.Next(6)}"));

        // An id may be used again once its request has ended, not while a reply to it is still under way.
        if (_calls.Any(c => c.Is(function, request) && (c.State == CallState.Answered || c.InDoubt)))
        {
            return;
        }

        if (_calls.Any(c => c.Is(function, request)))
        {
            log.Count(SoakFault.AskedTwice);
        }

        var call = new Call(function, request, at);
        log.Add($"assign {function.Key} {request}");
        _calls.Add(call);
        var memoryMb = dice.Percent(_largePercent) ? 2 * function.MemoryMb : function.MemoryMb;
        var asked = new AssignRequest
        {
            RequestId = request.Value,
            MetaData = new Meta { Key = function.Key.Value, Runtime = function.Runtime, TimeoutInSecs = TimeoutSeconds, MemoryInMb = (ulong)memoryMb },
        };
        var timeout = dice.Percent(30) ? TimeSpan.FromSeconds(dice.Between(1, 40)) : (TimeSpan?)null;
        call.Task = ServiceOf(at).AssignInstanceAsync(asked, timeout, call.Cancellation.Token, concurrency).AsTask();
        Observe();
    }

    /// <summary>A caller goes away while it waits.</summary>
    public void Cancel()
    {
        if (PickOf(CallState.Waiting) is { } call)
        {
            log.Add($"cancel {call.Function.Key} {call.Request}");
            log.Count(SoakFault.CallerGone);
            Cancelled++;
            call.Cancellation.Cancel();
        }

        Observe();
    }

    /// <summary>A reply reaches its caller, or it does not.</summary>
    public void Deliver(bool well)
    {
        if (PickOf(CallState.Answered) is not { } call)
        {
            return;
        }

        if (well || dice.Percent(80))
        {
            call.State = CallState.Holding;
            return;
        }

        log.Add($"undelivered {call.Function.Key} {call.Request}");
        Undelivered++;
        log.Count(SoakFault.Undelivered);
        call.State = CallState.Ended;
        call.Scaler.Abandon(call.Function.Key, call.Request);
        Observe();
    }

    /// <summary>A request ends; all its callers hear of it. Sometimes it is told twice, or with a wrong name.</summary>
    public void Release()
    {
        if (PickOf(CallState.Holding) is not { } call || _calls.Any(c => c.Is(call.Function, call.Request) && c.State is CallState.Answered or CallState.Waiting))
        {
            return;
        }

        log.Add($"release {call.Function.Key} {call.Request} {call.Instance}");
        if (dice.Percent(10))
        {
            log.Count(SoakFault.WrongRelease);
            var wrong = Release(call, new InstanceId("i-wrong"), default);
            SoakException.Unless(wrong != ReleaseOutcome.Released, $"a release of i-wrong by {call.Request} was accepted");
        }

        foreach (var one in _calls.Where(c => c.Is(call.Function, call.Request) && c.State == CallState.Holding))
        {
            one.State = CallState.Ended;
        }

        // A worker that was taken for dead since has lost what it had, or will as soon as it hears of that.
        var outcome = Release(call, call.Instance, new ReleaseResult(1000 * dice.Between(0, 1000), dice.Percent(5)));
        var expected = LifeOf(call.Scaler) != call.Life ? outcome is ReleaseOutcome.Forwarded
            : isDead?.Invoke(call.Life) == true ? outcome is ReleaseOutcome.Released or ReleaseOutcome.Forwarded
            : call.InDoubt || backend.Lost.Contains(call.Instance) || outcome is ReleaseOutcome.Released;
        SoakException.Unless(expected, $"the release of {call.Instance} by request {call.Request} of {call.Function.Key} was answered with {outcome}");

        if (dice.Percent(10) && !_calls.Any(c => c.Is(call.Function, call.Request) && c.State != CallState.Ended))
        {
            log.Count(SoakFault.WrongRelease);

            // Of a shared instance that a restart has put in doubt, the second release is taken for that of the request which is not known.
            SoakException.Unless(
                Release(call, call.Instance, default) != ReleaseOutcome.Released || (concurrency > 1 && _restarted), $"the release of {call.Instance} by {call.Request} was accepted twice");
        }

        Observe();
    }

    /// <summary>A caller that holds an instance goes away for good, and so do those who share its request.</summary>
    public void Vanish()
    {
        if (PickOf(CallState.Holding) is { } call && !_calls.Any(c => c.Is(call.Function, call.Request) && c.State is CallState.Answered or CallState.Waiting))
        {
            log.Add($"vanish {call.Function.Key} {call.Request} {call.Instance}");
            log.Count(SoakFault.NeverReleased);
            _calls.RemoveAll(c => c.Is(call.Function, call.Request) && c.State == CallState.Holding);
        }
    }

    /// <summary>The scaler's process has ended: whoever waits for it gets an error, and replies under way are lost.</summary>
    public void ScalerEnded() => _calls.RemoveAll(c => c.State is CallState.Waiting or CallState.Answered);

    /// <summary>A new process has taken over what was saved. What a caller holds that was not saved, it may lose.</summary>
    /// <param name="scaler">The new process.</param>
    /// <param name="saved">What it found.</param>
    /// <param name="marked">Of which it also knows who holds it.</param>
    public void ScalerBegan(IScaler scaler, IReadOnlyList<SavedSlot> saved, Predicate<SlotTicket> marked)
    {
        _restarted = true;
        var rows = saved.Where(s => s.Instance.Length > 0).ToDictionary(s => s.Instance);

        // Who left and who came after the last save is not known of them, but for the one that came last.
        _savedFull.UnionWith(rows.Values.Where(r => concurrency > 1 && r.Requests?.Split('\n').Length >= concurrency).Select(r => new InstanceId(r.Instance)));
        foreach (var call in _calls)
        {
            call.Scaler = scaler;
            var row = rows.GetValueOrDefault(call.Instance.Value);
            call.InDoubt |= row is null
                || !marked(row.Ticket)
                || (row.State is not (SlotState.Idle or SlotState.Busy) && row.Function.MaxConcurrency > 1)
                || (row.Function.MaxConcurrency > 1 && row.Requests?.Split('\n').Contains(call.Request.Value) != true);

            // Without marks an instance that stood as ready is still its holder's alone; one that did not is destroyed.
            call.MayBeDestroyed |= call.InDoubt && (row is null || row.Function.MaxConcurrency > 1 || row.State is not (SlotState.Idle or SlotState.Busy));
        }
    }

    /// <summary>Takes in what the scaler has answered, and checks it.</summary>
    public void Observe()
    {
        foreach (var call in _calls.Where(c => c.State == CallState.Waiting && c.Task!.IsCompleted))
        {
            call.State = CallState.Ended;
            if (call.Task!.IsCompletedSuccessfully)
            {
                call.State = CallState.Answered;
                call.Instance = call.Task.Result.Instance.Instance;
                call.Life = LifeOf(call.Scaler);
                log.Add($"granted {call.Function.Key} {call.Request} {call.Instance}");
                Granted++;
            }
            else if (call.Task.IsFaulted)
            {
                var error = call.Task.Exception!.InnerException;
                SoakException.Unless(
                    error is RpcException { StatusCode: not (StatusCode.InvalidArgument or StatusCode.Unknown or StatusCode.Internal) },
                    () => $"request {call.Request} of {call.Function.Key} was answered with {error}");
                Rejected++;
            }
        }

        _calls.RemoveAll(c => c.State == CallState.Ended);
        Check();
    }

    /// <summary>No instance is given to more requests than it serves, none to another function's, and none is destroyed while it is held.</summary>
    private void Check()
    {
        foreach (var held in _calls.Where(c => c.State is CallState.Answered or CallState.Holding).GroupBy(c => c.Instance))
        {
            var requests = held.Select(c => (c.Function.Key, c.Request)).Distinct().Count();

            // A restart may take one that has left a shared instance for one that still holds it; if its id comes again, it is given the same place.
            var mayBeOver = concurrency > 1 && held.Any(c => c.InDoubt);
            var most = _savedFull.Contains(held.Key) ? concurrency + 1 : concurrency;
            SoakException.Unless(requests <= most || mayBeOver, () => $"{held.Key} was given to {requests} requests, and serves {concurrency}");
            Shared += requests > 1 ? 1 : 0;
            SoakException.Unless(
                held.All(c => backend.Instances[held.Key] == c.Function.Key), () => $"{held.Key} was given to a request of another function");
            SoakException.Unless(
                held.All(c => c.MayBeDestroyed) || backend.Lost.Contains(held.Key) || backend.IsThere(held.Key),
                () => $"{held.Key} was destroyed while request {held.First(c => !c.MayBeDestroyed).Request} held it");
        }
    }

    private static string LifeOf(IScaler scaler) => scaler is WorkerRuntime worker ? worker.Worker.Value : "";

    /// <summary>The contract's service on a scaler.</summary>
    private ScalerService ServiceOf(IScaler scaler) =>
        CollectionsMarshal.GetValueRefOrAddDefault(_services, scaler, out _) ??= new ScalerService(scaler, TimeProvider.System);

    /// <summary>Releases through the contract's service; past it where what a worker answers is more than the service tells.</summary>
    private ReleaseOutcome Release(Call call, InstanceId instance, in ReleaseResult result)
    {
        if (call.Scaler is WorkerRuntime)
        {
            return call.Scaler.Release(call.Function.Key, call.Request, instance, result);
        }

        try
        {
            ServiceOf(call.Scaler).Idle(new IdleRequest
            {
                Assigment = new Assignment { RequestId = call.Request.Value, MetaKey = call.Function.Key.Value, InstanceId = instance.Value },
                Result = new Result { DurationInMs = (ulong)(result.DurationUs / 1000), NeedDestroy = result.NeedDestroy },
            });
            return ReleaseOutcome.Released;
        }
        catch (RpcException e)
        {
            return e.StatusCode == StatusCode.NotFound ? ReleaseOutcome.UnknownAssignment : ReleaseOutcome.InstanceMismatch;
        }
    }

    private Call? PickOf(CallState state) => _calls.Where(c => c.State == state).ToList() is { Count: > 0 } found ? dice.Pick(found) : null;

    private enum CallState
    {
        Waiting,
        Answered,
        Holding,
        Ended,
    }

    private sealed class Call(FunctionMeta function, RequestId request, IScaler scaler)
    {
        public FunctionMeta Function { get; } = function;

        public RequestId Request { get; } = request;

        public IScaler Scaler { get; set; } = scaler;

        public CancellationTokenSource Cancellation { get; } = new();

        public Task<(AssignReply Reply, AssignedInstance Instance)>? Task { get; set; }

        public CallState State { get; set; }

        public InstanceId Instance { get; set; }

        /// <summary>The life of the worker that granted it; empty for a scaler that is alone.</summary>
        public string Life { get; set; } = "";

        /// <summary>A restart may have forgotten who holds the instance.</summary>
        public bool InDoubt { get; set; }

        /// <summary>A restart may have forgotten that anybody holds it.</summary>
        public bool MayBeDestroyed { get; set; }

        public bool Is(FunctionMeta function, RequestId request) => Function == function && Request == request;
    }
}
