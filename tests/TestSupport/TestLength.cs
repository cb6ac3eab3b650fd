using System.Globalization;

namespace FuncScaler.Tests;

/// <summary>
/// How long tests go on. `dotnet test` has few repetitions; with FUNCSCALER_LONG=1, as in .ci/run, there are many, and tests run that wait for
/// minutes. A variable of its own sets a single number.
/// </summary>
internal static class TestLength
{
    /// <summary>Why a test that waits for minutes is skipped; null where it runs.</summary>
    public static string? NotAsked { get; } = IsLong ? null : "it takes minutes: FUNCSCALER_LONG=1 runs it, as .ci/run does";

    public static bool IsLong => Environment.GetEnvironmentVariable("FUNCSCALER_LONG") == "1";

    /// <summary>How often something is tried.</summary>
    /// <param name="variable">The environment variable that sets it.</param>
    /// <param name="usual">The number otherwise.</param>
    /// <param name="full">The number in long runs.</param>
    public static long Count(string variable, long usual, long full) =>
        long.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : Count(usual, full);

    /// <summary>How often, or how long, something is tried that no variable of its own sets.</summary>
    public static long Count(long usual, long full) => IsLong ? full : usual;
}

/// <summary>A test that runs only where long tests are asked for, and is reported as skipped elsewhere.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class LongFactAttribute : FactAttribute
{
    public LongFactAttribute() => Skip = TestLength.NotAsked;
}
