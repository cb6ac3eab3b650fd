using System.Text.Json;
using FuncScaler.Runtime.Security;
using FuncScaler.SlotBackends.Settings;
using Microsoft.IdentityModel.Tokens;

namespace FuncScaler.ScalerHost.Security;

/// <summary>Reads the security file and the files that it names.</summary>
internal static class SecurityFile
{
    /// <summary>The most callers that a file may have; each token is compared with all of them.</summary>
    public const int MostCallers = 1000;

    private const int LongestName = 256;

    /// <summary>Reads everything, and finds out by the way what it depends on.</summary>
    /// <param name="path">The security file.</param>
    /// <param name="time">The clock of callers' rates.</param>
    /// <param name="former">Callers that may go on with what is left of their rates.</param>
    /// <param name="version">Another one for each content of the files.</param>
    /// <exception cref="BackendSettingsException">Something is wrong in a file; a sentence for each error.</exception>
    public static SecuritySettings Read(string path, TimeProvider time, IReadOnlyList<Caller> former, out string version)
    {
        var files = new SettingsFiles(Path.GetDirectoryName(Path.GetFullPath(path))!);
        var options = SettingsJson.Read<SecurityOptions>(files.Text("the security file", Path.GetFileName(path)));
        var errors = new SettingErrors();
        CheckCallers(options, errors);
        CheckFiles(options, errors);
        if (errors.Sentences.Count > 0)
        {
            throw new BackendSettingsException(errors.Sentences);
        }

        var callers = options.Callers.Select(c => former.FirstOrDefault(f => f.Is(c)) ?? new Caller(c, time)).ToList();
        var pairs = options.Callers.Zip(callers).ToList();
        var settings = new SecuritySettings
        {
            Tls = options.Tls?.Read(files, TlsName),
            TlsInFront = options.TlsInFront,
            Jwt = options.Jwt is { } jwt ? new TrustedIssuer(jwt.Issuer, jwt.Audience, ReadKeys(files, jwt.Keys)) : null,
            Callers = callers,
            Tokens = [.. pairs.Where(p => p.First.TokenSha256 is not null).Select(p => (Convert.FromHexString(p.First.TokenSha256!), p.Second))],
            Subjects = pairs.Where(p => p.First.Subject is not null).ToDictionary(p => p.First.Subject!, p => p.Second, StringComparer.Ordinal),
            CertificateNames = pairs.Where(p => p.First.CertificateName is not null).ToDictionary(p => p.First.CertificateName!, p => p.Second, StringComparer.OrdinalIgnoreCase),
        };
        version = files.Version;
        return settings;
    }

    private static void CheckCallers(SecurityOptions options, SettingErrors errors)
    {
        if (options.Callers.Count is 0 or > MostCallers)
        {
            errors.Add($"callers has {options.Callers.Count} entries: give 1 to {MostCallers}.");
        }

        for (var i = 0; i < options.Callers.Count; i++)
        {
            CheckCaller(options.Callers[i], $"callers[{i}]", errors);
        }

        Once(options.Callers.Select(c => c.Name), "name", StringComparer.Ordinal);
        Once(options.Callers.Select(c => c.TokenSha256), "tokenSha256", StringComparer.OrdinalIgnoreCase);
        Once(options.Callers.Select(c => c.Subject), "subject", StringComparer.Ordinal);
        Once(options.Callers.Select(c => c.CertificateName), "certificateName", StringComparer.OrdinalIgnoreCase);

        void Once(IEnumerable<string?> values, string of, StringComparer comparer)
        {
            if (values.Where(v => v is not null).GroupBy(v => v, comparer).Any(g => g.Count() > 1))
            {
                errors.Add($"callers have a {of} twice: give each caller one of its own.");
            }
        }
    }

