using FuncScaler.Learned;
using FuncScaler.Policies;

namespace FuncScaler.Pool;

/// <summary>
/// The requests of one function that are expected because requests of another have come: how many, from when on instances are to be there for
/// them, and when nobody expects them any more. Learns the delay from those that come; one that is given counts beside that.
/// </summary>
internal sealed class FollowingRequests(FunctionGroup group)
{
    /// <summary>The most requests of the parent that are remembered at a time; the oldest are forgotten first.</summary>
    public const int MostParents = 1024;

    /// <summary>Delays that must have been seen before they are believed.</summary>
    public const int FewestDelays = 8;

    private const int MostDelays = 64;

    /// <summary>How long the child's requests are waited for while nothing is known of the delay, µs.</summary>
    private const long FirstPatienceUs = 60_000_000;

    /// <summary>How much longer than the longest usual delay they are waited for, µs.</summary>
    private const long SlackUs = 1_000_000;

    /// <summary>
    /// How many times as long as a given delay the longest may be. Where some of the expected requests do not come, those of the next run are taken for
    /// them, and the time for which they are waited for would grow up to the longest that a group may have.
    /// </summary>
    private const int MostSpread = 3;

    private static readonly long LongestUs = FunctionGroup.LongestDelay.ToUs();

    /// <summary>Of those in the queues the oldest first; first those for which it is too early, then those for which instances are wanted.</summary>
    private readonly Queue<Expected> _coming = new();

    private readonly Queue<Expected> _open = new();
    private readonly Queue<long> _delaysUs = new();
    private long _lastBeginUs;
    private int _seenSinceLearned;
    private (long FirstUs, long LastUs)? _learned;

    public FunctionGroup Group { get; private set; } = group;

    /// <summary>Requests that instances are wanted for, as of the last call of <see cref="Advance"/>.</summary>
    public int Wanted { get; private set; }

    /// <summary>When <see cref="Wanted"/> changes next if no request comes, µs; <see cref="long.MaxValue"/> for never.</summary>
    public long NextChangeUs => Math.Min(
        _coming.TryPeek(out var next) ? next.BeginUs : long.MaxValue, _open.TryPeek(out var last) ? last.UntilUs : long.MaxValue);

    /// <summary>Whether any request is expected.</summary>
    public bool Any => _coming.Count + _open.Count > 0;

    /// <summary>When the first of those that instances are wanted for is given up, µs; <see cref="long.MaxValue"/> for never.</summary>
    public long NextEndUs => _open.TryPeek(out var last) ? last.UntilUs : long.MaxValue;

    /// <summary>The same functions with another fan-out or delay; what was learned stays.</summary>
    public void Change(FunctionGroup group) => Group = group;

    /// <summary>A request of the parent has come.</summary>
    /// <param name="nowUs">The time, µs.</param>
    /// <param name="startsInUs">How long an instance of the child takes to start, µs; <see cref="long.MaxValue"/> where that is not known.</param>
    public void ParentCame(long nowUs, long startsInUs)
    {
        Advance(nowUs);
        if (_coming.Count + _open.Count >= MostParents && (_open.TryDequeue(out var forgotten) || _coming.TryDequeue(out forgotten)))
        {
            Wanted -= forgotten.IsOpen ? forgotten.Left : 0;
        }

        var (firstUs, lastUs) = Delays();

        // In the order in which they came, whatever the delay was thought to be meanwhile.
        _lastBeginUs = Math.Max(_lastBeginUs, nowUs + (startsInUs == long.MaxValue ? 0 : Math.Max(0, firstUs - startsInUs)));
        _coming.Enqueue(new Expected(nowUs, _lastBeginUs, Math.Max(_lastBeginUs, nowUs + lastUs)) { Left = Group.FanOut });
        Advance(nowUs);
    }

    /// <summary>A request of the child has come: one that was expected, if any was.</summary>
    public void ChildCame(long nowUs)
    {
        Advance(nowUs);
        var queue = _open.Count > 0 ? _open : _coming;
        if (!queue.TryPeek(out var expected))
        {
            return;
        }

        Learn(nowUs - expected.CameUs);
        Wanted -= expected.IsOpen ? 1 : 0;
        if (--expected.Left == 0)
        {
            queue.Dequeue();
        }
    }

