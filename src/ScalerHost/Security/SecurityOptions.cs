using FuncScaler.Runtime.Security;

namespace FuncScaler.ScalerHost.Security;

/// <summary>What a caller may do. A caller has each right for itself: none contains another.</summary>
public enum CallerRight
{
    /// <summary>Assign and release.</summary>
    Call,

    /// <summary>Look: statistics, slots, explanations, and whatever else can be asked for by GET.</summary>
    Read,

    /// <summary>Change how the scaler works.</summary>
    Operate,
}

/// <summary>The security file of <c>serve --security</c>, as it is written; docs/explanation/security.md has it in a table.</summary>
public sealed record SecurityOptions
{
    /// <summary>The server's certificate; null for no TLS.</summary>
    public TlsFiles? Tls { get; init; }

    /// <summary>Something in front of the scaler speaks TLS with its callers, so that none is needed here. Default false.</summary>
    public bool TlsInFront { get; init; }

    /// <summary>Which JSON Web Tokens are believed; null for none.</summary>
    public JwtOptions? Jwt { get; init; }

    /// <summary>Who may call, at most 1,000.</summary>
    public IReadOnlyList<CallerOptions> Callers { get; init; } = [];
}

/// <summary>What makes a JSON Web Token believable: a signature by one of the keys, issuer, audience, and a time that has not come to its end.</summary>
public sealed record JwtOptions
{
    /// <summary>What the claim <c>iss</c> must be.</summary>
    public string Issuer { get; init; } = "";

    /// <summary>What the claim <c>aud</c> must have.</summary>
    public string Audience { get; init; } = "";

    /// <summary>A JSON Web Key Set with public keys.</summary>
    public string Keys { get; init; } = "";
}

/// <summary>A caller: what it is known by, and what it may do.</summary>
public sealed record CallerOptions
{
    /// <summary>Its name in logs and messages; each name once.</summary>
    public string Name { get; init; } = "";

    /// <summary>The SHA-256 of its token, 64 hexadecimal digits, as <c>funcscaler token</c> prints it. The token itself stands nowhere.</summary>
    public string? TokenSha256 { get; init; }

    /// <summary>The claim <c>sub</c> of its JSON Web Tokens.</summary>
    public string? Subject { get; init; }

    /// <summary>A DNS name in its certificate, or the common name where it has no DNS names.</summary>
    public string? CertificateName { get; init; }

    /// <summary>What it may do; at least one.</summary>
    public IReadOnlyList<CallerRight> Rights { get; init; } = [];

    /// <summary>What the keys of its functions begin with; null for all functions.</summary>
    public IReadOnlyList<string>? Functions { get; init; }

    /// <summary>Requests that it may make in the long run, without releases; above 0. Default null: no limit. Releases have twice as many.</summary>
    public double? RequestsPerSecond { get; init; }

    /// <summary>Requests that it may make at once; default null: those of one second, at least 1.</summary>
    public int? Burst { get; init; }
}
