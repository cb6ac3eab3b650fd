using System.Collections.Concurrent;
using System.Diagnostics;
using FuncScaler.ContestSimulator.Reports;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;

namespace FuncScaler.ContestSimulator.Experiments;

/// <summary>A trace of an experiment.</summary>
/// <param name="Name">What results are called by.</param>
/// <param name="Seed">Its seed; null where it has none.</param>
/// <param name="Open">Opens it; called once, on any thread.</param>
public sealed record ExperimentTrace(string Name, long? Seed, Func<ITrace> Open);

/// <summary>Runs every policy on every trace, and the bound of each trace, as many at a time as there are processors.</summary>
/// <param name="options">The cost model.</param>
/// <param name="prices">What the measures take for prices.</param>
/// <param name="build">The version and the commit of the build.</param>
public sealed class ExperimentRunner(VirtualOptions options, MeasurePrices prices, (string Version, string Commit) build)
{
    private ExperimentRun?[] _results = [];
    private int _perTrace = 1;

    /// <summary>Of the last <see cref="Run"/>, the runs of the traces that are complete: every policy and the bound.</summary>
    public IReadOnlyList<ExperimentRun> Complete => [.. _results.Chunk(_perTrace).Where(trace => !trace.Contains(null)).SelectMany(trace => trace).OfType<ExperimentRun>()];

    /// <summary>Runs what the log does not have yet.</summary>
    /// <param name="traces">The traces.</param>
    /// <param name="policies">The policies; none for the bounds alone.</param>
    /// <param name="threads">Processors to use, at least 1.</param>
    /// <param name="log">What has run before, and where runs are entered.</param>
    /// <param name="progress">Told now and then how many runs of how many have ended, parts of those under way counted.</param>
    /// <param name="cancellationToken">Ends it early; what has ended is in the log.</param>
    /// <returns>The runs, by trace, each trace's policies in order and its bound last.</returns>
    /// <exception cref="TraceFormatException">A trace is malformed.</exception>
    public IReadOnlyList<ExperimentRun> Run(
        IReadOnlyList<ExperimentTrace> traces,
        IReadOnlyList<PolicyChoice> policies,
        int threads,
        ExperimentLog log,
        Action<double, int>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(traces);
        ArgumentNullException.ThrowIfNull(policies);
        ArgumentNullException.ThrowIfNull(log);
        var perTrace = policies.Count + 1;
        var results = new ExperimentRun[traces.Count * perTrace];
        (_results, _perTrace) = (results, perTrace);
        var opened = traces.Select(t => new Lazy<(ITrace Trace, string Hash, long Requests)>(() =>
        {
            var trace = t.Open();
            return (trace, TraceHash.Of(trace, out var requests, cancellationToken), requests);
        })).ToArray();
        var shares = new double[results.Length];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, threads), CancellationToken = cancellationToken };
        try
        {
            // One by one: a range would be cut into stretches, and runs differ much in length.
            Parallel.ForEach(Partitioner.Create(Enumerable.Range(0, results.Length), EnumerablePartitionerOptions.NoBuffering), parallel, i =>
            {
                var (trace, policy) = (i / perTrace, i % perTrace);
                results[i] = RunOne(traces[trace], opened[trace].Value, policy < policies.Count ? policies[policy] : null, log, progress is null ? null : Tell, cancellationToken);
                Tell(1);

                void Tell(double share)
                {
                    Volatile.Write(ref shares[i], share);
                    progress?.Invoke(shares.Sum(), shares.Length);
                }
            });
        }
        catch (AggregateException e)
        {
            // Several runs read the same malformed trace; one of them may say so.
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }

        return results;
    }

    /// <summary>The same rows from results that are there already, the bound last.</summary>
    public static IReadOnlyList<ExperimentRun> Of(
        ExperimentTrace trace,
        IReadOnlyList<VirtualResult> results,
        ClairvoyantBound bound,
        VirtualOptions options,
        MeasurePrices prices,
        (string Version, string Commit) build)
    {
        ArgumentNullException.ThrowIfNull(trace);
        ArgumentNullException.ThrowIfNull(results);
        var runner = new ExperimentRunner(options, prices, build);
        var hash = TraceHash.Of(trace.Open());
        return
        [
            .. results.Select(r => runner.Filled(runner.Planned(trace, hash, r.Policy), r)),
            runner.Filled(runner.Planned(trace, hash, ExperimentRun.BoundName), bound, TimeSpan.Zero),
        ];
    }

    private ExperimentRun RunOne(
        ExperimentTrace trace, (ITrace Trace, string Hash, long Requests) opened, PolicyChoice? policy, ExperimentLog log, Action<double>? progress, CancellationToken cancellationToken)
    {
        var planned = Planned(trace, opened.Hash, policy?.Name ?? ExperimentRun.BoundName);
        if (log.Find(planned.Key) is { } before)
        {
            return before;
        }

        var run = policy is null ? BoundOf(planned, opened.Trace, cancellationToken) : RunOf(planned, opened, policy, progress, cancellationToken);
        log.Add(run);
        return run;
    }

    private ExperimentRun RunOf(
        ExperimentRun planned, (ITrace Trace, string Hash, long Requests) opened, PolicyChoice policy, Action<double>? progress, CancellationToken cancellationToken)
    {
        var played = progress is null ? null : new Played(requests => progress(Math.Min(1, (double)requests / Math.Max(1, opened.Requests))));
        return Filled(planned, VirtualContest.Run(opened.Trace, policy, options, played, cancellationToken));
    }

    private sealed class Played(Action<long> tell) : IProgress<long>
    {
        public void Report(long value) => tell(value);
    }

    private ExperimentRun BoundOf(ExperimentRun planned, ITrace trace, CancellationToken cancellationToken)
    {
        var watch = Stopwatch.StartNew();
        return Filled(planned, ClairvoyantBound.Of(trace, options, cancellationToken), watch.Elapsed);
    }

    private ExperimentRun Planned(ExperimentTrace trace, string hash, string policy) => new()
    {
        Version = build.Version,
        Commit = build.Commit,
        Trace = trace.Name,
        Seed = trace.Seed,
        TraceHash = hash,
        TailSeconds = options.TailUs / 1e6,
        RpcMs = (options.AssignRpcUs + options.IdleRpcUs) / 1e3,
        Waiting = options.Pool.Waiting,
        LatencyPriceGbs = options.Pool.LatencyPriceGbs,
        CreateCostGbs = prices.CreateCostGbs,
        GbSecondPrice = prices.GbSecondPrice,
        WaitingSecondPrice = prices.WaitingSecondPrice,
        Policy = policy,
    };

    private ExperimentRun Filled(ExperimentRun planned, VirtualResult result) => planned with
    {
        Requests = result.Score.Requests,
        Measures = Measures.All(prices).ToDictionary(m => m.Name, m => (double?)m.Of(result)),
        ElapsedSeconds = result.Elapsed.TotalSeconds,
    };

    private ExperimentRun Filled(ExperimentRun planned, ClairvoyantBound bound, TimeSpan elapsed) => planned with
    {
        Requests = bound.Requests,
        Measures = Measures.All(prices).ToDictionary(m => m.Name, m => m.OfBound(bound)),
        ElapsedSeconds = elapsed.TotalSeconds,
    };
}
