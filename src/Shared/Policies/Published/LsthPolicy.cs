using FuncScaler.Statistics;

namespace FuncScaler.Policies.Published;

/// <summary>
/// As the histogram of <see cref="HybridHistogramPolicy"/>, but of two histograms, one of recent and one of long memory, whose heads and
/// tails are blended. Source: Yang et al., "INFless: A Native Serverless System for Low-Latency, High-Throughput Inference" (ASPLOS 2022):
/// the long-short term histogram policy.
/// </summary>
/// <remarks>
/// As published: a short window of one hour, a long one of a day, weight 0.5. What is left open, and what is taken here: bins, range,
/// percentiles, margins and the meaning with several instances are those of the hybrid histogram it builds on. An idle time belongs to
/// a window for as long as its end does, to the minute. One beyond the range counts in the last bin. Where the short window is empty the
/// long one speaks alone; where both are, what is idle stays for the whole range. There is no test of representativeness and no forecast.
/// </remarks>
public sealed class LsthPolicy(LsthPolicyOptions options) : IdleWindowPolicy
{
    private const double Head = 0.05;
    private const double Tail = 0.99;
    private const double Margin = 0.1;

    private readonly Window _short = new(options.Range.ToUs(), options.ShortWindow.ToUs());
    private readonly Window _long = new(options.Range.ToUs(), options.LongWindow.ToUs());

    protected override void Observe(long idleUs, long nowUs)
    {
        var withinRangeUs = Math.Min(idleUs, options.Range.ToUs() - 1);
        _short.Add(withinRangeUs, nowUs);
        _long.Add(withinRangeUs, nowUs);
    }

    protected override IdleWindows Suggest(long nowUs)
    {
        var recent = _short.At(nowUs);
        var all = _long.At(nowUs);
        if (all.InRange == 0)
        {
            return new(0, options.Range.ToUs());
        }

        var weight = recent.InRange == 0 ? 0 : options.ShortWeight;
        var headUs = (weight * recent.LowerBoundUs(Head)) + ((1 - weight) * all.LowerBoundUs(Head));
        var tailUs = (weight * recent.UpperBoundUs(Tail)) + ((1 - weight) * all.UpperBoundUs(Tail));
        return new((long)(headUs * (1 - Margin)), (long)(tailUs * (1 + Margin)));
    }

    /// <summary>The idle times that ended within a sliding window, which moves by the minute.</summary>
    private sealed class Window(long rangeUs, long lengthUs)
    {
        private const long StepUs = 60_000_000;

        private readonly IdleTimeHistogram _histogram = new(rangeUs);

        // Oldest first. In a minute at most one idle time is a minute long, and all shorter ones share an entry: few entries a minute.
        private readonly Queue<Entry> _entries = new();
        private Entry _shortOnes;

        public void Add(long idleUs, long nowUs)
        {
            var step = nowUs / StepUs;
            var bin = _histogram.BinOf(idleUs);
            _histogram.Change(bin, 1);
            if (_shortOnes.Step != step)
            {
                if (_shortOnes.Count > 0)
                {
                    _entries.Enqueue(_shortOnes);
                }

                _shortOnes = new Entry(step, 0, 0);
            }

            if (bin > 0)
            {
                _entries.Enqueue(new Entry(step, bin, 1));
            }
            else
            {
                _shortOnes = _shortOnes with { Count = _shortOnes.Count + 1 };
            }
        }

        public IdleTimeHistogram At(long nowUs)
        {
            var oldest = (nowUs - lengthUs) / StepUs;
            while (_entries.TryPeek(out var entry) && entry.Step < oldest)
            {
                _histogram.Change(entry.Bin, -entry.Count);
                _entries.Dequeue();
            }

            if (_shortOnes.Step < oldest && _shortOnes.Count > 0)
            {
                _histogram.Change(_shortOnes.Bin, -_shortOnes.Count);
                _shortOnes = default;
            }

            return _histogram;
        }

        private readonly record struct Entry(long Step, int Bin, int Count);
    }
}

/// <summary>Options of <see cref="LsthPolicy"/>.</summary>
public sealed record LsthPolicyOptions
{
    /// <summary>The length of the short window, from 0.02 h to a week.</summary>
    /// <value>The default is 1 h, as in the paper.</value>
    public TimeSpan ShortWindow { get; init; } = TimeSpan.FromHours(1);

    /// <summary>The length of the long window, from 0.02 h to 30 days.</summary>
    /// <value>The default is 24 h, as in the paper.</value>
    public TimeSpan LongWindow { get; init; } = TimeSpan.FromHours(24);

    /// <summary>The weight of the short window, 0 to 1; the long one has the rest.</summary>
    /// <value>The default is 0.5, as in the paper.</value>
    public double ShortWeight { get; init; } = 0.5;

    /// <summary>The histograms' range, 1 to 24 h.</summary>
    /// <value>The default is 4 h.</value>
    public TimeSpan Range { get; init; } = TimeSpan.FromHours(4);

    internal LsthPolicyOptions Read(PolicyOptionReader reader) => this with
    {
        ShortWindow = reader.Hours("short", ShortWindow, 0.02, 168),
        LongWindow = reader.Hours("long", LongWindow, 0.02, 720),
        ShortWeight = reader.Number("weight", ShortWeight, 0, 1),
        Range = reader.Hours("hours", Range, 1, 24),
    };
}
