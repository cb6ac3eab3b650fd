using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace FuncScaler.Tests;

/// <summary>Which price of waiting a service is in, as it says itself.</summary>
public sealed partial class ServePriceTests
{
    private const string Server = "require('node:http').createServer((q, s) => s.end()).listen(process.env.PORT, '127.0.0.1')";

    [Theory]
    [InlineData("a second of waiting is worth 100 GB·s", 100.0)]
    [InlineData("a second of waiting is worth 2.5 GB·s", 2.5, "--latency-price", "2.5")]
    [InlineData("a second of waiting is worth 64 GB·s", 64.0, "--waiting-second", "0.5", "--gb-second", "0.0078125")]
    [InlineData("a second of waiting is worth what leads to the best contest score", null, "--latency-price", "auto")]
    public async Task A_service_says_what_waiting_is_worth(string sentence, double? price, params string[] options)
    {
        using var folder = new TemporaryFolder();
        var functions = folder.File("functions.json", $$"""{ "runtimes": { "any": { "command": ["node", "-e", "{{Server}}"] } } }""");
        await using var scaler = FuncScalerCommand.Start(
            ["serve", "--backend", "process", "--functions", functions, "--grpc-port", "0", "--http-port", "0", "--max-delay", "0", "--latency-price-of", "a=b=500", .. options]);
        var line = await scaler.ReadLineAsync();
        Assert.True(line is not null, line is null ? (await scaler.WaitAsync()).Errors : "");
        Assert.Equal($"funcscaler: {sentence}", await scaler.ReadLineAsync());

        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{HttpPort().Match(line!).Groups[1].Value}") };
        Assert.Equal(price, await GivenPriceAsync(http, "f"));
        Assert.Equal(500, await GivenPriceAsync(http, "a=b"));
    }

    [Fact]
    public async Task A_service_says_what_it_aims_at()
    {
        using var folder = new TemporaryFolder();
        var functions = folder.File("functions.json", $$"""{ "runtimes": { "any": { "command": ["node", "-e", "{{Server}}"] } } }""");
        await using var scaler = FuncScalerCommand.Start(
            ["serve", "--backend", "process", "--functions", functions, "--grpc-port", "0", "--http-port", "0", "--max-delay", "0", "--policy", "adaptive:p95=200"]);
        var line = await scaler.ReadLineAsync();
        Assert.True(line is not null, line is null ? (await scaler.WaitAsync()).Errors : "");
        Assert.Equal(
            "funcscaler: 95 of 100 requests have their instance within 200 ms, at the least memory; the price of waiting follows from that",
            await scaler.ReadLineAsync());

        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{HttpPort().Match(line!).Groups[1].Value}") };
        Assert.Null(await GivenPriceAsync(http, "f"));
        var explanation = await http.GetFromJsonAsync<JsonNode>("/api/explain/f");
        Assert.Equal(200, (double?)explanation!["price"]!["objective"]!["withinMs"]);
    }

    [Fact]
    public async Task A_price_beside_an_objective_is_refused()
    {
        var ended = await FuncScalerCommand.RunAsync("serve", "--policy", "adaptive:within=4", "--latency-price", "10");

        Assert.Equal(2, ended.ExitCode);
        Assert.Contains("--latency-price is of no use with --policy adaptive:within=4", ended.Errors, StringComparison.Ordinal);
    }

    private static async Task<double?> GivenPriceAsync(HttpClient http, string function)
    {
        using var assign = await http.PostAsJsonAsync(
            "/api/assign", new { requestId = "r", metaData = new { key = function, runtime = "any", timeoutInSecs = 30, memoryInMb = 128 } });
        Assert.True(assign.IsSuccessStatusCode, await assign.Content.ReadAsStringAsync());
        using var release = await http.PostAsJsonAsync("/api/release", new { assigment = (await assign.Content.ReadFromJsonAsync<JsonNode>())!["assigment"] });
        var explanation = await http.GetFromJsonAsync<JsonNode>($"/api/explain/{Uri.EscapeDataString(function)}");
        return (double?)explanation!["price"]!["given"];
    }

    [GeneratedRegex("HTTP on [^:]*:([0-9]+)")]
    private static partial Regex HttpPort();
}
