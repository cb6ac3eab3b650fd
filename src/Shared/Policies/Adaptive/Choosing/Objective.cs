using System.Globalization;
using FuncScaler.Learned;
using FuncScaler.Scoring;

namespace FuncScaler.Policies.Adaptive.Choosing;

/// <summary>
/// The price of waiting that meets an objective: the lowest one at which 95 of 100 requests have their instance in time, or the highest one at
/// which memory suffices. The price is the multiplier of that condition, found while the run goes on.
/// </summary>
/// <remarks>
/// For each price of <see cref="ContestPrice.Prices"/> it is known what all functions would have come to had they followed what was chosen at it:
/// the memory, and the share of late requests. Pretended and real figures differ, so the pretended ones are multiplied by how far the real
/// ones were from what was pretended of the prices in force. What has been seen counts half after <see cref="HalfLifeSeconds"/>.
/// <para>
/// Example: 95 % within 200 ms are wanted. Pretended, 9, 6 and 3 % are late at the prices 4, 8 and 16. Really 7.5 % were late where
/// 6 % were pretended, which is 1.25 times as many. So 11, 7.5 and 3.8 % are expected, and the price is 16.
/// </para>
/// </remarks>
internal sealed class Objective
{
    /// <summary>The share of requests that may be late.</summary>
    public const double MayBeLate = 0.05;

    /// <summary>After how long what has been seen counts half, s.</summary>
    public const double HalfLifeSeconds = 1800;

    /// <summary>The price before anything is known: the one nearest to <see cref="WaitingPrice.Published"/>.</summary>
    private const int First = 8;

    /// <summary>How often prices are compared, µs.</summary>
    private const long ReviewEveryUs = 10_000_000;

    /// <summary>Late requests that real and pretended ones begin with, so that a few of them do not change the price.</summary>
    private const double LateAtFirst = 5;

    /// <summary>Seconds of the memory wanted that real and pretended memory begin with.</summary>
    private const double SecondsAtFirst = 60;

    /// <summary>The most by which real figures are taken to differ from pretended ones, as a factor.</summary>
    private const double MostOff = 8;

    private readonly double[] _late = new double[ContestPrice.Count];
    private readonly double[] _slotGbSeconds = new double[ContestPrice.Count];
    private double _arrivals;
    private double _answered;
    private double _realLate;
    private double _followedLate;
    private double _seconds;
    private double _executionGbSeconds;
    private double _realGbSeconds;
    private double _followedGbSeconds;
    private Score? _last;
    private long? _reviewedUs;

    private Objective(double? withinSeconds, double? withinGb) => (WithinSeconds, WithinGb) = (withinSeconds, withinGb);

    /// <summary>The scheduling time that 95 of 100 requests are to keep to, s; null where memory is the objective.</summary>
    public double? WithinSeconds { get; }

    /// <summary>The memory that is to suffice on average, GB; null where time is the objective.</summary>
    public double? WithinGb { get; }

    /// <summary>The index of the price followed now.</summary>
    public int Followed { get; private set; } = First;

    /// <summary>The share of requests that were late lately, 0 to 1; null before the first.</summary>
    public double? LateShare => WithinSeconds is not null && _answered > 0 ? _realLate / _answered : null;

    /// <summary>The memory held on average lately, GB; null before the first review.</summary>
    public double? HeldGb => WithinGb is not null && _seconds > 0 ? _realGbSeconds / _seconds : null;

    /// <summary>The objective that was given; null for none.</summary>
    public static Objective? Of(AdaptivePolicyOptions options) => options.Within is not null || options.WithinGb is not null
        ? new Objective(options.Within?.TotalSeconds, options.WithinGb)
        : null;

    /// <summary>A time that 95 of 100 requests are to keep to.</summary>
    public static Objective Of(TimeSpan within) => new(within.TotalSeconds, withinGb: null);

