using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using FuncScaler.Runtime.Security;
using Microsoft.IdentityModel.Tokens;

namespace FuncScaler.ScalerHost.Security;

/// <summary>The security files as they were read at one time. Does not change; a reload makes another one.</summary>
internal sealed class SecuritySettings
{
    /// <summary>What the ports speak TLS with; null for no TLS.</summary>
    public TlsSettings? Tls { get; init; }

    /// <summary>Something in front speaks TLS with callers.</summary>
    public bool TlsInFront { get; init; }

    /// <summary>The keys that sign JSON Web Tokens; null where none are believed.</summary>
    public TrustedIssuer? Jwt { get; init; }

    public required IReadOnlyList<Caller> Callers { get; init; }

    /// <summary>The SHA-256 of each caller's token.</summary>
    public required IReadOnlyList<(byte[] Sha256, Caller Caller)> Tokens { get; init; }

    public required IReadOnlyDictionary<string, Caller> Subjects { get; init; }

    /// <summary>By the name in their certificates.</summary>
    public required IReadOnlyDictionary<string, Caller> CertificateNames { get; init; }

    /// <summary>The caller of a static token; null for none. Takes as long whichever caller it is, and whether or not it is one.</summary>
    public Caller? FindToken(ReadOnlySpan<byte> sha256)
    {
        Caller? found = null;
        foreach (var (known, caller) in Tokens)
        {
            if (CryptographicOperations.FixedTimeEquals(known, sha256))
            {
                found = caller;
            }
        }

        return found;
    }

    /// <summary>The caller whose certificate this is; null for none. The chain was verified when the connection was made.</summary>
    public Caller? FindCertificate(X509Certificate2 certificate)
    {
        var names = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().SelectMany(e => e.EnumerateDnsNames()).ToList();
        if (names.Count == 0)
        {
            names.Add(certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false));
        }

        foreach (var name in names)
        {
            if (CertificateNames.TryGetValue(name, out var caller))
            {
                return caller;
            }
        }

        return null;
    }
}

/// <summary>Who signs JSON Web Tokens for this scaler.</summary>
/// <param name="Issuer">The claim <c>iss</c>.</param>
/// <param name="Audience">One of the claims <c>aud</c>.</param>
/// <param name="Keys">Public keys.</param>
internal sealed record TrustedIssuer(string Issuer, string Audience, IReadOnlyList<SecurityKey> Keys);
