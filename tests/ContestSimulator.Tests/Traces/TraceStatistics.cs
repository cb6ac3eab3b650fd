using FuncScaler.ContestSimulator.Traces;

namespace FuncScaler.Tests.Traces;

/// <summary>Quantiles of gaps, ms; within 0.8 % of the exact ones, and 0 where there was no gap.</summary>
/// <param name="Count">How many gaps there were.</param>
/// <param name="P50Ms">The median.</param>
/// <param name="P95Ms">What 95 % do not exceed.</param>
/// <param name="P99Ms">What 99 % do not exceed.</param>
internal readonly record struct GapQuantiles(long Count, double P50Ms, double P95Ms, double P99Ms);

/// <summary>What a trace holds of one function.</summary>
/// <param name="Key">The function.</param>
/// <param name="Requests">Its requests.</param>
/// <param name="ExecutionSeconds">Their executions, s.</param>
/// <param name="GbSeconds">Memory times execution, GB·s.</param>
/// <param name="InterArrival">From each start to the next.</param>
/// <param name="IdleGap">The stretches in which none of its requests runs.</param>
internal sealed record TraceFunctionStatistics(
    MetaKey Key,
    long Requests,
    double ExecutionSeconds,
    double GbSeconds,
    GapQuantiles InterArrival,
    GapQuantiles IdleGap)
{
    /// <summary>The mean execution, ms; 0 when there was none.</summary>
    public double MeanDurationMs => Requests == 0 ? 0 : ExecutionSeconds * 1000 / Requests;
}

/// <summary>What a trace is made of, from one pass. Memory grows with the number of functions, not with the trace.</summary>
internal sealed record TraceStatistics
{
    /// <summary>The trace's name.</summary>
    public required string Name { get; init; }

    public required long Requests { get; init; }

    /// <summary>Requests whose status code is not 200.</summary>
    public required long BrokenRequests { get; init; }

    /// <summary>The functions the trace lists.</summary>
    public required int Functions { get; init; }

    /// <summary>The functions that have a request.</summary>
    public required int ActiveFunctions { get; init; }

    /// <summary>From the first start to the last, s.</summary>
    public required double SpanSeconds { get; init; }

    public required double ExecutionSeconds { get; init; }

    public required double ExecutionGbSeconds { get; init; }

    /// <summary>The most requests in one second, seconds counted from the first start.</summary>
    public required long PeakPerSecond { get; init; }

    /// <summary>The most requests in one minute, minutes counted from the first start.</summary>
    public required long PeakPerMinute { get; init; }

    /// <summary>Quantiles over the listed functions, ms; nearest rank.</summary>
    public required double InitP50Ms { get; init; }

    public required double InitP90Ms { get; init; }

    public required double InitMinMs { get; init; }

    public required double InitMaxMs { get; init; }

    public required int MemoryMinMb { get; init; }

    public required int MemoryMaxMb { get; init; }

    /// <summary>Per function, in the order of <see cref="ITrace.Functions"/>.</summary>
    public required IReadOnlyList<TraceFunctionStatistics> PerFunction { get; init; }

    /// <summary>The mean execution, ms; 0 when there was none.</summary>
    public double MeanDurationMs => Requests == 0 ? 0 : ExecutionSeconds * 1000 / Requests;

    /// <summary>Measures a trace in one pass.</summary>
    /// <exception cref="TraceFormatException">The trace's source is malformed.</exception>
    public static TraceStatistics Measure(ITrace trace)
    {
        var tallies = trace.Functions.Select(_ => new Tally()).ToArray();
        var perSecond = new BinPeak(1_000_000);
        var perMinute = new BinPeak(60_000_000);
        long requests = 0, broken = 0, firstUs = 0, lastUs = 0;
        foreach (var request in trace.ReadRequests())
        {
            firstUs = requests == 0 ? request.StartUs : firstUs;
            lastUs = request.StartUs;
            requests++;
            broken += request.StatusCode == 200 ? 0 : 1;
            perSecond.Add(request.StartUs - firstUs);
            perMinute.Add(request.StartUs - firstUs);
            tallies[request.Function].Add(request);
        }

        var perFunction = trace.Functions.Select((f, i) => tallies[i].ToStatistics(f.Meta)).ToArray();
        var initsMs = trace.Functions.Select(f => f.InitDurationUs / 1000.0).Order().ToArray();
        return new TraceStatistics
        {
            Name = trace.Name,
            Requests = requests,
            BrokenRequests = broken,
            Functions = perFunction.Length,
            ActiveFunctions = perFunction.Count(f => f.Requests > 0),
            SpanSeconds = (lastUs - firstUs) / 1e6,
            ExecutionSeconds = perFunction.Sum(f => f.ExecutionSeconds),
            ExecutionGbSeconds = perFunction.Sum(f => f.GbSeconds),
            PeakPerSecond = perSecond.Peak,
            PeakPerMinute = perMinute.Peak,
            InitP50Ms = NearestRank(initsMs, 0.5),
            InitP90Ms = NearestRank(initsMs, 0.9),
            InitMinMs = NearestRank(initsMs, 0),
            InitMaxMs = NearestRank(initsMs, 1),
            MemoryMinMb = trace.Functions.Select(f => f.Meta.MemoryMb).DefaultIfEmpty().Min(),
            MemoryMaxMb = trace.Functions.Select(f => f.Meta.MemoryMb).DefaultIfEmpty().Max(),
            PerFunction = perFunction,
        };
    }

    private static double NearestRank(double[] sorted, double p) =>
        sorted.Length == 0 ? 0 : sorted[Math.Max(0, (int)Math.Ceiling(p * sorted.Length) - 1)];

    private sealed class Tally
    {
        private readonly GapHistogram _interArrivalUs = new();
        private readonly GapHistogram _idleGapUs = new();
        private long _requests;
        private long _lastStartUs;
        private long _latestEndUs;
        private double _executionUs;

        public void Add(in TraceRequest request)
        {
            if (_requests++ > 0)
            {
                _interArrivalUs.Add(request.StartUs - _lastStartUs);
                if (request.StartUs > _latestEndUs)
                {
                    _idleGapUs.Add(request.StartUs - _latestEndUs);
                }
            }

            _lastStartUs = request.StartUs;
            _latestEndUs = Math.Max(_latestEndUs, request.StartUs + request.DurationUs);
            _executionUs += request.DurationUs;
        }

        public TraceFunctionStatistics ToStatistics(FunctionMeta meta) => new(
            meta.Key, _requests, _executionUs / 1e6, _executionUs / 1e6 * meta.MemoryGb, Quantiles(_interArrivalUs), Quantiles(_idleGapUs));

        private static GapQuantiles Quantiles(GapHistogram us) =>
            new(us.Count, us.Quantile(0.5) / 1000, us.Quantile(0.95) / 1000, us.Quantile(0.99) / 1000);
    }

    private sealed class BinPeak(long binUs)
    {
        private long _binEndUs;
        private long _inBin;

        public long Peak { get; private set; }

        public void Add(long offsetUs)
        {
            if (offsetUs >= _binEndUs)
            {
                _binEndUs = ((offsetUs / binUs) + 1) * binUs;
                _inBin = 0;
            }

            Peak = Math.Max(Peak, ++_inBin);
        }
    }
}
