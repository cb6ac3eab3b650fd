using System.Text.Json.Nodes;

namespace FuncScaler.Tests;

/// <summary>What Bicep's own compiler says of infra/bicep, and that it says something where it should.</summary>
public sealed class CompilerTests : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("funcscaler-bicep-");

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync()
    {
        _folder.Delete(recursive: true);
        return Task.CompletedTask;
    }

    [BicepFact]
    public async Task Build_has_no_warning() => Assert.Equal("", (await Bicep.CompileAsync()).Diagnostics);

    [BicepFact]
    public async Task Format_changes_no_file()
    {
        var copy = Copy("formatted");
        var (exitCode, _, diagnostics) = await Bicep.RunAsync("format", "--pattern", Path.Combine(copy, "bicep", "**", "*.bicep*"));
        Assert.True(exitCode == 0, diagnostics);
        foreach (var file in Directory.EnumerateFiles(copy, "*", SearchOption.AllDirectories))
        {
            var before = await File.ReadAllTextAsync(Path.Combine(Bicep.Infra, Path.GetRelativePath(copy, file)));
            Assert.True(before == await File.ReadAllTextAsync(file), $"{Path.GetRelativePath(copy, file)} is not as bicep format writes it.");
        }
    }

    [BicepFact]
    public async Task Parameters_build()
    {
        var bicep = Path.Combine(Copy("parameters"), "bicep");
        var (exitCode, output, diagnostics) = await Bicep.RunAsync("build-params", "--pattern", Path.Combine(bicep, "*.bicepparam"));
        Assert.Equal("", output + diagnostics);
        Assert.Equal(0, exitCode);

        var defaults = (await Bicep.CompileAsync()).Template["parameters"]!;
        foreach (var (environment, storage, privateNetwork) in new[] { ("dev", "Standard_LRS", false), ("prod", "Standard_ZRS", true) })
        {
            var set = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(bicep, $"{environment}.json")))!["parameters"]!;
            Assert.Equal(storage, (string?)Value("storageSku"));
            Assert.Equal(privateNetwork, (bool)Value("privateNetwork")!);

            JsonNode? Value(string name) => set[name]?["value"] ?? defaults[name]!["defaultValue"];
        }
    }

    [BicepFact]
    public async Task Lint_says_nothing_of_what_is_whole_and_refuses_what_it_should()
    {
        (string Name, string File, string From, string To, string Code)[] broken =
        [
            ("variable", "main.bicep", "var taskHub = 'funcscaler'", "var taskHub = 'funcscaler'\nvar spare = 1", "no-unused-vars"),
            ("parameter", "main.bicep", "retentionDays: retentionDays", "retentionDays: 30", "no-unused-params"),
            ("secret", "modules/storage.bicep", "output name string = account.name", "output name string = account.listKeys().keys[0].value", "outputs-should-not-contain-secrets"),
            ("insecure", "modules/containerapp.bicep", "@secure()\n", "", "use-secure-value-for-secure-inputs"),
            ("module", "main.bicep", "'modules/slots.bicep'", "'modules/slot.bicep'", "BCP091"),
            ("output", "main.bicep", "slots.outputs.pullIdentityId", "slots.outputs.identityId", "BCP053"),
            ("missing", "main.bicep", "    sku: storageSku\n", "", "BCP035"),
            ("unknown", "main.bicep", "    sku: storageSku\n", "    redundancy: storageSku\n", "BCP037"),
            ("property", "modules/registry.bicep", "adminUserEnabled: false", "adminUserEnabled: false, anonymousPullEnabled: false", "BCP037"),
            ("version", "modules/functionapp.bicep", "sites@2025-03-01", "sites@2025-03-02", "BCP081"),
            ("unassigned", "dev.bicepparam", "param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')\n", "", "BCP258"),
            ("unasked", "prod.bicepparam", "param privateNetwork", "param privateNet", "BCP259"),
        ];
        broken = broken[..(int)TestLength.Count("FUNCSCALER_CASES", 4, broken.Length)];
        foreach (var (name, file, from, to, _) in broken)
        {
            var path = Path.Combine(Copy(name), "bicep", file);
            var text = await File.ReadAllTextAsync(path);
            Assert.Contains(from, text, StringComparison.Ordinal);
            await File.WriteAllTextAsync(path, text.Replace(from, to, StringComparison.Ordinal));

            if (!file.EndsWith(".bicepparam", StringComparison.Ordinal))
            {
                // Each would have the whole compiled once more.
                Array.ForEach(Directory.GetFiles(Path.Combine(_folder.FullName, name, "bicep"), "*.bicepparam"), File.Delete);
            }
        }

        var whole = Copy("whole");

        // All in one run: the compiler starts slower than it compiles.
        var (exitCode, output, diagnostics) = await Bicep.RunAsync("lint", "--pattern", Path.Combine(_folder.FullName, "*", "bicep", "*.bicep*"));
        Assert.NotEqual(0, exitCode);
        var lines = (output + diagnostics).Split('\n');
        Assert.DoesNotContain(lines, l => l.StartsWith(whole, StringComparison.Ordinal));
        foreach (var (name, file, _, _, code) in broken)
        {
            var path = Path.Combine(_folder.FullName, name);
            Assert.True(lines.Any(l => l.StartsWith(path, StringComparison.Ordinal) && l.Contains(code, StringComparison.Ordinal)), $"Nothing says {code} of {name}.");
        }
    }

    /// <summary>A copy of infra in a folder of its own.</summary>
    private string Copy(string name)
    {
        var copy = Path.Combine(_folder.FullName, name);
        foreach (var file in Directory.EnumerateFiles(Bicep.Infra, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(copy, Path.GetRelativePath(Bicep.Infra, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }

        return copy;
    }
}
