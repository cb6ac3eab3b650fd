using System.Collections.Concurrent;
using System.Net;
using FuncScaler.Contract;
using FuncScaler.UnaryGrpc;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace FuncScaler.Tests.Contracts;

/// <summary>What every <see cref="IUnaryChannel"/> does, whatever it is built on.</summary>
public abstract class UnaryChannelContract
{
    private const int MaxMessageBytes = 4 << 20;

    protected static UnaryMethod<AssignRequest, AssignReply> Assign { get; } = new(ScalerContract.Assign);

    protected static UnaryMethod<IdleRequest, IdleReply> Idle { get; } = new(ScalerContract.Idle);

    /// <summary>A channel to that address on one connection, taking replies of up to 4 MiB.</summary>
    protected abstract IUnaryChannel CreateChannel(Uri address);

    [Fact]
    public async Task A_call_returns_the_reply_of_the_handler()
    {
        await using GrpcTestServer server = await ServeAsync((request, _) => ValueTask.FromResult(ReplyTo(request)));
        await using IUnaryChannel channel = CreateChannel(server.Address);

        AssignReply reply = await channel.CallAsync(Assign, Request("r1"), null, CancellationToken.None);

        Assert.Equal("r1", reply.Assigment.RequestId);
        Assert.Equal("m-r1", reply.Assigment.MetaKey);
    }

    [Fact]
    public async Task A_message_without_fields_is_a_message()
    {
        await using GrpcTestServer server = await ServeAsync((_, _) => ValueTask.FromResult(new AssignReply()));
        await using IUnaryChannel channel = CreateChannel(server.Address);

        Assert.Equal(new AssignReply(), await channel.CallAsync(Assign, new AssignRequest(), null, CancellationToken.None));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(16_384)]
    [InlineData(70_000)]
    [InlineData(3 << 20)]
    public async Task Messages_of_any_size_arrive_whole(int characters)
    {
        await using GrpcTestServer server = await ServeAsync((request, _) => ValueTask.FromResult(ReplyTo(request)));
        await using IUnaryChannel channel = CreateChannel(server.Address);
        string id = string.Concat(Enumerable.Range(0, characters).Select(i => (char)('a' + (i % 23))));

        AssignReply reply = await channel.CallAsync(
            Assign, new AssignRequest { RequestId = id }, null, CancellationToken.None);

        Assert.Equal(id, reply.Assigment.RequestId);
    }

    [Theory]
    [InlineData(GrpcStatus.Cancelled)]
    [InlineData(GrpcStatus.InvalidArgument)]
    [InlineData(GrpcStatus.NotFound)]
    [InlineData(GrpcStatus.FailedPrecondition)]
    [InlineData(GrpcStatus.Unavailable)]
    [InlineData(GrpcStatus.Unauthenticated)]
    public async Task The_status_a_handler_throws_reaches_the_caller(GrpcStatus status)
    {
        await using GrpcTestServer server = await ServeAsync((_, _) => throw new GrpcException(status, "no such function"));
        await using IUnaryChannel channel = CreateChannel(server.Address);

        GrpcException error = await FailsAsync(channel.CallAsync(Assign, Request(), null, CancellationToken.None));

        Assert.Equal((status, "no such function"), (error.Status, error.Detail));
    }

    [Theory]
    [InlineData("")]
    [InlineData("100% sure")]
    [InlineData("функция не найдена")]
    [InlineData("没有这个函数 🚀\r\nsecond line")]
    public async Task The_detail_of_a_status_may_be_any_text(string detail)
    {
        await using GrpcTestServer server = await ServeAsync((_, _) => throw new GrpcException(GrpcStatus.NotFound, detail));
        await using IUnaryChannel channel = CreateChannel(server.Address);

        GrpcException error = await FailsAsync(channel.CallAsync(Assign, Request(), null, CancellationToken.None));

        Assert.Equal((GrpcStatus.NotFound, detail), (error.Status, error.Detail));
    }

