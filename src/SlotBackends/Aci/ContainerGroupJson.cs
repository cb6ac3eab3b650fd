using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FuncScaler.SlotBackends.Aci;

/// <summary>Container groups as Azure Resource Manager writes them.</summary>
internal static class ContainerGroupJson
{
    /// <summary>The <c>properties</c> of a new group.</summary>
    public static BinaryData Properties(ContainerGroupSpec spec)
    {
        var options = spec.Options;
        if (AciOptionsValidation.HasStandbyPool(options))
        {
            // A claim from the pool: the profile says what the containers are.
            return BinaryData.FromObjectAsJson(new JsonObject
            {
                ["standbyPoolProfile"] = Id(options.StandbyPoolId),
                ["containerGroupProfile"] = new JsonObject { ["id"] = options.ContainerGroupProfileId, ["revision"] = options.ContainerGroupProfileRevision },
                ["containers"] = new JsonArray(new JsonObject
                {
                    ["name"] = ContainerName,
                    ["properties"] = new JsonObject
                    {
                        ["configMap"] = new JsonObject { ["keyValuePairs"] = Object(spec.Environment) },
                    },
                }),
            });
        }

        var properties = new JsonObject
        {
            ["osType"] = "Linux",
            ["restartPolicy"] = "Never",
            ["priority"] = options.Spot ? "Spot" : "Regular",
            ["containers"] = new JsonArray(new JsonObject
            {
                ["name"] = ContainerName,
                ["properties"] = new JsonObject
                {
                    ["image"] = spec.Image,
                    ["environmentVariables"] = new JsonArray([.. spec.Environment.Select(v => new JsonObject { ["name"] = v.Key, ["value"] = v.Value })]),
                    ["resources"] = new JsonObject { ["requests"] = new JsonObject { ["memoryInGB"] = spec.Size.MemoryGb, ["cpu"] = spec.Size.Cores } },
                },
            }),
        };
        if (!options.Spot)
        {
            properties["containers"]![0]!["properties"]!["ports"] = new JsonArray(Port(options));
            properties["ipAddress"] = new JsonObject { ["type"] = options.SubnetId.Length > 0 ? "Private" : "Public", ["ports"] = new JsonArray(Port(options)) };
        }

        if (options.SubnetId.Length > 0)
        {
            properties["subnetIds"] = new JsonArray(Id(options.SubnetId));
        }

        if (options.RegistryServer.Length > 0)
        {
            properties["imageRegistryCredentials"] = new JsonArray(new JsonObject { ["server"] = options.RegistryServer, ["identity"] = options.RegistryIdentityId });
        }

        if (options.LogWorkspaceId.Length > 0)
        {
            properties["diagnostics"] = new JsonObject
            {
                ["logAnalytics"] = new JsonObject { ["workspaceId"] = options.LogWorkspaceId, ["workspaceKey"] = options.LogWorkspaceKey },
            };
        }

        return BinaryData.FromObjectAsJson(properties);
    }

    /// <summary>The user-assigned identities of a new group: the containers' own and the one that pulls.</summary>
    public static IEnumerable<string> Identities(AciOptions options) =>
        options.IdentityIds.Append(options.RegistryIdentityId).Where(i => i.Length > 0).Distinct(StringComparer.OrdinalIgnoreCase);

    /// <summary>Reads a group from its <c>name</c>, <c>tags</c> and <c>properties</c>.</summary>
    public static ContainerGroupInfo Read(string name, IEnumerable<KeyValuePair<string, string>> tags, JsonElement properties)
    {
        var cores = 0.0;
        var states = new List<(string?, int?, string?)>();
        foreach (var container in Property(properties, "containers") is { ValueKind: JsonValueKind.Array } containers ? containers.EnumerateArray() : default)
        {
            var cpu = Property(Property(Property(Property(container, "properties"), "resources"), "requests"), "cpu");
            cores += cpu.ValueKind == JsonValueKind.Number ? cpu.GetDouble() : 0;
            var state = Property(Property(Property(container, "properties"), "instanceView"), "currentState");
            states.Add((Text(state, "state"), Property(state, "exitCode") is { ValueKind: JsonValueKind.Number } code && code.TryGetInt32(out var exit) ? exit : null, Text(state, "detailStatus")));
        }

        return new ContainerGroupInfo(
            name,
            RemoteWords.Clean(Text(properties, "provisioningState") ?? ""),
            Text(Property(properties, "ipAddress"), "ip") is { } ip && IPAddress.TryParse(ip, out _) ? ip : null,
            new Dictionary<string, string>(tags),
            cores,
            ContainerGroupInfo.EndOf(Text(properties, "restartPolicy"), Text(Property(properties, "instanceView"), "state"), states));
    }

    /// <summary>Reads a group from a list's element.</summary>
    public static ContainerGroupInfo Read(JsonElement group) => Read(
        group.GetProperty("name").GetString() ?? throw new JsonException("a group has no name"),
        Property(group, "tags") is { ValueKind: JsonValueKind.Object } tags
            ? tags.EnumerateObject().Select(t => new KeyValuePair<string, string>(t.Name, t.Value.GetString() ?? ""))
            : [],
        Property(group, "properties"));

    /// <summary>The name of the only container.</summary>
    public const string ContainerName = "function";

    private static JsonElement Property(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value : default;

    private static string? Text(JsonElement element, string name) => Property(element, name) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;

    private static JsonObject Id(string id) => new() { ["id"] = id };

    private static JsonObject Port(AciOptions options) => new() { ["port"] = options.Port, ["protocol"] = "TCP" };

    private static JsonObject Object(IReadOnlyDictionary<string, string> values) =>
        new(values.Select(v => KeyValuePair.Create<string, JsonNode?>(v.Key, JsonValue.Create(v.Value))));
}
