using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using FuncScaler.Runtime;
using Microsoft.IdentityModel.Tokens;

namespace FuncScaler.Tests.Security;

/// <summary>What is not a cell of the table: tokens that almost fit, rates, prefixes, files that change.</summary>
public sealed class GuardTests : IAsyncLifetime
{
    private const string Token = "a-token-that-is-long-enough-for-anybody-0123456789";

    private readonly GuardedServer _server = new();
    private readonly ManualTimeProvider _time = new(DateTimeOffset.UtcNow);
    private HttpClient? _client;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        _client?.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task The_dashboards_page_is_open_so_that_it_can_ask_for_a_token_and_its_figures_are_not()
    {
        _server.Write($$"""{ "name": "reader", "tokenSha256": "{{GuardedServer.Hash(Token)}}", "rights": ["read"] }""");
        await _server.StartAsync(_time);
        using var nobody = _server.Client(grpc: false);
        using var reader = _server.Client(grpc: false, Token);

        Assert.Contains("id=\"key-value\"", await nobody.GetStringAsync(new Uri("/", UriKind.Relative)), StringComparison.Ordinal);
        foreach (var path in (string[])["/api/dashboard", "/api/dashboard/stream", "/api/dashboard/functions", "/api/dashboard/explain?key=f", "/metrics"])
        {
            using var refused = await nobody.GetAsync(new Uri(path, UriKind.Relative));
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
            using var answer = await reader.GetAsync(new Uri(path, UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        Assert.Equal("https", _server.Server.Dashboard!.Scheme);
    }

    public static TheoryData<string, string> BadTokens => new()
    {
        { "expired", "the token's time is over, or has not come" },
        { "not yet", "the token's time is over, or has not come" },
        { "no end", "the token's time is over, or has not come" },
        { "another issuer", "the token is not accepted here" },
        { "another audience", "the token is not accepted here" },
        { "another key", "the token is not accepted here" },
        { "no signature", "the token is not accepted here" },
        { "signed with the public key as a secret", "the token is not accepted here" },
        { "changed", "the token is not accepted here" },
    };

    [Theory]
    [MemberData(nameof(BadTokens))]
    public async Task A_token_that_almost_fits_is_refused(string flaw, string why)
    {
        _server.Write("""{ "name": "jwt", "subject": "gateway", "rights": ["call"] }""");
        await _server.StartAsync(_time);
        using var another = new Pki(another: true);
        var good = _server.Pki.Token("gateway");
        var bad = flaw switch
        {
            "expired" => _server.Pki.Token("gateway", d => d.Expires = DateTime.UtcNow.AddMinutes(-2)),
            "not yet" => _server.Pki.Token("gateway", d => d.NotBefore = DateTime.UtcNow.AddMinutes(2)),
            "no end" => _server.Pki.Token("gateway", d => d.Expires = null),
            "another issuer" => _server.Pki.Token("gateway", d => d.Issuer = "https://evil.example"),
            "another audience" => _server.Pki.Token("gateway", d => d.Audience = "another"),
            "another key" => another.Token("gateway"),
            "no signature" => _server.Pki.Token("gateway", d => d.SigningCredentials = null),
            "changed" => Changed(good),
            _ => _server.Pki.Token("gateway", d => d.SigningCredentials = new SigningCredentials(new SymmetricSecurityKey(Encoding.UTF8.GetBytes(_server.Pki.KeySet)), SecurityAlgorithms.HmacSha256)),
        };

        Assert.Equal((HttpStatusCode.OK, ""), await AssignAsync(good, "f"));
        Assert.Equal((HttpStatusCode.Unauthorized, why), await AssignAsync(bad, "f"));

        static string Changed(string token)
        {
            var parts = token.Split('.');
            var claims = JsonNode.Parse(Base64UrlEncoder.Decode(parts[1]))!.AsObject();
            claims["aud"] = "funcscaler";
            claims["sub"] = "operator";
            return $"{parts[0]}.{Base64UrlEncoder.Encode(claims.ToJsonString())}.{parts[2]}";
        }
    }

    [Fact]
    public async Task A_token_that_was_believed_is_not_believed_beyond_its_end()
    {
        _server.Write("""{ "name": "jwt", "subject": "gateway", "rights": ["call"] }""");
        await _server.StartAsync(_time);
        var token = _server.Pki.Token("gateway", d => d.Expires = DateTime.UtcNow.AddMinutes(5));
        Assert.Equal(HttpStatusCode.OK, (await AssignAsync(token, "f")).Status);

        _time.Advance(TimeSpan.FromMinutes(7));

        Assert.Equal(HttpStatusCode.Unauthorized, (await AssignAsync(token, "f")).Status);
    }

    [Fact]
    public async Task A_good_token_of_an_unknown_subject_has_no_rights()
    {
        _server.Write("""{ "name": "jwt", "subject": "gateway", "rights": ["call"] }""");
        await _server.StartAsync(_time);

        Assert.Equal((HttpStatusCode.Forbidden, "the token is good, and its subject is no caller here"), await AssignAsync(_server.Pki.Token("another"), "f"));
    }

    [Fact]
    public async Task An_address_whose_tokens_are_refused_again_and_again_has_to_wait_and_callers_there_are_served()
    {
        _server.Write($$"""
            { "name": "jwt", "subject": "gateway", "rights": ["call"] },
            { "name": "caller", "tokenSha256": "{{GuardedServer.Hash("call")}}", "rights": ["call"] }
            """);
        await _server.StartAsync(_time);
        var known = _server.Pki.Token("gateway");
        Assert.Equal(HttpStatusCode.OK, (await AssignAsync(known, "f")).Status);
        using var another = new Pki(another: true);
        var bad = another.Token("gateway");
        for (var i = 0; i < 50; i++)
        {
            Assert.Equal(HttpStatusCode.Unauthorized, (await AssignAsync(bad, "f")).Status);
        }

        Assert.Equal(HttpStatusCode.TooManyRequests, (await AssignAsync(bad, "f")).Status);
        Assert.Equal(HttpStatusCode.OK, (await AssignAsync(known, "f")).Status);
        Assert.Equal(HttpStatusCode.OK, (await AssignAsync("call", "f")).Status);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(HttpStatusCode.Unauthorized, (await AssignAsync(bad, "f")).Status);
    }

    [Fact]
    public async Task A_callers_rate_is_its_own_and_releases_come_through()
    {
        _server.Write($$"""
            { "name": "slow", "tokenSha256": "{{GuardedServer.Hash("slow")}}", "rights": ["call"], "requestsPerSecond": 2, "burst": 3 },
            { "name": "caller", "tokenSha256": "{{GuardedServer.Hash("call")}}", "rights": ["call"] }
            """);
        await _server.StartAsync(_time);
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(HttpStatusCode.OK, (await AssignAsync("slow", "f")).Status);
        }

        Assert.Equal((HttpStatusCode.TooManyRequests, "caller slow is beyond its rate"), await AssignAsync("slow", "f"));
        Assert.Equal(HttpStatusCode.OK, (await AssignAsync("call", "f")).Status);
        using (var http = _server.Client(grpc: false, "slow"))
        {
            using var released = await http.PostAsJsonAsync("/api/release", new { assigment = new { requestId = "r", metaKey = "f", instanceId = "i" } });
            Assert.Equal(HttpStatusCode.NotFound, released.StatusCode);
        }

        _time.Advance(TimeSpan.FromSeconds(0.5));
        Assert.Equal(HttpStatusCode.OK, (await AssignAsync("slow", "f")).Status);
        Assert.Equal(HttpStatusCode.TooManyRequests, (await AssignAsync("slow", "f")).Status);
    }

    [Fact]
    public async Task A_caller_of_some_functions_uses_and_sees_these_alone()
    {
        _server.Write($$"""
            { "name": "shop", "tokenSha256": "{{GuardedServer.Hash("shop")}}", "rights": ["call", "read"], "functions": ["shop/", "till/"] },
            { "name": "all", "tokenSha256": "{{GuardedServer.Hash("all")}}", "rights": ["call", "read"] }
            """);
        await _server.StartAsync(_time);
        Assert.Equal(HttpStatusCode.OK, (await AssignAsync("shop", "shop/f")).Status);
        Assert.Equal(HttpStatusCode.OK, (await AssignAsync("all", "bank/f")).Status);

        Assert.Equal(
            (HttpStatusCode.Forbidden, "caller shop may not use this function: its functions' keys begin with shop/ or till/"), await AssignAsync("shop", "bank/f"));
        Assert.Equal(HttpStatusCode.Forbidden, (await AssignAsync("shop", "Shop/f")).Status);
        using var http = _server.Client(grpc: false, "shop");
        var slots = await http.GetFromJsonAsync<JsonArray>("/api/slots");
        Assert.Equal(["shop/f"], slots!.Select(s => (string)s!["function"]!));
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(new Uri("/api/explain/shop%2Ff", UriKind.Relative))).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await http.GetAsync(new Uri("/api/explain/bank%2Ff", UriKind.Relative))).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await http.GetAsync(new Uri("/api/stats", UriKind.Relative))).StatusCode);
    }

    [Theory]
    [InlineData("/API/ASSIGN", HttpStatusCode.Forbidden)]
    [InlineData("/api/assign/", HttpStatusCode.Forbidden)]
    [InlineData("/api//assign", HttpStatusCode.NotFound)]
    [InlineData("/api/x/../assign", HttpStatusCode.Forbidden)]
    public async Task Another_spelling_of_a_path_takes_the_same_right(string path, HttpStatusCode status)
    {
        _server.Write($$"""{ "name": "operator", "tokenSha256": "{{GuardedServer.Hash("operate")}}", "rights": ["operate"] }""");
        await _server.StartAsync(_time);
        using var http = _server.Client(grpc: false, "operate");

        using var answer = await http.PostAsJsonAsync(path, new { requestId = "r", metaData = new { key = "f", memoryInMb = 128 } });

        Assert.Equal(status, answer.StatusCode);
    }

    [Theory]
    [InlineData("/healthz/../api/slots")]
    [InlineData("/HEALTHZ/../api/explain/f")]
    public async Task The_open_path_opens_no_other(string path)
    {
        _server.Write($$"""{ "name": "operator", "tokenSha256": "{{GuardedServer.Hash("operate")}}", "rights": ["operate"] }""");
        await _server.StartAsync(_time);
        using var http = _server.Client(grpc: false);

        Assert.Equal(HttpStatusCode.Unauthorized, (await http.GetAsync(new Uri(path, UriKind.Relative))).StatusCode);
    }

    [Fact]
    public async Task Files_that_change_hold_from_then_on_and_broken_ones_change_nothing()
    {
        _server.Write($$"""{ "name": "caller", "tokenSha256": "{{GuardedServer.Hash("old")}}", "rights": ["call"] }""");
        await _server.StartAsync(_time);
        Assert.Equal(HttpStatusCode.OK, (await AssignAsync("old", "f")).Status);

        _server.Write($$"""{ "name": "caller", "tokenSha256": "{{GuardedServer.Hash("new")}}", "rights": ["call"] }""", certificateName: "renewed.example");
        _time.Advance(FileWatch.Interval);
        Assert.Equal(HttpStatusCode.Unauthorized, (await AssignAsync("old", "f")).Status);
        Assert.Equal(HttpStatusCode.OK, (await AssignAsync("new", "f")).Status);
        Assert.Equal("CN=renewed.example", await _server.ServerNameAsync());

        await File.WriteAllTextAsync(_server.File, "{");
        _time.Advance(FileWatch.Interval);
        Assert.Equal(HttpStatusCode.OK, (await AssignAsync("new", "f")).Status);
    }

    [Fact]
    public async Task A_certificate_of_another_authority_does_not_get_past_the_handshake()
    {
        _server.Write("""{ "name": "watch", "certificateName": "watch.example", "rights": ["read"] }""");
        await _server.StartAsync(_time);
        using var another = new Pki(another: true);
        using var forged = another.Authority.Issue("watch.example", isServer: false);
        using var forServers = _server.Pki.Authority.Issue("watch.example", isServer: true);
        foreach (var certificate in (System.Security.Cryptography.X509Certificates.X509Certificate2[])[forged, forServers])
        {
            using var http = _server.Client(grpc: false, certificate: certificate);

            await Assert.ThrowsAsync<HttpRequestException>(() => http.GetAsync(new Uri("/api/slots", UriKind.Relative)));
        }
    }

    private async Task<(HttpStatusCode Status, string Error)> AssignAsync(string token, string function)
    {
        _client ??= _server.Client(grpc: false);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/assign")
        {
            Content = JsonContent.Create(new { requestId = Guid.NewGuid().ToString(), metaData = new { key = function, runtime = "go", timeoutInSecs = 60, memoryInMb = 128 } }),
            Headers = { Authorization = new("Bearer", token) },
        };
        using var answer = await _client.SendAsync(request);
        var body = await answer.Content.ReadFromJsonAsync<JsonObject>();
        return (answer.StatusCode, (string?)body!["error"] ?? "");
    }
}
