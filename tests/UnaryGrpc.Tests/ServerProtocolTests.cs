using System.Net;
using FuncScaler.Contract;
using FuncScaler.Tests;
using FuncScaler.Tests.Contracts;
using FuncScaler.UnaryGrpc.Health;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace FuncScaler.UnaryGrpc.Tests;

public sealed class ServerProtocolTests
{
    private const int Limit = 10_000;

    private static readonly UnaryMethod<AssignRequest, AssignReply> Assign = new(ScalerContract.Assign);

    private static readonly AssignRequest Request = new() { RequestId = "r1", Timestamp = 7 };

    [Fact]
    public async Task An_answer_has_headers_a_message_and_trailers()
    {
        await using GrpcTestServer server = await EchoAsync();
        using var client = new RawClient(server.Address);

        RawAnswer answer = await client.PostAsync(Assign.Path, Frames.Plain(Request));

        AssertEchoed(answer);
        Assert.Equal(HttpStatusCode.OK, answer.HttpStatus);
        Assert.Equal("application/grpc", answer.ContentHeaders.ContentType!.ToString());
        Assert.False(answer.Headers.Contains("grpc-status"));
    }

    [Theory]
    [InlineData("application/grpc+proto")]
    [InlineData("application/grpc; charset=utf-8")]
    [InlineData("Application/GRPC")]
    public async Task Every_spelling_of_the_content_type_is_understood(string contentType)
    {
        await using GrpcTestServer server = await EchoAsync();
        using var client = new RawClient(server.Address);

        AssertEchoed(await client.SendAsync(
            HttpMethod.Post, Assign.Path, new ByteArrayContent(Frames.Plain(Request)), HttpVersion.Version20, contentType, default));
    }

    [Fact]
    public async Task An_error_is_trailers_only_with_a_percent_encoded_message()
    {
        await using GrpcTestServer server = await ServeAsync((_, _) => throw new GrpcException(GrpcStatus.NotFound, "没有 100%\n"));
        using var client = new RawClient(server.Address);

        RawAnswer answer = await client.PostAsync(Assign.Path, Frames.Plain(Request));

        Assert.Equal(GrpcStatus.NotFound, answer.StatusOfTrailersOnly);
        Assert.Equal("%E6%B2%A1%E6%9C%89 100%25%0A", answer.Message);
    }

