using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.Runtime.Security;

/// <summary>Files in PEM form. Relative paths are relative to the security file, or in the Functions app to its folder.</summary>
public sealed record TlsFiles
{
    /// <summary>The server's certificate, and after it those that lead to its root.</summary>
    public string Certificate { get; init; } = "";

    /// <summary>Its private key, not encrypted.</summary>
    public string Key { get; init; } = "";

    /// <summary>Authorities whose certificates callers may show; null where callers show none.</summary>
    public string? ClientAuthorities { get; init; }

    /// <summary>Adds a sentence for each file that is not named.</summary>
    /// <param name="errors">Where to add.</param>
    /// <param name="name">The name of a setting as it is written, of its name here.</param>
    public void Check(SettingErrors errors, Func<string, string> name)
    {
        ArgumentNullException.ThrowIfNull(errors);
        ArgumentNullException.ThrowIfNull(name);
        if (Certificate.Length == 0)
        {
            errors.Add($"{name(nameof(Certificate))} is missing: give the path of a certificate in PEM form.");
        }

        if (Key.Length == 0)
        {
            errors.Add($"{name(nameof(Key))} is missing: give the path of its private key in PEM form.");
        }
    }

    /// <summary>Reads the files.</summary>
    /// <param name="files">What reads them.</param>
    /// <param name="name">The name of a setting as it is written, of its name here.</param>
    /// <exception cref="BackendSettingsException">They cannot be read, or are of no use.</exception>
    public TlsSettings Read(SettingsFiles files, Func<string, string> name)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(name);
        var (certificate, key) = (files.Text(name(nameof(Certificate)), Certificate), files.Text(name(nameof(Key)), Key));
        try
        {
            var chain = new X509Certificate2Collection();
            chain.ImportFromPem(certificate);
            return new TlsSettings(
                SslStreamCertificateContext.Create(X509Certificate2.CreateFromPem(certificate, key), chain, offline: true),
                ClientAuthorities is { } authorities ? ReadAuthorities(files, name(nameof(ClientAuthorities)), authorities) : null);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new BackendSettingsException(
                $"{name(nameof(Certificate))} '{Certificate}' and {name(nameof(Key))} '{Key}' are no pair that can be used: give a certificate and its own private key, in PEM form and not encrypted.", e);
        }
    }

    private static X509Certificate2Collection ReadAuthorities(SettingsFiles files, string what, string path)
    {
        try
        {
            var authorities = new X509Certificate2Collection();
            authorities.ImportFromPem(files.Text(what, path));
            if (authorities.Count > 0)
            {
                return authorities;
            }
        }
        catch (CryptographicException)
        {
        }

        throw new BackendSettingsException($"{what} '{path}' has no certificate that can be read: give certificates in PEM form.");
    }
}
