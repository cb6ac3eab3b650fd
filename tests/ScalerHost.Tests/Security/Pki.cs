using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace FuncScaler.Tests.Security;

/// <summary>An authority, certificates and signed tokens of a test's own.</summary>
internal sealed class Pki : IDisposable
{
    /// <summary>Made once, as that takes longer than most tests, and never disposed of: what signs with them is kept by the library.</summary>
    private static readonly RSA[] Signers = [RSA.Create(2048), RSA.Create(2048)];

    private readonly X509Certificate2 _authority;
    private readonly RsaSecurityKey _signer;

    /// <param name="another">Whether it signs tokens with another key than the usual one.</param>
    public Pki(bool another = false)
    {
        _signer = new(Signers[another ? 1 : 0]) { KeyId = "k1" };
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=test authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        _authority = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
    }

    public string AuthorityPem => _authority.ExportCertificatePem();

    /// <summary>The public half of what signs tokens, as a JSON Web Key Set.</summary>
    public string KeySet
    {
        get
        {
            var key = _signer.Rsa.ExportParameters(false);
            return new JsonObject
            {
                ["keys"] = new JsonArray(new JsonObject
                {
                    ["kty"] = "RSA",
                    ["kid"] = _signer.KeyId,
                    ["n"] = Base64UrlEncoder.Encode(key.Modulus),
                    ["e"] = Base64UrlEncoder.Encode(key.Exponent),
                }),
            }.ToJsonString();
        }
    }

    /// <summary>The same with the private half, which has no place in a set.</summary>
    public string PrivateKeySet => KeySet.Replace("\"e\":", $"\"d\":\"{Base64UrlEncoder.Encode(_signer.Rsa.ExportParameters(true).D)}\",\"e\":", StringComparison.Ordinal);

    /// <summary>A certificate for a server on loopback (<paramref name="isServer"/>) or a caller.</summary>
    public X509Certificate2 Issue(string name, bool isServer)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(isServer ? "1.3.6.1.5.5.7.3.1" : "1.3.6.1.5.5.7.3.2")], false));
        using var issued = request.Create(_authority, DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(20), RandomNumberGenerator.GetBytes(8));
        using var whole = issued.CopyWithPrivateKey(key);

        // By way of a file's form: TLS takes no key that exists in memory alone, on some systems.
        return X509CertificateLoader.LoadPkcs12(whole.Export(X509ContentType.Pkcs12), null, X509KeyStorageFlags.Exportable);
    }

    /// <summary>A JSON Web Token.</summary>
    /// <param name="subject">The claim sub.</param>
    /// <param name="change">Makes it another than the usual one.</param>
    public string Token(string subject, Action<SecurityTokenDescriptor>? change = null)
    {
        var descriptor = new SecurityTokenDescriptor
        {
            Issuer = "https://issuer.example",
            Audience = "funcscaler",
            Claims = new Dictionary<string, object> { ["sub"] = subject },
            NotBefore = DateTime.UtcNow.AddMinutes(-10),
            IssuedAt = DateTime.UtcNow.AddMinutes(-10),
            Expires = DateTime.UtcNow.AddMinutes(30),
            SigningCredentials = new SigningCredentials(_signer, SecurityAlgorithms.RsaSha256),
        };
        change?.Invoke(descriptor);
        return new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(descriptor);
    }

    public void Dispose() => _authority.Dispose();
}
