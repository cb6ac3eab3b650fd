using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using FuncScaler.Contract;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Security;
using FuncScaler.ScalerFunctions.Hosting;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace FuncScaler.Tests;

public sealed class GrpcPortServiceTests
{
    private const string Key = "a-key-of-more-than-32-characters-";

    private static readonly AssignRequest Request = new()
    {
        RequestId = "r1",
        MetaData = new Meta { Key = "f", Runtime = "go", TimeoutInSecs = 60, MemoryInMb = 128 },
    };

    [Fact]
    public async Task Serves_the_contract_on_the_port_that_was_set()
    {
        await using var host = await Host.StartAsync(new GrpcPortOptions { Port = 0 });
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{host.Service.Port}");

        var reply = await new Scaler.ScalerClient(channel).AssignAsync(Request);

        Assert.Equal("r1", reply.Assigment.RequestId);
    }

    [Fact]
    public async Task With_a_key_a_caller_without_it_is_turned_away()
    {
        await using var host = await Host.StartAsync(new GrpcPortOptions { Port = 0, Key = Key });
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{host.Service.Port}");

        var scaler = new Scaler.ScalerClient(channel);

        var without = await Assert.ThrowsAsync<RpcException>(() => scaler.AssignAsync(Request).ResponseAsync);
        var wrong = await Assert.ThrowsAsync<RpcException>(() => scaler.AssignAsync(Request, new Metadata { { "x-functions-key", "guess" } }).ResponseAsync);

        Assert.Equal((StatusCode.Unauthenticated, StatusCode.Unauthenticated), (without.StatusCode, wrong.StatusCode));
        Assert.Contains("x-functions-key", without.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(0, host.Scaler.Runtime.GetStats().Requests.Assigns);
        Assert.Equal("r1", (await scaler.AssignAsync(Request, new Metadata { { "x-functions-key", Key } })).Assigment.RequestId);
    }

    [Fact]
    public async Task Its_health_can_be_asked_for()
    {
        await using var host = await Host.StartAsync(new GrpcPortOptions { Port = 0 });
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{host.Service.Port}");

        var health = await new Health.HealthClient(channel).CheckAsync(new HealthCheckRequest { Service = "serverless.simulator.Scaler" });

        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, health.Status);
    }

    [Fact]
    public async Task Without_a_port_there_is_no_server()
    {
        await using var host = await Host.StartAsync(new GrpcPortOptions());

        Assert.Null(host.Service.Port);
    }

    [Fact]
    public async Task A_taken_port_is_named_with_the_setting()
    {
        await using var first = await Host.StartAsync(new GrpcPortOptions { Port = 0 });

        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => Host.StartAsync(new GrpcPortOptions { Port = first.Service.Port }));

