using System.Text.Json;
using System.Text.Json.Nodes;

namespace FuncScaler.FunctionsHost;

/// <summary>A Functions app as it lies on disk.</summary>
internal sealed class AppFolder
{
    private AppFolder(string path, JsonNode hostJson, string executable, string entry, IReadOnlyList<AppFunction> functions)
    {
        Path = path;
        HostJson = hostJson;
        Executable = executable;
        Entry = entry;
        Functions = functions;
    }

    public string Path { get; }

    /// <summary>What runs the worker, <c>dotnet</c>.</summary>
    public string Executable { get; }

    /// <summary>The worker's assembly.</summary>
    public string Entry { get; }

    public JsonNode HostJson { get; }

    /// <summary>The functions of <c>functions.metadata</c>.</summary>
    public IReadOnlyList<AppFunction> Functions { get; }

    public AppFunction Function(string name) =>
        Functions.FirstOrDefault(f => f.Name == name) ?? throw new ArgumentException($"There is no function {name}; there are {string.Join(", ", Functions.Select(f => f.Name))}.");

    public string RoutePrefix => (string?)HostJson["extensions"]?["http"]?["routePrefix"] ?? "api";

    public TimeSpan? FunctionTimeout =>
        (string?)HostJson["functionTimeout"] is { } text ? TimeSpan.Parse(text, System.Globalization.CultureInfo.InvariantCulture) : null;

    public static AppFolder Read(string path)
    {
        path = System.IO.Path.GetFullPath(path);
        var worker = Parse(path, "worker.config.json")["description"]!;
        var functions = Parse(path, "functions.metadata").AsArray().Select(f => new AppFunction(
            (string)f!["name"]!,
            [.. f["bindings"]!.AsArray().Select(b => b!.AsObject())])).ToList();
        return new AppFolder(
            path,
            Parse(path, "host.json"),
            (string)worker["defaultExecutablePath"]!,
            System.IO.Path.Combine(path, (string)worker["defaultWorkerPath"]!),
            functions);
    }

    /// <summary>A section of <c>host.json</c> as configuration keys below a prefix.</summary>
    public IEnumerable<KeyValuePair<string, string?>> Flatten(string section, string prefix)
    {
        var node = section.Split(':').Aggregate((JsonNode?)HostJson, (at, name) => at?[name]);
        return node is null ? [] : Flatten(node, prefix);
    }

    private static IEnumerable<KeyValuePair<string, string?>> Flatten(JsonNode? node, string key) => node switch
    {
        JsonObject o => o.SelectMany(p => Flatten(p.Value, $"{key}:{p.Key}")),
        JsonArray a => a.SelectMany((item, i) => Flatten(item, $"{key}:{i}")),
        _ => [new(key, node?.ToString())],
    };

    private static JsonNode Parse(string path, string name)
    {
        var file = System.IO.Path.Combine(path, name);
        return File.Exists(file)
            ? JsonNode.Parse(File.ReadAllText(file), null, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip })!
            : throw new FileNotFoundException($"{path} is no built Functions app: {name} is missing. Build or publish src/ScalerFunctions and name its output folder.");
    }
}

/// <summary>A function and its bindings, the trigger first among equals.</summary>
internal sealed record AppFunction(string Name, IReadOnlyList<JsonObject> Bindings)
{
    public JsonObject Trigger { get; } = Bindings.First(b => TypeOf(b).EndsWith("trigger", StringComparison.OrdinalIgnoreCase));

    public string TriggerType => TypeOf(Trigger);

    public string TriggerName => (string)Trigger["name"]!;

    /// <summary>The bindings of durable clients, by name.</summary>
    public IEnumerable<string> DurableClients =>
        Bindings.Where(b => TypeOf(b).Equals("durableClient", StringComparison.OrdinalIgnoreCase)).Select(b => (string)b["name"]!);

    private static string TypeOf(JsonObject binding) => (string)binding["type"]!;
}
