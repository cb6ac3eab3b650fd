namespace FuncScaler.ContestSimulator.Traces.Presets;

/// <summary>
/// One sudden burst over many cold functions (after function_smoke_test): 980 requests in 11 s, 806 of them in one second, four broken.
/// A trace longer than that has such a burst, drawn anew over the same functions, every minute.
/// </summary>
internal sealed class SmokePreset : PresetModel
{
    public const double NominalSeconds = 11.25;

    private const int FunctionCount = 127;
    private const int Broken = 4;
    private const int BrokenStatusCode = 408;
    private const long RepeatMs = 60_000;
    private const double ExecutionSeconds = 349;
    private const double GbSeconds = 155;
    private const int CalibratedRanks = 40;
    private const int TimeoutSeconds = 60;

    private static readonly int[] PerSecond = [2, 0, 2, 5, 3, 5, 7, 6, 11, 80, 806, 53];

    private static readonly LogCurve RequestsByRank = new(
        (1, 145), (2, 112), (3, 96), (4, 64), (5, 51), (6, 40), (9, 28), (12, 16), (20, 9), (25, 6), (34, 4), (52, 3), (60, 2), (66, 1));

    private static readonly Quantiles MeanMs = new((0, 1), (0.1, 2), (0.25, 11), (0.5, 58), (0.75, 230), (0.9, 960), (0.95, 1500), (1, 5000));

    private static readonly RuntimeClass[] Runtimes =
    [
        new("custom", 34, new((0, 1350), (0.1, 2000), (0.25, 3450), (0.5, 5700), (0.75, 7400), (1, 9200)),
            [(128, 4), (256, 5), (512, 9), (1024, 5), (1536, 2), (2048, 3), (3072, 4), (4096, 1), (8192, 1)]),
        new("php", 28, new((0, 82), (0.25, 115), (0.5, 150), (1, 200)), [(128, 19), (256, 8), (3072, 1)]),
        new("nodejs", 28, new((0, 130), (0.25, 215), (0.5, 285), (1, 350)), [(128, 9), (256, 2), (512, 11), (1024, 4), (2048, 1), (3072, 1)]),
        new("python", 25, new((0, 90), (0.25, 130), (0.5, 200), (1, 300)), [(128, 11), (256, 3), (512, 6), (1024, 4), (2048, 1)]),
        new("java", 7, new((0, 2300), (0.5, 5400), (1, 7800)), [(128, 1), (256, 1), (512, 4), (16_384, 1)]),
        new("container", 3, new((0, 4900), (0.5, 13_000), (0.8, 15_000), (1, 15_500)), [(512, 1), (1024, 1), (4096, 1)]),
        new("go", 2, new((0, 95), (1, 120)), [(128, 2)]),
    ];

    private readonly long _seed;
    private readonly TraceFunction[] _functions;
    private readonly DurationModel[] _durations;
    private readonly int[] _counts;

    public SmokePreset(long seed, PresetEdition edition)
    {
        _seed = seed;
        var random = new TraceRandom(seed, "smoke/functions");
        DrawnFunction[] drawn;
        do
        {
            drawn = FunctionSet.Draw(Runtimes, random);
            _counts = DrawCounts(random);
            var means = FunctionSet.Strata(FunctionCount, random);
            for (var i = 0; i < FunctionCount; i++)
            {
                drawn[i].Count = _counts[i];
                drawn[i].MeanMs = MeanMs.At(means[i]);
                drawn[i].Sigma = random.Next(0.15, 1);
            }
        }
        while (!FunctionSet.TryCalibrate(drawn, drawn[..CalibratedRanks], ExecutionSeconds, GbSeconds));

        var editions = new TraceRandom(seed, "smoke/edition");
        _functions = FunctionSet.ToTraceFunctions(drawn, TimeoutSeconds, edition, editions);
        _durations =
        [
            .. drawn.Select(f => new DurationModel(f.MeanMs, f.Sigma))
                .Select(d => edition == PresetEdition.Long ? LongEdition.Slow(d, editions) : d),
        ];
    }

    public override IReadOnlyList<TraceFunction> Functions => _functions;

    public override IReadOnlyList<RequestSource> CreateSources() => [new BurstSource(this)];

    private static int[] DrawCounts(TraceRandom random)
    {
        var total = PerSecond.Sum();
        var counts = new int[FunctionCount];
        for (var i = 0; i < FunctionCount; i++)
        {
            counts[i] = Math.Max(1, (int)Math.Round(random.NextLogNormal(RequestsByRank.At(i + 1), 0.08)));
        }

        // The popular ones take up what rounding and chance have left over.
        for (var (i, over) = (0, counts.Sum() - total); over != 0; i = (i + 1) % 10, over = counts.Sum() - total)
        {
            counts[i] -= Math.Sign(over);
        }

        return counts;
    }

    private sealed class BurstSource(SmokePreset preset) : RequestSource
    {
        private readonly long[] _startsMs = new long[PerSecond.Sum()];
        private readonly int[] _labels = new int[PerSecond.Sum()];
        private readonly double[] _places = new double[PerSecond.Sum()];
        private readonly bool[] _broken = new bool[PerSecond.Sum()];
        private TraceRandom _random = null!;
        private int _burst;
        private int _at = int.MaxValue - 1;

        public override void Advance()
        {
            if (++_at >= _startsMs.Length)
            {
                Draw(_burst++);
                _at = 0;
            }

            StartMs = _startsMs[_at];
            Function = _labels[_at];
            DurationMs = preset._durations[Function].Sample(_random);
            StatusCode = _broken[_at] ? BrokenStatusCode : 200;
        }

        private void Draw(int burst)
        {
            _random = new TraceRandom(preset._seed, "smoke/burst", burst);
            var at = 0;
            for (var second = 0; second < PerSecond.Length; second++)
            {
                for (var i = 0; i < PerSecond[second]; i++)
                {
                    _startsMs[at++] = (burst * RepeatMs) + (long)(1000 * (second + Within(second)));
                }
            }

            // Each function has its own place in the burst, and its requests stand around it.
            for (var (function, label) = (0, 0); function < FunctionCount; function++)
            {
                var place = _random.Next();
                var spread = _random.Next(0.02, 0.25);
                for (var i = 0; i < preset._counts[function]; i++, label++)
                {
                    _labels[label] = function;
                    _places[label] = place + (spread * _random.NextNormal());
                }
            }

            // The first request marks the beginning, so that the seconds are whole ones from it.
            _startsMs[0] = burst * RepeatMs;
            Array.Sort(_startsMs);
            Array.Sort(_places, _labels);
            Array.Clear(_broken);
            for (var left = Broken; left > 0;)
            {
                var which = _random.NextIndex(_broken.Length);
                left -= _broken[which] ? 0 : 1;
                _broken[which] = true;
            }
        }

        // The storm swells in the tenth second, peaks in the middle of the eleventh, and is over in a quarter of the twelfth.
        private double Within(int second) => second switch
        {
            9 => Math.Pow(_random.Next(), 0.35),
            10 => (_random.Next() + _random.Next()) / 2,
            11 => 0.24 * Math.Pow(_random.Next(), 1.5),
            _ => _random.Next(),
        };
    }
}
