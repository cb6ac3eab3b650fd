using System.Globalization;
using FsCheck;
using FsCheck.Fluent;

namespace FuncScaler.Tests;

/// <summary>Runs properties from a fixed seed, so that a run can be repeated; a failure says which seed and which case.</summary>
/// <remarks>Other seeds: set FUNCSCALER_TEST_SEED to any whole number.</remarks>
public static class Properties
{
    private const ulong FixedSeed = 20260101;

    public static ulong Seed { get; } =
        ulong.TryParse(Environment.GetEnvironmentVariable("FUNCSCALER_TEST_SEED"), NumberStyles.None, CultureInfo.InvariantCulture, out var seed)
            ? seed
            : FixedSeed;

    /// <summary>So many cases in long runs, and a sixth of them otherwise.</summary>
    public static int Often(int tests) => (int)TestLength.Count("FUNCSCALER_CASES", (tests + 5) / 6, tests);

    /// <summary>Checks an assertion on generated cases; throws with the seed and the smallest failing case found.</summary>
    public static void Check<T>(Arbitrary<T> cases, Action<T> assertion, int tests = 100, int size = 100)
    {
        var config = Config.QuickThrowOnFailure
            .WithMaxTest(tests)
            .WithStartSize(1)
            .WithEndSize(size)
            .WithReplay(Seed, (2 * Seed) + 1);
        Prop.ForAll(cases, assertion).Check(config);
    }
}
