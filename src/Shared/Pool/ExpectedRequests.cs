using FuncScaler.Learned;
using FuncScaler.Policies;

namespace FuncScaler.Pool;

/// <summary>The requests of one function that are expected because of its groups, all of them together.</summary>
internal sealed class ExpectedRequests
{
    private readonly List<FollowingRequests> _following = [];

    public IReadOnlyList<FollowingRequests> Following => _following;

    /// <summary>Requests that instances are wanted for now.</summary>
    public int Wanted => _following.Sum(f => f.Wanted);

    /// <summary>Whether any request is expected.</summary>
    public bool Any => _following.Exists(f => f.Any);

    /// <summary>When <see cref="Wanted"/> changes next if no request comes, µs; <see cref="long.MaxValue"/> for never.</summary>
    public long NextChangeUs => _following.Aggregate(long.MaxValue, (first, f) => Math.Min(first, f.NextChangeUs));

    /// <summary>When the first of those that are wanted now is given up, µs; <see cref="long.MaxValue"/> for never.</summary>
    public long NextEndUs => _following.Aggregate(long.MaxValue, (first, f) => Math.Min(first, f.NextEndUs));

    /// <summary>A group of the function, new or changed.</summary>
    public void Set(FunctionGroup group)
    {
        if (_following.Find(f => f.Group.Parent == group.Parent) is { } known)
        {
            known.Change(group);
        }
        else
        {
            _following.Add(new FollowingRequests(group));
        }
    }

    /// <summary>Only these parents' requests count from now on.</summary>
    public void Keep(Func<FunctionGroup, bool> kept) => _following.RemoveAll(f => !kept(f.Group));

    public void Advance(long nowUs)
    {
        foreach (var following in _following)
        {
            following.Advance(nowUs);
        }
    }

    /// <summary>A request of the function has come. It counts for the group whose requests are to come first.</summary>
    public void ChildCame(long nowUs)
    {
        Advance(nowUs);
        FollowingRequests? first = null;
        foreach (var following in _following)
        {
            if (following.Any && (first is null || Order(following).CompareTo(Order(first)) < 0))
            {
                first = following;
            }
        }

        first?.ChildCame(nowUs);

        static (bool Coming, long AtUs) Order(FollowingRequests f) => (f.NextEndUs == long.MaxValue, Math.Min(f.NextEndUs, f.NextChangeUs));
    }

    /// <summary>Whether any delay was seen.</summary>
    public bool HasLearned => _following.Exists(f => f.HasLearned);

    /// <summary>Writes the delays that were seen, with the parents that they are of.</summary>
    public void WriteLearned(LearnedWriter writer)
    {
        foreach (var following in _following.Where(f => f.HasLearned).Take(writer.Detail))
        {
            writer.Text(following.Group.Parent.Value);
            following.WriteLearned(writer);
        }
    }

    /// <summary>Reads delays, by parent, µs.</summary>
    public static Dictionary<string, IReadOnlyList<long>> ReadLearned(LearnedReader reader)
    {
        var delaysUs = new Dictionary<string, IReadOnlyList<long>>();
        while (!reader.AtEnd)
        {
            delaysUs[reader.Text()] = FollowingRequests.ReadLearned(reader);
        }

        return delaysUs;
    }

    /// <summary>Groups of which no delay has been seen yet begin with those that were read.</summary>
    public void TakeIn(IReadOnlyDictionary<string, IReadOnlyList<long>> delaysUs)
    {
        foreach (var following in _following)
        {
            following.TakeIn(delaysUs.GetValueOrDefault(following.Group.Parent.Value) ?? []);
        }
    }

    public IReadOnlyList<FollowingExplanation> Explain(long nowUs)
    {
        Advance(nowUs);
        return [.. _following.Select(f => f.Explain())];
    }
}
