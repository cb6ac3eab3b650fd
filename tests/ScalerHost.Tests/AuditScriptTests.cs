using System.Diagnostics;

namespace FuncScaler.Tests;

/// <summary><c>eng/audit.py</c> on what <c>dotnet list package --vulnerable</c> prints.</summary>
public sealed class AuditScriptTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("High", "transitivePackages", 1, "audit: high: Bad.Package 1.0.0, https://advisory.example (a.csproj)")]
    [InlineData("Critical", "topLevelPackages", 1, "1 weaknesses of severity high or critical, 0 others")]
    [InlineData("Moderate", "topLevelPackages", 0, "0 weaknesses of severity high or critical, 1 others")]
    public void A_weakness_of_severity_high_fails_the_audit(string severity, string packages, int exitCode, string line)
    {
        var (code, output) = Run($$"""
            {"projects": [{"path": "a.csproj", "frameworks": [{"framework": "net10.0", "{{packages}}": [
              {"id": "Bad.Package", "resolvedVersion": "1.0.0", "vulnerabilities": [{"severity": "{{severity}}", "advisoryurl": "https://advisory.example"}]}]}]}]}
            """);

        Assert.Equal(exitCode, code);
        Assert.Contains(line, output, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_weakness_it_passes() => Assert.Equal((0, "audit: 0 weaknesses of severity high or critical, 0 others\n"), Run("""{"projects": [{"path": "a.csproj"}]}"""));

    private (int ExitCode, string Output) Run(string listed)
    {
        var root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "eng", "audit.py")))
        {
            root = Path.GetDirectoryName(root)!;
        }

        using var process = Process.Start(new ProcessStartInfo("python3", [Path.Combine(root, "eng", "audit.py"), "--json", _folder.File("listed.json", listed)]) { RedirectStandardOutput = true })!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output);
    }
}
