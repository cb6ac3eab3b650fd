using FuncScaler.Samples.Gateway;

var builder = WebApplication.CreateSlimBuilder(args);
builder.Logging.SetMinimumLevel(LogLevel.Warning);
var settings = builder.Configuration.Get<GatewaySettings>() ?? new GatewaySettings();
builder.WebHost.UseUrls(settings.Listen);
builder.Services.AddSingleton(settings);
builder.Services.AddSingleton<ScalerClient>();
builder.Services.AddSingleton<FunctionProxy>();
var app = builder.Build();

// /invoke/{function}/anything goes to an instance of the function as /anything.
app.Map("/invoke/{function}/{**path}", (HttpContext http, FunctionProxy proxy, string function, string? path) => proxy.InvokeAsync(http, function, path ?? ""));
if (settings.Measure > 0)
{
    await app.StartAsync();
    var ok = await Measurement.RunAsync(settings, Console.Out, app.Lifetime.ApplicationStopping);
    await app.StopAsync();
    return ok ? 0 : 1;
}

Console.WriteLine($"gateway: {settings.Listen}/invoke/{{function}}, scaler {settings.Scaler}");
await app.RunAsync();
return 0;
