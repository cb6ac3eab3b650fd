namespace FuncScaler.ContestSimulator.Traces.Presets;

/// <summary>
/// A function-compute platform's hour (after dataSet_3): hundreds of functions, a few of them very popular and most hardly ever called;
/// timers, steady and bursty callers; one function whose executions of minutes hold half of the GB·s; one peak of load on the popular functions.
/// A longer trace repeats the data set's span with other bursts over the same functions.
/// </summary>
internal sealed class FaasPreset : PresetModel
{
    public const double NominalSeconds = 4088;

    private const double SpanMs = NominalSeconds * 1000;
    private const double Requests = 436_546;
    private const double ExecutionSeconds = 429_440;
    private const double GbSeconds = 197_576;
    private const int ActiveFunctions = 535;
    private const int TimeoutSeconds = 3600;

    private const int HeavyRequests = 973;
    private const double HeavyMeanMs = 213_000;
    private const int HeavyMemoryMb = 512;

    /// <summary>The popular functions: scaled to the published totals, and called at a rate; others are called a number of times.</summary>
    private const int PopularRanks = 80;

    private static readonly LogCurve RequestsByRank = new(
        (1, 108_000), (2, 68_000), (3, 48_000), (4, 38_000), (5, 30_000), (6, 24_000), (8, 15_000), (10, 7800), (13, 5000), (15, 2900), (20, 1600),
        (25, 1150), (31, 560), (40, 300), (50, 175), (60, 130), (80, 64), (100, 42), (135, 22), (180, 11), (270, 5), (400, 1.6), (440, 1));

    private static readonly Quantiles PopularMeanMs = new((0, 3), (0.1, 17), (0.25, 55), (0.5, 165), (0.75, 520), (0.9, 1500), (1, 8000));

    private static readonly Quantiles MeanMs = new(
        (0, 0.5), (0.05, 3), (0.1, 11), (0.25, 87), (0.5, 411), (0.75, 1820), (0.9, 12_900), (0.95, 36_000), (1, 250_000));

    private static readonly RuntimeClass[] Runtimes =
    [
        new("custom", 258, new((0, 9), (0.03, 300), (0.1, 400), (0.25, 1100), (0.5, 1515), (0.75, 4160), (0.9, 7860), (0.995, 15_000), (0.996, 120_000), (1, 120_000)),
            [(128, 29), (256, 9), (512, 112), (1024, 93), (1536, 4), (2048, 4), (3072, 1), (4096, 6)]),
        new("nodejs", 122, new((0, 119), (0.1, 144), (0.25, 158), (0.5, 173), (0.75, 215), (0.9, 685), (0.98, 2500), (1, 15_000)),
            [(128, 47), (192, 1), (256, 14), (384, 4), (512, 33), (768, 2), (1024, 12), (2048, 6), (3072, 3)]),
        new("python", 121, new((0, 99), (0.1, 118), (0.25, 132), (0.5, 138), (0.75, 151), (0.9, 256), (0.98, 1500), (1, 18_000)),
            [(128, 73), (256, 2), (512, 38), (1024, 3), (2048, 1), (3072, 3), (8192, 1)]),
        new("php", 69, new((0, 110), (0.1, 124), (0.25, 184), (0.5, 191), (0.75, 204), (0.9, 225), (1, 480)),
            [(128, 57), (256, 5), (512, 6), (1024, 1)]),
        new("java", 29, new((0, 277), (0.25, 319), (0.5, 344), (0.75, 397), (0.9, 974), (1, 6300)), [(128, 9), (512, 17), (1024, 2), (4096, 1)]),
        new("go", 7, new((0, 84), (0.5, 115), (1, 427)), [(128, 3), (512, 3), (4096, 1)]),
        new("container", 7, new((0, 230), (0.5, 305), (1, 460)), [(128, 2), (256, 2), (512, 2), (1536, 1)]),
    ];

    private readonly long _seed;
    private readonly TraceFunction[] _functions;

    // By rank; the heavy function is rank 0.
    private readonly DurationModel[] _durations;
    private readonly double[] _counts;
    private readonly int[] _listedAt;

    public FaasPreset(long seed, PresetEdition edition)
    {
        _seed = seed;
        var random = new TraceRandom(seed, "faas/functions");
        DrawnFunction[] drawn;
        do
        {
            drawn = DrawFunctions(random);
        }
        while (!FunctionSet.TryCalibrate(drawn, drawn[1..(PopularRanks + 1)], ExecutionSeconds, GbSeconds));

        var editions = new TraceRandom(seed, "faas/edition");
        var byRank = FunctionSet.ToTraceFunctions(drawn, TimeoutSeconds, edition, editions);
        _counts = [.. drawn.Select(f => f.Count)];
        _durations =
        [
            .. drawn.Select(f => new DurationModel(f.MeanMs, f.Sigma))
                .Select(d => edition == PresetEdition.Long ? LongEdition.Slow(d, editions) : d),
        ];

        // The order of the functions tells nothing of their popularity.
        var order = Enumerable.Range(0, drawn.Length).ToArray();
        random.Shuffle<int>(order);
        _functions = [.. order.Select(i => byRank[i])];
        _listedAt = new int[order.Length];
        for (var i = 0; i < order.Length; i++)
        {
            _listedAt[order[i]] = i;
        }
    }

