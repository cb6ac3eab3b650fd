namespace FuncScaler.Policies;

/// <summary>
/// During which parts of an idle gap to have an instance ready, counted from the gap's beginning: the first part holds the instance that
/// was just used, each later one is begun by creating it again ahead of time.
/// </summary>
internal struct AdaptivePlan
{
    /// <summary>The most parts a plan has.</summary>
    public const int MaxParts = 4;

    private float _holdUs;
    private Part[]? _later;

    /// <summary>The number of parts after the first.</summary>
    public readonly int Prewarms => _later?.Length ?? 0;

    /// <summary>How long to hold the instance at first, µs.</summary>
    public readonly long HoldUs => (long)_holdUs;

    /// <summary>When the last part ends, µs.</summary>
    public readonly long EndUs => _later is null ? HoldUs : _later[^1].UntilUs;

    /// <summary>How much cheaper a gap is with an instance at its beginning than without one, GBs.</summary>
    public float WorthGbs { get; set; }

    public static AdaptivePlan HoldFor(double us)
    {
        var plan = default(AdaptivePlan);
        plan._holdUs = (long)us;
        return plan;
    }

    /// <summary>Adds a part; false when there is no room for it.</summary>
    public bool Add(long fromUs, long untilUs)
    {
        if (Prewarms == MaxParts - 1)
        {
            return false;
        }

        // Copies of the plan keep what they have; most plans have none.
        _later = [.. _later ?? [], new Part(fromUs, untilUs)];
        return true;
    }

    /// <summary>A part after the first, in order of time, from 1.</summary>
    public readonly (long FromUs, long UntilUs) Prewarm(int index) => (_later![index - 1].FromUs, _later[index - 1].UntilUs);

    /// <summary>Until which age of the gap an instance that is ready at one is kept, µs; the age itself for not at all.</summary>
    public readonly long KeepUntilUs(long ageUs, long leadUs)
    {
        if (ageUs < HoldUs)
        {
            return HoldUs;
        }

        foreach (var part in _later ?? [])
        {
            if (ageUs >= part.FromUs - leadUs && ageUs < part.UntilUs)
            {
                return part.UntilUs;
            }
        }

        return ageUs;
    }

    /// <summary>What a gap of this length costs under the plan.</summary>
    /// <param name="gapUs">The gap, µs.</param>
    /// <param name="leadUs">How long a cold start takes, µs.</param>
    /// <param name="heldUs">For how long memory was held, creation ahead of time included, µs.</param>
    /// <param name="lateUs">How long the request that ends the gap waits for an instance under way, µs.</param>
    /// <returns>Whether an instance was ready, or under way.</returns>
    public readonly bool Serves(long gapUs, long leadUs, out long heldUs, out long lateUs)
    {
        lateUs = 0;
        heldUs = Math.Min(gapUs, HoldUs);
        if (gapUs <= HoldUs)
        {
            return true;
        }

        foreach (var part in _later ?? [])
        {
            var fromUs = part.FromUs - leadUs;
            if (gapUs < fromUs)
            {
                return false;
            }

            if (gapUs <= part.UntilUs)
            {
                heldUs += gapUs - fromUs;
                lateUs = Math.Max(0, part.FromUs - gapUs);
                return true;
            }

            heldUs += part.UntilUs - fromUs;
        }

        return false;
    }

    /// <summary>In single precision, of which there are many: off by a ten-millionth of its time.</summary>
    private readonly struct Part(long fromUs, long untilUs)
    {
        private readonly float _fromUs = fromUs;
        private readonly float _untilUs = untilUs;

        public long FromUs => (long)_fromUs;

        public long UntilUs => (long)_untilUs;
    }
}
