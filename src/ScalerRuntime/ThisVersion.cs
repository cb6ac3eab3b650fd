using System.Reflection;

namespace FuncScaler.Runtime;

/// <summary>Which build this is.</summary>
public static class ThisVersion
{
    /// <summary>The version with the commit it was built from, as <c>0.1.0+1a2b3c4</c>; without it where there was no git at the build.</summary>
    public static string Full { get; } = Shorten(
        typeof(ThisVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0");

    /// <summary>The version alone.</summary>
    public static string Number { get; } = Full.Split('+')[0];

    private static string Shorten(string version)
    {
        const int shortHash = 10;
        var plus = version.IndexOf('+', StringComparison.Ordinal);
        return plus >= 0 && version.Length > plus + 1 + shortHash ? version[..(plus + 1 + shortHash)] : version;
    }
}
