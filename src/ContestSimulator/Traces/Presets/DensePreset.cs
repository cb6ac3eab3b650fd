namespace FuncScaler.ContestSimulator.Traces.Presets;

/// <summary>
/// Kubernetes controllers, busy at all hours (after dataSet_2): four controllers that one change wakes in lockstep, in batches every few
/// seconds, and five callers of a timer of 30 s.
/// </summary>
internal sealed class DensePreset : PresetModel
{
    public const double NominalSeconds = 561_570;

    private const int Controllers = 4;
    private const int Timer = 4;
    private const int TimerCallers = 5;

    // 5,284,204 requests, without five of the timer per 30 s, over four controllers.
    private const double MeanGapMs = NominalSeconds * 1000 / ((5_284_204 - (NominalSeconds / 30 * TimerCallers)) / Controllers);

    private const double CloseMedianMs = 40;
    private const double CloseSigma = 0.32;
    private const double LongestGapMs = 5050;
    private const double PausePower = 0.3;

    private static readonly double CloseMeanMs = CloseMedianMs * Math.Exp(CloseSigma * CloseSigma / 2);
    private static readonly double PauseShare = (MeanGapMs - CloseMeanMs) / ((LongestGapMs / (1 + PausePower)) - CloseMeanMs);

    private readonly long _seed;
    private readonly TraceFunction[] _functions;
    private readonly DurationModel[] _durations;

    public DensePreset(long seed, PresetEdition edition)
    {
        _seed = seed;
        var random = new TraceRandom(seed, "dense/functions");
        var factor = edition == PresetEdition.Long ? LongEdition.ControllerFactor : 1;
        _durations =
        [
            .. Enumerable.Range(0, Controllers).Select(i => new DurationModel((17.25 + i) * factor, 0.22)),
            new DurationModel(40 * factor, 0.2),
        ];
        string[] keys = [.. Enumerable.Range(0, Controllers + 1).Select(i => $"{(i == Timer ? "timer" : "lockstep")}-{random.NextHex(8)}")];
        var initsMs = ControllerInits.Draw(keys.Length, edition, random);
        _functions =
        [
            .. keys.Select((key, i) => new TraceFunction(
                new FunctionMeta(new MetaKey(key), "go", 60 + random.NextIndex(900), i == Timer ? 512 : 256), 1000 * initsMs[i])),
        ];
    }

    public override IReadOnlyList<TraceFunction> Functions => _functions;

    public override IReadOnlyList<RequestSource> CreateSources() =>
    [
        .. Enumerable.Range(0, Controllers).Select(i => new LockstepSource(i, _durations[i], _seed)),
        new TimerSource(Timer, _durations[Timer], new TraceRandom(_seed, "dense/timer"), periodMs: 30_000, jitterMs: 3, TimerCallers),
    ];

    /// <summary>One of those in lockstep; each replays the changes for itself from the same numbers.</summary>
    private sealed class LockstepSource : RequestSource
    {
        private readonly TraceRandom _changes;
        private readonly DurationModel _duration;
        private readonly TraceRandom _random;
        private double _nowMs;

        public LockstepSource(int function, DurationModel duration, long seed)
        {
            Function = function;
            _duration = duration;
            _changes = new TraceRandom(seed, "dense/changes");
            _random = new TraceRandom(seed, "dense/lockstep", function);
        }

        public override void Advance()
        {
            _nowMs += _changes.Next() < PauseShare
                ? LongestGapMs * Math.Pow(_changes.Next(), PausePower)
                : _changes.NextLogNormal(CloseMedianMs, CloseSigma);
            StartMs = Math.Max(StartMs, (long)(_nowMs + (Function * _random.Next(4, 8))));
            DurationMs = _duration.Sample(_random);
        }
    }
}