    private static void CheckCaller(CallerOptions caller, string where, SettingErrors errors)
    {
        errors.Require(
            caller.Name.Length is > 0 and <= 100 && caller.Name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'),
            $"{where}.name",
            caller.Name,
            "is no name",
            "give 1 to 100 letters, digits, dots, dashes or underscores");
        if (caller.TokenSha256 is { } hash && !(hash.Length == 64 && hash.All(char.IsAsciiHexDigit)))
        {
            // What stands there may be the token itself: it is not repeated.
            errors.Add($"{where}.tokenSha256 is no SHA-256: give the 64 hexadecimal digits that 'funcscaler token' prints, and not the token.");
        }

        if (caller is { TokenSha256: null, Subject: null, CertificateName: null })
        {
            errors.Add($"{where} is known by nothing: give tokenSha256, subject or certificateName.");
        }

        errors.Require(caller.Subject is null or { Length: > 0 and <= LongestName }, $"{where}.subject", caller.Subject, "is no subject", $"give 1 to {LongestName} characters");
        errors.Require(
            caller.CertificateName is null or { Length: > 0 and <= LongestName }, $"{where}.certificateName", caller.CertificateName, "is no name", $"give 1 to {LongestName} characters");
        if (caller.Rights.Count == 0)
        {
            errors.Add($"{where}.rights is empty: give some of \"call\", \"read\", \"operate\".");
        }

        if (caller.Functions is { } functions && (functions.Count is 0 or > 100 || functions.Any(f => f.Length is 0 or > LongestName)))
        {
            errors.Add($"{where}.functions has {functions.Count} prefixes: give 1 to 100 of 1 to {LongestName} characters, or leave it out for all functions.");
        }

        if (caller.RequestsPerSecond is { } rate)
        {
            errors.Range($"{where}.requestsPerSecond", rate, 0.001, 1_000_000);
        }

        if (caller.Burst is { } burst)
        {
            errors.Range($"{where}.burst", burst, 1, 10_000_000);
            errors.Require(caller.RequestsPerSecond is not null, $"{where}.burst", burst, "has no rate", "give requestsPerSecond as well, or leave it out");
        }
    }

    private static void CheckFiles(SecurityOptions options, SettingErrors errors)
    {
        options.Tls?.Check(errors, TlsName);
        if (options.Jwt is { } jwt)
        {
            Given("jwt.issuer", jwt.Issuer, "what the claim iss must be");
            Given("jwt.audience", jwt.Audience, "what the claim aud must have");
            Given("jwt.keys", jwt.Keys, "the path of a JSON Web Key Set");
        }

        if (options.Tls is not null && options.TlsInFront)
        {
            errors.Add("tls and tlsInFront are both given: leave tlsInFront out, or tls where something in front speaks TLS.");
        }

        if (options.Callers.Any(c => c.Subject is not null) && options.Jwt is null)
        {
            errors.Add("a caller has a subject, and there is no jwt: say whose tokens are believed.");
        }

        if (options.Callers.Any(c => c.CertificateName is not null) && options.Tls?.ClientAuthorities is null)
        {
            errors.Add("a caller has a certificateName, and there is no tls.clientAuthorities: say whose certificates are believed.");
        }

        void Given(string where, string value, string what)
        {
            if (value.Length == 0)
            {
                errors.Add($"{where} is missing: give {what}.");
            }
        }
    }

    private static string TlsName(string name) => $"tls.{JsonNamingPolicy.CamelCase.ConvertName(name)}";

    private static IReadOnlyList<SecurityKey> ReadKeys(SettingsFiles files, string path)
    {
        try
        {
            var set = new JsonWebKeySet(files.Text("jwt.keys", path));

            // A symmetric key would let whoever checks tokens make them, and a private key has no place here.
            if (set.Keys.Count is > 0 and <= 100 && set.Keys.All(k => k is { Kty: "RSA" or "EC", D: null, K: null }) && set.GetSigningKeys() is { Count: > 0 } keys)
            {
                return [.. keys];
            }
        }
        catch (ArgumentException)
        {
        }

        throw new BackendSettingsException($"jwt.keys '{path}' is no set of public keys: give a JSON Web Key Set with 1 to 100 keys of kind RSA or EC, without private parts.");
    }
}
