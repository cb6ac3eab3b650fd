using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FuncScaler.Runtime.Dashboard;

namespace FuncScaler.Tests;

/// <summary>The page, what it asks for, and the interfaces for machines.</summary>
public sealed partial class ScalerServerTests
{
    [Fact]
    public async Task The_page_comes_in_one_answer_that_allows_nothing_but_its_own_styles_and_scripts()
    {
        using var answer = await _http.GetAsync(new Uri("/", UriKind.Relative));
        var html = await answer.Content.ReadAsStringAsync();

        Assert.Equal("text/html", answer.Content.Headers.ContentType!.MediaType);
        Assert.DoesNotContain("src=\"", html, StringComparison.Ordinal);
        Assert.DoesNotContain("rel=\"stylesheet\"", html, StringComparison.Ordinal);
        var policy = Assert.Single(answer.Headers.GetValues("Content-Security-Policy"));
        Assert.Contains("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.Contains("script-src 'sha256-", policy, StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);

        using var again = new HttpRequestMessage(HttpMethod.Get, "/");
        again.Headers.IfNoneMatch.Add(answer.Headers.ETag!);
        Assert.Equal(HttpStatusCode.NotModified, (await _http.SendAsync(again)).StatusCode);
    }

    [Theory]
    [InlineData("/", "Host", "evil.example")]
    [InlineData("/api/dashboard", "Host", "evil.example")]
    [InlineData("/api/dashboard", "Origin", "http://evil.example")]
    [InlineData("/api/dashboard", "Sec-Fetch-Site", "cross-site")]
    [InlineData("/api/dashboard/functions", "Sec-Fetch-Site", "same-site")]
    [InlineData("/api/dashboard/stream", "Origin", "http://evil.example")]
    [InlineData("/api/dashboard/stream", "Sec-Fetch-Site", "cross-site")]
    [InlineData("/metrics", "Host", "evil.example")]
    public async Task Pages_of_others_see_nothing_of_the_dashboard(string path, string header, string value)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.TryAddWithoutValidation(header, value);

        using var answer = await _http.SendAsync(request);

        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
    }

    [Fact]
    public async Task Who_watches_is_sent_the_points_before_and_then_snapshots_until_the_scaler_stops()
    {
        await IdleAsync((await AssignAsync("r1")).Assigment);
        using var stream = await _http.GetStreamReaderAsync("/api/dashboard/stream");

        Assert.Equal("event: history", await stream.ReadLineAsync());
        Assert.StartsWith("data: [{", await stream.ReadLineAsync(), StringComparison.Ordinal);
        Assert.Equal("", await stream.ReadLineAsync());
        Assert.Equal("event: snapshot", await stream.ReadLineAsync());
        var data = await stream.ReadLineAsync();
        Assert.Equal(1, (int)JsonNode.Parse(data!["data: ".Length..])!["totals"]!["requests"]!["cold"]!);

        await _scaler.StopAsync(CancellationToken.None);

        await stream.ReadToEndAsync();
    }

