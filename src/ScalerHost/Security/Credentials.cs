using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using FuncScaler.SlotBackends.Budget;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace FuncScaler.ScalerHost.Security;

/// <summary>Who a request says it comes from: a caller, or why there is none.</summary>
/// <param name="Caller">The caller; null where it is refused.</param>
/// <param name="Status">Why it is refused.</param>
/// <param name="Why">The same in words that tell a stranger nothing.</param>
/// <param name="RetryAfter">When it may be tried again; null where that would not help.</param>
internal readonly record struct Identity(Caller? Caller, StatusCode Status = StatusCode.OK, string Why = "", TimeSpan? RetryAfter = null);

/// <summary>
/// Finds out who calls: by a bearer token in the header (metadata) <c>authorization</c>, else by the certificate of the connection.
/// </summary>
internal sealed class Credentials(SecurityWatch watch, TimeProvider time)
{
    private const string Scheme = "Bearer ";

    /// <summary>The longest token that is looked at, in characters.</summary>
    private const int LongestToken = 8192;

    /// <summary>Clocks may differ by so much.</summary>
    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(60);

    /// <summary>Signatures cost processor time: an address may have so many checked that turn out to be none.</summary>
    private static readonly RateLimit Failures = new(50, TimeSpan.FromSeconds(10));

    private const int MostRemembered = 4096;

    private static readonly string[] Algorithms =
    [
        SecurityAlgorithms.RsaSha256, SecurityAlgorithms.RsaSha384, SecurityAlgorithms.RsaSha512,
        SecurityAlgorithms.RsaSsaPssSha256, SecurityAlgorithms.RsaSsaPssSha384, SecurityAlgorithms.RsaSsaPssSha512,
        SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.EcdsaSha384, SecurityAlgorithms.EcdsaSha512,
    ];

    private readonly JsonWebTokenHandler _handler = new();

    /// <summary>Tokens that were verified under some settings, by their SHA-256: the signature costs more than the whole rest.</summary>
    private readonly ConcurrentDictionary<string, (SecuritySettings Settings, string Subject, DateTime Ends)> _verified = new(StringComparer.Ordinal);

    private readonly ConcurrentDictionary<IPAddress, TokenBuckets> _failures = new();

    public ValueTask<Identity> IdentifyAsync(HttpContext http)
    {
        var settings = watch.Current;
        var said = http.Request.Headers.Authorization;
        if (said.Count == 0)
        {
            return new(OfCertificate(http, settings));
        }

        var value = said.ToString();
        if (said.Count > 1 || !value.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) || value.Length - Scheme.Length is 0 or > LongestToken)
        {
            return new(Unknown("the header authorization holds no bearer token"));
        }

        var token = value[Scheme.Length..].Trim();
        var sha256 = SHA256.HashData(Encoding.UTF8.GetBytes(token));
        return settings.FindToken(sha256) is { } caller ? new(new Identity(caller))
            : settings.Jwt is { } jwt && token.Count(c => c == '.') == 2 ? OfJwtAsync(http, settings, jwt, token, Convert.ToHexString(sha256))
            : new(Unknown("the token is not known here"));
    }

    private static Identity Unknown(string why) => new(null, StatusCode.Unauthenticated, why);

    private static Identity OfCertificate(HttpContext http, SecuritySettings settings) =>
        http.Connection.ClientCertificate is not { } certificate
            ? Unknown(settings.Tls?.ClientAuthorities is null ? "send a token as 'authorization: Bearer TOKEN'" : "send a token as 'authorization: Bearer TOKEN', or show a certificate")
            : settings.FindCertificate(certificate) is { } caller
                ? new Identity(caller)
                : Unknown("the certificate names no caller that is known here");

    private async ValueTask<Identity> OfJwtAsync(HttpContext http, SecuritySettings settings, TrustedIssuer jwt, string token, string sha256)
    {
        var now = time.GetUtcNow().UtcDateTime;
        if (_verified.TryGetValue(sha256, out var known) && known.Settings == settings && now <= known.Ends)
        {
            return OfSubject(settings, known.Subject);
        }

        var failures = FailuresOf(http.Connection.RemoteIpAddress ?? IPAddress.None);
        if (!failures.TryTake(out var wait))
        {
            return new Identity(null, StatusCode.ResourceExhausted, "too many tokens from this address were not accepted", wait);
        }

        var result = await _handler.ValidateTokenAsync(token, new TokenValidationParameters
        {
            ValidIssuer = jwt.Issuer,
            ValidAudience = jwt.Audience,
            IssuerSigningKeys = jwt.Keys,
            ValidAlgorithms = Algorithms,
            RequireExpirationTime = true,
            RequireSignedTokens = true,
            LifetimeValidator = (notBefore, expires, _, _) => expires is { } end && now <= end + Skew && (notBefore is not { } begin || now >= begin - Skew),
        }).ConfigureAwait(false);
        if (!result.IsValid)
        {
            return Unknown(result.Exception is SecurityTokenInvalidLifetimeException ? "the token's time is over, or has not come" : "the token is not accepted here");
        }

        // It was no failure after all.
        failures.Return();
        var read = (JsonWebToken)result.SecurityToken;
        if (_verified.Count >= MostRemembered)
        {
            _verified.Clear();
        }

        _verified[sha256] = (settings, read.Subject ?? "", read.ValidTo + Skew);
        return OfSubject(settings, read.Subject ?? "");
    }

    private static Identity OfSubject(SecuritySettings settings, string subject) => settings.Subjects.TryGetValue(subject, out var caller)
        ? new Identity(caller)
        : new Identity(null, StatusCode.PermissionDenied, "the token is good, and its subject is no caller here");

    private TokenBuckets FailuresOf(IPAddress address)
    {
        if (_failures.Count >= MostRemembered)
        {
            _failures.Clear();
        }

        return _failures.GetOrAdd(address, static (_, clock) => new TokenBuckets([Failures], clock), time);
    }
}
