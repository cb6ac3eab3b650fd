using FuncScaler.ScalerHost;
using FuncScaler.ScalerHost.Security;

namespace FuncScaler.Tests.Security;

/// <summary>A security file that is wrong ends in clear sentences, and nothing secret is in them.</summary>
public sealed class SecurityFileTests : IDisposable
{
    private const string Caller = """{ "name": "a", "subject": "s", "rights": ["call"] }""";

    /// <summary>Keys for all tests: making a pair takes as long as many tests.</summary>
    private static readonly Pki Keys = new();

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("""{ "callers": [] }""", "callers has 0 entries: give 1 to 1000.")]
    [InlineData("""{ "callers": [{ "name": "", "subject": "s", "rights": ["call"] }] }""", "callers[0].name '' is no name")]
    [InlineData("""{ "callers": [{ "name": "a", "rights": ["call"] }] }""", "callers[0] is known by nothing: give tokenSha256, subject or certificateName.")]
    [InlineData("""{ "callers": [{ "name": "a", "subject": "s" }] }""", "callers[0].rights is empty")]
    [InlineData("""{ "callers": [{ "name": "a", "subject": "s", "rights": ["rule"] }] }""", "give one of \"call\", \"read\", \"operate\"")]
    [InlineData("""{ "callers": [{ "name": "a", "tokenSha256": "hunter2", "rights": ["call"] }] }""", "callers[0].tokenSha256 is no SHA-256")]
    [InlineData("""{ "callers": [{ "name": "a", "token": "hunter2", "rights": ["call"] }] }""", "callers[0].token is no setting")]
    [InlineData("""{ "callers": [{ "name": "a", "subject": "s", "rights": ["call"], "functions": [] }] }""", "callers[0].functions has 0 prefixes")]
    [InlineData("""{ "callers": [{ "name": "a", "subject": "s", "rights": ["call"], "requestsPerSecond": 0 }] }""", "callers[0].requestsPerSecond 0 is out of range")]
    [InlineData("""{ "callers": [{ "name": "a", "subject": "s", "rights": ["call"], "burst": 5 }] }""", "callers[0].burst 5 has no rate")]
    [InlineData($$"""{ "callers": [{{Caller}}, {{Caller}}] }""", "callers have a name twice")]
    [InlineData($$"""{ "callers": [{{Caller}}] }""", "a caller has a subject, and there is no jwt")]
    [InlineData("""{ "callers": [{ "name": "a", "certificateName": "s", "rights": ["call"] }] }""", "there is no tls.clientAuthorities")]
    [InlineData($$"""{ "callers": [{{Caller}}], "tls": { "certificate": "c" } }""", "tls.key is missing")]
    [InlineData($$"""{ "callers": [{{Caller}}], "tlsInFront": true, "tls": { "certificate": "c", "key": "k" } }""", "tls and tlsInFront are both given")]
    [InlineData($$"""{ "callers": [{{Caller}}], "jwt": { "issuer": "i", "audience": "a" } }""", "jwt.keys is missing")]
    [InlineData($$"""{ "callers": [{{Caller}}], "jwt": { "issuer": "i", "audience": "a", "keys": "nowhere.json" } }""", "jwt.keys 'nowhere.json' cannot be read")]
    [InlineData($$"""{ "callers": [{{Caller}}], "jwt": { "issuer": "i", "audience": "a", "keys": "security.json" } }""", "is no set of public keys")]
    [InlineData($$"""{ "callers": [{{Caller}}], "jwt": { "issuer": "i", "audience": "a", "keys": "secret.json" } }""", "is no set of public keys")]
    [InlineData($$"""{ "callers": [{{Caller}}], "jwt": { "issuer": "i", "audience": "a", "keys": "private.json" } }""", "without private parts")]
    [InlineData($$"""{ "callers": [{{Caller}}], "jwt": { "issuer": "i", "audience": "a", "keys": "good.json" }, "tls": { "certificate": "good.json", "key": "good.json" } }""", "are no pair that can be used")]
    [InlineData("{", "is no JSON")]
    public void A_wrong_file_is_told_with_its_place(string json, string sentence)
    {
        _folder.File("secret.json", """{ "keys": [{ "kty": "oct", "k": "aHVudGVyMg" }] }""");
        _folder.File("private.json", Keys.PrivateKeySet);
        _folder.File("good.json", Keys.KeySet);

        var error = Assert.Throws<CommandException>(() => SecurityWatch.Open(_folder.File("security.json", json), TimeProvider.System));

        Assert.Equal(CommandException.BadUsage, error.ExitCode);
        Assert.Contains(sentence, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("aHVudGVyMg", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_path_with_a_folder_is_meant_from_where_the_command_runs()
    {
        var file = _folder.File(
            "security.json", $$"""{ "callers": [{ "name": "a", "tokenSha256": "{{GuardedServer.Hash("t")}}", "rights": ["call"] }], "tlsInFront": true }""");

        using var watch = SecurityWatch.Open(Path.GetRelativePath(Environment.CurrentDirectory, file), TimeProvider.System);

        Assert.True(watch.TlsInFront);
    }

    [Fact]
    public void A_good_file_is_read()
    {
        _folder.File("good.json", Keys.KeySet);
        var file = _folder.File("security.json", $$"""{ "callers": [{{Caller}}], "tlsInFront": true, "jwt": { "issuer": "i", "audience": "a", "keys": "good.json" } }""");

        using var watch = SecurityWatch.Open(file, TimeProvider.System);

        Assert.Equal((false, true), (watch.HasTls, watch.TlsInFront));
    }
}
