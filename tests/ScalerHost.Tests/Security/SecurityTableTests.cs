using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using FuncScaler.Contract;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Grpc.Net.Client.Web;
using Grpc.Reflection.V1Alpha;

namespace FuncScaler.Tests.Security;

/// <summary>The table of docs/explanation/security.md, cell by cell, over TLS.</summary>
public sealed class SecurityTableTests(SecurityTableTests.Guarded guarded) : IClassFixture<SecurityTableTests.Guarded>
{
    private static readonly Meta Function = new() { Key = "shop/f", Runtime = "go", TimeoutInSecs = 60, MemoryInMb = 128 };

    /// <summary>The page's rows: surface, credential, answer.</summary>
    public static TheoryData<string, string, string> Cells
    {
        get
        {
            var cells = new TheoryData<string, string, string>();
            var rows = File.ReadLines(PageOf("docs/explanation/security.md")).SkipWhile(l => !l.StartsWith("| surface | no credential", StringComparison.Ordinal))
                .TakeWhile(l => l.StartsWith('|')).Select(l => l.Trim('|').Split('|', StringSplitOptions.TrimEntries)).ToList();
            foreach (var row in rows.Skip(2))
            {
                for (var i = 1; i < row.Length; i++)
                {
                    cells.Add(row[0], rows[0][i], row[i]);
                }
            }

            return cells;
        }
    }

    [Fact]
    public void The_table_has_all_of_its_cells() => Assert.Equal(17 * 11, Cells.Count);

    [Theory]
    [MemberData(nameof(Cells))]
    public async Task Each_surface_answers_each_credential_as_the_page_says(string surface, string credential, string answer)
    {
        var (token, certificate) = guarded.CredentialOf(credential);
        var isGrpc = surface.StartsWith("gRPC", StringComparison.Ordinal);
        using var http = guarded.Server.Client(isGrpc && surface != "gRPC-Web Assign", token, certificate);

        Assert.Equal(answer, isGrpc ? await CallAsync(surface, http) : await SendAsync(surface, http));
    }

    private static async Task<string> CallAsync(string surface, HttpClient http)
    {
        using var web = surface == "gRPC-Web Assign" ? new GrpcWebHandler(new Relay(http)) : null;
        using var over = web is null ? null : new HttpClient(web);
        using var channel = GrpcChannel.ForAddress(http.BaseAddress!, new GrpcChannelOptions { HttpClient = over ?? http });
        var deadline = DateTime.UtcNow.AddSeconds(30);
        try
        {
            switch (surface)
            {
                case "gRPC Assign" or "gRPC-Web Assign":
                    var assigned = await new Scaler.ScalerClient(channel).AssignAsync(new AssignRequest { RequestId = Guid.NewGuid().ToString(), MetaData = Function }, deadline: deadline);
                    Assert.NotEmpty(assigned.Assigment.InstanceId);
                    break;
                case "gRPC Idle":
                    var nothing = new Assignment { RequestId = "r", MetaKey = Function.Key, InstanceId = "i" };
                    await new Scaler.ScalerClient(channel).IdleAsync(new IdleRequest { Assigment = nothing }, deadline: deadline);
                    break;
                case "gRPC health, Check":
                    await new Health.HealthClient(channel).CheckAsync(new HealthCheckRequest(), deadline: deadline);
                    break;
                case "gRPC health, Watch":
                    using (var watch = new Health.HealthClient(channel).Watch(new HealthCheckRequest(), deadline: deadline))
                    {
                        Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None));
                    }

                    break;
                case "gRPC reflection":
                    using (var info = new ServerReflection.ServerReflectionClient(channel).ServerReflectionInfo(deadline: deadline))
                    {
                        try
                        {
                            await info.RequestStream.WriteAsync(new ServerReflectionRequest { ListServices = "" });
                            await info.RequestStream.CompleteAsync();
                        }
                        catch (Exception e) when (e is RpcException or InvalidOperationException)
                        {
                            // Refused before it was written: why, the answer says.
                        }

                        Assert.True(await info.ResponseStream.MoveNext(CancellationToken.None));
                    }

                    break;
                default:
                    Assert.Fail($"there is no surface {surface}");
                    break;
            }

