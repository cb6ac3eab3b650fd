using FuncScaler.Runtime.Service;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace FuncScaler.Runtime.Dashboard;

/// <summary>The dashboard on a server of the host's own.</summary>
public static class DashboardEndpoints
{
    /// <summary>Registers what serves the dashboard. The host registers an <see cref="IDashboardSource"/>.</summary>
    public static IServiceCollection AddDashboard(this IServiceCollection services)
    {
        services.AddSingleton(provider => new DashboardFeed(
            provider.GetRequiredService<IDashboardSource>(), provider.GetService<TimeProvider>() ?? TimeProvider.System));
        services.AddSingleton<DashboardApi>();
        return services;
    }

    /// <summary>Maps the page at <c>/</c>, and what it asks for.</summary>
    /// <param name="endpoints">The server's endpoints.</param>
    /// <param name="platform">Whether the figures are a platform's, and not a scaler's.</param>
    public static void MapDashboard(this IEndpointRouteBuilder endpoints, bool platform = false)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        var api = endpoints.ServiceProvider.GetRequiredService<DashboardApi>();
        var stopping = endpoints.ServiceProvider.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        var page = DashboardPage.Dashboard(streams: true, platform);
        endpoints.MapGet("/", page.SendAsync);
        endpoints.MapGet("/api/dashboard", http => ScalerJsonEndpoints.SendAsync(http, api.Snapshot(http.Request)));
        endpoints.MapGet("/api/dashboard/functions", http => ScalerJsonEndpoints.SendAsync(http, api.Functions(http.Request)));
        endpoints.MapGet("/api/dashboard/explain", http => ScalerJsonEndpoints.SendAsync(http, api.Explain(http.Request)));
        endpoints.MapGet("/api/dashboard/stream", http => api.StreamAsync(http, stopping));
    }

    /// <summary>Maps the description of all endpoints, for people and for programs.</summary>
    public static void MapEndpointList(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/api", DashboardPage.Endpoints().SendAsync);
        endpoints.MapGet("/openapi.json", http => ScalerJsonEndpoints.SendAsync(http, new JsonAnswer(StatusCodes.Status200OK, OpenApi.Document.Json)));
    }
}
