using System.Text;
using System.Text.Json.Nodes;
using FuncScaler.Runtime.Dashboard;
using FuncScaler.ScalerFunctions.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;

namespace FuncScaler.Tests;

public sealed class DashboardFunctionsTests : IAsyncLifetime
{
    private readonly TestScaler _scaler = new();
    private readonly DashboardFeed _feed;
    private readonly DashboardFunctions _functions;

    public DashboardFunctionsTests()
    {
        _feed = new DashboardFeed(_scaler.Runtime, _scaler.Time);
        _functions = new DashboardFunctions(new DashboardApi(_feed, _scaler.Runtime), DashboardPage.Dashboard(streams: false));
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _feed.DisposeAsync();
        await _scaler.DisposeAsync();
    }

    [Fact]
    public async Task The_page_asks_every_other_second_as_an_invocation_is_not_kept_open()
    {
        var http = new DefaultHttpContext();
        using var body = new MemoryStream();
        http.Response.Body = body;

        await _functions.PageAsync(http.Request);

        var html = Encoding.UTF8.GetString(body.ToArray());
        Assert.Contains("<meta name=\"live\" content=\"poll\">", html, StringComparison.Ordinal);
        Assert.Contains("script-src 'sha256-", http.Response.Headers.ContentSecurityPolicy.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_the_page_asks_for_is_of_this_worker()
    {
        await _scaler.Runtime.AssignAsync(new FunctionMeta(new MetaKey("f"), "go", 60, 128), new RequestId("r1"), null, CancellationToken.None);

        var snapshot = Read(_functions.Snapshot(Get("")));
        var found = Read(_functions.Functions(Get("?search=F")));
        var explained = Read(_functions.Explain(Get("?key=f")));

        Assert.Equal(1, (int)snapshot["totals"]!["requests"]!["assigns"]!);
        Assert.Equal("f", (string)found["functions"]![0]!["key"]!);
        Assert.Contains("does not explain", (string)explained["whyNot"]!, StringComparison.Ordinal);
    }

    private static HttpRequest Get(string query)
    {
        var http = new DefaultHttpContext();
        http.Request.QueryString = new QueryString(query);
        return http.Request;
    }

    private static JsonNode Read(IActionResult answer) => JsonNode.Parse(((ContentResult)answer).Content!)!;
}
