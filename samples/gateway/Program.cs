using FuncScaler.Samples.Gateway;

var app = GatewayApp.Build(args);
var settings = app.Services.GetRequiredService<GatewaySettings>();
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
