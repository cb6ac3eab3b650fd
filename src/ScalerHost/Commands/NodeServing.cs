using System.CommandLine;
using FuncScaler.ContestSimulator.Nodes;
using FuncScaler.Nodes;
using FuncScaler.SlotBackends.Nodes;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>What serves the 2020 contest: a backend of nodes, and the price that follows from the contest's weights.</summary>
/// <param name="Backend">The backend.</param>
/// <param name="Price">The price; it learns from what the Scheduler service is told.</param>
/// <param name="ResourceManager">Where nodes come from.</param>
internal sealed record NodeServing(OpenBackend Backend, SharedNodePrice Price, Uri ResourceManager)
{
    /// <summary>How the contest is named on the command line.</summary>
    public const string Edition = "2020";

    /// <summary>The port of the Scheduler service.</summary>
    public const int SchedulerPort = 10600;

    /// <summary>The port of the ResourceManager.</summary>
    public const int ResourceManagerPort = 10400;

    /// <summary>The variable that the contest names the ResourceManager in, as host:port.</summary>
    public const string EndpointVariable = "RESOURCE_MANAGER_ENDPOINT";

    private const string OtherEdition = "2023";

    /// <summary>Which contest's contract is served.</summary>
    public static Option<string> Contract() => Editions(
        "--contract", $"Which contest's contract to serve; {Edition}: instances stand on nodes of the ResourceManager that --platform or {EndpointVariable} names");

    /// <summary>Which contest is played.</summary>
    public static Option<string> Play() => Editions("--edition", $"Which contest to play; {Edition}: instances stand on nodes, and nodes are what costs");

    /// <summary>A pair of weights.</summary>
    public static Option<NodeWeights> Weights(string description, NodeWeights otherwise) => CommonOptions.Default(
        CommonOptions.Read<NodeWeights>(
            "--weights",
            description,
            "W1,W2",
            static (string text, out NodeWeights weights) => NodeSimulation.TryParseWeights(text, out weights),
            "is no pair of weights",
            "write for example 0.5,0.5; the second is above 0"),
        otherwise);

    /// <summary>Opens a backend of nodes.</summary>
    public static NodeServing Open(Uri resourceManager, NodeWeights weights, TimeProvider time)
    {
        var fleet = new NodeFleetOptions();
        var price = new SharedNodePrice(new NodeScorePrice(weights.Latency, weights.Nodes, fleet.NodeMemoryMb, fleet.MostNodes), time);
        var backend = new NodeBackend(new GrpcNodePlatform(resourceManager), fleet, time, price);
        return new NodeServing(new OpenBackend(backend, $"nodes of {resourceManager.Authority}", new BackendLimits()), price, resourceManager);
    }

    /// <summary>What the contest's variable says; the ResourceManager on this machine where it is not set.</summary>
    /// <exception cref="CommandException">It is no address.</exception>
    public static Uri EndpointOfEnvironment()
    {
        var text = Environment.GetEnvironmentVariable(EndpointVariable) is { Length: > 0 } set ? set : $"127.0.0.1:{ResourceManagerPort}";
        return Uri.TryCreate($"http://{text}", UriKind.Absolute, out var address) && address.PathAndQuery == "/"
            ? address
            : throw new CommandException(CommandException.BadUsage, SettingErrors.Sentence(
                EndpointVariable, text, "is no address", $"write host:port, for example 127.0.0.1:{ResourceManagerPort}"));
    }

    private static Option<string> Editions(string name, string description)
    {
        var option = new Option<string>(name) { Description = description, DefaultValueFactory = _ => OtherEdition };
        option.AcceptOnlyFromAmong(OtherEdition, Edition);
        return option;
    }
}