        Assert.Contains("Scaler:Grpc:Port", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_a_certificate_it_speaks_TLS_and_nothing_else()
    {
        using var files = new CertificateFiles();
        await using var host = await Host.StartAsync(new GrpcPortOptions { Port = 0, Key = Key, Tls = files.Options });
        using var secure = host.Channel(files.Authority.Handler());
        using var clear = GrpcChannel.ForAddress($"http://127.0.0.1:{host.Service.Port}");
        using var untrusting = host.Channel(new SocketsHttpHandler());

        Assert.Equal("r1", (await new Scaler.ScalerClient(secure).AssignAsync(Request, WithKey)).Assigment.RequestId);
        Assert.Equal(StatusCode.Unauthenticated, await RefusalAsync(secure, null));
        Assert.NotEqual(StatusCode.OK, await RefusalAsync(untrusting, WithKey));
        Assert.NotEqual(StatusCode.OK, await RefusalAsync(clear, WithKey));
        Assert.Equal(1, host.Scaler.Runtime.GetStats().Requests.Assigns);
    }

    [Fact]
    public async Task A_certificate_of_the_authorities_that_are_named_is_as_good_as_the_key()
    {
        using var files = new CertificateFiles();
        using var stranger = new TestAuthority();
        using var known = files.Authority.Issue("gateway", isServer: false);
        using var unknown = stranger.Issue("gateway", isServer: false);
        await using var host = await Host.StartAsync(new GrpcPortOptions { Port = 0, Tls = files.Options with { ClientAuthorities = files.Path("clients.pem") } });
        using var caller = host.Channel(files.Authority.Handler(known));
        using var another = host.Channel(files.Authority.Handler(unknown));
        using var nobody = host.Channel(files.Authority.Handler());

        Assert.Equal("r1", (await new Scaler.ScalerClient(caller).AssignAsync(Request)).Assigment.RequestId);
        Assert.Equal(StatusCode.Unauthenticated, await RefusalAsync(nobody, WithKey));
        Assert.NotEqual(StatusCode.OK, await RefusalAsync(another, WithKey));
        Assert.Equal(1, host.Scaler.Runtime.GetStats().Requests.Assigns);
    }

    [Fact]
    public async Task A_changed_certificate_is_shown_to_new_connections_and_a_broken_one_changes_nothing()
    {
        using var files = new CertificateFiles();
        await using var host = await Host.StartAsync(new GrpcPortOptions { Port = 0, Tls = files.Options });
        Assert.Equal("CN=localhost", await host.ServerNameAsync(files.Authority));

        File.WriteAllText(files.Path("server.pem"), "torn");
        host.Time.Advance(FileWatch.Interval);
        Assert.Equal("CN=localhost", await host.ServerNameAsync(files.Authority));

        files.Authority.Write(files.Folder, "renewed.example");
        host.Time.Advance(FileWatch.Interval);
        Assert.Equal("CN=renewed.example", await host.ServerNameAsync(files.Authority));
    }

    private static Metadata WithKey => new() { { "x-functions-key", Key } };

    private static async Task<StatusCode> RefusalAsync(GrpcChannel channel, Metadata? metadata)
    {
        using var call = new Scaler.ScalerClient(channel).AssignAsync(Request, metadata);
        return (await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync)).StatusCode;
    }

    private sealed class CertificateFiles : IDisposable
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("funcscaler-");

        public CertificateFiles() => Authority.Write(Folder);

        public TestAuthority Authority { get; } = new();

        public string Folder => _folder.FullName;

        public TlsFiles Options => new() { Certificate = Path("server.pem"), Key = Path("server.key") };

        public string Path(string file) => System.IO.Path.Combine(Folder, file);

        public void Dispose()
        {
            Authority.Dispose();
            _folder.Delete(recursive: true);
        }
    }

    private sealed class Host : IAsyncDisposable
    {
        private Host(GrpcPortOptions options)
        {
            Scaler = new TestScaler();
            Service = new GrpcPortService(
                Scaler.Service, Options.Create(new ScalerAppOptions { Grpc = options }), Time, NullLoggerFactory.Instance);
        }

        public ManualTimeProvider Time { get; } = new();

        public TestScaler Scaler { get; }

        public GrpcPortService Service { get; }

        public static async Task<Host> StartAsync(GrpcPortOptions options)
        {
            var host = new Host(options);
            await host.Service.StartAsync(CancellationToken.None);
            return host;
        }

        public GrpcChannel Channel(SocketsHttpHandler handler) => GrpcChannel.ForAddress(
            $"https://127.0.0.1:{Service.Port}", new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });

        /// <summary>Whom the certificate is for that a new connection sees.</summary>
        public async Task<string> ServerNameAsync(TestAuthority authority)
        {
            using var socket = new TcpClient();
            await socket.ConnectAsync(IPAddress.Loopback, Service.Port!.Value);
            await using var tls = new SslStream(socket.GetStream());
            using var handler = authority.Handler();
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
            {
                TargetHost = "127.0.0.1",
                ApplicationProtocols = [SslApplicationProtocol.Http2],
                CertificateChainPolicy = handler.SslOptions.CertificateChainPolicy,
            });
            return tls.RemoteCertificate!.Subject;
        }

        public async ValueTask DisposeAsync()
        {
            await Service.StopAsync(CancellationToken.None);
            await Service.DisposeAsync();
            await Scaler.DisposeAsync();
        }
    }
}
