using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;

namespace FuncScaler.Tests;

/// <summary>Bicep's own compiler, and infra/bicep as it compiles it. Nothing here asks the network: there are no modules of a registry.</summary>
internal static class Bicep
{
    private static readonly Lazy<Task<Compilation>> Built = new(BuildAsync);

    /// <summary>Why the compiler cannot be run here; null where it can.</summary>
    public static string? Unavailable { get; } =
        OperatingSystem.IsLinux() && RuntimeInformation.OSArchitecture == Architecture.X64
            ? null
            : "The package of the Bicep compiler that the tests use is for linux-x64 only.";

    /// <summary>The folder infra of the repository.</summary>
    public static string Infra { get; } = Path.Combine(Repository.Root, "infra");

    /// <summary>infra/bicep/main.bicep, compiled once for all tests.</summary>
    public static Task<Compilation> CompileAsync() => Built.Value;

    /// <summary>Runs the compiler.</summary>
    /// <returns>Its exit code, what it printed, and its diagnostics.</returns>
    public static async Task<(int ExitCode, string Output, string Diagnostics)> RunAsync(params string[] arguments)
    {
        var path = typeof(Bicep).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "BicepPath").Value!;
        Assert.True(File.Exists(path), $"There is no {path}: run dotnet restore.");
        using var process = Process.Start(new ProcessStartInfo(path, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,

            // The executable brings .NET, but no ICU.
            Environment = { ["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "1" },
        })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var diagnostics = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await diagnostics);
    }

    private static async Task<Compilation> BuildAsync()
    {
        var (exitCode, output, diagnostics) = await RunAsync("build", Path.Combine(Infra, "bicep", "main.bicep"), "--stdout");
        Assert.True(exitCode == 0, diagnostics);
        return new Compilation(output, diagnostics);
    }

    /// <summary>What <c>bicep build</c> makes of infra/bicep/main.bicep.</summary>
    /// <param name="Json">The ARM template.</param>
    /// <param name="Diagnostics">Warnings.</param>
    internal sealed record Compilation(string Json, string Diagnostics)
    {
        /// <summary>A copy of the template, free to be changed.</summary>
        public JsonObject Template => JsonNode.Parse(Json)!.AsObject();
    }
}

/// <summary>A fact that needs the Bicep compiler.</summary>
internal sealed class BicepFactAttribute : FactAttribute
{
    public BicepFactAttribute() => Skip = Bicep.Unavailable;
}

/// <summary>A theory that needs the Bicep compiler.</summary>
internal sealed class BicepTheoryAttribute : TheoryAttribute
{
    public BicepTheoryAttribute() => Skip = Bicep.Unavailable;
}
