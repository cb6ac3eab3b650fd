using FuncScaler.Statistics;

namespace FuncScaler.Policies.Adaptive.Planning;

/// <summary>
/// The parts of an idle gap in which an instance is to be ready, counted from the beginning of the gap. In the first part the instance that
/// was just used is held. For each later part an instance is created ahead of time.
/// </summary>
internal struct KeepAlivePlan
{
    /// <summary>The most parts a plan has.</summary>
    public const int MaxParts = 4;

    // There are many plans, so the ends of a part are kept as numbers of bins, one byte for each.
    private float _holdUs;
    private byte _prewarms;
    private Ends _from;
    private Ends _until;

    /// <summary>The number of parts after the first.</summary>
    public readonly int Prewarms => _prewarms;

    /// <summary>How long to hold the instance at first, µs.</summary>
    public readonly long HoldUs => (long)_holdUs;

    /// <summary>When the last part ends, µs.</summary>
    public readonly long EndUs => _prewarms == 0 ? HoldUs : (long)LogHistogram.EndUs(_until[_prewarms - 1]);

    /// <summary>How much cheaper a gap is with an instance at its beginning than without one, GB·s.</summary>
    public float WorthGbs { get; set; }

    public static KeepAlivePlan HoldFor(double us)
    {
        var plan = default(KeepAlivePlan);
        plan._holdUs = (long)us;
        return plan;
    }

    /// <summary>Adds a part; false when there is no room for it.</summary>
    /// <param name="fromBin">The bin of <see cref="LogHistogram"/> it begins with.</param>
    /// <param name="untilBin">The bin it ends with.</param>
    public bool Add(int fromBin, int untilBin)
    {
        if (Prewarms == MaxParts - 1)
        {
            return false;
        }

        _from[_prewarms] = (byte)fromBin;
        _until[_prewarms++] = (byte)untilBin;
        return true;
    }

    /// <summary>Makes the last part longer.</summary>
    /// <param name="untilBin">The bin it then ends with.</param>
    public void GoOnUntil(int untilBin)
    {
        if (_prewarms == 0)
        {
            _holdUs = (long)LogHistogram.EndUs(untilBin);
        }
        else
        {
            _until[_prewarms - 1] = (byte)untilBin;
        }
    }

    /// <summary>A part after the first, in order of time, from 1.</summary>
    public readonly (long FromUs, long UntilUs) Prewarm(int index) =>
        ((long)LogHistogram.LowerBoundUs(_from[index - 1]), (long)LogHistogram.EndUs(_until[index - 1]));

    /// <summary>
    /// Until which age of the gap an instance is kept that is there at a given age, µs. The given age means that it is not kept.
    /// </summary>
    public readonly long KeepUntilUs(long ageUs, long leadUs) => PartAt(ageUs, leadUs).UntilUs;

    /// <summary>
    /// Follows the plan from one age of a gap to another. A creation that was due before the first age is not made up for.
    /// </summary>
    /// <param name="live">Whether there is an instance, or one under way, at the first and then at the second age.</param>
    /// <param name="ageUs">The first age, µs.</param>
    /// <param name="untilUs">The second age, µs.</param>
    /// <param name="leadUs">How long a cold start takes, µs.</param>
    /// <param name="createUs">What each creation costs besides, in µs of holding an instance.</param>
    /// <param name="heldUs">For how long memory was held in between, creation ahead of time included, µs.</param>
    /// <returns>How long a request would then wait for an instance under way, µs.</returns>
    public readonly long Follow(ref bool live, long ageUs, long untilUs, long leadUs, long createUs, out long heldUs)
    {
        heldUs = 0;
        var wasLive = live;
        if (live)
        {
            var (readyUs, keepUs) = PartAt(ageUs, leadUs);
            heldUs = Math.Min(untilUs, keepUs) - ageUs;
            if (untilUs <= keepUs)
            {
                return Math.Max(0, readyUs - untilUs);
            }

            ageUs = keepUs;
            live = false;
        }

        for (var i = 1; i <= Prewarms; i++)
        {
            var (readyUs, partEndUs) = Prewarm(i);
            var beginUs = Math.Max(readyUs - leadUs, wasLive ? ageUs : 0);
            if (beginUs < ageUs || ageUs >= partEndUs)
            {
                continue;
            }

            if (untilUs < beginUs)
            {
                break;
            }

            heldUs += Math.Min(untilUs, partEndUs) - beginUs + createUs;
            if (untilUs <= partEndUs)
            {
                live = true;
                return Math.Max(0, readyUs - untilUs);
            }
        }

        return 0;
    }

    /// <summary>
    /// The part of the plan that an age of the gap belongs to: when an instance created for this part is ready, and until when it is kept,
    /// µs. If the age belongs to no part, the end is the age itself.
    /// </summary>
    private readonly (long ReadyUs, long UntilUs) PartAt(long ageUs, long leadUs)
    {
        if (ageUs < HoldUs)
        {
            return (0, HoldUs);
        }

        for (var i = 1; i <= Prewarms; i++)
        {
            var part = Prewarm(i);
            if (ageUs >= part.FromUs - leadUs && ageUs < part.UntilUs)
            {
                return part;
            }
        }

        return (0, ageUs);
    }

    [System.Runtime.CompilerServices.InlineArray(MaxParts - 1)]
    private struct Ends
    {
        private byte _first;
    }
}
