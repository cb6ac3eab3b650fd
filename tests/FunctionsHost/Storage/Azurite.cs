using System.Diagnostics;
using System.Text.RegularExpressions;

namespace FuncScaler.FunctionsHost.Storage;

/// <summary>The storage emulator, from the npm package in <c>tests/azurite</c>: in memory, on free ports.</summary>
internal sealed partial class Azurite : IAsyncDisposable
{
    // The emulator's account, which everybody knows.
    private const string Account = "devstoreaccount1";

    private const string Key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(1);

    private readonly Process _process;

    private Azurite(Process process, IReadOnlyDictionary<string, Uri> services)
    {
        _process = process;
        Services = services;
    }

    /// <summary>Why it cannot be started on this machine; null where it can.</summary>
    public static string? Missing { get; } = Look();

    /// <summary>The addresses of <c>Blob</c>, <c>Queue</c> and <c>Table</c>.</summary>
    public IReadOnlyDictionary<string, Uri> Services { get; }

    public string ConnectionString => ConnectionTo(Services);

    /// <summary>A connection string for the emulator's account at these addresses.</summary>
    public static string ConnectionTo(IReadOnlyDictionary<string, Uri> services) =>
        $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={Key};"
        + string.Concat(services.Select(s => $"{s.Key}Endpoint={new Uri(s.Value, Account)};"));

    public static async Task<Azurite> StartAsync(CancellationToken cancellationToken)
    {
        if (Missing is { } missing)
        {
            throw new InvalidOperationException(missing);
        }

        var process = Process.Start(new ProcessStartInfo("node")
        {
            ArgumentList =
            {
                Script!, "--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence",
                "--blobPort", "0", "--queuePort", "0", "--tablePort", "0",
            },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var services = new Dictionary<string, Uri>();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(StartLimit);
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        while (services.Count < 3)
        {
            var line = await process.StandardOutput.ReadLineAsync(limit.Token)
                ?? throw new InvalidOperationException("Azurite has ended before it listened.");
            if (Listening().Match(line) is { Success: true } match)
            {
                services.Add(match.Groups["service"].Value, new Uri(match.Groups["url"].Value));
            }
        }

        // Its access log, which somebody must read.
        _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null, CancellationToken.None);
        return new Azurite(process, services);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    private static string? Script { get; set; }

    private static string? Look()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var script = Path.Combine(folder.FullName, "tests", "azurite", "node_modules", "azurite", "dist", "src", "azurite.js");
            if (File.Exists(script))
            {
                Script = script;
            }
        }

        return Script is null ? "Azurite is absent: npm ci --prefix tests/azurite (needs Node.js 20 or later)."
            : !OnPath("node") ? "Node.js is absent; Azurite needs it."
            : null;
    }

    private static bool OnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(p => File.Exists(Path.Combine(p, program)));

    [GeneratedRegex("Azurite (?<service>Blob|Queue|Table) service is successfully listening at (?<url>http://[^ ]+)")]
    private static partial Regex Listening();
}
