using FuncScaler.ScalerFunctions;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Extensions.Hosting;

var builder = FunctionsApplication.CreateBuilder(args);
builder.ConfigureFunctionsWebApplication();

// First, so that it stops last.
builder.Services.AddWorkerTelemetry(builder.Configuration);
builder.Services.AddScalerApp();
await builder.Build().RunAsync();