    /// <summary>The same in words.</summary>
    public static string? Describe(AdaptivePolicyOptions options) => options switch
    {
        { Within: { } time } => string.Create(CultureInfo.InvariantCulture, $"95 of 100 requests have their instance within {time.TotalMilliseconds:0.###} ms, at the least memory"),
        { WithinGb: { } gb } => string.Create(CultureInfo.InvariantCulture, $"instances take at most {gb:0.###} GB on average, with the least waiting"),
        _ => null,
    };

    /// <summary>A request has its instance, or was given up, after so long a wait, µs.</summary>
    public void Answered(long waitedUs)
    {
        _answered++;
        _realLate += waitedUs / 1e6 > WithinSeconds ? 1 : 0;
    }

    /// <summary>Arrivals were applied to the pretended pools.</summary>
    /// <param name="arrivals">How many; 0 where only time has passed.</param>
    public void Arrived(int arrivals) => _arrivals += arrivals;

    /// <summary>Enters what these arrivals would have come to at a price.</summary>
    /// <param name="price">The price's index.</param>
    /// <param name="slotGbSeconds">What instances cost beyond execution, GB·s.</param>
    /// <param name="waitSeconds">What each of the arrivals waited, s.</param>
    /// <param name="arrivals">How many there are.</param>
    public void Enter(int price, double slotGbSeconds, double waitSeconds, int arrivals)
    {
        var late = waitSeconds > WithinSeconds ? arrivals : 0;
        _slotGbSeconds[price] += slotGbSeconds;
        _late[price] += late;
        if (price == Followed)
        {
            _followedGbSeconds += slotGbSeconds;
            _followedLate += late;
        }
    }

    /// <summary>Compares the prices now and then. To be called after each arrival.</summary>
    /// <param name="nowUs">The time, µs.</param>
    /// <param name="ledger">What the whole run has really cost.</param>
    public void Review(long nowUs, ScoreLedger ledger)
    {
        if (nowUs - _reviewedUs < ReviewEveryUs)
        {
            return;
        }

        var score = ledger.ScoreAt(nowUs);
        var last = _last ?? score;
        var seconds = (nowUs - _reviewedUs ?? 0) / 1e6;
        (_last, _reviewedUs) = (score, nowUs);
        var executedGbSeconds = score.ExecutionGbSeconds - last.ExecutionGbSeconds;
        _seconds += seconds;
        _executionGbSeconds += executedGbSeconds;
        _followedGbSeconds += executedGbSeconds;
        _realGbSeconds += score.SlotGbSeconds - last.SlotGbSeconds;
        Followed = WithinGb is { } gb ? HighestWithin(gb) : LowestInTime();
        Age(Math.Pow(2, -seconds / HalfLifeSeconds));
    }

    /// <summary>The share of requests expected to be late at a price, 0 to 1.</summary>
    public double ExpectedLate(int price) =>
        _arrivals > 0 ? _late[price] / _arrivals * Off(_realLate + LateAtFirst, _followedLate + LateAtFirst) : 1;

    /// <summary>The memory expected to be held at a price, GB.</summary>
    public double ExpectedGb(int price)
    {
        var usualGbSeconds = WithinGb.GetValueOrDefault() * SecondsAtFirst;
        return _seconds > 0
            ? (_executionGbSeconds + _slotGbSeconds[price]) / _seconds * Off(_realGbSeconds + usualGbSeconds, _followedGbSeconds + usualGbSeconds)
            : double.PositiveInfinity;
    }

    /// <summary>What is wanted, what has come of it, and what each price is expected to lead to.</summary>
    public ObjectiveExplanation Explain() => new(
        WithinSeconds * 1e3,
        LateShare,
        WithinGb,
        HeldGb,
        [.. Enumerable.Range(0, ContestPrice.Count).Select(p => WithinGb is null ? ExpectedLate(p) : ExpectedGb(p)).Select(x => double.IsFinite(x) ? x : (double?)null)]);

