using FuncScaler.Leasing;
using FuncScaler.Leasing.Messages;
using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Dashboard;
using FuncScaler.Runtime.Leasing;
using FuncScaler.Runtime.Service;
using FuncScaler.ScalerFunctions.Worker;
using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Settings;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FuncScaler.ScalerFunctions.Hosting;

/// <summary>What the app is made of.</summary>
internal static class ScalerAppServices
{
    public static IServiceCollection AddScalerApp(this IServiceCollection services)
    {
        services.AddSingleton<IValidateOptions<ScalerAppOptions>, ScalerAppOptionsValidator>();
        services.AddSingleton<IConfigureOptions<ScalerAppOptions>, AppSettings>();
        services.AddOptions<ScalerAppOptions>().ValidateOnStart();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(provider => PolicyCatalog.Parse(OptionsOf(provider).Policy));
        services.TryAddSingleton(provider => AppBackend.Open(OptionsOf(provider), provider));
        services.TryAddSingleton(provider => provider.GetRequiredService<OpenBackend>().Backend);
        services.AddSingleton(provider => OptionsOf(provider).ToLeasing(provider.GetRequiredService<OpenBackend>().Limits));
        services.AddSingleton<DurableLedgers>();
        services.AddSingleton(provider => new WorkerRuntime(
            NewWorkerId(),
            provider.GetRequiredService<DurableLedgers>(),
            provider.GetRequiredService<ISlotBackend>(),
            provider.GetRequiredService<PolicyChoice>(),
            provider.GetRequiredService<LeasingOptions>(),
            new ScalerRuntimeOptions(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<WorkerRuntime>>()));
        services.AddSingleton<AppLimits>();
        services.AddSingleton<WorkerReadiness>();
        services.AddSingleton<IScaler>(provider => provider.GetRequiredService<WorkerRuntime>());
        services.AddSingleton<ScalerService>();
        services.AddSingleton<ScalerJsonApi>();
        services.AddSingleton<IDashboardSource>(provider => provider.GetRequiredService<WorkerRuntime>());
        services.AddDashboard();
        services.AddSingleton(_ => DashboardPage.Dashboard(streams: false));
        services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = ScalerGrpc.LargestMessage);
        services.AddSingleton<ScalerGrpcWeb>();

        services.TryAddSingleton<IFunctionsHostProbe, FunctionsHostProbe>();
        services.AddSingleton<OrphanWatch>();
        services.AddHostedService(provider => provider.GetRequiredService<OrphanWatch>());

        // In this order: what listens stops before what it serves from.
        services.AddHostedService<WorkerHostService>();
        services.AddHostedService<GrpcPortService>();
        return services;
    }

    /// <summary>Another one for each start, and still readable: the machine, and something random.</summary>
    private static WorkerId NewWorkerId()
    {
        var machine = Environment.MachineName;
        return new WorkerId($"{machine[..Math.Min(machine.Length, 30)]}-{Guid.NewGuid().ToString("N")[..12]}");
    }

    private static ScalerAppOptions OptionsOf(IServiceProvider provider) => provider.GetRequiredService<IOptions<ScalerAppOptions>>().Value;
}
