using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.SlotBackends.Process;

/// <summary>Instances as processes on this machine.</summary>
internal sealed class ProcessKind : BackendKind
{
    public override string Name => "process";

    public override string Summary => "processes on this machine";

    public override bool ServesSeveralScalers => false;

    public override string FileName => "functions";

    public override IReadOnlyList<string> Check(BackendSettings settings)
    {
        try
        {
            return Read(settings).Check();
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
            new ProcessBackend(options, services.Time),
            $"processes of {string.Join(", ", options.Functions.Keys.Concat(options.Runtimes.Keys.Select(r => $"runtime {r}")))}",
            new BackendLimits { ReconcileInterval = TimeSpan.FromSeconds(2) });
    }

    private static ProcessOptions Read(BackendSettings settings)
    {
        var options = SettingsJson.Read<ProcessOptions>(settings.Json);
        return options with
        {
            Functions = options.Functions.ToDictionary(f => f.Key, f => Rooted(f.Value)),
            Runtimes = options.Runtimes.ToDictionary(r => r.Key, r => Rooted(r.Value)),
        };

        ProcessCommand Rooted(ProcessCommand command) => command with { Directory = Path.Combine(settings.Folder, command.Directory) };
    }
}
