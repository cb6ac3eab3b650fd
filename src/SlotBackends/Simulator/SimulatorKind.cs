using System.Diagnostics.CodeAnalysis;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.SlotBackends.Simulator;

/// <summary>Slots from the contest's platform.</summary>
internal sealed class SimulatorKind : BackendKind
{
    public override string Name => "simulator";

    public override string Summary => "the contest's platform";

    public override bool ServesSeveralScalers => true;

    public override string? FileName => null;

    public override IReadOnlyList<string> Check(BackendSettings settings) => TryAddress(settings.Address, out _)
        ? []
        : [SettingErrors.Sentence("platform", settings.Address, "is no address", "write host:port, for example 127.0.0.1:50051")];

    protected override OpenBackend OpenChecked(BackendSettings settings, BackendServices services)
    {
        if (!TryAddress(settings.Address, out var address))
        {
            throw new BackendSettingsException(Check(settings));
        }

        return new OpenBackend(
            new SimulatorBackend(PlatformChannel.Open(address), new SimulatorBackendOptions { Run = settings.SharedRun }, services.Time),
            $"platform {address.Authority}",
            new BackendLimits());
    }

    private static bool TryAddress(string text, [NotNullWhen(true)] out Uri? address) =>
        Uri.TryCreate(text.Contains("://", StringComparison.Ordinal) ? text : "http://" + text, UriKind.Absolute, out address)
        && address.Scheme is "http" or "https" && address.PathAndQuery == "/" && !(address.IsDefaultPort && !text.EndsWith($":{address.Port}", StringComparison.Ordinal));
}
