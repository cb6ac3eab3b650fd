namespace FuncScaler.SlotBackends.Settings;

/// <summary>One kind of backend: its name, and how it is opened from settings with the limits that it needs.</summary>
public abstract class BackendKind
{
    /// <summary>What operators write to choose it.</summary>
    public abstract string Name { get; }

    /// <summary>Where its instances run, in a few words for help texts.</summary>
    public abstract string Summary { get; }

    /// <summary>Whether several scalers can share it: each finds what another was creating when it died.</summary>
    public abstract bool ServesSeveralScalers { get; }

    /// <summary>
    /// What the file with its settings (<see cref="BackendSettings.Json"/>) holds, in a word, as the command line's option for it is called;
    /// null for a kind that needs nothing but an address.
    /// </summary>
    public abstract string? FileName { get; }

    /// <summary>A sentence for each thing that is wrong, naming the setting as it is written; empty when all is well.</summary>
    public abstract IReadOnlyList<string> Check(BackendSettings settings);

    /// <summary>Opens it. Nothing is asked of the platform yet.</summary>
    /// <exception cref="BackendSettingsException">The settings are wrong.</exception>
    public OpenBackend Open(BackendSettings settings, BackendServices services)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(services);
        return Check(settings) is { Count: > 0 } errors ? throw new BackendSettingsException(errors) : OpenChecked(settings, services);
    }

    /// <summary>Opens it from settings that are known to be right.</summary>
    protected abstract OpenBackend OpenChecked(BackendSettings settings, BackendServices services);
}

/// <summary>An opened backend and how a scaler runs on it.</summary>
/// <param name="Backend">Where slots come from.</param>
/// <param name="Description">What it is, for the line that says that the scaler serves.</param>
/// <param name="Limits">What the scaler has to keep to.</param>
public sealed record OpenBackend(ISlotBackend Backend, string Description, BackendLimits Limits);
