using System.Text.Json.Nodes;

namespace FuncScaler.Tests;

/// <summary>A compiled template: the deployment itself, or a module as a deployment nested in it.</summary>
/// <param name="Name">The module's name; main for the deployment itself.</param>
/// <param name="Body">The template.</param>
/// <param name="Deployment">The nested deployment that it is the template of; null for the deployment itself.</param>
internal sealed record ArmTemplate(string Name, JsonObject Body, JsonObject? Deployment)
{
    public bool AtSubscription => ((string?)Body["$schema"])!.Contains("subscriptionDeploymentTemplate", StringComparison.Ordinal);

    public IEnumerable<KeyValuePair<string, JsonNode?>> Parameters => Body["parameters"]?.AsObject() ?? [];

    public IEnumerable<KeyValuePair<string, JsonNode?>> Outputs => Body["outputs"]?.AsObject() ?? [];

    /// <summary>Resources that it deploys; those that it only refers to are left out.</summary>
    public IEnumerable<ArmResource> Resources => AllResources.Where(r => r.Body["existing"] is null);

    public IEnumerable<ArmResource> AllResources => Body["resources"] switch
    {
        JsonArray list => list.Select((r, i) => new ArmResource($"{i}", r!.AsObject(), this)),
        JsonObject named => named.Select(r => new ArmResource(r.Key, r.Value!.AsObject(), this)),
        _ => [],
    };

    /// <summary>The deployment, and each module.</summary>
    public static IReadOnlyList<ArmTemplate> All(JsonObject main)
    {
        var root = new ArmTemplate("main", main, null);
        return [root, .. root.Resources.Where(r => r.Body["properties"]?["template"] is not null)
            .Select(r => new ArmTemplate(r.Name, r.Body["properties"]!["template"]!.AsObject(), r.Body))];
    }

    /// <summary>The resources of a type, over all modules.</summary>
    public static IEnumerable<ArmResource> ResourcesOf(JsonObject main, string type) =>
        All(main).SelectMany(t => t.Resources).Where(r => r.Type == type);
}

/// <summary>A resource of a template.</summary>
internal sealed record ArmResource(string Name, JsonObject Body, ArmTemplate Template)
{
    public string Type => (string)Body["type"]!;

    public string At => $"{Template.Name}: {Type} {(string?)Body["name"]}";

    /// <summary>A property by its path, for example <c>properties.siteConfig.ftpsState</c>.</summary>
    public JsonNode? this[string path] => path.Split('.').Aggregate((JsonNode?)Body, (node, part) => (node as JsonObject)?[part]);

    public string? Text(string path) => this[path] is JsonValue value ? value.ToString() : null;

    /// <summary>Sets a property, or takes it away with null.</summary>
    public void Set(string path, JsonNode? value)
    {
        var parts = path.Split('.');
        var parent = parts[..^1].Aggregate((JsonNode)Body, (node, part) => node[part]!).AsObject();
        if (value is null)
        {
            Assert.True(parent.Remove(parts[^1]), $"There is no {path}.");
        }
        else
        {
            parent[parts[^1]] = value;
        }
    }
}
