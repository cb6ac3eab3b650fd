namespace FuncScaler.ContestSimulator.Traces.Presets;

/// <summary>
/// Generated traces, calibrated on the published statistics of the contest's data sets (docs/reference/presets.md). The names ending in
/// <c>-long</c> have the same arrivals with init of 15 to 29 s and executions of seconds. <c>workflows</c> has no such statistics behind it.
/// </summary>
public static class PresetCatalog
{
    /// <summary>The longest trace, s: a hundred years.</summary>
    public const double LongestSeconds = 100.0 * 366 * 86_400;

    private const string LongSuffix = "-long";

    private static readonly (string Name, double LengthSeconds, Func<long, PresetEdition, PresetModel> Create)[] Known =
    [
        ("sparse", SparsePreset.NominalSeconds, static (seed, edition) => new SparsePreset(seed, edition)),
        ("dense", DensePreset.NominalSeconds, static (seed, edition) => new DensePreset(seed, edition)),
        ("faas", FaasPreset.NominalSeconds, static (seed, edition) => new FaasPreset(seed, edition)),
        ("smoke", SmokePreset.NominalSeconds, static (seed, edition) => new SmokePreset(seed, edition)),
    ];

    /// <summary>Presets without a long edition.</summary>
    private static readonly (string Name, double LengthSeconds, Func<long, PresetEdition, PresetModel> Create)[] WithoutLong =
    [
        ("workflows", WorkflowsPreset.NominalSeconds, static (seed, _) => new WorkflowsPreset(seed)),
    ];

    /// <summary>The names that <see cref="Create"/> knows.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Known.Select(p => p.Name), .. Known.Select(p => p.Name + LongSuffix), .. WithoutLong.Select(p => p.Name)];

    /// <summary>The span of the data set that a preset is calibrated on, s.</summary>
    /// <exception cref="ArgumentException">The name is unknown.</exception>
    public static double DefaultLengthSeconds(string name) => Find(name).LengthSeconds;

    /// <summary>Makes a trace. Only its functions are made now; requests are generated while they are read.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="seed">Other seeds give other functions, phases and burst times with the same statistics.</param>
    /// <param name="lengthSeconds">How long, s, more than 0; the preset's own length when null.</param>
    /// <exception cref="ArgumentException">The name is unknown.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The length is not in (0, <see cref="LongestSeconds"/>].</exception>
    public static PresetTrace Create(string name, long seed = 1, double? lengthSeconds = null)
    {
        var preset = Find(name);
        var length = lengthSeconds ?? preset.LengthSeconds;
        if (length is not (> 0 and <= LongestSeconds))
        {
            throw new ArgumentOutOfRangeException(
                nameof(lengthSeconds), length, $"A trace's length must be more than 0 s and at most {LongestSeconds:0} s.");
        }

        var edition = name.EndsWith(LongSuffix, StringComparison.Ordinal) ? PresetEdition.Long : PresetEdition.Normal;
        return new PresetTrace(name, seed, length, preset.Create(seed, edition));
    }

    private static (string Name, double LengthSeconds, Func<long, PresetEdition, PresetModel> Create) Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var basic = name.EndsWith(LongSuffix, StringComparison.Ordinal) ? name[..^LongSuffix.Length] : name;
        var found = Array.Find(WithoutLong, p => p.Name == name) is { Name: not null } other ? other : Array.Find(Known, p => p.Name == basic);
        return found.Name is not null
            ? found
            : throw new ArgumentException($"There is no preset \"{name}\"; there are {string.Join(", ", Names)}.", nameof(name));
    }
}
