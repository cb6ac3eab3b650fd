using System.Globalization;
using FuncScaler.ContestSimulator.Traces.Presets;

namespace FuncScaler.Benchmarks;

/// <summary>What an Assign and a Release cost in the core, per policy and load, in one run.</summary>
internal static class DecisionCost
{
    private const int Untimed = 50_000;
    private const int Timed = 150_000;

    private static readonly FunctionMeta[] Functions =
        [.. Enumerable.Range(0, 10_000).Select(i => new FunctionMeta(new MetaKey($"f{i}"), "go", 60, 128 << (i % 4)))];

    private static readonly (string Name, Func<IEnumerable<(FunctionMeta, long, long)>> Requests)[] Loads =
    [
        ("one warm function", () => Enumerable.Range(0, Untimed + Timed).Select(i => (Functions[0], i * 20_000L, 10_000L))),
        ("500 functions in turn", () => Enumerable.Range(0, Untimed + Timed).Select(i => (Functions[i % 500], i * 1_000L, 10_000L))),
        ("10,000 functions in turn", () => Enumerable.Range(0, Untimed + Timed).Select(i => (Functions[i % 10_000], i * 1_000L, 10_000L))),
        ("10,000 functions, the n-th asked for 1/n as often as the first", () => Harmonic(10_000)),
        ("bursts of 50 at once", () => Enumerable.Range(0, Untimed + Timed).Select(i => (Functions[0], i / 50 * 2_000_000L, 200_000L))),
        ("preset faas", () =>
        {
            var trace = PresetCatalog.Create("faas");
            return trace.ReadRequests().Take(Untimed + Timed).Select(r => (trace.Functions[r.Function].Meta, r.StartUs, r.DurationUs));
        }),
    ];

    private static readonly (string Name, Func<Load, List<double>> Times)[] Calls =
    [
        ("Assign until it is decided", l => l.AssignNs),
        ("the same, warm", l => l.WarmNs),
        ("finding the function in a dictionary alone", l => l.FindNs),
        ("Release until it is decided", l => l.ReleaseNs),
        ("what follows, learned after the reply", l => l.SettleNs),
    ];

    public static void Print(string[] policies)
    {
        Console.WriteLine("| load | call | policy | p50 ns | p99 ns | mean ns | p50 against the last |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        foreach (var (name, requests) in Loads)
        {
            var runs = policies.Select(policy => (policy, load: Run(policy, requests()))).ToArray();
            foreach (var (call, times) in Calls)
            {
                var last = At(times(runs[^1].load), 0.5);
                foreach (var (policy, load) in runs)
                {
                    var ns = times(load);
                    Console.WriteLine(string.Create(
                        CultureInfo.InvariantCulture,
                        $"| {name} | {call} | `{policy}` | {At(ns, 0.5):F0} | {At(ns, 0.99):F0} | {ns.Average():F0} | {At(ns, 0.5) / last:F1} |"));
                }
            }
        }
    }

    /// <summary>Requests for functions of which few are asked for often, as on real platforms; the same each time.</summary>
    private static IEnumerable<(FunctionMeta, long, long)> Harmonic(int functions)
    {
        var upTo = new double[functions];
        for (var i = 0; i < functions; i++)
        {
            upTo[i] = (i > 0 ? upTo[i - 1] : 0) + (1.0 / (i + 1));
        }

        var random = new Random(1);
        for (var i = 0; i < Untimed + Timed; i++)
        {
            var drawn = Array.BinarySearch(upTo, random.NextDouble() * upTo[^1]);
            yield return (Functions[drawn < 0 ? ~drawn : drawn], i * 1_000L, 10_000L);
        }
    }

    private static Load Run(string policy, IEnumerable<(FunctionMeta, long, long)> requests)
    {
        var load = new Load(policy);
        load.Play(requests, Untimed);
        foreach (var (_, times) in Calls)
        {
            times(load).Sort();
        }

        return load;
    }

    private static double At(List<double> sorted, double share) => sorted[(int)((sorted.Count - 1) * share)];
}