            return "yes";
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
        {
            // The service's own answer to an assignment that is none.
            return "yes";
        }
        catch (RpcException e)
        {
            return e.StatusCode switch
            {
                StatusCode.Unauthenticated => "401",
                StatusCode.PermissionDenied => "403",
                StatusCode.ResourceExhausted when long.Parse(e.Trailers.GetValue("grpc-retry-pushback-ms")!, null) > 0 => "429",
                _ => e.ToString(),
            };
        }
    }

    private static async Task<string> SendAsync(string surface, HttpClient http)
    {
        var meta = new JsonObject { ["key"] = Function.Key, ["runtime"] = "go", ["timeoutInSecs"] = 60, ["memoryInMb"] = 128 };
        var (method, path, body, expected) = surface switch
        {
            "POST /api/assign" => (HttpMethod.Post, "/api/assign", new JsonObject { ["requestId"] = Guid.NewGuid().ToString(), ["metaData"] = meta }, HttpStatusCode.OK),
            "POST /api/release" => (
                HttpMethod.Post, "/api/release", new JsonObject { ["assigment"] = new JsonObject { ["requestId"] = "r", ["metaKey"] = Function.Key, ["instanceId"] = "i" } }, HttpStatusCode.NotFound),
            "GET /api/explain/KEY" => (HttpMethod.Get, "/api/explain/shop%2Ff", null, HttpStatusCode.OK),
            "GET of any other path" => (HttpMethod.Get, "/another", null, HttpStatusCode.NotFound),
            "POST to any other path" => (HttpMethod.Post, "/another", [], HttpStatusCode.NotFound),
            _ => (HttpMethod.Get, surface["GET ".Length..], (JsonObject?)null, HttpStatusCode.OK),
        };
        using var request = new HttpRequestMessage(method, path);
        request.Content = body is null ? null : JsonContent.Create(body);
        using var response = await http.SendAsync(request);
        if (response.StatusCode == HttpStatusCode.TooManyRequests)
        {
            Assert.True(response.Headers.RetryAfter!.Delta > TimeSpan.Zero);
        }

        return response.StatusCode == expected ? "yes" : ((int)response.StatusCode).ToString(System.Globalization.CultureInfo.InvariantCulture);
    }

    private static string PageOf(string page)
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, page)))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException($"{page} is not above {AppContext.BaseDirectory}");
        }

        return Path.Combine(folder, page);
    }

    /// <summary>Hands requests to a client whose credentials are set.</summary>
    private sealed class Relay(HttpClient http) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var copy = new HttpRequestMessage(request.Method, request.RequestUri) { Content = request.Content, Version = HttpVersion.Version11 };
            foreach (var header in request.Headers)
            {
                copy.Headers.TryAddWithoutValidation(header.Key, header.Value);
            }

            return http.SendAsync(copy, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        }
    }

    /// <summary>One server for all cells.</summary>
    public sealed class Guarded : IAsyncLifetime
    {
        private X509Certificate2? _watch;
        private X509Certificate2? _stranger;

        internal GuardedServer Server { get; } = new();

        public async Task InitializeAsync()
        {
            Server.Write($$"""
                { "name": "caller", "tokenSha256": "{{GuardedServer.Hash("call")}}", "rights": ["call"] },
                { "name": "other", "tokenSha256": "{{GuardedServer.Hash("other")}}", "rights": ["call"], "functions": ["other/"] },
                { "name": "reader", "tokenSha256": "{{GuardedServer.Hash("read")}}", "rights": ["read"] },
                { "name": "operator", "tokenSha256": "{{GuardedServer.Hash("operate")}}", "rights": ["operate"] },
                { "name": "jwt", "subject": "gateway", "rights": ["call"] },
                { "name": "watch", "certificateName": "watch.example", "rights": ["read"] },
                { "name": "fast", "tokenSha256": "{{GuardedServer.Hash("fast")}}", "rights": ["call", "read", "operate"], "requestsPerSecond": 0.001 }
                """);
            await Server.StartAsync(TimeProvider.System);
            (_watch, _stranger) = (Server.Pki.Authority.Issue("watch.example", isServer: false), Server.Pki.Authority.Issue("stranger.example", isServer: false));

            // What can be explained must have been asked for; and the fast caller has had its share.
            using (var caller = Server.Client(grpc: false, "call"))
            {
                Assert.Equal("yes", await SendAsync("POST /api/assign", caller));
            }

            using var fast = Server.Client(grpc: false, "fast");
            foreach (var surface in (string[])["POST /api/assign", "POST /api/release", "POST /api/release"])
            {
                Assert.Equal("yes", await SendAsync(surface, fast));
            }
        }

        public async Task DisposeAsync()
        {
            await Server.DisposeAsync();
            _watch?.Dispose();
            _stranger?.Dispose();
        }

        public (string? Token, X509Certificate2? Certificate) CredentialOf(string column) => column switch
        {
            "no credential" => (null, null),
            "unknown token" => ("nobody", null),
            "expired JWT" => (Server.Pki.Token("gateway", d => d.Expires = DateTime.UtcNow.AddMinutes(-5)), null),
            "token: call" => ("call", null),
            "token: call, other functions" => ("other", null),
            "token: read" => ("read", null),
            "token: operate" => ("operate", null),
            "JWT: call" => (Server.Pki.Token("gateway"), null),
            "certificate: read" => (null, _watch),
            "unknown certificate name" => (null, _stranger),
            "token beyond its rate" => ("fast", null),
            _ => throw new InvalidOperationException($"there is no credential {column}"),
        };
    }
}
