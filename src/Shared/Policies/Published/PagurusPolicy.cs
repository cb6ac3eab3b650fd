namespace FuncScaler.Policies.Published;

/// <summary>
/// Lends idle instances to other functions: an instance that its function can do without becomes what any function of the same runtime and memory
/// starts from. Source: Li et al., "Help Rather Than Recycle: Alleviating Cold Startup in Serverless Computing Through Inter-Function Container
/// Sharing" (USENIX ATC 2022; lzjzx1122/Pagurus).
/// </summary>
/// <remarks>
/// As published: arrivals and executions make an M/M/n queue of n instances. An idle instance is lent where n - 1 still let a request wait no
/// longer than 1 s with a probability of more than 0.95, or where the function was not called for 5 s. The mean time between arrivals follows
/// each 5 s of arrivals with a rate of 0.35. Instances end after 15 minutes, lent ones too.
/// What is left open or cannot be had here, and what is taken: a lent instance serves functions of its runtime and memory, in the place of an
/// image with several functions' packages. Who borrows it pays the init and no create; so does the lender, which originally takes it back as it
/// is. Executions count with the function's mean. That the function must have met its aim so far is left out, because a policy does not see waits.
/// Only virtual time has a platform that initialises an instance again; elsewhere the instance is gone once it is lent.
/// </remarks>
public sealed class PagurusPolicy(PagurusPolicyOptions options) : IKeepAlivePolicy
{
    /// <summary>How often the rate of arrivals is brought up to date, and idle instances are looked at again, µs.</summary>
    private const long CycleUs = 5_000_000;

    /// <summary>How much of a rate is kept when it is brought up to date.</summary>
    private const double Kept = 0.65;

    /// <summary>Of more instances than these the formula is not worked out: they are held for as long as others.</summary>
    private const int MostInstances = 1024;

    private readonly long _unusedUs = options.Unused.ToUs();
    private readonly long _keepAliveUs = options.KeepAlive.ToUs();
    private double _gapUs = -1;
    private long _lastUs = -1;
    private long _cycleUs;
    private long _gapsUs;
    private int _gaps;

    public void RequestArrived(in PoolView pool)
    {
        if (_lastUs >= 0)
        {
            _gapsUs += pool.NowUs - _lastUs;
            _gaps++;
        }

        _lastUs = pool.NowUs;
        if (_gaps > 0 && pool.NowUs - _cycleUs >= CycleUs)
        {
            var meanUs = (double)_gapsUs / _gaps;
            _gapUs = _gapUs < 0 ? meanUs : (Kept * _gapUs) + ((1 - Kept) * meanUs);
            (_cycleUs, _gapsUs, _gaps) = (pool.NowUs, 0, 0);
        }
    }

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot)
    {
        var unusedUs = _lastUs + _unusedUs;
        var endUs = slot.SinceUs + _keepAliveUs;
        var spared = pool.NowUs >= unusedUs || pool.NowUs >= endUs || CanSpare(pool.Busy + pool.Idle, pool.Statistics.Duration.MeanUs);
        return spared ? KeepDecision.LetGoNow : KeepDecision.HoldUntil(Math.Min(Math.Min(unusedUs, endUs), pool.NowUs + CycleUs));
    }

    /// <summary>The policy with its platform.</summary>
    public static PolicyChoice Choose(PagurusPolicyOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new PolicyChoice("", _ => new PagurusPolicy(options))
        {
            SharesState = true,
            Layers = () => new Lent(options.KeepAlive.ToUs()),
        };
    }

    /// <summary>The probability that a request waits no longer than a time, with n instances: Erlang's formula for a queue M/M/n.</summary>
    /// <param name="load">Arrivals in the time of a mean execution.</param>
    /// <param name="instances">How many there are.</param>
    /// <param name="executions">The time, in mean executions.</param>
    internal static double ServedWithin(double load, int instances, double executions)
    {
        if (instances == 0 || load >= instances)
        {
            return 0;
        }

        double lost = 1;
        for (var n = 1; n <= instances; n++)
        {
            lost = load * lost / (n + (load * lost));
        }

        var waits = lost / (1 - (load / instances * (1 - lost)));
        return 1 - (waits * Math.Exp(-(instances - load) * executions));
    }

    private bool CanSpare(int instances, double executionUs) =>
        instances is > 1 and <= MostInstances && _gapUs > 0 && executionUs > 0
        && ServedWithin(executionUs / _gapUs, instances - 1, options.Wait.TotalMicroseconds / executionUs) > options.Aim;

    /// <summary>A lent instance is kept whole, and takes all of its next function's init.</summary>
    private sealed class Lent(long keepUs) : ILayerRules
    {
        public double LanguageInitShare => 1;

        public double LanguageMemoryShare => 1;

        public double BareMemoryShare => 1;

        public void Arrived(long nowUs, FunctionMeta function)
        {
        }

        public (long LanguageUs, long BareUs) KeepLayers(long nowUs, FunctionMeta function, long createUs, long initUs) => (keepUs, 0);
    }
}

/// <summary>Options of <see cref="PagurusPolicy"/>.</summary>
public sealed record PagurusPolicyOptions
{
    /// <summary>How long a request may wait, 0 to a year.</summary>
    /// <value>The default is 1 s.</value>
    public TimeSpan Wait { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The share of requests that are to wait no longer, 0 to 1.</summary>
    /// <value>The default is 0.95.</value>
    public double Aim { get; init; } = 0.95;

    /// <summary>After how long without a request a function lends all of its instances, 0 to a year.</summary>
    /// <value>The default is 5 s.</value>
    public TimeSpan Unused { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long an instance is kept idle, and how long a lent one, 0 to a year.</summary>
    /// <value>The default is 15 minutes.</value>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromMinutes(15);

    internal PagurusPolicyOptions Read(PolicyOptionReader reader) => this with
    {
        Wait = reader.Time("wait", Wait),
        Aim = reader.Number("aim", Aim, 0, 1),
        Unused = reader.Time("unused", Unused),
        KeepAlive = reader.Time("keep", KeepAlive, main: true),
    };
}
