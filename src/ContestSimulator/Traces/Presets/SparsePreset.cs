namespace FuncScaler.ContestSimulator.Traces.Presets;

/// <summary>
/// Kubernetes controllers, mostly quiet (after dataSet_1): a timer of 30 s; three controllers that one change wakes in lockstep, in bursts
/// with quiet hours between; a function that is called a few times a day.
/// </summary>
/// <remarks>
/// Time is laid out in epochs of a twenty-fifth of the data set's span. Each epoch has a quiet stretch and an active one, and its bursts
/// use up a fixed budget of requests, so that the totals do not drift from seed to seed. The figures are measured shapes.
/// </remarks>
internal sealed class SparsePreset : PresetModel
{
    public const double NominalSeconds = 550_770;

    private const int Timer = 0;
    private const int Leader = 1;
    private const int Twin = 2;
    private const int Throttled = 3;
    private const int Rare = 4;
    private const double RareMeanGapMs = NominalSeconds * 1000 / 47;

    private readonly long _seed;
    private readonly TraceFunction[] _functions;
    private readonly DurationModel[] _durations;

    public SparsePreset(long seed, PresetEdition edition)
    {
        _seed = seed;
        var random = new TraceRandom(seed, "sparse/functions");
        var factor = edition == PresetEdition.Long ? LongEdition.ControllerFactor : 1;
        (string Name, int MemoryMb, DurationModel Duration)[] kinds =
        [
            ("timer", 512, new(50 * factor, 0.14)),
            ("leader", 256, new(30 * factor, 0.24)),
            ("twin", 256, new(30 * factor, 0.24)),
            ("throttled", 256, new(30 * factor, 0.24)),
            ("rare", 512, new(40 * factor, 0.3)),
        ];
        _durations = [.. kinds.Select(k => k.Duration)];
        string[] keys = [.. kinds.Select(k => $"{k.Name}-{random.NextHex(8)}")];
        var initsMs = ControllerInits.Draw(kinds.Length, edition, random);
        _functions =
        [
            .. kinds.Select((k, i) => new TraceFunction(
                new FunctionMeta(new MetaKey(keys[i]), "go", 60 + random.NextIndex(900), k.MemoryMb), 1000 * initsMs[i])),
        ];
    }

    public override IReadOnlyList<TraceFunction> Functions => _functions;

    public override IReadOnlyList<RequestSource> CreateSources() =>
    [
        new TimerSource(Timer, _durations[Timer], new TraceRandom(_seed, "sparse/timer"), periodMs: 30_000, jitterMs: 3, extraShare: 0.01),
        new LockstepSource(Leader, _durations[Leader], _seed),
        new LockstepSource(Twin, _durations[Twin], _seed),
        new LockstepSource(Throttled, _durations[Throttled], _seed),
        new PoissonSource(Rare, _durations[Rare], RareMeanGapMs, new TraceRandom(_seed, "sparse/rare")),
    ];

    /// <summary>
    /// One of the three in lockstep. Each replays the bursts for itself from the same numbers, so that nothing is buffered between them.
    /// </summary>
    private sealed class LockstepSource : RequestSource
    {
        private readonly BurstClock _clock;
        private readonly DurationModel _duration;
        private readonly TraceRandom _random;

        public LockstepSource(int function, DurationModel duration, long seed)
        {
            Function = function;
            _clock = new BurstClock(new TraceRandom(seed, "sparse/bursts"));
            _duration = duration;
            _random = new TraceRandom(seed, "sparse/lockstep", function);
        }

        public override void Advance()
        {
            _clock.Advance();
            var at = (long)_clock.NowMs;
            StartMs = Function switch
            {
                Leader => at,
                Twin => Math.Max(StartMs, at + (long)_random.Next(6, 12)),

                // It works its requests off one after another, at a rate of its own, and falls behind in long bursts.
                _ => Math.Max(StartMs + (long)_clock.SampleThrottleMs(_random), at + (long)_random.Next(90, 260)),
            };
            DurationMs = _duration.Sample(_random);
        }
    }

    /// <summary>When changes come.</summary>
    private sealed class BurstClock(TraceRandom random)
    {
        private const double EpochMs = NominalSeconds * 1000 / 25;
        private const int ChangesPerEpoch = 16_760;

        private readonly List<(double StartMs, BurstKind Kind, int Size)> _bursts = [];
        private int _epoch;
        private int _burst = -1;
        private int _leftInBurst;
        private int _leftInBatch;
        private BurstKind _kind;

        public double NowMs { get; private set; }

