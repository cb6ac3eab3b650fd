using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using FuncScaler.Contract;
using FuncScaler.Tests;
using FuncScaler.Tests.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace FuncScaler.UnaryGrpc.Tests;

public sealed class ClientProtocolTests
{
    private const int Limit = 10_000;

    private static readonly UnaryMethod<InitRequest, InitReply> Init = new(ScalerContract.Init);

    private static readonly InitReply Reply = new() { InitDurationInMs = 7 };

    [Fact]
    public async Task A_request_is_what_the_protocol_asks_for()
    {
        var seen = new Dictionary<string, string>();
        byte[] body = [];
        await using GrpcTestServer server = await PeerAsync(async context =>
        {
            seen["method"] = context.Request.Method;
            seen["path"] = context.Request.Path;
            seen["protocol"] = context.Request.Protocol;
            foreach (var header in context.Request.Headers)
            {
                seen[header.Key.ToLowerInvariant()] = header.Value.ToString();
            }

            using var copy = new MemoryStream();
            await context.Request.Body.CopyToAsync(copy);
            body = copy.ToArray();
            await AnswerAsync(context, Frames.Plain(Reply));
        });

        Assert.Equal(Reply, await CallAsync(server, timeout: TimeSpan.FromSeconds(5)));

        Assert.Equal(Frames.Plain(new InitRequest { SlotId = "s1" }), body);
        Assert.Equal("POST", seen["method"]);
        Assert.Equal("/serverless.simulator.Platform/Init", seen["path"]);
        Assert.Equal("HTTP/2", seen["protocol"]);
        Assert.Equal("trailers", seen["te"]);
        Assert.Equal("application/grpc", seen["content-type"]);
        Assert.Equal("5000000u", seen["grpc-timeout"]);
        Assert.Equal("identity,gzip", seen["grpc-accept-encoding"]);
        Assert.StartsWith("grpc-", seen["user-agent"], StringComparison.Ordinal);
        Assert.False(seen.ContainsKey("grpc-encoding"));
        Assert.False(seen.ContainsKey("content-length"));
    }

