namespace FuncScaler.Policies.Adaptive.Explain;

/// <summary>A decision as it is remembered.</summary>
internal struct Decision
{
    public long AtUs;

    /// <summary>When the rank's gap began, µs.</summary>
    public long GapStartUs;

    /// <summary>Until when an instance is kept, µs.</summary>
    public long UntilUs;

    /// <summary>What the decision was expected to cost, GB·s; NaN for not known.</summary>
    public float CostGbs;

    /// <summary>What the alternative was expected to cost, GB·s; NaN for not known.</summary>
    public float AlternativeGbs;

    public int Rank;
    public short Count;
    public byte Candidate;
    public DecisionKind Kind;
}

/// <summary>What was decided.</summary>
internal enum DecisionKind : byte
{
    Keep,
    KeepForPeriod,
    Release,
    Create,
    Wait,
    PrewarmByPlan,
    PrewarmByPeriod,
}
