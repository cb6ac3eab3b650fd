using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace FuncScaler.Runtime.Service;

/// <summary>
/// The contract over gRPC-Web as a function of one request, for hosts that have the request in hand already: a pipeline of its own in the
/// host's container, which needs <see cref="ScalerService"/> and AddGrpc. Made once: its routes are built with it.
/// </summary>
public sealed class ScalerGrpcWeb
{
    private readonly RequestDelegate _pipeline;

    public ScalerGrpcWeb(IServiceProvider services)
    {
        var app = new ApplicationBuilder(services);
        app.UseRouting();
        app.UseGrpcWeb(new GrpcWebOptions { DefaultEnabled = true });
        app.UseEndpoints(endpoints => endpoints.MapGrpcService<ScalerService>());
        _pipeline = app.Build();
    }

    /// <summary>Writes the whole answer, errors included.</summary>
    public Task ServeAsync(HttpContext http)
    {
        // The host has routed the request to its own endpoint; routing skips what is routed.
        http.SetEndpoint(null);
        return _pipeline(http);
    }
}
