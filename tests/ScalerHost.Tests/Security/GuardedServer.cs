using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using FuncScaler.Policies;
using FuncScaler.ScalerHost;
using FuncScaler.ScalerHost.Security;
using FuncScaler.SlotBackends.Fake;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests.Security;

/// <summary>A scaler with TLS and callers, on free ports of this machine.</summary>
internal sealed class GuardedServer : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private ScalerServer? _server;

    public Pki Pki { get; } = new();

    public string File => Path.Combine(_folder.Path, "security.json");

    public ScalerServer Server => _server!;

    public static string Hash(string token) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    /// <summary>Writes the files: a certificate for the server, and what the test says of callers.</summary>
    public void Write(string callers, string certificateName = "localhost")
    {
        Pki.Authority.Write(_folder.Path, certificateName);
        _folder.File("jwks.json", Pki.KeySet);
        System.IO.File.WriteAllText(File, $$"""
            {
              "tls": { "certificate": "server.pem", "key": "server.key", "clientAuthorities": "clients.pem" },
              "jwt": { "issuer": "https://issuer.example", "audience": "funcscaler", "keys": "jwks.json" },
              "callers": [{{callers}}],
            }
            """);
    }

    public async Task StartAsync(TimeProvider time, LogLevel level = LogLevel.None)
    {
        _server = new ScalerServer(
            new FakeBackend(TimeProvider.System),
            new ScalerServerOptions
            {
                GrpcPort = 0,
                HttpPort = 0,
                Policy = PolicyCatalog.Parse("adaptive"),
                LogLevel = level,
                DrainTimeout = TimeSpan.Zero,
                Security = SecurityWatch.Open(File, time),
            },
            time);
        await _server.StartAsync(CancellationToken.None);
    }

    /// <summary>A client of the JSON port, or with <paramref name="grpc"/> of the other one.</summary>
    public HttpClient Client(bool grpc, string? token = null, X509Certificate2? certificate = null)
    {
        var client = new HttpClient(Pki.Authority.Handler(certificate)) { BaseAddress = new Uri($"https://127.0.0.1:{(grpc ? Server.GrpcPort : Server.HttpPort)}") };
        if (token is not null)
        {
            client.DefaultRequestHeaders.Authorization = new("Bearer", token);
        }

        return client;
    }

    /// <summary>Whom the certificate is for that a new connection sees.</summary>
    public async Task<string> ServerNameAsync()
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, Server.HttpPort!.Value);
        using var tls = new SslStream(socket.GetStream());
        using var handler = Pki.Authority.Handler();
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "renewed.example", CertificateChainPolicy = handler.SslOptions.CertificateChainPolicy });
        return tls.RemoteCertificate!.Subject;
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        Pki.Dispose();
        _folder.Dispose();
    }
}
