using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace FuncScaler.Runtime.Dashboard;

/// <summary>The description of the HTTP endpoints (OpenAPI 3.1): a document kept by hand, which a test compares with what is mapped.</summary>
public sealed class OpenApi
{
    private readonly JsonNode _document;

    private OpenApi()
    {
        using var stream = typeof(OpenApi).Assembly.GetManifestResourceStream("FuncScaler.Runtime.Dashboard.Page.openapi.json")!;
        _document = JsonNode.Parse(stream)!;
        _document["info"]!["version"] = ThisVersion.Number;
        Json = _document.ToJsonString();
    }

    /// <summary>The document.</summary>
    public static OpenApi Document { get; } = new();

    /// <summary>The document as it is served.</summary>
    public string Json { get; }

    /// <summary>Every operation: <c>GET /healthz</c>.</summary>
    public IEnumerable<string> Operations => Each().Select(o => $"{o.Method} {o.Path}");

    /// <summary>A table of the operations, for people.</summary>
    internal string ToHtml()
    {
        var html = new StringBuilder("<table><thead><tr><th>call</th><th>what it does</th><th>parameters</th></tr></thead><tbody>\n");
        foreach (var (method, path, operation) in Each())
        {
            var parameters = operation["parameters"]?.AsArray().Select(p =>
                $"<li><code>{Text(p!["name"])}</code> ({Text(p["in"])}): {Text(p["description"])}</li>") ?? [];
            html.Append("<tr><td><code>").Append(method).Append(' ').Append(WebUtility.HtmlEncode(path)).Append("</code></td><td>")
                .Append(Text(operation["summary"])).Append("</td><td><ul>").AppendJoin("", parameters).Append("</ul></td></tr>\n");
        }

        return html.Append("</tbody></table>").ToString();
    }

    private static string Text(JsonNode? node) => WebUtility.HtmlEncode(node?.ToString() ?? "");

    private IEnumerable<(string Method, string Path, JsonNode Operation)> Each() =>
        from path in _document["paths"]!.AsObject()
        from operation in path.Value!.AsObject()
        select (operation.Key.ToUpperInvariant(), path.Key, operation.Value!);
}
