using FsCheck;
using FsCheck.Fluent;

namespace FuncScaler.UnaryGrpc.Tests;

internal static class Properties
{
    /// <summary>Checks a property on the same cases in every run; vary the seed to search further.</summary>
    public static void Hold<T>(Arbitrary<T> cases, Action<T> assertion, ulong seed = 20_260_101) =>
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(300).WithReplay(seed, 1),
            Prop.ForAll(cases, assertion));
}