    [Theory]
    [InlineData(400, GrpcStatus.Internal)]
    [InlineData(401, GrpcStatus.Unauthenticated)]
    [InlineData(403, GrpcStatus.PermissionDenied)]
    [InlineData(404, GrpcStatus.Unimplemented)]
    [InlineData(429, GrpcStatus.Unavailable)]
    [InlineData(502, GrpcStatus.Unavailable)]
    [InlineData(503, GrpcStatus.Unavailable)]
    [InlineData(504, GrpcStatus.Unavailable)]
    [InlineData(302, GrpcStatus.Unknown)]
    [InlineData(418, GrpcStatus.Unknown)]
    [InlineData(500, GrpcStatus.Unknown)]
    public async Task The_HTTP_status_of_a_peer_that_is_no_gRPC_server_is_mapped(int httpStatus, GrpcStatus status)
    {
        await using GrpcTestServer server = await PeerAsync(context =>
        {
            context.Response.StatusCode = httpStatus;
            context.Response.ContentType = "text/html";
            return context.Response.WriteAsync("<h1>Sorry</h1>");
        });

        GrpcException error = await FailsAsync(server);

        Assert.Equal(status, error.Status);
        Assert.Contains($"{httpStatus}", error.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_grpc_status_counts_more_than_the_HTTP_status()
    {
        await using GrpcTestServer server = await PeerAsync(context =>
        {
            context.Response.StatusCode = 503;
            context.Response.Headers["grpc-status"] = "8";
            context.Response.Headers["grpc-message"] = "too%20many";
            return Task.CompletedTask;
        });

        GrpcException error = await FailsAsync(server);

        Assert.Equal((GrpcStatus.ResourceExhausted, "too many"), (error.Status, error.Detail));
    }

    public static TheoryData<string, byte[], string?, string?, GrpcStatus> BrokenAnswers()
    {
        byte[] frame = Frames.Plain(Reply);
        return new()
        {
            { "no trailers", frame, null, null, GrpcStatus.Internal },
            { "no message", [], "0", null, GrpcStatus.Unimplemented },
            { "two messages", [.. frame, .. frame], "0", null, GrpcStatus.Unimplemented },
            { "a byte too many", [.. frame, 0], "0", null, GrpcStatus.Unimplemented },
            { "half a header", frame[..3], "0", null, GrpcStatus.Internal },
            { "half a message", frame[..^1], "0", null, GrpcStatus.Internal },
            { "no protobuf", Frames.Raw(0, [0xFF, 0xFF]), "0", null, GrpcStatus.Internal },
            { "unknown flags", Frames.Raw(4, [1]), "0", null, GrpcStatus.Internal },
            { "compression not named", Frames.Gzip(Reply), "0", null, GrpcStatus.Internal },
            { "unknown compression", Frames.Raw(1, [1, 2]), "0", "snappy", GrpcStatus.Internal },
            { "too large", Frames.Raw(0, new byte[Limit + 1]), "0", null, GrpcStatus.ResourceExhausted },
            { "a bomb", Frames.Raw(1, Frames.Compress(new byte[1 << 20])), "0", "gzip", GrpcStatus.ResourceExhausted },
            { "a message and then an error", frame, "10", null, GrpcStatus.Aborted },
            { "half a message and then an error", frame[..^1], "10", null, GrpcStatus.Aborted },
            { "a status nobody knows", frame, "99", null, GrpcStatus.Unknown },
            { "a status that is no number", frame, "ok", null, GrpcStatus.Unknown },
        };
    }

    [Theory]
    [MemberData(nameof(BrokenAnswers))]
    public async Task A_broken_answer_is_an_error_with_the_protocols_status(
        string what, byte[] body, string? grpcStatus, string? encoding, GrpcStatus status)
    {
        await using GrpcTestServer server = await PeerAsync(context => AnswerAsync(context, body, grpcStatus, encoding));

        GrpcException error = await FailsAsync(server);

        Assert.True(status == error.Status, $"{what}: {error.Message}");
    }

    [Fact]
    public async Task Compressed_answers_are_read_and_so_are_plain_ones_where_compression_is_named()
    {
        await using GrpcTestServer gzip = await PeerAsync(context => AnswerAsync(context, Frames.Gzip(Reply), "0", "gzip"));
        await using GrpcTestServer plain = await PeerAsync(context => AnswerAsync(context, Frames.Plain(Reply), "0", "snappy"));

        Assert.Equal(Reply, await CallAsync(gzip));
        Assert.Equal(Reply, await CallAsync(plain));
    }

    [Fact]
    public async Task An_answer_may_come_in_any_pieces()
    {
        var reply = new InitReply { ErrorMessage = new string('x', Limit - 100) };
        await using GrpcTestServer server = await PeerAsync(async context =>
        {
            context.Response.ContentType = "application/grpc";
            foreach (byte[] piece in Frames.Plain(reply).Chunk(3).Take(20))
            {
                await context.Response.Body.WriteAsync(piece);
                await context.Response.Body.FlushAsync();
            }

            await context.Response.Body.WriteAsync(Frames.Plain(reply).AsMemory(60));
            context.Response.AppendTrailer("grpc-status", "0");
        });

        Assert.Equal(reply, await CallAsync(server));
    }

    [Fact]
    public async Task A_peer_that_speaks_something_else_is_named()
    {
        await using GrpcTestServer server = await PeerAsync(context => context.Response.WriteAsJsonAsync(new { hello = 1 }));

        GrpcException error = await FailsAsync(server);

        Assert.Equal(GrpcStatus.Unknown, error.Status);
        Assert.Contains("application/json", error.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_peer_that_speaks_only_HTTP_1_1_is_an_error()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(
            app => app.Run(_ => Task.CompletedTask),
            kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1));

        Assert.NotNull((await FailsAsync(server)).InnerException);
    }

    [Theory]
    [InlineData(0x2, GrpcStatus.Internal)]
    [InlineData(0x8, GrpcStatus.Cancelled)]
    [InlineData(0xB, GrpcStatus.ResourceExhausted)]
    [InlineData(0xC, GrpcStatus.PermissionDenied)]
    public async Task A_stream_that_the_peer_resets_ends_in_the_status_of_its_reason(int reason, GrpcStatus status)
    {
        await using GrpcTestServer server = await PeerAsync(context =>
        {
            context.Features.GetRequiredFeature<IHttpResetFeature>().Reset(reason);
            return Task.CompletedTask;
        });

        Assert.Equal(status, (await FailsAsync(server)).Status);
    }

    [Fact]
    public async Task A_peer_that_does_not_answer_the_connection_is_UNAVAILABLE_after_the_connect_timeout()
    {
        // Connected, but it never says a word of TLS.
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        await using var channel = new HttpUnaryChannel(
            $"https://localhost:{((IPEndPoint)silent.LocalEndpoint).Port}",
            new HttpUnaryChannelOptions { ConnectTimeout = TimeSpan.FromMilliseconds(50) });

        GrpcException error = await Assert.ThrowsAsync<GrpcException>(
            () => channel.CallAsync(Init, new InitRequest(), null, default).AsTask());

        Assert.Equal(GrpcStatus.Unavailable, error.Status);
    }

    [Fact]
    public async Task The_deadline_is_kept_by_the_channels_own_clock()
    {
        var time = new ManualTimeProvider();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using GrpcTestServer server = await PeerAsync(async context =>
        {
            started.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, context.RequestAborted);
        });
        await using var channel = new HttpUnaryChannel(server.Address, new HttpUnaryChannelOptions { TimeProvider = time });

        Task<InitReply> pending = channel.CallAsync(Init, new InitRequest(), TimeSpan.FromSeconds(5), default).AsTask();
        await started.Task;
        time.Advance(TimeSpan.FromSeconds(5) - TimeSpan.FromTicks(1));
        Assert.False(pending.IsCompleted);
        time.Advance(TimeSpan.FromTicks(1));

        GrpcException error = await Assert.ThrowsAsync<GrpcException>(() => pending);
        Assert.Equal(GrpcStatus.DeadlineExceeded, error.Status);
        Assert.Equal(0, time.ActiveTimers);
    }

    [Fact]
    public async Task A_deadline_in_the_middle_of_the_answer_counts_too()
    {
        var time = new ManualTimeProvider();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using GrpcTestServer server = await PeerAsync(async context =>
        {
            context.Response.ContentType = "application/grpc";
            await context.Response.Body.WriteAsync(Frames.Plain(Reply).AsMemory(0, 3));
            await context.Response.Body.FlushAsync();
            started.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, context.RequestAborted);
        });
        await using var channel = new HttpUnaryChannel(server.Address, new HttpUnaryChannelOptions { TimeProvider = time });

        Task<InitReply> pending = channel.CallAsync(Init, new InitRequest(), TimeSpan.FromSeconds(5), default).AsTask();
        await started.Task;
        time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal(GrpcStatus.DeadlineExceeded, (await Assert.ThrowsAsync<GrpcException>(() => pending)).Status);
    }