    /// <summary>Takes account of the time.</summary>
    public void Advance(long nowUs)
    {
        while (_coming.TryPeek(out var next) && next.BeginUs <= nowUs)
        {
            next.IsOpen = true;
            Wanted += next.Left;
            _open.Enqueue(_coming.Dequeue());
        }

        while (_open.TryPeek(out var late) && late.UntilUs <= nowUs)
        {
            Wanted -= late.Left;
            _open.Dequeue();
        }
    }

    public FollowingExplanation Explain()
    {
        var (firstUs, lastUs) = Delays();
        return new FollowingExplanation(
            Group.Parent.Value, Group.FanOut, Group.Delay?.TotalSeconds, _learned is { } l ? l.FirstUs / 1e6 : null, firstUs / 1e6, lastUs / 1e6, Wanted);
    }

    /// <summary>How long after the parent's request the child's come at the earliest, and until when they are waited for, µs.</summary>
    private (long FirstUs, long LastUs) Delays()
    {
        if (Group.Delay?.ToUs() is { } givenUs)
        {
            // It may be a typical delay: those that come earlier are to find an instance too.
            return (Math.Min(givenUs, _learned?.FirstUs ?? givenUs), Last(Math.Clamp(_learned?.LastUs ?? givenUs, givenUs, (MostSpread * givenUs) + SlackUs)));
        }

        return _learned is { } learned ? (learned.FirstUs, Last(learned.LastUs)) : (0, FirstPatienceUs);
    }

    private static long Last(long usualUs) => Math.Min(LongestUs, 2 * usualUs) + SlackUs;

    /// <summary>Whether any delay was seen.</summary>
    public bool HasLearned => _delaysUs.Count > 0;

    /// <summary>Writes the delays that were seen last, to the millisecond.</summary>
    public void WriteLearned(LearnedWriter writer)
    {
        var count = Math.Min(_delaysUs.Count, writer.Detail);
        writer.Whole(count);
        foreach (var delayUs in _delaysUs.Skip(_delaysUs.Count - count))
        {
            writer.Whole(delayUs / 1000);
        }
    }

    /// <summary>Reads delays, µs.</summary>
    public static IReadOnlyList<long> ReadLearned(LearnedReader reader)
    {
        var delaysUs = new long[reader.Count(MostDelays)];
        for (var i = 0; i < delaysUs.Length; i++)
        {
            delaysUs[i] = 1000L * reader.Count(int.MaxValue);
        }

        return delaysUs;
    }

    /// <summary>Begins with delays that were seen before, unless some have been seen since.</summary>
    public void TakeIn(IReadOnlyList<long> delaysUs)
    {
        if (HasLearned || delaysUs.Count == 0)
        {
            return;
        }

        foreach (var delayUs in delaysUs)
        {
            _delaysUs.Enqueue(delayUs);
        }

        _seenSinceLearned = Math.Min(delaysUs.Count, FewestDelays - 1);
        if (delaysUs.Count >= FewestDelays)
        {
            Believe();
        }
    }

    /// <summary>Delays are learned in steps, so that few requests pay for sorting them.</summary>
    private void Learn(long delayUs)
    {
        _delaysUs.Enqueue(delayUs);
        if (_delaysUs.Count > MostDelays)
        {
            _delaysUs.Dequeue();
        }

        if (++_seenSinceLearned >= FewestDelays)
        {
            Believe();
        }
    }

    private void Believe()
    {
        _seenSinceLearned = 0;
        long[] sorted = [.. _delaysUs.Order()];
        _learned = (sorted[sorted.Length / 20], sorted[sorted.Length - 1 - (sorted.Length / 20)]);
    }

    /// <param name="CameUs">When the parent's request came, µs.</param>
    /// <param name="BeginUs">From when on instances are wanted, µs.</param>
    /// <param name="UntilUs">Until when, µs.</param>
    private sealed record Expected(long CameUs, long BeginUs, long UntilUs)
    {
        public int Left { get; set; }

        public bool IsOpen { get; set; }
    }
}
