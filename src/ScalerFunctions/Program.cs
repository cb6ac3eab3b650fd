using FuncScaler;
using FuncScaler.Policies;
using FuncScaler.ScalerFunctions;
using FuncScaler.SlotBackends.Runtime;
using FuncScaler.SlotBackends.Simulator;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

var builder = FunctionsApplication.CreateBuilder(args);
builder.ConfigureFunctionsWebApplication();
builder.Services.AddSingleton<IValidateOptions<ScalerAppOptions>, ScalerAppOptionsValidator>();
builder.Services.AddOptions<ScalerAppOptions>().BindConfiguration(ScalerAppOptions.Section).ValidateOnStart();
builder.Services.AddSingleton(TimeProvider.System);
builder.Services.AddSingleton(services =>
{
    var options = services.GetRequiredService<IOptions<ScalerAppOptions>>().Value;
    var time = services.GetRequiredService<TimeProvider>();
    return new ScalerRuntime(
        new SimulatorBackend(SimulatorChannel.Open(options.Platform), new SimulatorBackendOptions(), time),
        PolicyCatalog.Parse(options.Policy),
        new ScalerRuntimeOptions { Pool = new SlotPoolOptions { InstancePrefix = ScalerRuntimeOptions.NewInstancePrefix() } },
        time,
        services.GetRequiredService<ILogger<ScalerRuntime>>());
});
builder.Services.AddSingleton<ScalerService>();
builder.Services.AddSingleton<ScalerJsonApi>();
await builder.Build().RunAsync();
