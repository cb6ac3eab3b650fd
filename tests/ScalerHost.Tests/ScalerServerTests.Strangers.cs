using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using FuncScaler.Contract;
using Grpc.Core;

namespace FuncScaler.Tests;

/// <summary>Callers that share names, ask strangely, or should not be asking at all.</summary>
public sealed partial class ScalerServerTests
{
    [Fact]
    public async Task The_same_request_id_of_two_functions_gets_an_instance_for_each()
    {
        _platform.CreateGate = new TaskCompletionSource();
        var one = AssignAsync("r1", key: "f");
        var other = AssignAsync("r1", key: "g");
        var json = PostAsync("/api/assign", """{"requestId": "r1", "metaData": {"key": "h", "runtime": "go", "timeoutInSecs": 60, "memoryInMb": 128}}""");
        await Eventually.HoldsAsync(() => _scaler.Runtime.GetStats().Requests.Waiting == 3);
        _platform.CreateGate.SetResult();

        var (first, second, third) = (await one, await other, await json);

        Assert.Equal(3, new[] { first.Assigment.InstanceId, second.Assigment.InstanceId, (string)third.Body["assigment"]!["instanceId"]! }.Distinct().Count());
        Assert.Equal(3, _platform.Slots.Count);
        await IdleAsync(first.Assigment);
        await IdleAsync(second.Assigment);
        Assert.Equal(1, _scaler.Runtime.GetStats().Slots.Busy);
    }

    [Fact]
    public async Task A_caller_of_one_function_that_goes_away_leaves_the_same_request_id_of_another_alone()
    {
        _platform.CreateGate = new TaskCompletionSource();
        using var leaving = new CancellationTokenSource();
        var one = _client.AssignAsync(
            new AssignRequest { RequestId = "r1", MetaData = new Meta { Key = "f", MemoryInMb = 128 } }, cancellationToken: leaving.Token).ResponseAsync;
        var other = AssignAsync("r1", key: "g");
        await Eventually.HoldsAsync(() => _scaler.Runtime.GetStats().Requests.Waiting == 2);

        await leaving.CancelAsync();
        await Assert.ThrowsAsync<RpcException>(() => one);
        await Eventually.HoldsAsync(() => _scaler.Runtime.GetStats().Requests.Waiting == 1);
        _platform.CreateGate.SetResult();

        Assert.Equal("g", (await other).Assigment.MetaKey);
    }

    [Theory]
    [InlineData("text/plain", null, null, HttpStatusCode.UnsupportedMediaType, "send application/json")]
    [InlineData("application/json", "http://evil.example", null, HttpStatusCode.Forbidden, "pages of http://evil.example may not call")]
    [InlineData("application/json", null, "evil.example", HttpStatusCode.Forbidden, "not called evil.example")]
    public async Task A_web_page_cannot_use_the_scaler_of_the_machine_that_shows_it(string type, string? origin, string? host, HttpStatusCode status, string error)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/assign")
        {
            Content = new StringContent("""{"requestId": "r1", "metaData": {"key": "f", "memoryInMb": 128}}""", Encoding.UTF8, type),
        };
        request.Headers.Host = host;
        if (origin is not null)
        {
            request.Headers.Add("Origin", origin);
        }

        using var answer = await _http.SendAsync(request);

