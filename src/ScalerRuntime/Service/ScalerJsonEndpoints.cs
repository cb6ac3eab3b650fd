using System.Globalization;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace FuncScaler.Runtime.Service;

/// <summary>The JSON API on a server of the host's own.</summary>
public static class ScalerJsonEndpoints
{
    /// <summary>What the path of an explanation begins with.</summary>
    public const string ExplainPath = "/api/explain/";

    /// <summary>
    /// Maps the API. A browser's page of another origin is refused; so is a name that does not belong to this machine, where only this
    /// machine is listened to: a page could otherwise reach the API by a name of its own that points here.
    /// </summary>
    /// <param name="app">The server.</param>
    /// <param name="loopbackOnly">Whether the server listens on loopback alone.</param>
    public static void MapScalerJson(this WebApplication app, bool loopbackOnly)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = app.Services.GetRequiredService<ScalerJsonApi>();
        app.Use((http, next) => Refusal(http.Request, loopbackOnly) is { } why
            ? SendAsync(http, ScalerJsonApi.Error(StatusCode.PermissionDenied, why))
            : next(http));

        // Before routing, which would tidy up the path.
        app.Use((http, next) => HttpMethods.IsGet(http.Request.Method) && ScalerJsonApi.FunctionOf(http.Request, ExplainPath) is { } function
            ? SendAsync(http, api.Explain(function, CallerScope.Of(http)))
            : next(http));
        app.UseRouting();
        app.MapPost("/api/assign", async http => await SendAsync(http, await api.AssignAsync(http.Request)));
        app.MapPost("/api/release", async http => await SendAsync(http, await api.ReleaseAsync(http.Request)));
        app.MapGet("/api/slots", http => SendAsync(http, api.Slots(CallerScope.Of(http))));
        app.MapGet("/api/stats", http => SendAsync(http, api.Stats(http.Request)));
        app.MapGet("/healthz", http => http.Response.WriteAsync("ok"));
    }

    /// <summary>Writes an answer.</summary>
    public static Task SendAsync(HttpContext http, JsonAnswer answer)
    {
        ArgumentNullException.ThrowIfNull(http);
        http.Response.StatusCode = answer.StatusCode;
        http.Response.ContentType = "application/json";
        if (answer.RetryAfter is { } wait)
        {
            http.Response.Headers.RetryAfter = ((long)Math.Max(1, Math.Ceiling(wait.TotalSeconds))).ToString(CultureInfo.InvariantCulture);
        }

        return http.Response.WriteAsync(answer.Json, http.RequestAborted);
    }

    /// <summary>A link from another page may lead to the dashboard, so only what may change something is asked where it comes from.</summary>
    private static string? Refusal(HttpRequest request, bool loopbackOnly) => WebPages.Refusal(
        request.Headers.Origin.ToString(),
        HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) ? "" : request.Headers["Sec-Fetch-Site"].ToString(),
        request.Host.Value ?? "",
        loopbackOnly,
        "scaler");
}
