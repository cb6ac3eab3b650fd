using System.Buffers;
using System.Text;
using FsCheck.Fluent;
using FuncScaler.Contract;
using FuncScaler.Tests;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.UnaryGrpc.Tests;

public sealed class GrpcWebTests
{
    private static readonly UnaryMethod<AssignRequest, AssignReply> Assign = new(ScalerContract.Assign);

    private static readonly AssignReply Reply = new() { Assigment = new Assignment { InstanceId = "i1" } };

    [Theory]
    [InlineData("application/grpc-web+proto", true)]
    [InlineData("application/grpc-web", true)]
    [InlineData("Application/Grpc-Web+Proto; charset=utf-8", true)]
    [InlineData("application/grpc-web-text+proto", false)]
    [InlineData("application/grpc-web+json", false)]
    [InlineData("application/grpc+proto", false)]
    [InlineData("", false)]
    [InlineData(null, false)]
    public void Only_the_binary_form_is_known(string? contentType, bool known) =>
        Assert.Equal(known, GrpcWeb.IsGrpcWeb(contentType));

    [Fact]
    public void A_reply_is_the_message_and_then_the_trailers()
    {
        byte[] body = GrpcWeb.EncodeReply(Reply);

        byte[] expected = [.. Frames.Plain(Reply), .. Frames.Raw(0x80, Encoding.ASCII.GetBytes("grpc-status:0\r\n"))];
        Assert.Equal(expected, body);
    }

    [Fact]
    public void An_error_is_trailers_only()
    {
        byte[] body = GrpcWeb.EncodeError(GrpcStatus.NotFound, "没");

        Assert.Equal(Frames.Raw(0x80, Encoding.ASCII.GetBytes("grpc-status:5\r\ngrpc-message:%E6%B2%A1\r\n")), body);
    }

    [Fact]
    public void Requests_and_replies_make_the_round_trip() => Properties.Hold(
        ArbMap.Default.GeneratorFor<int>().Select(n => new AssignRequest { Timestamp = (ulong)(uint)n, RequestId = $"r{n}" }).ToArbitrary(),
        message =>
        {
            Assert.Equal(message, GrpcWeb.DecodeRequest(AssignRequest.Parser, Sequence(GrpcWeb.EncodeRequest(message))));
            Assert.Equal(message, GrpcWeb.DecodeReply(AssignRequest.Parser, Sequence(GrpcWeb.EncodeReply(message))));
        });

    [Fact]
    public void Errors_make_the_round_trip() => Properties.Hold(
        (from code in Gen.Choose(1, 16)
         from detail in Gen.Elements("", "100%", "多\r\ngrpc-status:0\r\n", "a: b")
         select ((GrpcStatus)code, detail)).ToArbitrary(),
        draw =>
        {
            (GrpcStatus status, string detail) = draw;
            GrpcException error = Fails(GrpcWeb.EncodeError(status, detail));
            Assert.Equal((status, detail), (error.Status, error.Detail));
        });

    [Fact]
    public void Trailers_of_other_servers_are_read_whatever_their_case_and_spaces()
    {
        byte[] body = [.. Frames.Gzip(Reply), .. Frames.Raw(0x80, Encoding.ASCII.GetBytes("Grpc-Message: fine\r\nGrpc-Status: 0\r\nx: y"))];

        Assert.Equal(Reply, GrpcWeb.DecodeReply(AssignReply.Parser, Sequence(body), MessageEncoding.Gzip));
    }

    [Fact]
    public void A_reply_that_breaks_the_rules_is_an_error_with_a_status()
    {
        byte[] message = Frames.Plain(Reply);
        byte[] trailers = Frames.Raw(0x80, Encoding.ASCII.GetBytes("grpc-status:0\r\n"));

        Assert.Equal(GrpcStatus.Internal, Fails([]).Status);
        Assert.Equal(GrpcStatus.Internal, Fails(message).Status);
        Assert.Equal(GrpcStatus.Internal, Fails([.. message, .. trailers[..^1]]).Status);
        Assert.Equal(GrpcStatus.Internal, Fails([.. message, .. trailers, .. message]).Status);
        Assert.Equal(GrpcStatus.Internal, Fails([.. message, .. Frames.Raw(0x80, [])]).Status);
        Assert.Equal(GrpcStatus.Unimplemented, Fails(trailers).Status);
        Assert.Equal(GrpcStatus.Unimplemented, Fails([.. message, .. message, .. trailers]).Status);
    }

