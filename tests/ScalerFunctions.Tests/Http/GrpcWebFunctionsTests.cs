using System.Buffers;
using System.IO.Compression;
using FuncScaler.Contract;
using FuncScaler.ScalerFunctions;
using FuncScaler.UnaryGrpc;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.Tests;

public sealed class GrpcWebFunctionsTests : IAsyncLifetime
{
    private const string Assign = "/serverless.simulator.Scaler/Assign";

    private static readonly AssignRequest Request = new()
    {
        RequestId = "r1",
        MetaData = new Meta { Key = "f", Runtime = "go", TimeoutInSecs = 60, MemoryInMb = 128 },
    };

    private readonly TestScaler _scaler = new();
    private readonly GrpcWebFunctions _functions;

    public GrpcWebFunctionsTests() => _functions = new GrpcWebFunctions(_scaler.Service, new DurableLedgers(), _scaler.Time, NullLogger<GrpcWebFunctions>.Instance);

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => _scaler.DisposeAsync().AsTask();

    [Fact]
    public async Task Both_methods_are_served_on_the_contracts_paths()
    {
        var reply = Decode(AssignReply.Parser, await CallAsync(Assign, GrpcWeb.EncodeRequest(Request)));
        Assert.Equal("r1", reply.Assigment.RequestId);

        var idle = await CallAsync("/serverless.simulator.Scaler/Idle", GrpcWeb.EncodeRequest(new IdleRequest { Assigment = reply.Assigment }));
        Assert.Equal(Status.Ok, Decode(IdleReply.Parser, idle).Status);
        Assert.Equal(1, _scaler.Runtime.GetStats().Requests.Releases);
    }

    [Fact]
    public async Task A_compressed_message_is_read()
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(Request.ToByteArray());
        }

        byte[] frame = [1, 0, 0, 0, (byte)packed.Length, .. packed.ToArray()];

        var answer = await CallAsync(Assign, frame, ("grpc-encoding", "gzip"));

        Assert.Equal("r1", Decode(AssignReply.Parser, answer).Assigment.RequestId);
    }

    [Theory]
    [InlineData("/serverless.simulator.Scaler/Other", null, null, GrpcStatus.Unimplemented, "Unknown method Other")]
    [InlineData(Assign, "grpc-encoding", "snappy", GrpcStatus.Unimplemented, "send identity or gzip")]
    [InlineData(Assign, "grpc-timeout", "soon", GrpcStatus.Internal, "cannot be read")]
    [InlineData(Assign, "grpc-timeout", "0m", GrpcStatus.DeadlineExceeded, "deadline")]
    public async Task What_cannot_be_served_is_answered_with_a_status_in_the_body(
        string path, string? header, string? value, GrpcStatus status, string detail)
    {
        var answer = header is null
            ? await CallAsync(path, GrpcWeb.EncodeRequest(Request))
            : await CallAsync(path, GrpcWeb.EncodeRequest(Request), (header, value!));

        var e = Assert.Throws<GrpcException>(() => Decode(AssignReply.Parser, answer));
        Assert.Equal(status, e.Status);
        Assert.Contains(detail, e.Detail, StringComparison.Ordinal);
        Assert.Equal(0, _scaler.Runtime.GetStats().Requests.Assigns);
    }

    [Fact]
    public async Task A_body_beyond_the_limit_is_refused()
    {
        var answer = await CallAsync(Assign, new byte[(4 << 20) + 100]);

        Assert.Equal(GrpcStatus.ResourceExhausted, Assert.Throws<GrpcException>(() => Decode(AssignReply.Parser, answer)).Status);
    }

    [Fact]
    public async Task Another_content_type_is_refused_in_http()
    {
        var result = await _functions.CallAsync(Post(Assign, [], "application/json"), null!);

        Assert.Equal(StatusCodes.Status415UnsupportedMediaType, Assert.IsType<ContentResult>(result).StatusCode);
    }

    private static HttpRequest Post(string path, byte[] body, string contentType) => new DefaultHttpContext
    {
        Request = { Method = "POST", Path = path, ContentType = contentType, Body = new MemoryStream(body) },
    }.Request;

    private static T Decode<T>(MessageParser<T> parser, FileContentResult answer)
        where T : class, IMessage<T>
    {
        Assert.Equal("application/grpc-web+proto", answer.ContentType);
        return GrpcWeb.DecodeReply(parser, new ReadOnlySequence<byte>(answer.FileContents));
    }

    private async Task<FileContentResult> CallAsync(string path, byte[] body, params (string Name, string Value)[] headers)
    {
        var request = Post(path, body, "application/grpc-web+proto");
        foreach (var (name, value) in headers)
        {
            request.Headers[name] = value;
        }

        return Assert.IsType<FileContentResult>(await _functions.CallAsync(request, null!));
    }
}
