using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace FuncScaler.Tests.Security;

/// <summary>Certificates and signed tokens of a test's own.</summary>
internal sealed class Pki : IDisposable
{
    /// <summary>Made once, as that takes longer than most tests, and never disposed of: what signs with them is kept by the library.</summary>
    private static readonly RSA[] Signers = [RSA.Create(2048), RSA.Create(2048)];

    private readonly RsaSecurityKey _signer;

    /// <param name="another">Whether it signs tokens with another key than the usual one.</param>
    public Pki(bool another = false) => _signer = new(Signers[another ? 1 : 0]) { KeyId = "k1" };

    public TestAuthority Authority { get; } = new();

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

    public void Dispose() => Authority.Dispose();
}
