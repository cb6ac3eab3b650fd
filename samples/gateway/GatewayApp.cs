namespace FuncScaler.Samples.Gateway;

/// <summary>The gateway as a web application.</summary>
internal static class GatewayApp
{
    /// <param name="args">The settings, as <c>--scaler http://127.0.0.1:8080</c>.</param>
    /// <exception cref="InvalidDataException">The file of functions cannot be used, or a scaler has no address.</exception>
    public static WebApplication Build(params string[] args)
    {
        var builder = WebApplication.CreateSlimBuilder(args);
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        var settings = builder.Configuration.Get<GatewaySettings>() ?? new GatewaySettings();
        builder.WebHost.UseUrls(settings.Listen);
        builder.Services.AddSingleton(settings);
        builder.Services.AddSingleton(FunctionTable.Read(settings));
        var ring = new ScalerRing(settings, TimeProvider.System);
        builder.Services.AddSingleton(_ => ring);
        builder.Services.AddSingleton<WaitingPage>();
        builder.Services.AddSingleton<FunctionProxy>();
        var app = builder.Build();

        app.MapGet("/healthz", async (CancellationToken cancellationToken) =>
            (await Task.WhenAll(ring.Scalers.Select(s => s.IsHealthyAsync(cancellationToken)))).Contains(true)
                ? Results.Text("ok\n")
                : Results.Text("the scaler does not answer\n", statusCode: StatusCodes.Status503ServiceUnavailable));

        // /invoke/{function}/anything goes to an instance of the function as /anything.
        app.Map("/invoke/{function}/{**path}", (HttpContext http, FunctionProxy proxy, string function, string? path) => proxy.InvokeAsync(http, function, path ?? ""));
        return app;
    }
}
