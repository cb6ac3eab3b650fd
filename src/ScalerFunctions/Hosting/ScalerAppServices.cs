using FuncScaler.Policies;
using FuncScaler.SlotBackends.Runtime;
using FuncScaler.SlotBackends.Simulator;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FuncScaler.ScalerFunctions;

/// <summary>What the app is made of.</summary>
internal static class ScalerAppServices
{
    public static IServiceCollection AddScalerApp(this IServiceCollection services)
    {
        services.AddSingleton<IValidateOptions<ScalerAppOptions>, ScalerAppOptionsValidator>();
        services.AddOptions<ScalerAppOptions>().BindConfiguration(ScalerAppOptions.Section).ValidateOnStart();
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton<IScaler>(provider =>
        {
            var options = provider.GetRequiredService<IOptions<ScalerAppOptions>>().Value;
            var time = provider.GetRequiredService<TimeProvider>();
            return new ScalerRuntime(
                new SimulatorBackend(SimulatorChannel.Open(options.Platform), new SimulatorBackendOptions(), time),
                PolicyCatalog.Parse(options.Policy),
                new ScalerRuntimeOptions { Pool = new SlotPoolOptions { InstancePrefix = ScalerRuntimeOptions.NewInstancePrefix() } },
                time,
                provider.GetRequiredService<ILogger<ScalerRuntime>>());
        });
        services.AddSingleton<ScalerService>();
        services.AddSingleton<ScalerJsonApi>();
        services.AddHostedService<GrpcPortService>();
        return services;
    }
}
