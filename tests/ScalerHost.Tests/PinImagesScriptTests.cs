using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace FuncScaler.Tests;

/// <summary><c>eng/pin-images.py</c> on a registry of the test's own.</summary>
public sealed class PinImagesScriptTests : IAsyncLifetime
{
    private const string Manifest = """{"schemaVersion": 2, "manifests": []}""";

    private static readonly string Digest = $"sha256:{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Manifest)))}";

    private readonly TemporaryFolder _folder = new();
    private readonly WebApplication _registry;

    public PinImagesScriptTests()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _registry = builder.Build();
        _registry.MapGet("/token", (string scope) => $$"""{"token": "for {{scope}}"}""");
        _registry.MapGet("/v2/known/image/manifests/1.0", async http =>
        {
            if (http.Request.Headers.Authorization != "Bearer for pull")
            {
                http.Response.StatusCode = StatusCodes.Status401Unauthorized;
                http.Response.Headers.WWWAuthenticate = $"Bearer realm=\"http://{http.Request.Host}/token\",service=\"s\",scope=\"pull\"";
                return;
            }

            await http.Response.WriteAsync(Manifest);
        });
    }

    private string Registry => _registry.Urls.Single()["http://".Length..];

    public Task InitializeAsync() => _registry.StartAsync();

    public async Task DisposeAsync()
    {
        _folder.Dispose();
        await _registry.DisposeAsync();
    }

    [PythonFact]
    public async Task An_image_gets_the_digest_of_its_manifest_beside_its_tag_and_an_older_digest_goes()
    {
        var file = _folder.File("Dockerfile", $"FROM {Registry}/known/image:1.0 AS build\nRUN true\nFROM {Registry}/known/image:1.0@sha256:{new string('0', 64)}\nCOPY --from=build /a /a");

        var (code, _) = await RunAsync();

        Assert.Equal(0, code);
        Assert.Equal($"FROM {Registry}/known/image:1.0@{Digest} AS build\nRUN true\nFROM {Registry}/known/image:1.0@{Digest}\nCOPY --from=build /a /a\n", await File.ReadAllTextAsync(file));
        Assert.Equal((0, "images: 1 named by digest, 0 by tag alone\n"), await RunAsync("--check"));
    }

    [PythonFact]
    public async Task An_image_that_its_registry_does_not_tell_stays_as_it_is()
    {
        var text = $"FROM {Registry}/unknown/image:1.0";
        var file = _folder.File("Dockerfile", text);

        Assert.Equal(3, (await RunAsync()).ExitCode);
        Assert.Equal(text, (await File.ReadAllTextAsync(file)).TrimEnd());
        Assert.Equal((0, $"images: 0 named by digest, 1 by tag alone: {Registry}/unknown/image:1.0 (Dockerfile)\n"), await RunAsync("--check"));
    }

    [PythonTheory]
    [InlineData("sha256:abc")]
    [InlineData("")]
    public async Task What_cannot_be_a_digest_fails_the_check(string digest)
    {
        _folder.File("Dockerfile", $"FROM registry.example/image:1.0@{digest}");

        Assert.Equal(1, (await RunAsync("--check")).ExitCode);
    }

    private async Task<(int ExitCode, string Output)> RunAsync(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Python.Path!, [Path.Combine(Repository.Root, "eng", "pin-images.py"), "--root", _folder.Path, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output);
    }
}
