using FuncScaler.ScalerFunctions.Hosting;
using FuncScaler.ScalerFunctions.Worker;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

var builder = FunctionsApplication.CreateBuilder(args);
builder.ConfigureFunctionsWebApplication();

// First, so that it stops last.
builder.Services.AddWorkerTelemetry(builder.Configuration);
builder.Services.AddScalerApp();
var app = builder.Build();
var watch = app.Services.GetRequiredService<OrphanWatch>();
await app.RunAsync();
return watch.ExitCode;
