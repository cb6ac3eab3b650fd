using System.Text.Json;
using System.Text.Json.Serialization;
using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Aci;
using FuncScaler.SlotBackends.Simulator;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FuncScaler.ScalerFunctions;

/// <summary>The backends that the app can have.</summary>
internal static class BackendSettings
{
    public const string Simulator = "simulator";

    public const string ContainerInstances = "aci";

    /// <summary>Workers' tickets are unique among them, so that one of them can find what another was creating when it died.</summary>
    private const string SharedRun = "app";

    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
    };

    /// <summary>Adds a sentence for each thing that is wrong.</summary>
    public static void Validate(ScalerAppOptions options, List<string> failures)
    {
        if (options.Backend == ContainerInstances)
        {
            try
            {
                failures.AddRange(AciOptionsValidation.Check(ReadAci(options)).Select(error => $"Scaler:Aci: {error}"));
            }
            catch (JsonException e)
            {
                failures.Add($"Scaler:Aci is no JSON object with the settings of container instances: {e.Message}");
            }
        }
        else if (options.Backend != Simulator)
        {
            failures.Add($"Scaler:Backend '{options.Backend}' is not known: write {Simulator} or {ContainerInstances}.");
        }
    }

    public static ISlotBackend Open(ScalerAppOptions options, IServiceProvider provider)
    {
        var time = provider.GetRequiredService<TimeProvider>();
        if (options.Backend == ContainerInstances)
        {
            var aci = ReadAci(options);
            return new AciBackend(
                new ArmConnection { Endpoint = aci.ArmEndpoint }, aci, time, provider.GetRequiredService<ILogger<AciBackend>>());
        }

        return new SimulatorBackend(PlatformChannel.Open(options.Platform), new SimulatorBackendOptions(), time);
    }

    private static AciOptions ReadAci(ScalerAppOptions options) =>
        (JsonSerializer.Deserialize<AciOptions>(options.Aci.Length == 0 ? "{}" : options.Aci, Format) ?? new AciOptions()) with { Run = SharedRun };
}