    [Fact]
    public async Task A_handler_that_fails_is_UNKNOWN_and_tells_nothing()
    {
        await using GrpcTestServer server = await ServeAsync((_, _) => throw new InvalidOperationException("password=hunter2"));
        await using IUnaryChannel channel = CreateChannel(server.Address);

        GrpcException error = await FailsAsync(channel.CallAsync(Assign, Request(), null, CancellationToken.None));

        Assert.Equal(GrpcStatus.Unknown, error.Status);
        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
        Assert.Contains(server.Log.Lines, line => line.Contains("hunter2", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_method_nobody_serves_is_UNIMPLEMENTED()
    {
        await using GrpcTestServer server = await ServeAsync((request, _) => ValueTask.FromResult(ReplyTo(request)));
        await using IUnaryChannel channel = CreateChannel(server.Address);

        GrpcException error = await FailsAsync(channel.CallAsync(Idle, new IdleRequest(), null, CancellationToken.None));

        Assert.Equal(GrpcStatus.Unimplemented, error.Status);
    }

    [Fact]
    public async Task A_peer_that_cannot_be_reached_is_UNAVAILABLE_with_the_cause_inside()
    {
        using var nobody = new UnusedPort();
        await using IUnaryChannel channel = CreateChannel(nobody.Address);

        GrpcException error = await FailsAsync(channel.CallAsync(Assign, Request(), null, CancellationToken.None));

        Assert.Equal(GrpcStatus.Unavailable, error.Status);
        Assert.IsType<HttpRequestException>(error.InnerException);
    }

    [Fact]
    public async Task A_timeout_ends_the_call_and_the_handler()
    {
        DateTimeOffset? deadline = null;
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using GrpcTestServer server = await ServeAsync(async (request, call) =>
        {
            deadline = call.Deadline;
            started.TrySetResult();
            await WaitForEndAsync(call, ended);
            return ReplyTo(request);
        });
        await using IUnaryChannel channel = CreateChannel(server.Address);

        // On a busy machine a call may be over before it has arrived.
        for (var timeout = TimeSpan.FromMilliseconds(100); !started.Task.IsCompleted; timeout *= 2)
        {
            GrpcException error = await FailsAsync(channel.CallAsync(Assign, Request(), timeout, CancellationToken.None));
            Assert.Equal(GrpcStatus.DeadlineExceeded, error.Status);
        }

        await ended.Task;
        Assert.NotNull(deadline);
    }

    [Fact]
    public async Task A_timeout_that_is_over_sends_nothing()
    {
        using var nobody = new UnusedPort();
        await using IUnaryChannel channel = CreateChannel(nobody.Address);

        GrpcException error = await FailsAsync(channel.CallAsync(Assign, Request(), TimeSpan.Zero, CancellationToken.None));

        Assert.Equal(GrpcStatus.DeadlineExceeded, error.Status);
    }

    [Fact]
    public async Task A_call_without_a_timeout_has_no_deadline()
    {
        DateTimeOffset? deadline = DateTimeOffset.UnixEpoch;
        await using GrpcTestServer server = await ServeAsync((request, call) =>
        {
            deadline = call.Deadline;
            return ValueTask.FromResult(ReplyTo(request));
        });
        await using IUnaryChannel channel = CreateChannel(server.Address);

        await channel.CallAsync(Assign, Request(), null, CancellationToken.None);

        Assert.Null(deadline);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_caller_that_cancels_gets_its_own_cancellation_and_ends_the_handler(bool withTimeout)
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using GrpcTestServer server = await ServeAsync(async (request, call) =>
        {
            started.SetResult();
            await WaitForEndAsync(call, ended);
            return ReplyTo(request);
        });
        await using IUnaryChannel channel = CreateChannel(server.Address);
        using var cancel = new CancellationTokenSource();

        Task<AssignReply> pending =
            channel.CallAsync(Assign, Request(), withTimeout ? TimeSpan.FromHours(1) : null, cancel.Token).AsTask();
        await started.Task;
        await cancel.CancelAsync();

        OperationCanceledException error = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => pending);
        Assert.Equal(cancel.Token, error.CancellationToken);
        await ended.Task;
    }

    [Fact]
    public async Task A_caller_that_cancelled_before_sends_nothing()
    {
        using var nobody = new UnusedPort();
        await using IUnaryChannel channel = CreateChannel(nobody.Address);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => channel.CallAsync(Assign, Request(), null, new CancellationToken(canceled: true)).AsTask());
    }

    [Fact]
    public async Task A_request_over_the_servers_limit_is_RESOURCE_EXHAUSTED()
    {
        await using GrpcTestServer server = await ServeAsync((request, _) => ValueTask.FromResult(ReplyTo(request)));
        await using IUnaryChannel channel = CreateChannel(server.Address);

        GrpcException error = await FailsAsync(
            channel.CallAsync(Assign, Request(new string('x', MaxMessageBytes)), null, CancellationToken.None));

        Assert.Equal(GrpcStatus.ResourceExhausted, error.Status);
        Assert.Equal("after", (await channel.CallAsync(Assign, Request("after"), null, CancellationToken.None)).Assigment.RequestId);
    }

    [Fact]
    public async Task A_reply_over_the_callers_limit_is_RESOURCE_EXHAUSTED()
    {
        await using GrpcTestServer server = await ServeAsync((_, _) => ValueTask.FromResult(
            new AssignReply { ErrorMessage = new string('x', MaxMessageBytes) }));
        await using IUnaryChannel channel = CreateChannel(server.Address);

        GrpcException error = await FailsAsync(channel.CallAsync(Assign, Request(), null, CancellationToken.None));

        Assert.Equal(GrpcStatus.ResourceExhausted, error.Status);
    }

    [Fact]
    public async Task Twelve_hundred_calls_are_in_flight_on_one_connection()
    {
        const int Calls = 1_200;
        int waiting = 0;
        var allThere = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var peers = new ConcurrentDictionary<string, int>();
        await using GrpcTestServer server = await ServeAsync(async (request, call) =>
        {
            peers.AddOrUpdate(call.Peer, 1, (_, count) => count + 1);
            if (Interlocked.Increment(ref waiting) == Calls)
            {
                allThere.SetResult();
            }

            await release.Task;
            return ReplyTo(request);
        });
        await using IUnaryChannel channel = CreateChannel(server.Address);

        Task<AssignReply>[] calls = [.. Enumerable.Range(0, Calls).Select(
            i => channel.CallAsync(Assign, Request($"r{i}"), null, CancellationToken.None).AsTask())];
        await allThere.Task;
        release.SetResult();
        AssignReply[] replies = await Task.WhenAll(calls);

        Assert.Equal(Calls, Assert.Single(peers).Value);
        Assert.Equal(Enumerable.Range(0, Calls).Select(i => $"r{i}"), replies.Select(reply => reply.Assigment.RequestId));
    }

    [Fact]
    public async Task A_connection_that_breaks_fails_its_calls_as_UNAVAILABLE_and_the_next_call_makes_another()
    {
        var connections = new ConcurrentQueue<ConnectionContext>();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        UnaryRoutes routes = new UnaryRoutes().Add(Assign, async (request, call) =>
        {
            if (request.RequestId == "in flight")
            {
                started.SetResult();
                await WaitForEndAsync(call, ended);
            }

            return ReplyTo(request);
        });
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(
            app => app.UseUnaryGrpc(routes),
            kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.Use(next => connection =>
                {
                    connections.Enqueue(connection);
                    return next(connection);
                });
            }));
        await using IUnaryChannel channel = CreateChannel(server.Address);

