using System.Runtime.InteropServices;

namespace FuncScaler.Pool;

/// <summary>The groups of functions that operators have told of, and what is expected because of them.</summary>
internal sealed class GroupsBook
{
    private readonly Dictionary<MetaKey, List<FollowingRequests>> _byParent = [];
    private readonly Dictionary<MetaKey, ExpectedRequests> _byChild = [];

    /// <summary>What follows a request of a function.</summary>
    public IReadOnlyList<FollowingRequests> FollowingOf(MetaKey parent) => _byParent.GetValueOrDefault(parent) ?? (IReadOnlyList<FollowingRequests>)[];

    /// <summary>What is expected of a function; null for one that follows no other.</summary>
    public ExpectedRequests? ExpectedOf(MetaKey child) => _byChild.GetValueOrDefault(child);

    /// <summary>These groups hold from now on; what was learned of those that stay is kept.</summary>
    /// <exception cref="ArgumentException">A group is out of its range, there twice, or one too many of its function; says which. Nothing has changed then.</exception>
    public void Set(IReadOnlyCollection<FunctionGroup> groups)
    {
        ArgumentNullException.ThrowIfNull(groups);
        foreach (var group in groups)
        {
            group.Validate();
        }

        if (groups.GroupBy(g => (g.Parent, g.Child)).FirstOrDefault(g => g.Count() > 1)?.Key is { } twice)
        {
            throw new ArgumentException($"{twice.Parent} is followed by {twice.Child} in two groups: give one, with the fan-out of both.");
        }

        if (groups.GroupBy(g => g.Parent).Concat(groups.GroupBy(g => g.Child)).FirstOrDefault(g => g.Count() > FunctionGroup.MostOfFunction)?.Key is { } busy)
        {
            throw new ArgumentException($"{busy} is in more than {FunctionGroup.MostOfFunction} groups.");
        }

        var pairs = groups.Select(g => (g.Parent, g.Child)).ToHashSet();
        foreach (var (child, expected) in _byChild.ToList())
        {
            expected.Keep(g => pairs.Contains((g.Parent, g.Child)));
            if (expected.Following.Count == 0)
            {
                _byChild.Remove(child);
            }
        }

        foreach (var group in groups)
        {
            var expected = CollectionsMarshal.GetValueRefOrAddDefault(_byChild, group.Child, out _) ??= new ExpectedRequests();

            expected.Set(group);
        }

        _byParent.Clear();
        foreach (var following in _byChild.Values.SelectMany(e => e.Following))
        {
            var ofParent = CollectionsMarshal.GetValueRefOrAddDefault(_byParent, following.Group.Parent, out _) ??= [];

            ofParent.Add(following);
        }
    }
}
