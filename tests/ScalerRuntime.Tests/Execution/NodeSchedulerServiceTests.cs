using System.Diagnostics.CodeAnalysis;
using FuncScaler.Contract.Scheduling;
using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Service;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace FuncScaler.Tests.Runtime;

/// <summary>The 2020 contest's Scheduler beside what may go wrong on the way to and from it.</summary>
public sealed class NodeSchedulerServiceTests
{
    private readonly ManualTimeProvider _time = new();
    private readonly StubScaler _scaler = new();
    private readonly NodeSchedulerService _service;

    public NodeSchedulerServiceTests() => _service = new NodeSchedulerService(_scaler, new SlotPoolOptions(), _time);

    [Fact]
    public async Task A_container_is_given_and_returned()
    {
        var reply = await AcquireAsync("r1");

        Assert.Equal(
            new AcquireContainerReply { NodeId = "node-1", NodeAddress = "10.0.0.7", NodeServicePort = 8000, ContainerId = "c-r1" }, reply);
        Return("r1", durationMs: 5);
        var (function, request, instance, result) = Assert.Single(_scaler.Released);
        Assert.Equal(("acc/f", "r1", "i-r1", 5000L, false), (function.Value, request.Value, instance.Value, result.DurationUs, result.NeedDestroy));
        Assert.Empty(_scaler.Abandoned);
        Assert.Equal(0, _service.Held);
    }

    [Fact]
    public async Task A_caller_that_goes_away_in_the_moment_of_its_grant_leaves_its_container_to_others()
    {
        using var caller = new CancellationTokenSource();
        _scaler.OnAssign = caller.Cancel;

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _service.AcquireAsync(Request("r1"), null, caller.Token));

        Assert.Equal([("acc/f", "r1")], _scaler.Abandoned);
        Assert.Equal(0, _service.Held);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_container_whose_reply_does_not_reach_the_caller_is_taken_back(bool aborted)
    {
        var http = new DefaultHttpContext { RequestAborted = new CancellationToken(aborted) };
        var response = new CompletableResponse();
        http.Features.Set<IHttpResponseFeature>(response);
        await AcquireAsync("r1");

        _service.TakeBackIfUndelivered(http, Request("r1"));
        await response.CompleteAsync();

        Assert.Equal(aborted ? [("acc/f", "r1")] : [], _scaler.Abandoned);
    }

    [Fact]
    public async Task A_container_without_a_node_is_given_back()
    {
        _scaler.Address = new Uri("http://10.0.0.7/");

        var e = await Assert.ThrowsAsync<RpcException>(() => AcquireAsync("r1"));

        Assert.Equal(StatusCode.Internal, e.StatusCode);
        Assert.Equal([("acc/f", "r1")], _scaler.Abandoned);
    }

    [Fact]
    public async Task A_refusal_says_when_to_come_again()
    {
        _scaler.Refusal = new AssignRejectedException(RejectReason.Overloaded, "too many wait", TimeSpan.FromMilliseconds(250));

        var e = await Assert.ThrowsAsync<RpcException>(() => AcquireAsync("r1"));

        Assert.Equal(StatusCode.ResourceExhausted, e.StatusCode);
        Assert.Equal("no container of function acc/f for request r1: too many wait", e.Status.Detail);
        Assert.Equal("250", e.Trailers.GetValue(ScalerRefusal.PushbackTrailer));
    }

    [Fact]
    public async Task A_refusal_that_no_repetition_would_help_has_no_hint()
    {
        _scaler.Refusal = new AssignRejectedException(RejectReason.BackendRefused, "no such size");

        var e = await Assert.ThrowsAsync<RpcException>(() => AcquireAsync("r1"));

        Assert.Equal(StatusCode.FailedPrecondition, e.StatusCode);
        Assert.Empty(e.Trailers);
    }

    /// <summary>The scaler ends such requests itself, after twice the function's timeout and a minute.</summary>
    [Fact]
    public async Task Requests_that_are_never_returned_are_forgotten_when_the_scaler_takes_them_to_be_lost()
    {
        for (var i = 0; i < 1000; i++)
        {
            await AcquireAsync($"lost{i}");
        }

        _time.Advance(TimeSpan.FromSeconds((2 * 10) + 60));
        for (var i = 0; i < 500; i++)
        {
            await AcquireAsync($"new{i}");
        }

        Assert.Equal(500, _service.Held);
        Assert.Equal(StatusCode.NotFound, Assert.Throws<RpcException>(() => Return("lost7")).StatusCode);
        Return("new7");
    }

    [Fact]
    public async Task A_function_that_may_hold_for_long_does_not_keep_what_is_over_behind_it()
    {
        for (var i = 0; i < 100; i++)
        {
            await AcquireAsync($"long{i}", timeoutSeconds: 100_000);
            await AcquireAsync($"short{i}");
        }

        _time.Advance(TimeSpan.FromSeconds(80));
        for (var i = 0; i < 200; i++)
        {
            await AcquireAsync($"new{i}", timeoutSeconds: 100_000);
        }

        Assert.Equal(300, _service.Held);
    }

    [Fact]
    public async Task What_the_scaler_has_taken_back_cannot_be_returned()
    {
        await AcquireAsync("r1");
        _scaler.Outcome = ReleaseOutcome.UnknownAssignment;

        Assert.Equal(StatusCode.NotFound, Assert.Throws<RpcException>(() => Return("r1")).StatusCode);
    }

