namespace FuncScaler.Nodes;

/// <summary>Limits and rules of a <see cref="NodeFleet"/>.</summary>
public sealed record NodeFleetOptions
{
    /// <summary>The most nodes at a time.</summary>
    /// <value>The default is 20, that of the 2020 contest. At least 1.</value>
    public int MostNodes { get; init; } = 20;

    /// <summary>The memory of a node until the platform has said so, MB.</summary>
    /// <value>The default is 4096. At least 1.</value>
    public int NodeMemoryMb { get; init; } = 4096;

    /// <summary>
    /// How much memory is promised on a node at most, as a multiple of what it has. Above 1 the reported use is watched: a node that comes near
    /// its memory takes nothing further until it has fallen.
    /// </summary>
    /// <value>The default is 1: never more than there is. From 1 to 16.</value>
    public double OverCommit { get; init; } = 1;

    /// <summary>Whether nodes are given back before the end.</summary>
    /// <value>The default is true.</value>
    public bool Releases { get; init; } = true;

    /// <summary>Whether idle instances are held for nothing on nodes that are kept anyway, until their memory is wanted.</summary>
    /// <value>The default is true.</value>
    public bool HoldsForNothing { get; init; } = true;

    /// <summary>Whether a node that little runs on is emptied when the others have room for what runs there.</summary>
    /// <value>The default is true.</value>
    public bool Drains { get; init; } = true;

    /// <summary>How many empty nodes are held ready whatever that costs.</summary>
    /// <value>The default is 0: an empty node is held for as long as reserving it again would be dearer.</value>
    public int WarmNodes { get; init; }

    /// <summary>What a second of a caller's waiting is worth now, GB·s, over all functions.</summary>
    /// <value>The default is null: 1 GB·s.</value>
    public Func<double>? PriceGbs { get; init; }

    /// <summary>The pause before a failed call for a node is repeated; doubles with each failure in a row, up to a minute.</summary>
    /// <value>The default is 500 ms. Above 0.</value>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <exception cref="ArgumentException">A setting is out of its range; says which.</exception>
    public void Validate()
    {
        Check(MostNodes >= 1, nameof(MostNodes), MostNodes, "1 or more");
        Check(NodeMemoryMb >= 1, nameof(NodeMemoryMb), NodeMemoryMb, "1 or more");
        Check(OverCommit is >= 1 and <= 16, nameof(OverCommit), OverCommit, "1 to 16");
        Check(WarmNodes >= 0 && WarmNodes <= MostNodes, nameof(WarmNodes), WarmNodes, $"0 to {nameof(MostNodes)}");
        Check(RetryDelay > TimeSpan.Zero, nameof(RetryDelay), RetryDelay, "above 0");

        static void Check(bool holds, string name, object value, string range)
        {
            if (!holds)
            {
                throw new ArgumentException(FormattableString.Invariant($"{name} is {value} and must be {range}."));
            }
        }
    }
}