        ValueTask<AssignReply> pending = channel.CallAsync(Assign, Request("in flight"), null, CancellationToken.None);
        await started.Task;
        Assert.Single(connections).Abort();

        Assert.Equal(GrpcStatus.Unavailable, (await FailsAsync(pending)).Status);
        await ended.Task;
        Assert.Equal("next", (await channel.CallAsync(Assign, Request("next"), null, CancellationToken.None)).Assigment.RequestId);
        Assert.Equal(2, connections.Count);
    }

    [Fact]
    public async Task A_server_that_stops_ends_its_calls_as_UNAVAILABLE()
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        GrpcTestServer server = await ServeAsync(async (request, call) =>
        {
            started.SetResult();
            await WaitForEndAsync(call, ended);
            return ReplyTo(request);
        });
        await using IUnaryChannel channel = CreateChannel(server.Address);

        ValueTask<AssignReply> pending = channel.CallAsync(Assign, Request(), null, CancellationToken.None);
        await started.Task;
        await server.DisposeAsync();

        Assert.Equal(GrpcStatus.Unavailable, (await FailsAsync(pending)).Status);
        await ended.Task;
    }

    protected static AssignRequest Request(string id = "r") => new() { RequestId = id, MetaData = new Meta { Key = $"m-{id}" } };

    protected static AssignReply ReplyTo(AssignRequest request) => new()
    {
        Assigment = new Assignment { RequestId = request.RequestId, MetaKey = request.MetaData?.Key ?? "", InstanceId = "i" },
    };

    protected static async Task<GrpcException> FailsAsync<T>(ValueTask<T> call) =>
        await Assert.ThrowsAsync<GrpcException>(() => call.AsTask());

    protected static Task<GrpcTestServer> ServeAsync(Func<AssignRequest, UnaryCall, ValueTask<AssignReply>> assign) =>
        GrpcTestServer.StartAsync(Routes(assign), new UnaryGrpcServerOptions { MaxMessageBytes = MaxMessageBytes });

    private static UnaryRoutes Routes(Func<AssignRequest, UnaryCall, ValueTask<AssignReply>> assign) =>
        new UnaryRoutes().Add(Assign, assign);

    private static async Task WaitForEndAsync(UnaryCall call, TaskCompletionSource ended)
    {
        try
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, call.Cancellation);
        }
        finally
        {
            ended.TrySetResult();
        }
    }
}
