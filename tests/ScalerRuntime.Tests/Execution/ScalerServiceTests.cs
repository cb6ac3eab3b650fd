using FuncScaler.Contract;
using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Service;
using FuncScaler.SlotBackends.Fake;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging.Abstractions;
using Status = FuncScaler.Contract.Status;

namespace FuncScaler.Tests.Runtime;

public sealed class ScalerServiceTests : IAsyncLifetime
{
    private readonly ManualTimeProvider _time = new();
    private readonly FakeBackend _backend;
    private readonly ScalerRuntime _runtime;
    private readonly ScalerService _service;

    public ScalerServiceTests()
    {
        _backend = new FakeBackend(_time);
        _runtime = new ScalerRuntime(
            _backend, PolicyCatalog.Parse("ttl:300"), new ScalerRuntimeOptions(), _time, NullLogger<ScalerRuntime>.Instance);
        _service = new ScalerService(_runtime);
    }

    public static TheoryData<AssignRequest, string> WrongAssigns => new()
    {
        { new AssignRequest { MetaData = Meta() }, "request_id is empty" },
        { new AssignRequest { RequestId = "r1" }, "meta_data is missing" },
        { new AssignRequest { RequestId = "r1", MetaData = Meta(m => m.Key = "") }, "meta_data.key is empty" },
        { new AssignRequest { RequestId = "r1", MetaData = Meta(m => m.MemoryInMb = 0) }, "meta_data.memory_in_mb is 0" },
        { new AssignRequest { RequestId = "r1", MetaData = Meta(m => m.MemoryInMb = (1 << 20) + 1) }, "from 1 to 1048576 MB" },
        { new AssignRequest { RequestId = "r1", MetaData = Meta(m => m.MemoryInMb = ulong.MaxValue) }, "from 1 to 1048576 MB" },
        { new AssignRequest { RequestId = "r1", MetaData = Meta(m => m.TimeoutInSecs = 31_536_001) }, "at most a year" },
        { new AssignRequest { RequestId = "r1", MetaData = Meta(m => m.TimeoutInSecs = uint.MaxValue) }, "meta_data.timeout_in_secs is 4294967295" },
    };

    public static TheoryData<IdleRequest, string> WrongIdles => new()
    {
        { new IdleRequest(), "assigment is missing" },
        { new IdleRequest { Assigment = new Assignment { MetaKey = "f", InstanceId = "i" } }, "needs request_id, meta_key and instance_id" },
        { new IdleRequest { Assigment = new Assignment { RequestId = "r", InstanceId = "i" } }, "needs request_id, meta_key and instance_id" },
        { new IdleRequest { Assigment = new Assignment { RequestId = "r", MetaKey = "f" } }, "needs request_id, meta_key and instance_id" },
    };

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => _runtime.DisposeAsync().AsTask();

