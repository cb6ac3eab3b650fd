using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace FuncScaler.Runtime.Dashboard;

/// <summary>
/// A page of the dashboard: one answer that carries its styles and scripts, so that it works offline, and behind a function key, which a
/// browser would not send for the parts. Its policy of content allows these styles and scripts, by their hashes, and nothing else.
/// </summary>
public sealed class DashboardPage
{
    private const string Folder = "FuncScaler.Runtime.Dashboard.Page.";

    private readonly byte[] _html;
    private readonly string _tag;

    private DashboardPage(string html, string contentSecurityPolicy)
    {
        _html = Encoding.UTF8.GetBytes(html);
        _tag = $"\"{Convert.ToHexString(SHA256.HashData(_html), 0, 8)}\"";
        ContentSecurityPolicy = contentSecurityPolicy;
    }

    /// <summary>What a browser may load and run on the page.</summary>
    public string ContentSecurityPolicy { get; }

    /// <summary>The dashboard.</summary>
    /// <param name="streams">Whether the host has <c>GET /api/dashboard/stream</c>; else the page asks every other second.</param>
    /// <param name="platform">Whether the figures are a platform's, and not a scaler's.</param>
    public static DashboardPage Dashboard(bool streams, bool platform = false) => Make(Read("dashboard.html")
        .Replace("content=\"stream\"", streams ? "content=\"stream\"" : "content=\"poll\"", StringComparison.Ordinal)
        .Replace("content=\"scaler\"", platform ? "content=\"platform\"" : "content=\"scaler\"", StringComparison.Ordinal));

    /// <summary>The page that lists the endpoints of <c>GET /openapi.json</c>.</summary>
    public static DashboardPage Endpoints() => Make(Read("endpoints.html").Replace("<!-- endpoints -->", OpenApi.Document.ToHtml(), StringComparison.Ordinal));

    /// <summary>Sets the headers, and writes the page unless the caller has it.</summary>
    public Task SendAsync(HttpContext http)
    {
        ArgumentNullException.ThrowIfNull(http);
        var headers = http.Response.Headers;
        headers.ContentSecurityPolicy = ContentSecurityPolicy;
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers.CacheControl = "no-cache";
        headers.ETag = _tag;
        if (http.Request.Headers.IfNoneMatch == _tag)
        {
            http.Response.StatusCode = StatusCodes.Status304NotModified;
            return Task.CompletedTask;
        }

        http.Response.ContentType = "text/html; charset=utf-8";
        http.Response.ContentLength = _html.Length;
        return http.Response.Body.WriteAsync(_html, http.RequestAborted).AsTask();
    }

    /// <summary>Puts styles and scripts in where the file refers to them.</summary>
    private static DashboardPage Make(string html)
    {
        List<string> styles = [], scripts = [];
        html = Inline(html, "<link rel=\"stylesheet\" href=\"", "\">", "style", styles);
        html = Inline(html, "<script src=\"", "\"></script>", "script", scripts);
        var policy = $"default-src 'none'; style-src {Sources(styles)}; script-src {Sources(scripts)}; "
            + "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        return new DashboardPage(html, policy);

        static string Sources(List<string> hashes) => hashes.Count == 0 ? "'none'" : string.Join(' ', hashes);
    }

    private static string Inline(string html, string begin, string end, string element, List<string> hashes)
    {
        for (int from; (from = html.IndexOf(begin, StringComparison.Ordinal)) >= 0;)
        {
            var nameAt = from + begin.Length;
            var to = html.IndexOf(end, nameAt, StringComparison.Ordinal);
            var content = Read(html[nameAt..to]);
            hashes.Add($"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(content)))}'");
            html = $"{html[..from]}<{element}>{content}</{element}>{html[(to + end.Length)..]}";
        }

        return html;
    }

    /// <summary>A file of the folder Page, with the line ends that a browser takes the hash of.</summary>
    private static string Read(string name)
    {
        using var stream = typeof(DashboardPage).Assembly.GetManifestResourceStream(Folder + name)
            ?? throw new InvalidOperationException($"{name} is not embedded.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