    [Fact]
    public void A_request_that_breaks_the_rules_is_an_error_with_a_status()
    {
        byte[] message = Frames.Plain(new AssignRequest { RequestId = "r" });

        Assert.Equal(GrpcStatus.Unimplemented, Refuses([]));
        Assert.Equal(GrpcStatus.Unimplemented, Refuses([.. message, .. message]));
        Assert.Equal(GrpcStatus.Internal, Refuses(message[..^1]));
        Assert.Equal(GrpcStatus.Internal, Refuses(Frames.Raw(0x80, [])));
        Assert.Equal(GrpcStatus.ResourceExhausted, Refuses([0, 0x7F, 0, 0, 0]));

        static GrpcStatus Refuses(byte[] body) =>
            Assert.Throws<GrpcException>(() => GrpcWeb.DecodeRequest(AssignRequest.Parser, Sequence(body))).Status;
    }

    [Fact]
    public async Task A_request_is_answered_by_the_handler_of_its_path()
    {
        AssignReply reply = GrpcWeb.DecodeReply(AssignReply.Parser, Sequence(await AnswerAsync(
            Assign.Path,
            (request, call) => ValueTask.FromResult(new AssignReply { ErrorMessage = request.RequestId + call.GetMetadata("x-who") }))));

        Assert.Equal("r-me", reply.ErrorMessage);
    }

    [Fact]
    public async Task Errors_of_a_handler_are_answered_as_over_HTTP2()
    {
        Assert.Equal(GrpcStatus.Unimplemented, Fails(await AnswerAsync("/a.B/C", (_, _) => throw new InvalidOperationException())).Status);
        Assert.Equal(
            GrpcStatus.Aborted, Fails(await AnswerAsync(Assign.Path, (_, _) => throw new GrpcException(GrpcStatus.Aborted, "")))
                .Status);
        GrpcException unknown = Fails(await AnswerAsync(Assign.Path, (_, _) => throw new InvalidOperationException("password=hunter2")));
        Assert.Equal(GrpcStatus.Unknown, unknown.Status);
        Assert.DoesNotContain("hunter2", unknown.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deadline_ends_the_call()
    {
        var time = new ManualTimeProvider();
        using var call = new UnaryCall(time, TimeSpan.FromSeconds(5));
        Assert.Equal(TimeSpan.FromSeconds(5), call.TimeRemaining);

        ValueTask<byte[]> answer = AnswerAsync(Assign.Path, WaitAsync, call);
        time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal(GrpcStatus.DeadlineExceeded, Fails(await answer).Status);
        Assert.Equal(TimeSpan.Zero, call.TimeRemaining);
    }

    [Fact]
    public async Task A_caller_that_leaves_ends_the_call()
    {
        using var leaving = new CancellationTokenSource();
        using var call = new UnaryCall(TimeProvider.System, aborted: leaving.Token);

        ValueTask<byte[]> answer = AnswerAsync(Assign.Path, WaitAsync, call);
        await leaving.CancelAsync();

        Assert.Equal(GrpcStatus.Cancelled, Fails(await answer).Status);
    }

    private static async ValueTask<AssignReply> WaitAsync(AssignRequest request, UnaryCall call)
    {
        await Task.Delay(Timeout.InfiniteTimeSpan, call.Cancellation);
        return Reply;
    }

    private static async ValueTask<byte[]> AnswerAsync(
        string path, Func<AssignRequest, UnaryCall, ValueTask<AssignReply>> handler, UnaryCall? call = null)
    {
        using var plain = new UnaryCall(
            TimeProvider.System, metadata: name => name.Equals("x-who", StringComparison.OrdinalIgnoreCase) ? "-me" : null);
        byte[] body = GrpcWeb.EncodeRequest(new AssignRequest { RequestId = "r" });
        return await GrpcWeb.AnswerAsync(
            new UnaryRoutes().Add(Assign, handler), path, Sequence(body), call ?? plain, NullLogger.Instance);
    }

    private static GrpcException Fails(byte[] body) =>
        Assert.Throws<GrpcException>(() => GrpcWeb.DecodeReply(AssignReply.Parser, Sequence(body)));

    private static ReadOnlySequence<byte> Sequence(byte[] body) => new(body);
}
