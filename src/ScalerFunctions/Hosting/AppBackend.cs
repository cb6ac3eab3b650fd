using FuncScaler.SlotBackends.Settings;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FuncScaler.ScalerFunctions.Hosting;

/// <summary>The backend that the app's settings name. Only kinds that several scalers can share: every worker of the app is one.</summary>
internal static class AppBackend
{
    /// <summary>Workers' tickets are unique among them, so that one of them can find what another was creating when it died.</summary>
    private const string SharedRun = "app";

    /// <summary>Adds a sentence for each thing that is wrong.</summary>
    public static void Validate(ScalerAppOptions options, SettingErrors errors)
    {
        var kind = BackendCatalog.All.FirstOrDefault(k => k.Name == options.Backend);
        if (kind is not { ServesSeveralScalers: true })
        {
            errors.Add(
                "Scaler:Backend",
                options.Backend,
                kind is null ? "is not known" : "serves one scaler alone, and each worker of the app is one",
                $"write {string.Join(" or ", BackendCatalog.All.Where(k => k.ServesSeveralScalers).Select(k => k.Name))}");
            return;
        }

        errors.AddRange(kind.Check(SettingsOf(options)).Select(error => kind.FileName is null
            ? $"Scaler:{char.ToUpperInvariant(error[0])}{error[1..]}"
            : $"Scaler:BackendSettings: {error}"));
    }

    public static OpenBackend Open(ScalerAppOptions options, IServiceProvider provider) => BackendCatalog.Find(options.Backend).Open(
        SettingsOf(options),
        new BackendServices { Time = provider.GetRequiredService<TimeProvider>(), Loggers = provider.GetRequiredService<ILoggerFactory>() });

    private static BackendSettings SettingsOf(ScalerAppOptions options) => new()
    {
        Address = options.Platform,
        Json = options.BackendSettings.Length == 0 ? "{}" : options.BackendSettings,
        SharedRun = SharedRun,
    };
}