        public void Advance()
        {
            if (_leftInBurst > 0)
            {
                NowMs += NextGapMs();
                _leftInBurst--;
                return;
            }

            if (++_burst >= _bursts.Count)
            {
                PlanEpoch(_epoch++);
                _burst = 0;
            }

            (var startMs, _kind, var size) = _bursts[_burst];
            NowMs = Math.Max(NowMs, startMs);
            _leftInBurst = size - 1;
            _leftInBatch = BatchSize() - 1;
        }

        /// <summary>The throttled controller's pace, ms from one of its requests to the next.</summary>
        public double SampleThrottleMs(TraceRandom own) => _kind switch
        {
            BurstKind.Paced => 90 + (120 * own.NextExponential()),
            BurstKind.Backlog => 80 + (45 * own.NextExponential()),
            BurstKind.Storm => 30 + (30 * own.NextExponential()),
            _ => 80 + (120 * own.NextExponential()),
        };

        private static double EstimateMs(BurstKind kind, int size) => kind switch
        {
            BurstKind.Paced => size * 230.0,
            BurstKind.Backlog => size * 125.0,
            BurstKind.Storm => size * 66.0,
            BurstKind.Sync => size * 36.0,
            _ => 0,
        };

        private void PlanEpoch(int epoch)
        {
            _bursts.Clear();
            var left = ChangesPerEpoch;
            var busyMs = 0.0;
            while (left > 0)
            {
                var (kind, size) = NextBurst();
                size = Math.Min(size, left);
                left -= size;
                busyMs += EstimateMs(kind, size);
                _bursts.Add((0, kind, size));
            }

            var quiet = random.Next(0.3, 0.5) * EpochMs;
            var begin = (epoch * EpochMs) + random.Next(0, quiet);
            var spareMs = Math.Max(0, EpochMs - quiet - busyMs);
            var gaps = new double[_bursts.Count + 1];
            for (var i = 0; i < gaps.Length; i++)
            {
                gaps[i] = random.NextExponential();
            }

            var scale = spareMs / gaps.Sum();
            for (var i = 0; i < _bursts.Count; i++)
            {
                begin += gaps[i] * scale;
                _bursts[i] = (begin, _bursts[i].Kind, _bursts[i].Size);
                begin += EstimateMs(_bursts[i].Kind, _bursts[i].Size);
            }
        }

        // Of 100 changes, about 40 come paced, 50 in backlogs, 5 in storms and 5 in syncs.
        private (BurstKind Kind, int Size) NextBurst() => random.Next() switch
        {
            < 0.245 => (BurstKind.Paced, (int)random.Next(100, 800)),
            < 0.400 => (BurstKind.Backlog, (int)random.Next(200, 1600)),
            < 0.415 => (BurstKind.Storm, (int)random.Next(600, 1300)),
            < 0.900 => (BurstKind.Sync, (int)random.Next(8, 36)),
            _ => (BurstKind.Single, 1),
        };

        private int BatchSize() => _kind switch
        {
            BurstKind.Paced => 5,
            BurstKind.Backlog => 8 + random.NextIndex(5),
            BurstKind.Storm => 15,
            _ => int.MaxValue,
        };

        private double NextGapMs()
        {
            if (_leftInBatch-- > 0)
            {
                return _kind switch
                {
                    BurstKind.Paced => random.Next(25, 80),
                    BurstKind.Backlog => BacklogGapMs(),
                    BurstKind.Storm => random.Next(30, 61),
                    _ => random.Next() < 0.15 ? random.Next(60, 71) : random.Next(30, 40),
                };
            }

            _leftInBatch = BatchSize() - 1;
            return _kind switch
            {
                BurstKind.Paced => random.Next(930, 965),
                BurstKind.Backlog => random.Next(380, 950),
                _ => random.Next(340, 375),
            };
        }

        private double BacklogGapMs() => random.Next() switch
        {
            < 0.60 => random.Next(59, 62),
            < 0.75 => random.Next(50, 59),
            < 0.97 => random.Next(62, 140),
            _ => random.Next(140, 300),
        };
    }

    private enum BurstKind
    {
        Single,

        /// <summary>One list worked off at once: 8 to 35 changes, 30 to 40 ms apart.</summary>
        Sync,

        /// <summary>Minutes of five changes a second, close together.</summary>
        Paced,

        /// <summary>Minutes of ten changes, 60 ms apart, every 1.2 s.</summary>
        Backlog,

        /// <summary>About a minute of fifteen changes a second.</summary>
        Storm,
    }
}
