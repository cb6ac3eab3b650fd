using FuncScaler.Samples.Gateway;

WebApplication app;
try
{
    app = GatewayApp.Build(args);
}
catch (InvalidDataException e)
{
    await Console.Error.WriteLineAsync($"error: {e.Message}");
    return 2;
}

var settings = app.Services.GetRequiredService<GatewaySettings>();
if (settings.Measure > 0)
{
    await app.StartAsync();
    var ok = await Measurement.RunAsync(settings, app.Services.GetRequiredService<FunctionTable>().Keys, Console.Out, app.Lifetime.ApplicationStopping);
    await app.StopAsync();
    return ok ? 0 : 1;
}

Console.WriteLine($"gateway: {settings.Listen}/invoke/{{function}}, scaler {settings.Scaler}");
await app.RunAsync();
return 0;
