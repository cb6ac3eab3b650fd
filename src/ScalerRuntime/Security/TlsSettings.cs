using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace FuncScaler.Runtime.Security;

/// <summary>What a port speaks TLS with, as it was read at one time.</summary>
/// <param name="Certificate">The server's certificate with its chain.</param>
/// <param name="ClientAuthorities">Whose certificates callers may show; null where callers show none.</param>
public sealed record TlsSettings(SslStreamCertificateContext Certificate, X509Certificate2Collection? ClientAuthorities)
{
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";

    /// <summary>Puts TLS 1.2 and 1.3 in front of a port.</summary>
    /// <param name="listen">The port.</param>
    /// <param name="current">The settings that are in force when a connection begins.</param>
    public static void Use(ListenOptions listen, Func<TlsSettings> current)
    {
        ArgumentNullException.ThrowIfNull(listen);
        List<SslApplicationProtocol> protocols = listen.Protocols == HttpProtocols.Http2
            ? [SslApplicationProtocol.Http2]
            : [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11];
        listen.UseHttps(new TlsHandshakeCallbackOptions
        {
            HandshakeTimeout = TimeSpan.FromSeconds(10),
            OnConnection = _ =>
            {
                var settings = current();
                return ValueTask.FromResult(new SslServerAuthenticationOptions
                {
                    ServerCertificateContext = settings.Certificate,
                    EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
                    ApplicationProtocols = protocols,
                    CertificateRevocationCheckMode = X509RevocationMode.NoCheck,

                    // Asked for, and not demanded: a caller may send a token instead.
                    ClientCertificateRequired = settings.ClientAuthorities is not null,
                    RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is null || IsTrusted(certificate, settings.ClientAuthorities),
                });
            },
        });
    }

    private static bool IsTrusted(X509Certificate certificate, X509Certificate2Collection? authorities)
    {
        if (authorities is null || certificate is not X509Certificate2 shown)
        {
            return false;
        }

        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ClientAuthentication));
        return chain.Build(shown);
    }
}
