using System.Net;
using System.Net.Http.Json;
using System.Text.RegularExpressions;

namespace FuncScaler.Tests.Security;

/// <summary><c>funcscaler serve</c> beyond loopback, and with a security file, as a process.</summary>
public sealed partial class ServeSecurityTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("::")]
    [InlineData("192.0.2.1")]
    public async Task Beyond_loopback_it_does_not_start_without_callers(string address)
    {
        var result = await FuncScalerCommand.RunAsync("serve", "--listen", address, "--grpc-port", "0", "--http-port", "0");

        Assert.Equal(2, result.ExitCode);
        Assert.Equal(
            $"error: --listen {address} can be reached from other machines, and anybody there could take instances: give --security FILE, which says who may call, or --insecure to let everybody.",
            result.Errors.Trim());
    }

    [Fact]
    public async Task Beyond_loopback_it_does_not_start_where_tokens_would_cross_the_network_in_clear()
    {
        var result = await FuncScalerCommand.RunAsync("serve", "--listen", "0.0.0.0", "--security", Security(""), "--grpc-port", "0", "--http-port", "0");

        Assert.Equal(2, result.ExitCode);
        Assert.StartsWith("error: --listen 0.0.0.0 can be reached from other machines, and tokens would cross the network in clear: give tls in", result.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "for anybody", "--insecure")]
    [InlineData("\"tlsInFront\": true,", "for known callers", null)]
    [InlineData("", "for this machine", null)]
    public async Task It_starts_where_it_is_told_that_this_is_safe(string tls, string callers, string? option)
    {
        string[] arguments = option is not null ? ["--listen", "0.0.0.0", option]
            : tls.Length > 0 ? ["--listen", "0.0.0.0", "--security", Security(tls)]
            : ["--listen", "127.0.0.1"];

        await using var scaler = FuncScalerCommand.Start(["serve", .. Backend(), .. arguments]);

        Assert.Contains(callers, await scaler.ReadLineAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Operations_and_refusals_are_told_and_no_credential_is()
    {
        await using var server = new GuardedServer();
        server.Write($$"""{ "name": "operator", "tokenSha256": "{{GuardedServer.Hash("a-secret-token")}}", "rights": ["operate"] }""");
        await using var scaler = FuncScalerProcess.Start(["serve", .. Backend(), "--security", server.File]);
        var port = Port().Match((await scaler.ReadLineAsync())!).Groups[1].Value;

        // The program's own question is served without a credential, and finds out by itself that it takes TLS.
        await Eventually.HoldsAsync(async () => (await FuncScalerCommand.RunAsync("health", "--address", $"127.0.0.1:{port}")).ExitCode == 0);
        Assert.Equal(0, (await FuncScalerCommand.RunAsync("health", "--address", $"https://127.0.0.1:{port}")).ExitCode);
        Assert.Equal(1, (await FuncScalerCommand.RunAsync("health", "--address", $"http://127.0.0.1:{port}")).ExitCode);
        using var http = new HttpClient(server.Pki.Authority.Handler()) { BaseAddress = new Uri($"https://127.0.0.1:{port}") };
        Assert.Equal(HttpStatusCode.NotFound, await PostAsync("/api/restart?token=a-secret-token", "a-secret-token"));
        Assert.Equal(HttpStatusCode.Forbidden, await PostAsync("/api/assign", "a-secret-token"));
        Assert.Equal(HttpStatusCode.Unauthorized, await PostAsync("/api/assign", "another-secret"));
        scaler.Terminate();
        var log = (await scaler.WaitAsync()).Errors;

        Assert.Contains("AuditLog[400] operator operated: POST /api/restart from 127.0.0.1, answered with 404", log, StringComparison.Ordinal);
        Assert.Contains("AuditLog[401] Refused operator: POST /api/assign from 127.0.0.1: PermissionDenied, caller operator has no right to call", log, StringComparison.Ordinal);
        Assert.Contains("AuditLog[401] Refused a stranger: POST /api/assign from 127.0.0.1: Unauthenticated, the token is not known here", log, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", log, StringComparison.Ordinal);
        Assert.DoesNotContain(GuardedServer.Hash("a-secret-token"), log, StringComparison.OrdinalIgnoreCase);

        async Task<HttpStatusCode> PostAsync(string path, string token)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(new { }), Headers = { Authorization = new("Bearer", token) } };
            using var answer = await http.SendAsync(request);
            Assert.DoesNotContain("secret", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            return answer.StatusCode;
        }
    }

    [Fact]
    public async Task A_token_is_made_with_the_hash_that_the_file_wants()
    {
        var made = Made().Match((await FuncScalerCommand.RunAsync("token")).Output);

        Assert.Equal(43, made.Groups[1].Length);
        Assert.Equal(GuardedServer.Hash(made.Groups[1].Value), made.Groups[2].Value, ignoreCase: true);
    }

    private string[] Backend() =>
        ["--backend", "process", "--functions", _folder.File("functions.json", """{ "functions": { "f": { "command": ["true"] } } }"""), "--grpc-port", "0", "--http-port", "0"];

    private string Security(string tls) => _folder.File(
        "security.json", $$"""{ {{tls}} "callers": [{ "name": "a", "tokenSha256": "{{GuardedServer.Hash("t")}}", "rights": ["call"] }] }""");

    [GeneratedRegex(@"HTTP on 127\.0\.0\.1:(\d+), TLS, for known callers")]
    private static partial Regex Port();

    [GeneratedRegex(@"^token +([\w-]+)\ntokenSha256 +([0-9a-f]{64})\n$")]
    private static partial Regex Made();
}
