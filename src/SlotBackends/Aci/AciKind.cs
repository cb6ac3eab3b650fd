using FuncScaler.SlotBackends.Settings;
using Microsoft.Extensions.Logging;

namespace FuncScaler.SlotBackends.Aci;

/// <summary>Instances as container groups of Azure Container Instances.</summary>
internal sealed class AciKind : BackendKind
{
    public override string Name => "aci";

    public override string Summary => "Azure Container Instances";

    public override bool ServesSeveralScalers => true;

    public override string FileName => "aci";

    public override IReadOnlyList<string> Check(BackendSettings settings)
    {
        try
        {
            return AciOptionsValidation.Check(Read(settings));
        }
        catch (BackendSettingsException e)
        {
            return e.Errors;
        }
    }

    protected override OpenBackend OpenChecked(BackendSettings settings, BackendServices services)
    {
        var options = Read(settings);
        return new OpenBackend(
            new AciBackend(new ArmConnection { Endpoint = options.ArmEndpoint }, options, services.Time, services.Loggers.CreateLogger<AciBackend>()),
            $"container instances of '{options.Owner}' in {string.Join(", ", options.Places.Select(p => $"{p.ResourceGroup} ({p.Region})"))}",
            LimitsOf(options));
    }

    /// <summary>What a scaler has to keep to.</summary>
    internal static BackendLimits LimitsOf(AciOptions options) => new()
    {
        // The backend ends its own calls; the pool must not count on another slot before.
        CreateTimeout = 2 * options.ProvisionTimeout,
        DestroyTimeout = 2 * options.DeleteTimeout,
        OrphanGrace = options.OrphanGrace,
        ReconcileInterval = options.SweepInterval,
        SweepsFirst = true,
    };

    private static AciOptions Read(BackendSettings settings)
    {
        var options = SettingsJson.Read<AciOptions>(settings.Json);
        return settings.SharedRun is { } run ? options with { Run = run } : options;
    }
}
