using System.Diagnostics;
using FuncScaler.ContestSimulator.Platform;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.Policies;
using FuncScaler.Scoring;

namespace FuncScaler.ContestSimulator.Virtual;

/// <summary>
/// Plays a trace against a policy in virtual time: hours of trace in seconds, by the very pools and policies that serve real requests.
/// The same input gives the same result to the last digit, on however many processors.
/// </summary>
public static class VirtualContest
{
    /// <summary>The most functions whose instances over time a result holds.</summary>
    public const int MaxSeries = 6;

    /// <summary>Shards of a run whose policy lets functions be simulated apart; fixed, so that results do not depend on the machine.</summary>
    private const int ShardCount = 8;

    private const int WindowRequests = 1 << 15;

    /// <summary>How often the score is taken while a run is recorded, in requests, at most.</summary>
    private const int RecordedRequests = 1 << 8;

    /// <summary>The most points of <see cref="VirtualResult.Scores"/>.</summary>
    public const int MostScores = 400;

    /// <summary>Plays the whole trace and its tail.</summary>
    /// <param name="trace">What arrives.</param>
    /// <param name="policy">How it is served.</param>
    /// <param name="options">The cost model.</param>
    /// <param name="progress">Told the number of requests played so far, now and then.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="TraceFormatException">The trace is malformed.</exception>
    public static VirtualResult Run(
        ITrace trace,
        PolicyChoice policy,
        VirtualOptions options,
        IProgress<long>? progress = null,
        CancellationToken cancellationToken = default)
    {
        var watch = Stopwatch.StartNew();
        using var resources = new RunResources();
        policy = resources.Owning(policy);
        var shards = new VirtualShard[policy.SharesState || options.Workers is not null || options.Groups.Count > 0 ? 1 : Math.Min(ShardCount, Math.Max(1, trace.Functions.Count))];
        for (var i = 0; i < shards.Length; i++)
        {
            shards[i] = new VirtualShard(trace.Functions, policy, options);
        }

        for (var i = 0; options.Limits is not null && i < trace.Functions.Count; i++)
        {
            shards[i % shards.Length].Limit(i, options.Limits(trace.Functions[i].Meta.Key) with { MaxWaiting = null, Concurrency = null });
        }

        var inspected = options.Inspection is { } inspection ? shards[IndexOf(trace, inspection.Function) % shards.Length] : null;
        inspected?.Watch(options.Inspection!);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, options.Parallelism), CancellationToken = cancellationToken };
        var peak = new PeakCounter();
        long played = 0;
        var inWindow = 0;
        long? originUs = null;
        var scores = new List<(long AtUs, Score Score)>();
        var (window, betweenUs) = (options.RecordSeries ? RecordedRequests : WindowRequests, 0L);
        foreach (var request in trace.ReadRequests())
        {
            originUs ??= request.StartUs;
            var shifted = request with { StartUs = request.StartUs - originUs.Value };
            if (inWindow == window)
            {
                // Up to, not into, the time of the next arrival: it may be one of several at the same time.
                RunAll(shards, parallel, shifted.StartUs - 1, onlyWhileActive: false);
                peak.Take(shards);
                if (options.RecordSeries && (scores.Count == 0 || shifted.StartUs - 1 >= scores[^1].AtUs + betweenUs))
                {
                    scores.Add((shifted.StartUs - 1, Sum(shards).ScoreAt(shifted.StartUs - 1)));
                    if (scores.Count == MostScores)
                    {
                        scores = [.. scores.Where((_, i) => i % 2 == 1)];
                        betweenUs = scores[^1].AtUs / (MostScores / 2);
                    }
                }

                played += inWindow;
                inWindow = 0;
                progress?.Report(played);
                cancellationToken.ThrowIfCancellationRequested();
            }

            shards[shifted.Function % shards.Length].Inbox.Add(shifted);
            inWindow++;
        }

        RunAll(shards, parallel, long.MaxValue, onlyWhileActive: true);
        var endUs = shards.Max(s => s.LastEndUs);
        if (options.Inspection?.AtUs is null)
        {
            inspected?.Inspect(endUs);
        }

        RunAll(shards, parallel, endUs + options.TailUs, onlyWhileActive: false);
        inspected?.Inspect(Math.Min(endUs + options.TailUs, options.Inspection!.AtUs ?? long.MaxValue));
        peak.Take(shards);
        progress?.Report(played + inWindow);
        var result = Summarise(trace, NameOf(policy, options.Workers), shards, endUs, endUs + options.TailUs, peak.Peak, watch.Elapsed);
        return options.RecordSeries ? result with { Scores = [.. scores, (endUs + options.TailUs, result.Score)] } : result;
    }

    /// <summary>What a run is called in tables and documents: the policy, with the number of workers behind an @ where there are such.</summary>
    public static string NameOf(PolicyChoice policy, VirtualWorkerOptions? workers) => workers is null ? policy.Name : FormattableString.Invariant($"{policy.Name} @{workers.Count}");

    private static int IndexOf(ITrace trace, MetaKey function)
    {
        for (var i = 0; i < trace.Functions.Count; i++)
        {
            if (trace.Functions[i].Meta.Key == function)
            {
                return i;
            }
        }

        throw new ArgumentException($"The trace {trace.Name} has no function '{function.Value}'.", nameof(function));
    }

    private static void RunAll(VirtualShard[] shards, ParallelOptions parallel, long untilUs, bool onlyWhileActive)
    {
        if (parallel.MaxDegreeOfParallelism == 1 || shards.Length == 1)
        {
            foreach (var shard in shards)
            {
                shard.Run(untilUs, onlyWhileActive);
            }
        }
        else
        {
            Parallel.ForEach(shards, parallel, shard => shard.Run(untilUs, onlyWhileActive));
        }
    }

    private static VirtualResult Summarise(
        ITrace trace,
        string policy,
        VirtualShard[] shards,
        long endUs,
        long billedToUs,
        long peak,
        TimeSpan elapsed)
    {
        var times = new LatencyHistogram();
        foreach (var shard in shards)
        {
            shard.Close(billedToUs);
            times.Add(shard.ScheduleTimes);
        }

        var ledger = Sum(shards);
        var functions = new FunctionOutcome[trace.Functions.Count];
        for (var i = 0; i < functions.Length; i++)
        {
            var meta = trace.Functions[i].Meta;
            ref readonly var totals = ref shards[i % shards.Length].TotalsOf(i);
            functions[i] = new FunctionOutcome(
                meta,
                totals.Requests,
                totals.ColdStarts,
                totals.UsedUs / 1e6 * meta.MemoryGb,
                (double)totals.SlotMbUs / 1024e6,
                totals.WaitUs / 1e6,
                totals.PeakSlots);
        }

        return new VirtualResult
        {
            Policy = policy,
            Trace = trace.Name,
            Score = ledger.ScoreAt(billedToUs),
            ColdStarts = shards.Sum(s => s.ColdStarts),
            Waited = shards.Sum(s => s.Waited),
            SlotsCreated = ledger.SlotsCreated,
            PeakInstances = peak,
            ScheduleTimes = times,
            Functions = functions,
            Series = Series(functions, shards, billedToUs),
            Traffic = shards[0].Traffic,
            EndUs = endUs,
            Elapsed = elapsed,
        };
    }

    private static ScoreLedger Sum(VirtualShard[] shards)
    {
        var sum = new ScoreLedger();
        foreach (var shard in shards)
        {
            sum.Add(shard.Ledger);
        }

        return sum;
    }

    private static InstanceSeries[] Series(FunctionOutcome[] functions, VirtualShard[] shards, long endUs) =>
    [
        .. Enumerable.Range(0, functions.Length)
            .OrderByDescending(i => functions[i].ExecutionGbSeconds)
            .Select(i => shards[i % shards.Length].SeriesOf(i, endUs))
            .OfType<InstanceSeries>()
            .Take(MaxSeries),
    ];

    /// <summary>The most slots at one time over all shards, from what came and went in each.</summary>
    private sealed class PeakCounter
    {
        private readonly List<(long AtUs, int Change)> _changes = [];
        private long _live;

        public long Peak { get; private set; }

        public void Take(VirtualShard[] shards)
        {
            foreach (var shard in shards)
            {
                _changes.AddRange(shard.SlotChanges);
                shard.SlotChanges.Clear();
            }

            // At one time those that go first: the order within a time must not depend on the shards.
            _changes.Sort();
            foreach (var (_, change) in _changes)
            {
                _live += change;
                Peak = Math.Max(Peak, _live);
            }

            _changes.Clear();
        }
    }
}