        Assert.Equal(status, answer.StatusCode);
        Assert.Contains(error, (string)(await answer.Content.ReadFromJsonAsync<JsonObject>())!["error"]!, StringComparison.Ordinal);
        Assert.Equal(0, _scaler.Runtime.GetStats().Requests.Assigns);
    }

    [Theory]
    [InlineData("app/func", "/api/explain/app%2Ffunc")]
    [InlineData("app/func", "/api/explain/app/func")]
    [InlineData("..", "/api/explain/%2E%2E")]
    [InlineData("..", "/api/explain/..")]
    [InlineData("a b+c%", "/api/explain/a%20b+c%25")]
    [InlineData("..", "/api/explain?function=..")]
    public async Task A_function_is_explained_whatever_its_key_looks_like_in_a_path(string key, string target)
    {
        await DisposeScalerAsync();
        await StartScalerAsync(keep: false, "adaptive:price=2");
        await IdleAsync((await AssignAsync("r1", key: key)).Assigment);

        // As it is, without the client's tidying up.
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, _scaler.HttpPort!.Value);
        await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        using var reader = new StreamReader(socket.GetStream());
        var answer = await reader.ReadToEndAsync();

        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
        Assert.Contains("\"arrivals\":1", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Names_that_would_harm_logs_or_memory_are_refused()
    {
        await RefusedAsync("a\u001b[2Jb", "control character (U+001B)");
        await RefusedAsync(new string('k', 513), "use at most 512");
        await RefusedAsync("a\uFFFDb", "no valid UTF-8");

        using var content = new ByteArrayContent([.. "{\"requestId\": \"r"u8, 0xC3, 0x28, .. "\"}"u8]);
        content.Headers.ContentType = new("application/json");
        using var answer = await _http.PostAsync(new Uri("/api/assign", UriKind.Relative), content);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Empty(_scaler.Runtime.GetStats().Functions);

        async Task RefusedAsync(string key, string error)
        {
            var refused = await Assert.ThrowsAsync<RpcException>(() => AssignAsync("r1", key: key));
            Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
            Assert.Contains(error, refused.Status.Detail, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_caller_over_json_says_how_long_it_waits()
    {
        _platform.CreateGate = new TaskCompletionSource();
        var body = new JsonObject
        {
            ["requestId"] = "r1",
            ["timeoutMs"] = 200,
            ["metaData"] = new JsonObject { ["key"] = "f", ["memoryInMb"] = 128 },
        };

        Assert.Equal(HttpStatusCode.GatewayTimeout, (await PostAsync("/api/assign", body.ToJsonString())).Status);
        body["timeoutMs"] = "soon";
        var wrong = await PostAsync("/api/assign", body.ToJsonString());
        Assert.Equal(HttpStatusCode.BadRequest, wrong.Status);
        Assert.Contains("timeoutMs is", (string)wrong.Body["error"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stats_come_in_pages()
    {
        foreach (var key in (string[])["a", "b", "c"])
        {
            await IdleAsync((await AssignAsync("r", key: key)).Assigment);
        }

        var page = (await _http.GetFromJsonAsync<JsonObject>("/api/stats?offset=1&limit=1"))!;

        Assert.Equal("b", (string)Assert.Single(page["functions"]!.AsArray())!["key"]!);
        Assert.Equal(3, (int)page["functionCount"]!);
        Assert.Equal(3, (int)page["slots"]!["idle"]!);
        using var wrong = await _http.GetAsync(new Uri("/api/stats?limit=-1", UriKind.Relative));
        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
    }

    [Fact]
    public async Task Who_still_waits_when_the_scaler_stops_is_told_so()
    {
        _platform.CreateGate = new TaskCompletionSource();
        var grpc = AssignAsync("r1");
        var json = PostAsync("/api/assign", """{"requestId": "r2", "metaData": {"key": "f", "memoryInMb": 128}}""");
        await Eventually.HoldsAsync(() => _scaler.Runtime.GetStats().Requests.Waiting == 2);

        using var hurry = new CancellationTokenSource();
        var stop = _scaler.StopAsync(hurry.Token);
        await hurry.CancelAsync();

        var refused = await Assert.ThrowsAsync<RpcException>(() => grpc);
        Assert.Equal(StatusCode.Unavailable, refused.StatusCode);
        Assert.Contains("the scaler is stopping", refused.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await json).Status);
        _platform.CreateGate.SetResult();
        await stop;
    }

    [Fact]
    public async Task Beyond_those_that_may_wait_callers_are_told_when_to_come_again()
    {
        await DisposeScalerAsync();
        await StartScalerAsync(keep: false, pool: new SlotPoolOptions { MaxWaiting = 1 });
        _platform.CreateGate = new TaskCompletionSource();
        var waits = AssignAsync("r1");
        await Eventually.HoldsAsync(() => _scaler.Runtime.GetStats().Requests.Waiting == 1);

        var grpc = await Assert.ThrowsAsync<RpcException>(() => AssignAsync("r2"));
        Assert.Equal((StatusCode.ResourceExhausted, "100"), (grpc.StatusCode, grpc.Trailers.GetValue("grpc-retry-pushback-ms")));
        Assert.Contains("1 requests for the function wait already", grpc.Status.Detail, StringComparison.Ordinal);
        using var content = new StringContent("""{"requestId": "r3", "metaData": {"key": "f", "runtime": "go", "timeoutInSecs": 60, "memoryInMb": 128}}""", Encoding.UTF8, "application/json");
        using var json = await _http.PostAsync(new Uri("/api/assign", UriKind.Relative), content);
        Assert.Equal((HttpStatusCode.TooManyRequests, "1"), (json.StatusCode, json.Headers.RetryAfter!.ToString()));

        _platform.CreateGate.SetResult();
        Assert.Equal("r1", (await waits).Assigment.RequestId);
    }
}