    public override IReadOnlyList<TraceFunction> Functions => _functions;

    public override IReadOnlyList<RequestSource> CreateSources()
    {
        var kinds = new TraceRandom(_seed, "faas/kinds");
        var sources = new List<RequestSource>();
        for (var i = 0; i < _counts.Length; i++)
        {
            // Drawn for all, so that no function's kind hangs on another's count.
            var kind = kinds.Next();
            var shape = kinds.Next();
            if (_counts[i] > 0)
            {
                sources.Add(CreateSource(i, kind, shape));
            }
        }

        sources.Add(new PeakSource(_listedAt, _durations, new TraceRandom(_seed, "faas/surge")));
        return sources;
    }

    private static DrawnFunction[] DrawFunctions(TraceRandom random)
    {
        var drawn = FunctionSet.Draw(Runtimes, random);
        DrawCounts(drawn, random);
        var popular = FunctionSet.Strata(PopularRanks, random);
        var others = FunctionSet.Strata(drawn.Length - PopularRanks - 1, random);
        for (var i = 1; i < drawn.Length; i++)
        {
            drawn[i].MeanMs = i <= PopularRanks ? PopularMeanMs.At(popular[i - 1]) : MeanMs.At(others[i - PopularRanks - 1]);
            drawn[i].Sigma = random.Next(0.15, 1.1);
        }

        // The heavy function stands first; then the others by rank.
        drawn[0].MemoryMb = HeavyMemoryMb;
        drawn[0].Count = HeavyRequests;
        drawn[0].MeanMs = HeavyMeanMs;
        drawn[0].Sigma = 0.1;
        return drawn;
    }

    private static void DrawCounts(DrawnFunction[] drawn, TraceRandom random)
    {
        double popular = 0, rest = 0;
        for (var i = 1; i < ActiveFunctions; i++)
        {
            var count = random.NextLogNormal(RequestsByRank.At(i), i <= PopularRanks ? 0.1 : 0.2);
            drawn[i].Count = i <= PopularRanks ? count : Math.Max(1, Math.Round(count));
            popular += i <= PopularRanks ? count : 0;
            rest += i <= PopularRanks ? 0 : drawn[i].Count;
        }

        var scale = (Requests - HeavyRequests - rest) / popular;
        for (var i = 1; i <= PopularRanks; i++)
        {
            drawn[i].Count *= scale;
        }
    }

    private RequestSource CreateSource(int rank, double kind, double shape)
    {
        var function = _listedAt[rank];
        var duration = _durations[rank];
        var random = new TraceRandom(_seed, "faas/requests", rank);
        var count = _counts[rank] - PeakSource.ExpectedFor(rank);
        if (rank > PopularRanks)
        {
            return kind < 0.2 && count >= 6
                ? new TimerSource(function, duration, random, TimerPeriodMs(count), jitterMs: 250)
                : new CountedSource(function, duration, random, (int)count, clumped: kind > 0.55);
        }

        // Three in ten are steady, a quarter is bursty, the rest changes from minute to minute; a third has no calls for a part of the span.
        var bursty = rank == 1 || kind > 0.75;
        var steady = !bursty && kind < 0.3;
        return new ModulatedSource(
            function,
            duration,
            random,
            count,
            regularity: steady ? 3 : 1,
            levelSigma: rank == 1 ? 0.8 : bursty ? 1 : steady ? 0.05 : 0.45,
            batch: bursty && rank > 10 ? 2.5 : 1,
            idleShare: rank != 1 && shape > 0.65 ? shape - 0.4 : 0);
    }

    private static double TimerPeriodMs(double count) => Math.Max(1, Math.Round(SpanMs / count / 60_000)) * 60_000;

    /// <summary>
    /// Calls at a rate that changes level 64 times in a span, by log-normal factors, and may be zero at one end of it. The factors are
    /// normalised, so that the expected number of calls in every span is the wanted one.
    /// </summary>
    private sealed class ModulatedSource : RequestSource
    {
        private const int Levels = 64;
        private const double LevelMs = SpanMs / Levels;

        private readonly DurationModel _duration;
        private readonly TraceRandom _random;
        private readonly double _meanPerMs;
        private readonly int _regularity;
        private readonly double _levelSigma;
        private readonly double _batch;
        private readonly double _idleShare;
        private readonly double[] _factors = new double[Levels];
        private long _level = -1;
        private double _nowMs;

        /// <param name="function">The function.</param>
        /// <param name="duration">Its executions.</param>
        /// <param name="random">Its own random numbers.</param>
        /// <param name="count">Calls per span.</param>
        /// <param name="regularity">1: arrivals know nothing of each other; more: they keep distance.</param>
        /// <param name="levelSigma">The spread of the levels' logarithm.</param>
        /// <param name="batch">The mean number of calls that come close together, 1 or more.</param>
        /// <param name="idleShare">The share of the span without calls.</param>
        public ModulatedSource(
            int function,
            DurationModel duration,
            TraceRandom random,
            double count,
            int regularity,
            double levelSigma,
            double batch,
            double idleShare)
        {
            Function = function;
            _duration = duration;
            _random = random;
            _meanPerMs = count / batch / SpanMs;
            _regularity = regularity;
            _levelSigma = levelSigma;
            _batch = batch;
            _idleShare = idleShare;
            NextLevel();
        }

