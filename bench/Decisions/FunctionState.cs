using System.Globalization;
using FuncScaler.ContestSimulator.Traces.Presets;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;
using FuncScaler.Statistics;

namespace FuncScaler.Benchmarks;

/// <summary>How much memory a function's policy and statistics hold, by what the heap loses when they go.</summary>
internal static class FunctionState
{
    private const double LengthSeconds = 14_400;

    public static void Print(string[] policies)
    {
        Console.WriteLine("| policy | functions | policy and shared, bytes each | statistics, bytes each | both |");
        Console.WriteLine("|---|---|---|---|---|");
        foreach (var policy in policies)
        {
            var kept = Play(policy);
            var all = Heap();
            foreach (var watched in kept)
            {
                watched.Forget();
            }

            var statistics = Heap();
            var count = kept.Count(k => k.Statistics is not null);
            foreach (var watched in kept)
            {
                watched.Statistics = null;
            }

            var none = Heap();
            GC.KeepAlive(kept);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| `{policy}` | {count} | {(double)(all - statistics) / count:F0} | {(double)(statistics - none) / count:F0} | {(double)(all - none) / count:F0} |"));
        }
    }

    private static List<Watched> Play(string policy)
    {
        var kept = new List<Watched>();
        var choice = PolicyCatalog.Parse(policy);
        var watching = new PolicyChoice(
            policy,
            host =>
            {
                var cut = new Host(host);
                var make = choice.Begin(cut);
                return function =>
                {
                    var watched = new Watched(make(function), cut);
                    kept.Add(watched);
                    return watched;
                };
            })
        {
            SharesState = true,
        };
        VirtualContest.Run(PresetCatalog.Create("faas", lengthSeconds: LengthSeconds), watching, new VirtualOptions());
        kept.ForEach(k => k.Cut());
        return kept;
    }

    private static long Heap()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }

        return GC.GetTotalMemory(forceFullCollection: true);
    }

    /// <summary>Lets go of the core, so that it is not weighed.</summary>
    private sealed class Host(IPolicyHost host) : IPolicyHost
    {
        private IPolicyHost? _host = host;

        public void Cut() => _host = null;

        public void RequestReview(MetaKey function) => _host?.RequestReview(function);
    }

    /// <summary>A policy, and the statistics it was shown.</summary>
    private sealed class Watched(IKeepAlivePolicy policy, Host host) : IKeepAlivePolicy
    {
        private IKeepAlivePolicy _policy = policy;

        public FunctionStatistics? Statistics { get; set; }

        public bool Waits => _policy.Waits;

        public bool HasStandby => _policy.HasStandby;

        public void Cut() => host.Cut();

        public void Forget() => _policy = null!;

        public void RequestArrived(in PoolView pool)
        {
            Statistics = pool.Statistics;
            _policy.RequestArrived(pool);
        }

        public void DemandLearned(in PoolView pool, in RankedArrival demand) => _policy.DemandLearned(pool, demand);

        public int CreateOnMiss(in PoolView pool) => _policy.CreateOnMiss(pool);

        public KeepDecision Keep(in PoolView pool, in IdleSlot slot) => _policy.Keep(pool, slot);

        public bool KeepSurplus(in PoolView pool) => _policy.KeepSurplus(pool);

        public StandbyPlan Standby(in PoolView pool) => _policy.Standby(pool);
    }
}