    [Fact]
    public async Task A_viewer_too_many_is_told_how_to_go_on()
    {
        var streams = new List<StreamReader>();
        for (var i = 0; i < DashboardFeed.MostViewers; i++)
        {
            streams.Add(await _http.GetStreamReaderAsync("/api/dashboard/stream"));
            await streams[i].ReadLineAsync();
        }

        using var refused = await _http.GetAsync(new Uri("/api/dashboard/stream", UriKind.Relative));

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Contains("32 watch already", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        streams.ForEach(s => s.Dispose());
        await Eventually.HoldsAsync(() => _scaler.Viewers == 0);
    }

    [Theory]
    [InlineData("?order=loudest", "give Busiest, Waiting, Wasteful, Largest, Key")]
    [InlineData("?order=7", "give Busiest")]
    [InlineData("?limit=0", "give 1 to 100")]
    [InlineData("?limit=101", "give 1 to 100")]
    public async Task A_search_that_cannot_be_read_is_told_what_is_wanted(string query, string mend)
    {
        using var answer = await _http.GetAsync(new Uri("/api/dashboard/functions" + query, UriKind.Relative));

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains(mend, (string)(await answer.Content.ReadFromJsonAsync<JsonObject>())!["error"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_functions_decisions_are_said_in_sentences()
    {
        await DisposeScalerAsync();
        await StartScalerAsync(keep: false, "adaptive:price=2");
        await IdleAsync((await AssignAsync("r1", key: "a/b c")).Assigment);

        var body = (await _http.GetFromJsonAsync<JsonObject>("/api/dashboard/explain?key=a%2Fb%20c"))!;

        var sentences = body["explanation"]!["decisions"]!.AsArray().Select(d => (string)d!["sentence"]!).ToList();
        Assert.Contains(sentences, s => s.StartsWith("Create one instance for a request that found none", StringComparison.Ordinal));
        Assert.All(sentences, s => Assert.EndsWith(".", s, StringComparison.Ordinal));
        var unknown = (await _http.GetFromJsonAsync<JsonObject>("/api/dashboard/explain?key=nobody"))!;
        Assert.Contains("No request has asked for a function 'nobody' yet", (string)unknown["whyNot"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_description_of_the_endpoints_names_each_that_is_there_and_no_other()
    {
        using var answer = await _http.GetAsync(new Uri("/openapi.json", UriKind.Relative));
        var described = from path in JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["paths"]!.AsObject()
                        from operation in path.Value!.AsObject()
                        select $"{operation.Key.ToUpperInvariant()} {path.Key}";

        // Read before routing, as routing would tidy its path up.
        Assert.Equal(_scaler.Routes.Append("GET /api/explain/{function}").Order(StringComparer.Ordinal), described.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Every_schema_that_the_description_refers_to_is_in_it()
    {
        var document = JsonNode.Parse(await _http.GetStringAsync("/openapi.json"))!;
        foreach (var reference in References(document))
        {
            Assert.NotNull(document["components"]!["schemas"]![reference["#/components/schemas/".Length..]]);
        }

        static IEnumerable<string> References(JsonNode? node) => node switch
        {
            JsonObject o => o.SelectMany(p => p.Key == "$ref" ? [(string)p.Value!] : References(p.Value)),
            JsonArray a => a.SelectMany(References),
            _ => [],
        };
    }

    [Fact]
    public async Task Grafanas_dashboard_asks_for_metrics_that_are_there()
    {
        // The first request begins the collecting, and the histogram with it.
        await DisposeScalerAsync();
        await StartScalerAsync(keep: false, "adaptive:price=2");
        await _http.GetStringAsync("/metrics");
        await IdleAsync((await AssignAsync("r1")).Assigment);
        var dashboard = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "samples", "monitoring", "funcscaler.json"));

        // An answer serves for a third of a second, for all who ask.
        await Eventually.HoldsAsync(async () =>
        {
            var metrics = await _http.GetStringAsync("/metrics");
            return Names().Matches(dashboard).Select(m => m.Value).All(name => metrics.Contains($"\n{name}{{", StringComparison.Ordinal));
        });
    }

    [Fact]
    public async Task Prometheus_gets_the_metrics_with_the_counts_from_the_beginning()
    {
        await IdleAsync((await AssignAsync("r1")).Assigment);

        var metrics = await _http.GetStringAsync("/metrics");

        Assert.Contains("funcscaler_instances{", metrics, StringComparison.Ordinal);
        Assert.Matches("""funcscaler_assigns\S*outcome="cold"\S*\} [1-9]""", metrics);
    }

    [GeneratedRegex("funcscaler_[A-Za-z_]+")]
    private static partial Regex Names();
}

file static class HttpStreams
{
    /// <summary>An answer that goes on, as it comes.</summary>
    public static async Task<StreamReader> GetStreamReaderAsync(this HttpClient http, string path) =>
        new(await http.GetStreamAsync(new Uri(path, UriKind.Relative)));
}