    [Fact]
    public async Task A_handler_that_returns_nothing_or_fails_later_is_UNKNOWN()
    {
        await using GrpcTestServer server = await ServeAsync(async (request, _) =>
        {
            await Task.Yield();
            return request.RequestId.Length == 0 ? null! : throw new FormatException("password=hunter2");
        });
        using var client = new RawClient(server.Address);

        RawAnswer nothing = await client.PostAsync(Assign.Path, Frames.Plain(new AssignRequest()));
        RawAnswer failed = await client.PostAsync(Assign.Path, Frames.Plain(Request));

        Assert.Equal(GrpcStatus.Unknown, nothing.StatusOfTrailersOnly);
        Assert.Equal(GrpcStatus.Unknown, failed.StatusOfTrailersOnly);
        Assert.DoesNotContain("hunter2", failed.Message, StringComparison.Ordinal);
        Assert.Contains(server.Log.Lines, line => line.Contains("hunter2", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("/serverless.simulator.Scaler/Explode", "Unknown method Explode of service serverless.simulator.Scaler.")]
    [InlineData("/serverless.simulator.Nobody/Assign", "Unknown service serverless.simulator.Nobody.")]
    [InlineData("/serverless.simulator.scaler/assign", "Unknown service serverless.simulator.scaler.")]
    [InlineData("/", "Unknown service /.")]
    public async Task A_method_nobody_serves_is_UNIMPLEMENTED(string path, string message)
    {
        await using GrpcTestServer server = await EchoAsync();
        using var client = new RawClient(server.Address);

        RawAnswer answer = await client.PostAsync(path, Frames.Plain(Request));

        Assert.Equal(GrpcStatus.Unimplemented, answer.StatusOfTrailersOnly);
        Assert.Equal(message, answer.Message);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(5)]
    public async Task A_message_may_come_in_any_pieces(int pieceBytes)
    {
        await using GrpcTestServer server = await EchoAsync();
        using var client = new RawClient(server.Address);

        AssertEchoed(await client.SendAsync(
            HttpMethod.Post,
            Assign.Path,
            new PiecewiseContent(Frames.Plain(Request), pieceBytes),
            HttpVersion.Version20,
            "application/grpc",
            default));
    }

    public static TheoryData<string, byte[], GrpcStatus> BrokenRequests()
    {
        byte[] message = Request.ToByteArray();
        byte[] frame = Frames.Plain(Request);
        byte[] gzip = Frames.Compress(message);
        return new()
        {
            { "no message", [], GrpcStatus.Unimplemented },
            { "two messages", [.. frame, .. frame], GrpcStatus.Unimplemented },
            { "a message and a byte", [.. frame, 0], GrpcStatus.Unimplemented },
            { "half a header", frame[..3], GrpcStatus.Internal },
            { "half a message", frame[..^2], GrpcStatus.Internal },
            { "no protobuf", Frames.Raw(0, [0xFF, 0xFF, 0xFF]), GrpcStatus.Internal },
            { "unknown flags", Frames.Raw(2, message), GrpcStatus.Internal },
            { "not gzip", Frames.Raw(1, message), GrpcStatus.Internal },
            { "half of gzip", Frames.Raw(1, gzip[..^12]), GrpcStatus.Internal },
            { "too large", Frames.Raw(0, new byte[Limit + 1]), GrpcStatus.ResourceExhausted },
            { "a header that says too large", [0, 0xFF, 0xFF, 0xFF, 0xFF], GrpcStatus.ResourceExhausted },
            { "a bomb", Frames.Raw(1, Frames.Compress(new byte[64 << 20])[..Limit]), GrpcStatus.ResourceExhausted },
            { "a little bomb", Frames.Raw(1, Frames.Compress(new byte[Limit + 1])), GrpcStatus.ResourceExhausted },
        };
    }

    [Theory]
    [MemberData(nameof(BrokenRequests))]
    public async Task A_broken_request_is_answered_with_the_protocols_status(string what, byte[] body, GrpcStatus status)
    {
        await using GrpcTestServer server = await ServeAsync((_, _) => throw new InvalidOperationException($"called with {what}"));
        using var client = new RawClient(server.Address);

        RawAnswer answer = await client.PostAsync(Assign.Path, body, ("grpc-encoding", "gzip"));

        Assert.Equal(status, answer.StatusOfTrailersOnly);
        Assert.Empty(server.Log.Lines);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_message_exactly_at_the_limit_is_taken(bool compressed)
    {
        await using GrpcTestServer server = await EchoAsync();
        using var client = new RawClient(server.Address);
        var request = new AssignRequest { RequestId = new string('x', Limit - 3) };
        Assert.Equal(Limit, request.CalculateSize());

        RawAnswer answer = await client.PostAsync(
            Assign.Path, compressed ? Frames.Gzip(request) : Frames.Plain(request), ("grpc-encoding", "gzip"));

        Assert.Equal("0", Assert.Single(answer.Trailers.GetValues("grpc-status")));
    }

    [Fact]
    public async Task Gzip_is_accepted_message_by_message()
    {
        await using GrpcTestServer server = await EchoAsync();
        using var client = new RawClient(server.Address);

        AssertEchoed(await client.PostAsync(Assign.Path, Frames.Gzip(Request), ("grpc-encoding", "gzip")));
        AssertEchoed(await client.PostAsync(Assign.Path, Frames.Plain(Request), ("grpc-encoding", "gzip")));
        AssertEchoed(await client.PostAsync(Assign.Path, Frames.Plain(Request), ("grpc-encoding", "identity")));
    }

    [Fact]
    public async Task Unknown_compression_is_UNIMPLEMENTED_and_told_what_is_known()
    {
        await using GrpcTestServer server = await EchoAsync();
        using var client = new RawClient(server.Address);

        RawAnswer answer = await client.PostAsync(Assign.Path, Frames.Raw(1, [1, 2, 3]), ("grpc-encoding", "snappy"));

        Assert.Equal(GrpcStatus.Unimplemented, answer.StatusOfTrailersOnly);
        Assert.Equal("identity,gzip", Assert.Single(answer.Headers.GetValues("grpc-accept-encoding")));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("identity")]
    public async Task Compression_that_was_not_named_is_INTERNAL(string? encoding)
    {
        await using GrpcTestServer server = await EchoAsync();
        using var client = new RawClient(server.Address);

        RawAnswer answer = await client.PostAsync(
            Assign.Path, Frames.Gzip(Request), encoding is null ? [] : [("grpc-encoding", encoding)]);

        Assert.Equal(GrpcStatus.Internal, answer.StatusOfTrailersOnly);
    }

    [Theory]
    [InlineData("5")]
    [InlineData("S")]
    [InlineData("5s")]
    [InlineData("-1S")]
    [InlineData("123456789m")]
    public async Task A_malformed_timeout_is_INTERNAL(string timeout)
    {
        await using GrpcTestServer server = await EchoAsync();
        using var client = new RawClient(server.Address);

        RawAnswer answer = await client.PostAsync(Assign.Path, Frames.Plain(Request), ("grpc-timeout", timeout));

        Assert.Equal(GrpcStatus.Internal, answer.StatusOfTrailersOnly);
    }

    [Fact]
    public async Task A_timeout_that_is_over_calls_no_handler()
    {
        await using GrpcTestServer server = await ServeAsync((_, _) => throw new InvalidOperationException("called"));
        using var client = new RawClient(server.Address);

        RawAnswer answer = await client.PostAsync(Assign.Path, Frames.Plain(Request), ("grpc-timeout", "0m"));

        Assert.Equal(GrpcStatus.DeadlineExceeded, answer.StatusOfTrailersOnly);
        Assert.Empty(server.Log.Lines);
    }

    [Fact]
    public async Task A_timeout_beyond_every_timer_is_a_deadline_far_away()
    {
        DateTimeOffset? deadline = null;
        await using GrpcTestServer server = await ServeAsync((request, call) =>
        {
            deadline = call.Deadline;
            return ValueTask.FromResult(Echo(request));
        });
        using var client = new RawClient(server.Address);

        AssertEchoed(await client.PostAsync(Assign.Path, Frames.Plain(Request), ("grpc-timeout", "99999999H")));
        Assert.Equal(DateTimeOffset.MaxValue, deadline);
    }

    [Fact]
    public async Task The_deadline_is_answered_even_if_the_handler_does_not_notice()
    {
        var time = new ManualTimeProvider();
        var started = NewSignal();
        var release = NewSignal();
        var finished = NewSignal();
        (DateTimeOffset? Deadline, TimeSpan? Remaining, string? Metadata) seen = default;
        await using GrpcTestServer server = await ServeAsync(
            async (request, call) =>
            {
                started.SetResult();
                await release.Task;
                // The request is alive for as long as its handler.
                seen = (call.Deadline, call.TimeRemaining, call.GetMetadata("x-who"));
                finished.SetResult();
                return Echo(request);
            },
            time);
        using var client = new RawClient(server.Address);

        Task<RawAnswer> pending =
            client.PostAsync(Assign.Path, Frames.Plain(Request), ("grpc-timeout", "5S"), ("x-who", "me"));
        await started.Task;
        DateTimeOffset start = time.GetUtcNow();
        time.Advance(TimeSpan.FromSeconds(5));
        RawAnswer answer = await pending;
        release.SetResult();
        await finished.Task;

        Assert.Equal(GrpcStatus.DeadlineExceeded, answer.StatusOfTrailersOnly);
        Assert.Equal((start.AddSeconds(5), TimeSpan.Zero, "me"), seen);
        Assert.Empty(server.Log.Lines);
    }

    [Fact]
    public async Task A_handler_that_notices_the_deadline_needs_not_answer_it()
    {
        var time = new ManualTimeProvider();
        var started = NewSignal();
        await using GrpcTestServer server = await ServeAsync(
            async (request, call) =>
            {
                started.SetResult();
                await Task.Delay(Timeout.InfiniteTimeSpan, call.Cancellation);
                return Echo(request);
            },
            time);
        using var client = new RawClient(server.Address);

        Task<RawAnswer> pending = client.PostAsync(Assign.Path, Frames.Plain(Request), ("grpc-timeout", "250m"));
        await started.Task;
        time.Advance(TimeSpan.FromMilliseconds(250));

        Assert.Equal(GrpcStatus.DeadlineExceeded, (await pending).StatusOfTrailersOnly);
        Assert.Empty(server.Log.Lines);
    }

    [Fact]
    public async Task A_request_that_never_ends_is_ended_by_its_deadline()
    {
        var time = new ManualTimeProvider();
        var end = NewSignal();
        await using GrpcTestServer server = await ServeAsync((_, _) => throw new InvalidOperationException("called"), time);
        using var client = new RawClient(server.Address);

        Task<RawAnswer> pending = client.SendAsync(
            HttpMethod.Post,
            Assign.Path,
            new PiecewiseContent(Frames.Plain(Request), 1000, end.Task),
            HttpVersion.Version20,
            "application/grpc",
            default,
            ("grpc-timeout", "5S"));
        while (time.ActiveTimers == 0)
        {
            await Task.Yield();
        }

        time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal(GrpcStatus.DeadlineExceeded, (await pending).StatusOfTrailersOnly);
        end.SetResult();
    }

    [Fact]
    public async Task No_timer_outlives_its_call_and_calls_without_a_timeout_have_none()
    {
        var time = new ManualTimeProvider();
        int during = -1;
        await using GrpcTestServer server = await ServeAsync(
            (request, _) =>
            {
                during = time.ActiveTimers;
                return ValueTask.FromResult(Echo(request));
            },
            time);
        using var client = new RawClient(server.Address);

        AssertEchoed(await client.PostAsync(Assign.Path, Frames.Plain(Request)));
        Assert.Equal(0, during);
        AssertEchoed(await client.PostAsync(Assign.Path, Frames.Plain(Request), ("grpc-timeout", "5S")));
        Assert.Equal(1, during);
        // The call is over for the client a moment before it is for the server.
        while (time.ActiveTimers > 0)
        {
            await Task.Yield();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_client_that_resets_its_stream_or_drops_its_connection_cancels_the_handler(bool dropConnection)
    {
        var started = NewSignal();
        var ended = NewSignal();
        await using GrpcTestServer server = await ServeAsync(async (request, call) =>
        {
            started.SetResult();
            try
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, call.Cancellation);
            }
            finally
            {
                ended.SetResult();
            }

            return Echo(request);
        });
        using var client = new RawClient(server.Address);
        using var reset = new CancellationTokenSource();

        Task<RawAnswer> pending = client.SendAsync(
            HttpMethod.Post,
            Assign.Path,
            new ByteArrayContent(Frames.Plain(Request)),
            HttpVersion.Version20,
            "application/grpc",
            reset.Token);
        await started.Task;
        if (dropConnection)
        {
            client.Dispose();
        }
        else
        {
            await reset.CancelAsync();
        }

        await Assert.ThrowsAnyAsync<Exception>(() => pending);
        await ended.Task;
        Assert.Empty(server.Log.Lines);
    }

    [Fact]
    public async Task A_handler_knows_its_caller_and_the_metadata()
    {
        (string Peer, string? Known, string? Unknown) seen = default;
        await using GrpcTestServer server = await ServeAsync((request, call) =>
        {
            seen = (call.Peer, call.GetMetadata("X-Who"), call.GetMetadata("x-nobody"));
            return ValueTask.FromResult(Echo(request));
        });
        using var client = new RawClient(server.Address);

        await client.PostAsync(Assign.Path, Frames.Plain(Request), ("x-who", "me"));

        Assert.StartsWith("127.0.0.1:", seen.Peer, StringComparison.Ordinal);
        Assert.Equal(("me", null), (seen.Known, seen.Unknown));
    }

    [Fact]
    public async Task Another_method_than_POST_is_refused()
    {
        await using GrpcTestServer server = await EchoAsync();
        using var client = new RawClient(server.Address);

        RawAnswer answer = await client.SendAsync(
            HttpMethod.Put, Assign.Path, new ByteArrayContent(Frames.Plain(Request)), HttpVersion.Version20, "application/grpc", default);

        Assert.Equal(HttpStatusCode.MethodNotAllowed, answer.HttpStatus);
        Assert.Equal("POST", Assert.Single(answer.ContentHeaders.Allow));
        Assert.Contains("POST", answer.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Other_message_formats_are_refused()
    {
        await using GrpcTestServer server = await EchoAsync();
        using var client = new RawClient(server.Address);

        RawAnswer answer = await client.SendAsync(
            HttpMethod.Post, Assign.Path, new ByteArrayContent("{}"u8.ToArray()), HttpVersion.Version20, "application/grpc+json", default);

        Assert.Equal(HttpStatusCode.UnsupportedMediaType, answer.HttpStatus);
        Assert.Contains("application/grpc+json", answer.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task HTTP_1_1_is_refused_with_what_is_needed_instead()
    {
        var routes = new UnaryRoutes().Add(Assign, (request, _) => ValueTask.FromResult(Echo(request)));
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(
            app => app.UseUnaryGrpc(routes),
            kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1));
        using var client = new RawClient(server.Address);

        RawAnswer answer = await client.SendAsync(
            HttpMethod.Post, Assign.Path, new ByteArrayContent(Frames.Plain(Request)), HttpVersion.Version11, "application/grpc", default);

        Assert.Equal(HttpStatusCode.UpgradeRequired, answer.HttpStatus);
        Assert.Contains("HTTP/2", answer.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_HTTP_1_1_client_of_the_gRPC_port_learns_that_it_is_one()
    {
        await using GrpcTestServer server = await EchoAsync();
        using var client = new RawClient(server.Address);

        RawAnswer answer = await client.SendAsync(HttpMethod.Get, "/", null, HttpVersion.Version11, null, default);

        Assert.Equal(HttpStatusCode.BadRequest, answer.HttpStatus);
        Assert.Contains("HTTP/2 only", System.Text.Encoding.ASCII.GetString(answer.Body), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/grpc-web+proto")]
    [InlineData(null)]
    public async Task What_is_not_gRPC_is_passed_on(string? contentType)
    {
        var routes = new UnaryRoutes().Add(Assign, (request, _) => ValueTask.FromResult(Echo(request)));
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(app =>
        {
            app.UseUnaryGrpc(routes);
            app.Run(context => context.Response.WriteAsync("next"));
        });
        using var client = new RawClient(server.Address);

        RawAnswer answer = await client.SendAsync(
            HttpMethod.Post, Assign.Path, new ByteArrayContent([]), HttpVersion.Version20, contentType, default);

        Assert.Equal("next"u8.ToArray(), answer.Body);
    }

    [Fact]
    public async Task Health_is_what_was_set_for_each_service()
    {
        ServingStates states = new ServingStates().Set("serverless.simulator.Scaler", true);
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(new UnaryRoutes().AddHealth(states));
        await using var channel = new HttpUnaryChannel(server.Address);

        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, await CheckAsync(""));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, await CheckAsync("serverless.simulator.Scaler"));
        states.Set("serverless.simulator.Scaler", false).Set("", false);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, await CheckAsync("serverless.simulator.Scaler"));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, await CheckAsync(""));
        GrpcException unknown = await Assert.ThrowsAsync<GrpcException>(() => CheckAsync("nobody"));
        Assert.Equal(GrpcStatus.NotFound, unknown.Status);

        using var client = new RawClient(server.Address);
        RawAnswer watch = await client.PostAsync("/grpc.health.v1.Health/Watch", Frames.Plain(new HealthCheckRequest()));
        Assert.Equal(GrpcStatus.Unimplemented, watch.StatusOfTrailersOnly);

        async Task<HealthCheckResponse.Types.ServingStatus> CheckAsync(string service) =>
            (await channel.CallAsync(ServingStates.Check, new HealthCheckRequest { Service = service }, null, default)).Status;
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static AssignReply Echo(AssignRequest request) =>
        new() { Assigment = new Assignment { RequestId = request.RequestId } };

    private static void AssertEchoed(RawAnswer answer)
    {
        Assert.Equal(Frames.Plain(Echo(Request)), answer.Body);
        Assert.Equal("0", Assert.Single(answer.Trailers.GetValues("grpc-status")));
    }

    private static Task<GrpcTestServer> EchoAsync() => ServeAsync((request, _) => ValueTask.FromResult(Echo(request)));

    private static Task<GrpcTestServer> ServeAsync(
        Func<AssignRequest, UnaryCall, ValueTask<AssignReply>> assign, TimeProvider? time = null) =>
        GrpcTestServer.StartAsync(
            new UnaryRoutes().Add(Assign, assign),
            new UnaryGrpcServerOptions { MaxMessageBytes = Limit, TimeProvider = time ?? TimeProvider.System });
}
