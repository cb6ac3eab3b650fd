namespace FuncScaler.Policies.Adaptive.Explain;

/// <summary>A function's last eight decisions. About 0.3 KB; adding one allocates nothing.</summary>
internal sealed class DecisionLog
{
    private const int Remembered = 8;

    private readonly Decision[] _ring = new Decision[Remembered];
    private int _count;

    /// <summary>How many decisions are remembered.</summary>
    public int Count => Math.Min(_count, Remembered);

    /// <summary>The decision at an index; the oldest has index 0.</summary>
    public ref readonly Decision this[int index] => ref _ring[(_count - Count + index) & (Remembered - 1)];

    /// <summary>Enters a decision about requests or creations.</summary>
    public void Add(long nowUs, DecisionKind kind, int count, int candidate, double costGbs = double.NaN, double alternativeGbs = double.NaN) =>
        Add(new Decision
        {
            AtUs = nowUs,
            Count = (short)count,
            CostGbs = (float)costGbs,
            AlternativeGbs = (float)alternativeGbs,
            Candidate = (byte)candidate,
            Kind = kind,
        });

    /// <summary>Enters until when an idle instance is kept by its plan.</summary>
    public void Idle(long nowUs, int rank, long gapStartUs, long untilUs, int candidate) => Add(new Decision
    {
        AtUs = nowUs,
        GapStartUs = gapStartUs,
        UntilUs = untilUs,
        Rank = rank,
        Candidate = (byte)candidate,
        Kind = untilUs > nowUs ? DecisionKind.Keep : DecisionKind.Release,
    });

    /// <summary>Enters until when the first instance is kept for a foretold arrival.</summary>
    public void KeptForPeriod(long nowUs, long gapStartUs, long untilUs, double costGbs, double coldStartGbs, int candidate) => Add(new Decision
    {
        AtUs = nowUs,
        GapStartUs = gapStartUs,
        UntilUs = untilUs,
        CostGbs = (float)costGbs,
        AlternativeGbs = (float)coldStartGbs,
        Rank = 1,
        Candidate = (byte)candidate,
        Kind = DecisionKind.KeepForPeriod,
    });

    private void Add(in Decision decision)
    {
        // A decision that only repeats until when an instance is kept is not entered again.
        ref readonly var last = ref _ring[(_count - 1) & (Remembered - 1)];
        if (decision.Kind is DecisionKind.Keep or DecisionKind.KeepForPeriod && last.Kind == decision.Kind
            && last.Rank == decision.Rank && last.UntilUs == decision.UntilUs && last.GapStartUs == decision.GapStartUs)
        {
            return;
        }

        // The count is only used modulo the ring's length, so two rounds of it are enough.
        _ring[_count & (Remembered - 1)] = decision;
        _count = _count == (2 * Remembered) - 1 ? Remembered : _count + 1;
    }
}
