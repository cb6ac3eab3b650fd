namespace FuncScaler.Policies.Adaptive.Explain;

/// <summary>What was decided.</summary>
internal enum AdaptiveDecisionKind : byte
{
    Keep,
    KeepForPeriod,
    Release,
    Create,
    Wait,
    PrewarmByPlan,
    PrewarmByPeriod,
    PrewarmByLeader,
}

/// <summary>A decision as it is remembered.</summary>
internal struct AdaptiveDecision
{
    public long AtUs;

    /// <summary>When the rank's gap began, µs.</summary>
    public long GapStartUs;

    /// <summary>Until when an instance is kept, µs.</summary>
    public long UntilUs;

    /// <summary>What it was expected to cost, GBs; NaN for not known.</summary>
    public float CostGbs;

    /// <summary>What doing otherwise was expected to cost, GBs; NaN for not known.</summary>
    public float AlternativeGbs;

    public int Rank;
    public short Count;
    public byte Candidate;
    public AdaptiveDecisionKind Kind;
}

/// <summary>A function's last decisions. About 0.3 KB; adding one allocates nothing.</summary>
internal sealed class AdaptiveDecisions
{
    private const int Remembered = 8;

    private readonly AdaptiveDecision[] _ring = new AdaptiveDecision[Remembered];
    private int _count;

    /// <summary>How many are remembered.</summary>
    public int Count => Math.Min(_count, Remembered);

    /// <summary>One of them, the oldest first.</summary>
    public ref readonly AdaptiveDecision this[int index] => ref _ring[(_count - Count + index) & (Remembered - 1)];

    /// <summary>Adds a decision; one that only says again until when the same instance is kept does not count.</summary>
    public void Add(in AdaptiveDecision decision)
    {
        ref readonly var last = ref _ring[(_count - 1) & (Remembered - 1)];
        if (decision.Kind is AdaptiveDecisionKind.Keep or AdaptiveDecisionKind.KeepForPeriod && last.Kind == decision.Kind
            && last.Rank == decision.Rank && last.UntilUs == decision.UntilUs && last.GapStartUs == decision.GapStartUs)
        {
            return;
        }

        // Only ever used modulo the ring's length; two rounds of it are as good as the whole count.
        _ring[_count & (Remembered - 1)] = decision;
        _count = _count == (2 * Remembered) - 1 ? Remembered : _count + 1;
    }
}
