using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using FuncScaler.FunctionsHost;
using FuncScaler.FunctionsHost.Workers;
using FuncScaler.Tests.FakeArm;

namespace FuncScaler.Tests;

/// <summary>The app as it was built, and what it is started with.</summary>
internal static class App
{
    /// <summary>Long enough for a loaded machine, short enough for a hanging test.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    /// <summary>The app's folder: the published one that <c>FUNCSCALER_APP</c> names, else the one that the build has made.</summary>
    public static string Folder { get; } = Environment.GetEnvironmentVariable("FUNCSCALER_APP") is { Length: > 0 } named
        ? named
        : Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "ScalerFunctions", Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/'))));

    /// <summary>Starts a stand-in host in this process.</summary>
    public static async Task<StandIn> StartAsync(HostOptions options)
    {
        using var limit = new CancellationTokenSource(Limit);
        return await StandIn.StartAsync(options, limit.Token);
    }

    /// <summary>Fires the sweep's timer. A second one within a second is refused, because the first is under way.</summary>
    public static async Task SweepAsync(StandIn host)
    {
        try
        {
            await host.FireAsync("Sweep", CancellationToken.None);
        }
        catch (FunctionFailedException e) when (e.Message.Contains("already exists", StringComparison.Ordinal))
        {
            // As said.
        }
    }

    /// <summary>Waits until a worker has its lease.</summary>
    public static Task UntilReadyAsync(HttpClient http) => Waiting.UntilAsync(
        "the worker has its lease", Limit, async () => (await http.GetAsync(new Uri("api/ready", UriKind.Relative))).IsSuccessStatusCode);

    /// <summary>Settings with container instances on a Resource Manager of our own.</summary>
    /// <summary>What an operator sends who has instances provisioned.</summary>
    public const string OperatorKey = "the-operators-key-of-these-tests";

    public static Dictionary<string, string> OnContainerInstances(FakeArmServer platform) => new()
    {
        ["Scaler__Backend"] = "aci",
        ["Scaler__Policy"] = "ttl:5",
        ["Scaler__OperatorKeySha256"] = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(OperatorKey))),
        ["Scaler__ParkSeconds"] = "2",
        ["Scaler__LeaseSeconds"] = "10",
        ["Scaler__HoldAheadSeconds"] = "0",
        ["Scaler__BackendSettings"] = new JsonObject
        {
            ["armEndpoint"] = platform.Address.AbsoluteUri,
            ["subscription"] = FakeArmServer.Subscription,
            ["owner"] = "host-tests",
            ["genericResources"] = true,
            ["places"] = new JsonArray(new JsonObject { ["resourceGroup"] = "slots", ["region"] = "westeurope" }),
            ["images"] = new JsonObject { ["*"] = "example/runtime:1" },
            ["port"] = platform.ContainerPort,
            ["start"] = new JsonObject { ["init"] = "httpInit", ["pollDelay"] = "00:00:00.020" },
            ["pollDelay"] = "00:00:00.050",
            ["maxGroupsPerRegion"] = 10_000,
            ["maxCoresPerRegion"] = 100_000,
            ["createLimits"] = new JsonArray(),
            ["deleteLimits"] = new JsonArray(),
        }.ToJsonString(),
    };

    /// <summary>A platform that is quick.</summary>
    public static async Task<FakeArmServer> StartPlatformAsync()
    {
        var platform = await FakeArmServer.StartAsync();
        platform.Provisioning = TimeSpan.FromMilliseconds(100);
        platform.Deleting = TimeSpan.FromMilliseconds(50);
        platform.MaxGroupsPerRegion = 10_000;
        return platform;
    }
}
