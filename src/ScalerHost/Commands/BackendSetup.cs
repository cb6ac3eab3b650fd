using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Aci;
using FuncScaler.SlotBackends.Process;
using FuncScaler.SlotBackends.Runtime;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>A backend and how the scaler runs on it.</summary>
/// <param name="Backend">Where slots come from.</param>
/// <param name="Description">For the line that says that the scaler serves.</param>
/// <param name="Runtime">Changes the runtime's settings as the backend needs them.</param>
/// <param name="SweepsFirst">Whether what a former run has left is taken in before requests are.</param>
internal sealed record BackendSetup(ISlotBackend Backend, string Description, Func<ScalerRuntimeOptions, ScalerRuntimeOptions> Runtime, bool SweepsFirst)
{
    /// <summary>Processes, as a file describes them; folders in it are relative to the file.</summary>
    /// <exception cref="CommandException">The file is missing or wrong.</exception>
    public static BackendSetup OfProcesses(string file)
    {
        var options = SettingsFile.Read<ProcessOptions>("--functions", file);
        var folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        options = options with
        {
            Functions = options.Functions.ToDictionary(f => f.Key, f => Rooted(f.Value)),
            Runtimes = options.Runtimes.ToDictionary(r => r.Key, r => Rooted(r.Value)),
        };
        SettingsFile.ThrowIfWrong("--functions", file, options.Check());
        return new BackendSetup(
            new ProcessBackend(options, TimeProvider.System),
            $"processes of {file}",
            runtime => runtime with { ReconcileInterval = TimeSpan.FromSeconds(2) },
            SweepsFirst: false);

        ProcessCommand Rooted(ProcessCommand command) => command with { Directory = Path.Combine(folder, command.Directory) };
    }

    /// <summary>Azure Container Instances, as a file describes them.</summary>
    /// <exception cref="CommandException">The file is missing or wrong.</exception>
    public static BackendSetup OfContainerInstances(string file)
    {
        var options = SettingsFile.Read<AciOptions>("--aci", file);
        SettingsFile.ThrowIfWrong("--aci", file, AciOptionsValidation.Check(options));
        var longestCreate = options.ProvisionTimeout + options.ProvisionTimeout;
        return new BackendSetup(
            new AciBackend(new ArmConnection { Endpoint = options.ArmEndpoint }, options, TimeProvider.System),
            $"container instances of '{options.Owner}' in {string.Join(", ", options.Places.Select(p => $"{p.ResourceGroup} ({p.Region})"))}",
            runtime => runtime with
            {
                ReconcileInterval = options.SweepInterval,
                Pool = runtime.Pool with
                {
                    // The backend ends its own calls; the pool must not count on another slot before.
                    CreateTimeout = longestCreate,
                    DestroyTimeout = options.DeleteTimeout + options.DeleteTimeout,
                    OrphanGrace = options.OrphanGrace,
                },
            },
            SweepsFirst: true);
    }
}
