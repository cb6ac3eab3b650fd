using FuncScaler.Runtime;
using FuncScaler.Runtime.Leasing;
using FuncScaler.Tests.Pool;

namespace FuncScaler.Tests.Simulation;

/// <summary>
/// Callers of several functions that share request ids, repeat themselves, go away while they wait, and to whom some replies cannot be
/// delivered. They check what they are given.
/// </summary>
/// <param name="pick">The scaler that is called next, and what the ids of its requests begin with.</param>
/// <param name="backend">Knows which instances exist.</param>
/// <param name="dice">Decides.</param>
/// <param name="log">What happens is told there.</param>
/// <param name="concurrency">How many requests may share an instance.</param>
/// <param name="isDead">Whether the life of a worker has been taken for dead; null where there are no workers.</param>
internal sealed class SimulatedCallers(
    Func<(IScaler Scaler, string Ids)> pick, SimulatedBackend backend, Dice dice, List<string> log, int concurrency = 1, Func<string, bool>? isDead = null)
{
    private readonly FunctionMeta[] _functions =
        [.. Enumerable.Range(0, 3).Select(i => new FunctionMeta(new MetaKey($"f{i}"), "go", 100_000, 128 << i, concurrency))];

    private readonly List<Call> _calls = [];

    /// <summary>Requests that ask for twice the memory, as a second gateway with other settings would.</summary>
    private readonly int _largePercent = dice.Pick([0, 0, 0, 50]);

    /// <summary>Calls without an answer.</summary>
    public int Waiting => _calls.Count(c => c.State == CallState.Waiting);

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
        if (_calls.Any(c => c.Is(function, request) && c.State == CallState.Answered))
        {
            return;
        }

        var call = new Call(function, request, at);
        log.Add($"assign {function.Key} {request}");
        _calls.Add(call);
        var asked = dice.Percent(_largePercent) ? function with { MemoryMb = 2 * function.MemoryMb } : function;
        call.Task = call.Scaler.AssignAsync(asked, request, dice.Percent(30) ? TimeSpan.FromSeconds(dice.Between(1, 40)) : null, call.Cancellation.Token).AsTask();
        Observe();
    }

    /// <summary>A caller goes away while it waits.</summary>
    public void Cancel()
    {
        if (PickOf(CallState.Waiting) is { } call)
        {
            log.Add($"cancel {call.Function.Key} {call.Request}");
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
            Assert.NotEqual(ReleaseOutcome.Released, call.Scaler.Release(call.Function.Key, call.Request, new InstanceId("i-wrong"), default));
        }

        foreach (var one in _calls.Where(c => c.Is(call.Function, call.Request) && c.State == CallState.Holding))
        {
            one.State = CallState.Ended;
        }

        // A worker that was taken for dead since has lost what it had, or will as soon as it hears of that.
        var outcome = call.Scaler.Release(call.Function.Key, call.Request, call.Instance, new ReleaseResult(dice.Between(0, 1_000_000), dice.Percent(5)));
        if (LifeOf(call.Scaler) != call.Life)
        {
            Assert.Equal(ReleaseOutcome.Forwarded, outcome);
        }
        else if (isDead?.Invoke(call.Life) == true)
        {
            Assert.True(outcome is ReleaseOutcome.Released or ReleaseOutcome.Forwarded, $"a release was answered with {outcome}");
        }
        else
        {
            Assert.Equal(ReleaseOutcome.Released, outcome);
        }

        if (dice.Percent(10) && !_calls.Any(c => c.Is(call.Function, call.Request) && c.State != CallState.Ended))
        {
            Assert.NotEqual(ReleaseOutcome.Released, call.Scaler.Release(call.Function.Key, call.Request, call.Instance, default));
        }

        Observe();
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
                call.Instance = call.Task.Result.Instance;
                call.Life = LifeOf(call.Scaler);
                Granted++;
            }
            else if (call.Task.IsFaulted)
            {
                Assert.IsType<AssignRejectedException>(call.Task.Exception!.InnerException);
                Rejected++;
            }
        }

        _calls.RemoveAll(c => c.State == CallState.Ended);
        Check();
    }

    private void Check()
    {
        foreach (var held in _calls.Where(c => c.State is CallState.Answered or CallState.Holding).GroupBy(c => c.Instance))
        {
            var requests = held.Select(c => (c.Function.Key, c.Request)).Distinct().Count();
            Assert.True(requests <= concurrency, $"{held.Key} was given to {requests} requests");
            Shared += requests > 1 ? 1 : 0;
            Assert.True(held.All(c => backend.Instances[held.Key] == c.Function.Key), $"{held.Key} was given to a request of another function");
            Assert.True(backend.Existing.Any(s => s.Instance == held.Key), $"{held.Key} was destroyed while a request held it");
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

    private static string LifeOf(IScaler scaler) => scaler is WorkerRuntime worker ? worker.Worker.Value : "";

    private sealed class Call(FunctionMeta function, RequestId request, IScaler scaler)
    {
        public FunctionMeta Function { get; } = function;

        public RequestId Request { get; } = request;

        public IScaler Scaler { get; } = scaler;

        public CancellationTokenSource Cancellation { get; } = new();

        public Task<AssignedInstance>? Task { get; set; }

        public CallState State { get; set; }

        public InstanceId Instance { get; set; }

        /// <summary>The life of the worker that granted it; empty for a scaler that is alone.</summary>
        public string Life { get; set; } = "";

        public bool Is(FunctionMeta function, RequestId request) => Function == function && Request == request;
    }
}