    [Fact]
    public async Task Without_a_timeout_there_is_neither_header_nor_timer()
    {
        var time = new ManualTimeProvider();
        int timers = -1;
        bool header = true;
        await using GrpcTestServer server = await PeerAsync(context =>
        {
            timers = time.ActiveTimers;
            header = context.Request.Headers.ContainsKey("grpc-timeout");
            return AnswerAsync(context, Frames.Plain(Reply));
        });
        await using var channel = new HttpUnaryChannel(server.Address, new HttpUnaryChannelOptions { TimeProvider = time });

        await channel.CallAsync(Init, new InitRequest(), null, default);
        Assert.Equal((0, false), (timers, header));
        await channel.CallAsync(Init, new InitRequest(), Timeout.InfiniteTimeSpan, default);
        Assert.Equal((0, false), (timers, header));
    }

    [Fact]
    public async Task A_channel_speaks_TLS_where_the_address_says_so()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 certificate = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(
            app => app.Run(context => AnswerAsync(context, Frames.Plain(Reply))),
            kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.UseHttps(certificate);
            }));
        var tls = new SslClientAuthenticationOptions
        {
            RemoteCertificateValidationCallback = (_, presented, _, _) => presented!.GetCertHashString() == certificate.Thumbprint,
        };
        await using var trusting = new HttpUnaryChannel(server.Address, new HttpUnaryChannelOptions { Tls = tls });
        await using var untrusting = new HttpUnaryChannel(server.Address);

        Assert.Equal(Reply, await trusting.CallAsync(Init, new InitRequest(), null, default));
        GrpcException error = await Assert.ThrowsAsync<GrpcException>(
            () => untrusting.CallAsync(Init, new InitRequest(), null, default).AsTask());
        Assert.Equal(GrpcStatus.Unavailable, error.Status);
    }

    [Fact]
    public async Task An_address_may_be_host_and_port()
    {
        await using GrpcTestServer server = await PeerAsync(context => AnswerAsync(context, Frames.Plain(Reply)));
        await using var channel = new HttpUnaryChannel($"127.0.0.1:{server.Address.Port}");

        Assert.Equal(Reply, await channel.CallAsync(Init, new InitRequest(), null, default));
        Assert.Throws<ArgumentException>(() => new HttpUnaryChannel("ftp://127.0.0.1"));
    }

    private static Task<GrpcTestServer> PeerAsync(RequestDelegate peer) => GrpcTestServer.StartAsync(app => app.Run(peer));

    private static async Task AnswerAsync(HttpContext context, byte[] body, string? grpcStatus = "0", string? encoding = null)
    {
        context.Response.ContentType = "application/grpc";
        if (encoding is not null)
        {
            context.Response.Headers["grpc-encoding"] = encoding;
        }

        await context.Response.StartAsync();
        await context.Response.Body.WriteAsync(body);
        if (grpcStatus is not null)
        {
            context.Response.AppendTrailer("grpc-status", grpcStatus);
        }
    }

    private static async Task<InitReply> CallAsync(GrpcTestServer server, TimeSpan? timeout = null)
    {
        await using var channel = new HttpUnaryChannel(server.Address, new HttpUnaryChannelOptions { MaxMessageBytes = Limit });
        return await channel.CallAsync(Init, new InitRequest { SlotId = "s1" }, timeout, default);
    }

    private static Task<GrpcException> FailsAsync(GrpcTestServer server) => Assert.ThrowsAsync<GrpcException>(() => CallAsync(server));
}