    [Fact]
    public async Task Of_several_returns_at_one_moment_one_counts()
    {
        for (var round = 0; round < 300; round++)
        {
            var request = $"r{round}";
            await AcquireAsync(request);
            var good = 0;

            Parallel.For(0, 8, _ =>
            {
                try
                {
                    Return(request);
                    Interlocked.Increment(ref good);
                }
                catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
                {
                    // Another one was first.
                }
            });

            Assert.Equal(1, good);
        }

        Assert.Equal(300, _scaler.Released.Count);
    }

    [Fact]
    public async Task Two_functions_may_have_requests_of_the_same_name()
    {
        await AcquireAsync("r1");
        _scaler.Container = "other";
        await AcquireAsync("r1", function: "g");

        Return("r1");
        _service.Return(new ReturnContainerRequest { RequestId = "r1", ContainerId = "other" });

        Assert.Equal(["acc/f", "acc/g"], _scaler.Released.Select(r => r.Function.Value));
    }

    [Fact]
    public async Task A_caller_cannot_return_what_is_another_callers()
    {
        await AcquireAsync("r1");
        var request = new ReturnContainerRequest { RequestId = "r1", ContainerId = "c-r1" };

        Assert.Equal(
            StatusCode.NotFound, Assert.Throws<RpcException>(() => _service.Return(request, new CallerScope("b", ["other/"]))).StatusCode);
        _service.Return(request, new CallerScope("a", ["acc/"]));
    }

    [Theory]
    [InlineData("", "f", "request_id is empty")]
    [InlineData("r1", "", "function_name is empty")]
    [InlineData("r\n1", "f", "request_id has a control character")]
    public async Task Wrong_names_are_answered_with_what_is_wrong(string request, string function, string message)
    {
        var e = await Assert.ThrowsAsync<RpcException>(() => AcquireAsync(request, function: function));

        Assert.Equal(StatusCode.InvalidArgument, e.StatusCode);
        Assert.Contains(message, e.Status.Detail, StringComparison.Ordinal);
    }

    private static AcquireContainerRequest Request(string request, int timeoutSeconds = 10, string function = "f") => new()
    {
        RequestId = request,
        AccountId = "acc",
        FunctionName = function,
        FunctionConfig = new FunctionConfig { MemoryInBytes = 128 << 20, TimeoutInMs = 1000L * timeoutSeconds, Handler = "go" },
    };

    private Task<AcquireContainerReply> AcquireAsync(string request, int timeoutSeconds = 10, string function = "f") =>
        _service.AcquireAsync(Request(request, timeoutSeconds, function), null, CancellationToken.None);

    private ReturnContainerReply Return(string request, int durationMs = 1) => _service.Return(new ReturnContainerRequest
    {
        RequestId = request,
        ContainerId = $"c-{request}",
        DurationInNanos = durationMs * 1_000_000L,
    });

    /// <summary>Grants everything, and writes down what it is told.</summary>
    private sealed class StubScaler : IScaler
    {
        private readonly Lock _gate = new();

        public Action? OnAssign { get; set; }

        public AssignRejectedException? Refusal { get; set; }

        public ReleaseOutcome Outcome { get; set; } = ReleaseOutcome.Released;

        public Uri? Address { get; set; }

        public string? Container { get; set; }

        public List<(string Function, string Request)> Abandoned { get; } = [];

        public List<(MetaKey Function, RequestId Request, InstanceId Instance, ReleaseResult Result)> Released { get; } = [];

        public ValueTask<AssignedInstance> AssignAsync(FunctionMeta function, RequestId request, TimeSpan? timeout, CancellationToken cancellationToken)
        {
            OnAssign?.Invoke();
            return Refusal is null
                ? new(new AssignedInstance(
                    new InstanceId($"i-{request}"), GrantKind.Warm, Address ?? new Uri($"http://10.0.0.7:8000/node-1/{Container ?? $"c-{request}"}")))
                : throw Refusal;
        }

        public ReleaseOutcome Release(MetaKey function, RequestId request, InstanceId instance, in ReleaseResult result)
        {
            lock (_gate)
            {
                Released.Add((function, request, instance, result));
                return Outcome;
            }
        }

        public void Abandon(MetaKey function, RequestId request) => Abandoned.Add((function.Value, request.Value));

        public IReadOnlyList<(MetaKey Function, SlotSnapshot Slot)> GetInventory() => [];

        public bool TryExplain(MetaKey function, [NotNullWhen(true)] out PolicyExplanation? explanation, [NotNullWhen(false)] out string? whyNot)
        {
            (explanation, whyNot) = (null, "a stub");
            return false;
        }

        public ScalerStats GetStats(StatsPage page = default) => throw new NotSupportedException();
    }

    private sealed class CompletableResponse : HttpResponseFeature
    {
        private readonly List<(Func<object, Task> Callback, object State)> _completed = [];

        public override void OnCompleted(Func<object, Task> callback, object state) => _completed.Add((callback, state));

        public async Task CompleteAsync()
        {
            foreach (var (callback, state) in _completed)
            {
                await callback(state);
            }
        }
    }
}
