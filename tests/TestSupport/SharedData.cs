namespace FuncScaler.Tests;

/// <summary>
/// The real traces, which are not part of the repository: the folder that FUNCSCALER_DATA names, else <c>shared/data</c> in the checkout's
/// parent folder or in one above it.
/// </summary>
public static class SharedData
{
    public const string Variable = "FUNCSCALER_DATA";

    /// <summary>The folder, or null where it is absent.</summary>
    public static string? Folder { get; } = Find();

    /// <summary>Why a test that needs the data is skipped, or null when the data are there.</summary>
    public static string? MissingReason { get; } =
        Folder is null ? $"The shared data are absent: set {Variable}, or put them in shared/data beside the checkout." : null;

    /// <summary>The path of something in the folder.</summary>
    public static string PathOf(string relative) =>
        Path.Combine(Folder ?? throw new InvalidOperationException(MissingReason), relative);

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } named)
        {
            return Directory.Exists(named) ? named : null;
        }

        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, "shared", "data");
            if (Directory.Exists(candidate))
            {
                return candidate;
            }
        }

        return null;
    }
}

/// <summary>A test that needs the shared data; reported as skipped, with the reason, where they are absent.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class DataFactAttribute : FactAttribute
{
    public DataFactAttribute() => Skip = SharedData.MissingReason;
}

/// <inheritdoc cref="DataFactAttribute"/>
[AttributeUsage(AttributeTargets.Method)]
public sealed class DataTheoryAttribute : TheoryAttribute
{
    public DataTheoryAttribute() => Skip = SharedData.MissingReason;
}
