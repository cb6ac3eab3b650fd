namespace FuncScaler.ContestSimulator.Traces.Presets;

/// <summary>
/// Functions that follow each other: twelve workflows, each with a first function, one that it calls several times at once some time later, and in
/// every second workflow a last one after those. Nobody measured these figures: the preset is there to ask what knowing of groups is worth.
/// </summary>
/// <remarks>
/// The keys are the same for each seed, so that one limits file fits all of them: <c>w01-first</c>, <c>w01-each</c>, <c>w01-last</c>. So are the
/// fan-outs and the typical delays. Executions do not decide when the next function is called: the delays do.
/// </remarks>
internal sealed class WorkflowsPreset : PresetModel
{
    public const double NominalSeconds = 14_400;

    private const int Workflows = 12;
    private const int TimeoutSeconds = 60;

    private static readonly int[] FanOuts = [1, 2, 3, 4, 6, 8];
    private static readonly double[] DelaysMs = [500, 1000, 2000, 4000, 8000, 15_000];

    private readonly long _seed;
    private readonly TraceFunction[] _functions;
    private readonly Workflow[] _workflows;

    public WorkflowsPreset(long seed)
    {
        _seed = seed;
        var random = new TraceRandom(seed, "workflows/functions");
        var functions = new List<TraceFunction>();
        _workflows = new Workflow[Workflows];
        var gaps = FunctionSet.Strata(Workflows, random);
        for (var i = 0; i < Workflows; i++)
        {
            var first = Add($"w{i + 1:00}-first");
            var each = Add($"w{i + 1:00}-each");
            int? last = i % 2 == 1 ? Add($"w{i + 1:00}-last") : null;

            // From a call every ten seconds to one in twenty minutes.
            _workflows[i] = new Workflow(
                first, each, last, FanOuts[i % FanOuts.Length], DelaysMs[i * 5 % DelaysMs.Length], 10_000 * Math.Pow(120, gaps[i]), Duration(), Duration(), Duration());
        }

        _functions = [.. functions];

        int Add(string key)
        {
            int[] memories = [128, 256, 512, 1024];
            functions.Add(new TraceFunction(
                new FunctionMeta(new MetaKey(key), "go", TimeoutSeconds, memories[random.NextIndex(memories.Length)]),
                (long)Math.Round(random.NextLogNormal(700, 0.9)) * 1000));
            return functions.Count - 1;
        }

        DurationModel Duration() => new(random.NextLogNormal(600, 0.7), 0.3);
    }

    public override IReadOnlyList<TraceFunction> Functions => _functions;

    public override IReadOnlyList<RequestSource> CreateSources() =>
        [.. _workflows.Select((w, i) => new WorkflowSource(w, new TraceRandom(_seed, "workflows/runs", i)))];

    /// <param name="First">The function that begins it.</param>
    /// <param name="Each">The one that is called several times.</param>
    /// <param name="Last">The one that is called after those; null for none.</param>
    /// <param name="FanOut">How many times.</param>
    /// <param name="DelayMs">How long after the first one, at the median, ms; the last one comes as long after those.</param>
    /// <param name="GapMs">How long from one run to the next on average, ms.</param>
    private sealed record Workflow(
        int First, int Each, int? Last, int FanOut, double DelayMs, double GapMs, DurationModel FirstTime, DurationModel EachTime, DurationModel LastTime);

    /// <summary>The runs of one workflow; several may be under way.</summary>
    private sealed class WorkflowSource(Workflow workflow, TraceRandom random) : RequestSource
    {
        private const double DelaySpread = 0.15;
        private const int CloseTogetherMs = 20;

        private readonly PriorityQueue<(int Function, DurationModel Duration), (long AtMs, long Order)> _coming = new();
        private double _nextRunMs = workflow.GapMs * random.NextExponential();
        private long _order;

        public override void Advance()
        {
            while (!_coming.TryPeek(out _, out var next) || _nextRunMs <= next.AtMs)
            {
                Plan(_nextRunMs);
                _nextRunMs += workflow.GapMs * random.NextExponential();
            }

            _coming.TryDequeue(out var request, out var time);
            (StartMs, Function, DurationMs) = (time.AtMs, request.Function, request.Duration.Sample(random));
        }

        private void Plan(double beginMs)
        {
            Add(workflow.First, workflow.FirstTime, beginMs);
            var eachMs = beginMs + random.NextLogNormal(workflow.DelayMs, DelaySpread);
            for (var i = 0; i < workflow.FanOut; i++)
            {
                Add(workflow.Each, workflow.EachTime, eachMs + random.NextIndex(CloseTogetherMs));
            }

            if (workflow.Last is { } last)
            {
                Add(last, workflow.LastTime, eachMs + CloseTogetherMs + random.NextLogNormal(workflow.DelayMs, DelaySpread));
            }
        }

        private void Add(int function, DurationModel duration, double atMs) => _coming.Enqueue((function, duration), ((long)atMs, _order++));
    }
}