    /// <summary>Writes the books, and for which objective they are.</summary>
    public void Write(LearnedWriter writer)
    {
        writer.Number(WithinSeconds ?? 0);
        writer.Number(WithinGb ?? 0);
        writer.Byte((byte)Followed);
        for (var price = 0; price < ContestPrice.Count; price++)
        {
            writer.Number(_late[price]);
            writer.Number(_slotGbSeconds[price]);
        }

        foreach (var sum in (ReadOnlySpan<double>)[_arrivals, _answered, _realLate, _followedLate, _seconds, _executionGbSeconds, _realGbSeconds, _followedGbSeconds])
        {
            writer.Number(sum);
        }
    }

    /// <summary>Writes when prices were compared last, from which what was seen ages.</summary>
    public void WriteReviewed(LearnedWriter writer) => writer.Time(_reviewedUs ?? writer.NowUs);

    /// <summary>Reads it.</summary>
    public void ReadReviewed(LearnedReader reader) => _reviewedUs = reader.Time();

    /// <summary>Reads books.</summary>
    public static Objective Read(LearnedReader reader)
    {
        var read = new Objective(reader.Number(least: 0), reader.Number(least: 0)) { Followed = Math.Min(ContestPrice.Count - 1, (int)reader.Byte()) };
        for (var price = 0; price < ContestPrice.Count; price++)
        {
            (read._late[price], read._slotGbSeconds[price]) = (reader.Number(least: 0), reader.Number());
        }

        (read._arrivals, read._answered, read._realLate, read._followedLate) = (reader.Number(least: 0), reader.Number(least: 0), reader.Number(least: 0), reader.Number(least: 0));
        (read._seconds, read._executionGbSeconds, read._realGbSeconds, read._followedGbSeconds) = (reader.Number(least: 0), reader.Number(least: 0), reader.Number(), reader.Number());
        return read;
    }

    /// <summary>Goes on with books that were read, unless they are of another objective.</summary>
    public void Take(Objective read)
    {
        if (read.WithinSeconds != (float)(WithinSeconds ?? 0) || read.WithinGb != (float)(WithinGb ?? 0))
        {
            return;
        }

        read._late.CopyTo(_late, 0);
        read._slotGbSeconds.CopyTo(_slotGbSeconds, 0);
        (_arrivals, _answered, _realLate, _followedLate) = (read._arrivals, read._answered, read._realLate, read._followedLate);
        (_seconds, _executionGbSeconds, _realGbSeconds, _followedGbSeconds) = (read._seconds, read._executionGbSeconds, read._realGbSeconds, read._followedGbSeconds);
        (Followed, _reviewedUs) = (read.Followed, read._reviewedUs);
    }

    private static double Off(double real, double pretended) => Math.Clamp(real / pretended, 1 / MostOff, MostOff);

    private int LowestInTime()
    {
        if (_arrivals <= 0)
        {
            return First;
        }

        var price = 0;
        while (price < ContestPrice.Count - 1 && ExpectedLate(price) > MayBeLate)
        {
            price++;
        }

        return price;
    }

    private int HighestWithin(double gb)
    {
        if (_seconds <= 0)
        {
            return First;
        }

        var price = ContestPrice.Count - 1;
        while (price > 0 && ExpectedGb(price) > gb)
        {
            price--;
        }

        return price;
    }

    private void Age(double factor)
    {
        foreach (ref var late in _late.AsSpan())
        {
            late *= factor;
        }

        foreach (ref var gbSeconds in _slotGbSeconds.AsSpan())
        {
            gbSeconds *= factor;
        }

        _arrivals *= factor;
        _answered *= factor;
        _realLate *= factor;
        _followedLate *= factor;
        _seconds *= factor;
        _executionGbSeconds *= factor;
        _realGbSeconds *= factor;
        _followedGbSeconds *= factor;
    }
}