        public override void Advance()
        {
            if (_batch > 1 && _random.Next() * _batch > 1)
            {
                _nowMs += _random.NextLogNormal(40, 1);
            }
            else
            {
                // The next arrival is so many mean gaps away; how much time that is, hangs on the levels on the way.
                var left = _regularity == 1 ? _random.NextExponential() : _random.NextGamma(_regularity);
                while (true)
                {
                    var perMs = _meanPerMs * _factors[_level % Levels];
                    var untilChange = Math.Max(0, ((_level + 1) * LevelMs) - _nowMs) * perMs;
                    if (left < untilChange)
                    {
                        _nowMs += left / perMs;
                        break;
                    }

                    left -= untilChange;
                    _nowMs = Math.Max(_nowMs, (_level + 1) * LevelMs);
                    NextLevel();
                }
            }

            StartMs = (long)_nowMs;
            DurationMs = _duration.Sample(_random);
        }

        private void NextLevel()
        {
            if (++_level % Levels != 0)
            {
                return;
            }

            var idleLevels = (int)(_idleShare * Levels);
            var firstIdle = _random.Next() < 0.5 ? 0 : Levels - idleLevels;
            for (var i = 0; i < Levels; i++)
            {
                var factor = Math.Exp(_levelSigma * _random.NextNormal());
                _factors[i] = i >= firstIdle && i < firstIdle + idleLevels ? 0 : factor;
            }

            var scale = Levels / _factors.Sum();
            for (var i = 0; i < Levels; i++)
            {
                _factors[i] *= scale;
            }
        }
    }

    /// <summary>A fixed number of calls in every span: at any times, or one soon after another.</summary>
    private sealed class CountedSource : RequestSource
    {
        private readonly DurationModel _duration;
        private readonly TraceRandom _random;
        private readonly bool _clumped;
        private readonly double[] _timesMs;
        private int _at;
        private long _span = -1;

        public CountedSource(int function, DurationModel duration, TraceRandom random, int count, bool clumped)
        {
            Function = function;
            _duration = duration;
            _random = random;
            _clumped = clumped;
            _timesMs = new double[count];
            _at = count;
        }

        public override void Advance()
        {
            if (_at == _timesMs.Length)
            {
                _span++;
                _at = 0;
                Draw();
            }

            StartMs = (long)_timesMs[_at++];
            DurationMs = _duration.Sample(_random);
        }

        private void Draw()
        {
            var begin = _span * SpanMs;
            var now = 0.0;
            for (var i = 0; i < _timesMs.Length; i++)
            {
                // A clump is two or three calls, seconds apart.
                now = _clumped && i % 3 != 0
                    ? Math.Min(now + _random.NextLogNormal(1500, 1.5), SpanMs - 1)
                    : _random.Next(0, SpanMs - 1);
                _timesMs[i] = begin + now;
            }

            Array.Sort(_timesMs);
        }
    }

    /// <summary>Once in every span, for five seconds, several times the usual load; mostly on the most popular function.</summary>
    private sealed class PeakSource(int[] listedAt, DurationModel[] durations, TraceRandom random) : RequestSource
    {
        private const double FirstShare = 0.6;
        private const int OtherRanks = 12;

        private static readonly (double Seconds, double PerSecond)[] Shape = [(1, 300), (2, 690), (2, 200)];

        private double _nowMs;
        private double _beginMs;
        private int _step = Shape.Length;
        private long _span = -1;

        /// <summary>How many of a function's requests in a span are the peak's.</summary>
        public static double ExpectedFor(int rank)
        {
            var all = Shape.Sum(s => s.Seconds * s.PerSecond);
            return rank == 1 ? all * FirstShare : rank is > 1 and <= 1 + OtherRanks ? all * (1 - FirstShare) / OtherRanks : 0;
        }

        public override void Advance()
        {
            while (true)
            {
                if (_step == Shape.Length)
                {
                    _span++;
                    _step = 0;
                    _beginMs = (_span + random.Next(0.05, 0.95)) * SpanMs;
                    _nowMs = _beginMs;
                }

                _nowMs += 1000 / Shape[_step].PerSecond * random.NextExponential();
                var stepEndMs = _beginMs + (Shape[_step].Seconds * 1000);
                if (_nowMs < stepEndMs)
                {
                    break;
                }

                _beginMs = stepEndMs;
                _nowMs = stepEndMs;
                _step++;
            }

            var rank = random.Next() < FirstShare ? 1 : 2 + random.NextIndex(OtherRanks);
            Function = listedAt[rank];
            StartMs = (long)_nowMs;
            DurationMs = durations[rank].Sample(random);
        }
    }
}