    [Theory]
    [MemberData(nameof(WrongAssigns), DisableDiscoveryEnumeration = true)]
    public async Task An_assign_with_wrong_input_is_answered_with_what_is_wrong(AssignRequest request, string message)
    {
        var e = await Assert.ThrowsAsync<RpcException>(async () => await _service.AssignAsync(request, null, CancellationToken.None));

        Assert.Equal(StatusCode.InvalidArgument, e.StatusCode);
        Assert.Contains(message, e.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(0, _runtime.GetStats().Requests.Assigns);
    }

    [Theory]
    [MemberData(nameof(WrongIdles), DisableDiscoveryEnumeration = true)]
    public void An_idle_with_wrong_input_is_answered_with_what_is_wrong(IdleRequest request, string message)
    {
        var e = Assert.Throws<RpcException>(() => _service.Idle(request));

        Assert.Equal(StatusCode.InvalidArgument, e.StatusCode);
        Assert.Contains(message, e.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(0, _runtime.GetStats().Requests.UnknownReleases);
    }

    [Theory]
    [InlineData(1UL, 0U)]
    [InlineData(1_048_576UL, 31_536_000U)]
    public async Task The_limits_themselves_are_allowed(ulong memoryMb, uint timeoutSeconds)
    {
        var reply = await AssignAsync("r1", m =>
        {
            m.MemoryInMb = memoryMb;
            m.TimeoutInSecs = timeoutSeconds;
        });

        Assert.Equal(Status.Ok, reply.Status);
    }

    [Fact]
    public async Task An_assign_is_answered_with_the_assignment_to_send_back()
    {
        var reply = await AssignAsync("r1");

        Assert.Equal(Status.Ok, reply.Status);
        Assert.Equal(new Assignment { RequestId = "r1", MetaKey = "f", InstanceId = "i-1" }, reply.Assigment);
        Assert.False(reply.HasErrorMessage);
        var idle = _service.Idle(new IdleRequest { Assigment = reply.Assigment, Result = new Result { StatusCode = 200, DurationInMs = 50 } });
        Assert.Equal(new IdleReply { Status = Status.Ok }, idle);
        Assert.Equal(50, _runtime.GetStats().Functions.Single().MeanDurationMs);
    }

    [Fact]
    public async Task An_idle_without_a_result_takes_the_instance_back()
    {
        var reply = await AssignAsync("r1");

        _service.Idle(new IdleRequest { Assigment = reply.Assigment });

        Assert.Equal(1, _runtime.GetStats().Slots.Idle);
    }

    [Fact]
    public async Task A_broken_instance_is_not_used_again()
    {
        var reply = await AssignAsync("r1");

        _service.Idle(new IdleRequest { Assigment = reply.Assigment, Result = new Result { NeedDestroy = true, DurationInMs = ulong.MaxValue } });

        Assert.Equal(0, _runtime.GetStats().Slots.Idle);
        Assert.Equal("i-2", (await AssignAsync("r2")).Assigment.InstanceId);
    }

    [Fact]
    public async Task An_idle_for_another_instance_is_invalid_and_changes_nothing()
    {
        var reply = await AssignAsync("r1");
        var wrong = reply.Assigment.Clone();
        wrong.InstanceId = "i-9";

        var e = Assert.Throws<RpcException>(() => _service.Idle(new IdleRequest { Assigment = wrong }));

        Assert.Equal(StatusCode.InvalidArgument, e.StatusCode);
        Assert.Contains("holds another instance than i-9; nothing was changed", e.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(1, _runtime.GetStats().Slots.Busy);
    }

    [Fact]
    public async Task An_idle_for_no_assignment_is_not_found()
    {
        var reply = await AssignAsync("r1");
        _service.Idle(new IdleRequest { Assigment = reply.Assigment });

        var again = Assert.Throws<RpcException>(() => _service.Idle(new IdleRequest { Assigment = reply.Assigment }));
        var otherFunction = Assert.Throws<RpcException>(
            () => _service.Idle(new IdleRequest { Assigment = new Assignment { RequestId = "r1", MetaKey = "other", InstanceId = "i-1" } }));

        Assert.Equal(StatusCode.NotFound, again.StatusCode);
        Assert.Contains("request r1 of function f holds no instance", again.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(StatusCode.NotFound, otherFunction.StatusCode);
        Assert.Equal(1, _runtime.GetStats().Slots.Idle);
    }

    [Fact]
    public async Task A_refusal_of_the_backend_is_a_failed_precondition()
    {
        _backend.OnCreate = new FakeAnswer { Failure = new SlotFailure(FailureKind.Permanent, "no such size") };

        var e = await Assert.ThrowsAsync<RpcException>(() => AssignAsync("r1"));

        Assert.Equal(StatusCode.FailedPrecondition, e.StatusCode);
        Assert.Contains("no instance of function f for request r1: the backend refuses: no such size", e.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deadline_is_answered_as_such()
    {
        _backend.OnCreate = new FakeAnswer { Delay = Timeout.InfiniteTimeSpan };
        var assign = _service.AssignAsync(new AssignRequest { RequestId = "r1", MetaData = Meta() }, TimeSpan.FromSeconds(1), CancellationToken.None).AsTask();

        _time.Advance(TimeSpan.FromMilliseconds(900));

        var e = await Assert.ThrowsAsync<RpcException>(() => assign);
        Assert.Equal(StatusCode.DeadlineExceeded, e.StatusCode);
    }

    [Fact]
    public async Task A_scaler_that_stops_is_unavailable()
    {
        await _runtime.StopAsync(keepInstances: false, CancellationToken.None);

        var e = await Assert.ThrowsAsync<RpcException>(() => AssignAsync("r1"));

        Assert.Equal(StatusCode.Unavailable, e.StatusCode);
        Assert.Contains("stopping", e.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_caller_that_goes_away_ends_as_cancelled()
    {
        _backend.OnCreate = new FakeAnswer { Delay = Timeout.InfiniteTimeSpan };
        using var cancellation = new CancellationTokenSource();
        var assign = _service.AssignAsync(new AssignRequest { RequestId = "r1", MetaData = Meta() }, null, cancellation.Token).AsTask();

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => assign);
        Assert.Equal(0, _runtime.GetStats().Requests.Waiting);
    }

    [Fact]
    public async Task The_service_speaks_the_contract_over_the_wire()
    {
        await using var server = await GrpcTestServer.StartAsync(_service);
        using var channel = GrpcChannel.ForAddress(server.Address);
        var scaler = new Scaler.ScalerClient(channel);

        var reply = await scaler.AssignAsync(new AssignRequest { RequestId = "r1", MetaData = Meta() });
        Assert.Equal(Status.Ok, (await scaler.IdleAsync(new IdleRequest { Assigment = reply.Assigment })).Status);
        var e = await Assert.ThrowsAsync<RpcException>(() => scaler.IdleAsync(new IdleRequest { Assigment = reply.Assigment }).ResponseAsync);

        Assert.Equal(StatusCode.NotFound, e.StatusCode);
        Assert.Contains("nothing was changed", e.Status.Detail, StringComparison.Ordinal);
    }

    private static Meta Meta(Action<Meta>? change = null)
    {
        var meta = new Meta { Key = "f", Runtime = "go", TimeoutInSecs = 60, MemoryInMb = 512 };
        change?.Invoke(meta);
        return meta;
    }

    private Task<AssignReply> AssignAsync(string request, Action<Meta>? change = null) =>
        _service.AssignAsync(new AssignRequest { RequestId = request, MetaData = Meta(change) }, null, CancellationToken.None).AsTask();
}
