using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using FuncScaler.Contract;
using FuncScaler.Runtime.Service;
using FuncScaler.ScalerFunctions.Http;
using FuncScaler.ScalerFunctions.Worker;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Net.Client.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Status = FuncScaler.Contract.Status;

namespace FuncScaler.Tests;

/// <summary>The trigger behind an endpoint of HTTP/1.1, as in the worker.</summary>
public sealed class GrpcWebFunctionsTests : IAsyncLifetime
{
    private const string Assign = "/serverless.simulator.Scaler/Assign";

    private static readonly AssignRequest Request = new()
    {
        RequestId = "r1",
        MetaData = new Meta { Key = "f", Runtime = "go", TimeoutInSecs = 60, MemoryInMb = 128 },
    };

    private readonly TestScaler _scaler = new();
    private readonly WebApplication _worker;
    private HttpClient _http = null!;
    private GrpcChannel _channel = null!;
    private Scaler.ScalerClient _client = null!;

    public GrpcWebFunctionsTests()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(_scaler.Service).AddSingleton<ScalerGrpcWeb>().AddGrpc();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1));
        _worker = builder.Build();
        var functions = new GrpcWebFunctions(_worker.Services.GetRequiredService<ScalerGrpcWeb>(), new DurableLedgers());
        _worker.MapPost(
            "/serverless.simulator.Scaler/{method}",
            (RequestDelegate)(async http => Assert.IsType<EmptyResult>(await functions.CallAsync(http.Request, null!))));
    }

    public async Task InitializeAsync()
    {
        await _worker.StartAsync();
        _http = new HttpClient { BaseAddress = new Uri(_worker.Urls.Single()) };
        _channel = GrpcChannel.ForAddress(_http.BaseAddress, new GrpcChannelOptions
        {
            HttpHandler = new GrpcWebHandler(GrpcWebMode.GrpcWeb, new HttpClientHandler()),
            HttpVersion = HttpVersion.Version11,
        });
        _client = new Scaler.ScalerClient(_channel);
    }

    public async Task DisposeAsync()
    {
        _channel.Dispose();
        _http.Dispose();
        await _worker.DisposeAsync();
        await _scaler.DisposeAsync();
    }

    [Fact]
    public async Task Both_methods_are_served_on_the_contracts_paths()
    {
        var reply = await _client.AssignAsync(Request);
        Assert.Equal("r1", reply.Assigment.RequestId);

        var idle = await _client.IdleAsync(new IdleRequest { Assigment = reply.Assigment });
        Assert.Equal(Status.Ok, idle.Status);
        Assert.Equal(1, _scaler.Runtime.GetStats().Requests.Releases);
    }

    [Fact]
    public async Task An_error_has_the_status_and_the_text_of_the_service()
    {
        var assignment = new Assignment { RequestId = "r9", MetaKey = "没有", InstanceId = "i" };

        var e = await Assert.ThrowsAsync<RpcException>(() => _client.IdleAsync(new IdleRequest { Assigment = assignment }).ResponseAsync);

        Assert.Equal(StatusCode.NotFound, e.StatusCode);
        Assert.Contains("request r9 of function 没有 holds no instance", e.Status.Detail, StringComparison.Ordinal);
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

        var (status, _, body) = await PostAsync(Assign, frame, ("grpc-encoding", "gzip"));

        Assert.Equal(StatusCode.OK, status);
        Assert.Equal("r1", AssignReply.Parser.ParseFrom(body, 5, body[4]).Assigment.RequestId);
    }

    [Theory]
    [InlineData("/serverless.simulator.Scaler/Other", null, null, StatusCode.Unimplemented, "unimplemented")]
    [InlineData(Assign, "grpc-encoding", "snappy", StatusCode.Unimplemented, "Supported encodings: identity, gzip")]
    public async Task What_cannot_be_served_is_answered_with_a_status(string path, string? header, string? value, StatusCode status, string detail)
    {
        byte[] message = Request.ToByteArray();
        byte[] frame = [(byte)(header is null ? 0 : 1), 0, 0, 0, (byte)message.Length, .. message];

        var answer = header is null ? await PostAsync(path, frame) : await PostAsync(path, frame, (header, value!));

        Assert.Equal(status, answer.Status);
        Assert.Contains(detail, answer.Detail, StringComparison.Ordinal);
        Assert.Equal(0, _scaler.Runtime.GetStats().Requests.Assigns);
    }

    [Fact]
    public async Task A_body_beyond_the_limit_is_refused()
    {
        byte[] body = new byte[(4 << 20) + 100];
        (body[1], body[2], body[3], body[4]) = (0, 0x40, 0, 95);

        Assert.Equal(StatusCode.ResourceExhausted, (await PostAsync(Assign, body)).Status);
    }

    [Fact]
    public async Task Another_content_type_is_refused_in_http()
    {
        using var content = new StringContent("{}", Encoding.UTF8, "application/json");
        using var answer = await _http.PostAsync(new Uri(Assign, UriKind.Relative), content);

        Assert.Equal(HttpStatusCode.UnsupportedMediaType, answer.StatusCode);
    }

    /// <summary>Sends bytes as they are. The status stands in a header, or in the last frame of the body.</summary>
    private async Task<(StatusCode Status, string Detail, byte[] Body)> PostAsync(string path, byte[] body, params (string Name, string Value)[] headers)
    {
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc-web+proto");
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
        foreach (var (name, value) in headers)
        {
            request.Headers.Add(name, value);
        }

        using var answer = await _http.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.StartsWith("application/grpc-web", answer.Content.Headers.ContentType!.MediaType, StringComparison.Ordinal);
        var read = await answer.Content.ReadAsByteArrayAsync();
        var text = answer.Headers.ToString() + Encoding.UTF8.GetString(read);
        var status = System.Text.RegularExpressions.Regex.Match(text, @"grpc-status: ?(\d+)");
        return ((StatusCode)int.Parse(status.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture), Uri.UnescapeDataString(text), read);
    }
}
