using FuncScaler.SlotBackends.Aci;
using FuncScaler.SlotBackends.Process;
using FuncScaler.SlotBackends.Simulator;

namespace FuncScaler.SlotBackends.Settings;

/// <summary>The backends that there are. A new one is a folder, and a line here; every host offers it then.</summary>
public static class BackendCatalog
{
    /// <summary>All kinds; the first is the default.</summary>
    public static IReadOnlyList<BackendKind> All { get; } = [new SimulatorKind(), new ProcessKind(), new AciKind()];

    /// <summary>The default's name.</summary>
    public static string Default => All[0].Name;

    /// <summary>Finds a kind by its name.</summary>
    /// <exception cref="BackendSettingsException">There is none of that name; the message lists those that there are.</exception>
    public static BackendKind Find(string name) => All.FirstOrDefault(kind => kind.Name == name)
        ?? throw new BackendSettingsException([SettingErrors.Sentence("backend", name, "is not known", $"choose one of {string.Join(", ", All.Select(kind => kind.Name))}")]);
}
