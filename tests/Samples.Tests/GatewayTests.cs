using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using FuncScaler.Samples.Gateway;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests.Samples;

/// <summary>The gateway, between a stand-in for the scaler with one instance and another server on this machine that is nobody's instance.</summary>
public sealed class GatewayTests : IAsyncLifetime
{
    private readonly ConcurrentQueue<string> _atInstance = new();
    private readonly ConcurrentQueue<string> _elsewhere = new();
    private readonly ConcurrentQueue<JsonNode> _released = new();
    private readonly List<WebApplication> _servers = [];
    private Uri _instance = null!;
    private Uri _other = null!;
    private Uri _gateway = null!;

    public async Task InitializeAsync()
    {
        _instance = await ServeAsync(http => TellAsync(http, _atInstance, "the instance"));
        _other = await ServeAsync(http => TellAsync(http, _elsewhere, "elsewhere"));
        var scaler = await ServeAsync(ScaleAsync);
        var gateway = GatewayApp.Build("--scaler", scaler.ToString(), "--listen", "http://127.0.0.1:0");
        await gateway.StartAsync();
        _servers.Add(gateway);
        _gateway = new Uri(gateway.Urls.First());
    }

    public async Task DisposeAsync()
    {
        foreach (var server in _servers)
        {
            await server.StopAsync();
            await server.DisposeAsync();
        }
    }

    [Theory]
    [InlineData("/invoke/hello//{other}/x")]
    [InlineData("/invoke/hello///{other}/x")]
    [InlineData("/invoke/hello/%2F{other}/x")]
    [InlineData("/invoke/hello/%2F%2F{other}/x")]
    [InlineData("/invoke/hello/%5C%5C{other}/x")]
    [InlineData("/invoke/hello/\\\\{other}/x")]
    [InlineData("/invoke/hello/http://{other}/x")]
    [InlineData("/invoke/hello/@{other}/x")]
    [InlineData("/invoke/hello/:80@{other}/x")]
    [InlineData("/invoke/hello/..//{other}/x")]
    [InlineData("/invoke/hello/%0d%0aHost:%20{other}/x")]
    [InlineData("/invoke/hello/%09/{other}/x")]
    [InlineData("/invoke/hello?//{other}/x")]
    [InlineData("/invoke/hello/?@{other}/x")]
    public async Task No_path_leads_to_another_host(string path)
    {
        await CallAsync(path.Replace("{other}", _other.Authority, StringComparison.Ordinal));

        Assert.Empty(_elsewhere);
    }

    [Theory]
    [InlineData("/invoke/hello", "/")]
    [InlineData("/invoke/hello/", "/")]
    [InlineData("/invoke/hello/a/b?c=d%20e", "/a/b?c=d%20e")]
    [InlineData("/invoke/hello//a", "//a")]
    [InlineData("/invoke/hello/a%20b%3Fc", "/a%20b%3Fc")]
    [InlineData("/invoke/hello/caf%C3%A9", "/caf%C3%A9")]
    public async Task The_rest_of_the_path_and_the_query_arrive_as_they_were_written(string path, string arrives)
    {
        Assert.StartsWith("HTTP/1.1 200", await CallAsync(path), StringComparison.Ordinal);

        Assert.Equal(arrives, Assert.Single(_atInstance));
        Assert.False(Assert.Single(_released)["result"]!["needDestroy"]!.GetValue<bool>());
    }

    [Fact]
    public async Task An_instance_that_refuses_the_connection_is_given_back_as_broken_with_the_reason()
    {
        using var nobody = new ReservedPort();
        _instance = nobody.Address;

        Assert.StartsWith("HTTP/1.1 502", await CallAsync("/invoke/hello/"), StringComparison.Ordinal);

        var result = Assert.Single(_released)["result"]!;
        Assert.True(result["needDestroy"]!.GetValue<bool>());
        Assert.Contains("refused", result["reason"]!.GetValue<string>(), StringComparison.OrdinalIgnoreCase);
    }

    private static Task TellAsync(HttpContext http, ConcurrentQueue<string> calls, string answer)
    {
        calls.Enqueue(http.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpRequestFeature>()!.RawTarget);
        return http.Response.WriteAsync(answer);
    }

    private async Task ScaleAsync(HttpContext http)
    {
        var request = (await JsonNode.ParseAsync(http.Request.Body))!;
        if (http.Request.Path == "/api/release")
        {
            _released.Enqueue(request);
            await http.Response.WriteAsync("{}");
            return;
        }

        await http.Response.WriteAsJsonAsync(new { assigment = new { requestId = "r", instanceId = "i" }, address = _instance, start = "warm" });
    }

    private async Task<Uri> ServeAsync(RequestDelegate handle)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var server = builder.Build();
        server.Run(handle);
        await server.StartAsync();
        _servers.Add(server);
        return new Uri(server.Urls.First());
    }

    /// <summary>Sends a path exactly as it is written: clients tidy it up first.</summary>
    private async Task<string> CallAsync(string path)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        using var connection = new TcpClient();
        await connection.ConnectAsync(IPAddress.Loopback, _gateway.Port, limit.Token);
        var stream = connection.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: {_gateway.Authority}\r\nConnection: close\r\n\r\n"), limit.Token);
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync(limit.Token);
    }
}
